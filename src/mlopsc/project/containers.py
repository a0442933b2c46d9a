"""Which container runs what: the images of jobs and of serving, their tags and their inputs.

The tag of a serving image is the model's version, a line of the spec. What an image of `images`
will hold is not known to a compiler that reads the spec alone, so its tag names the environment
that runs it, and the deploying job pins it to the tag of the content it built (see `build_inputs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project import conventions
from mlopsc.project.model import Environment, Image, ImageRef, Model, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = 10001
"""Numeric, so that `runAsNonRoot` can be proven without reading the image; above 10000, so that it
is no user of the node."""

KUBERNETES = "kubernetes"


def job_image(project: Project, model: Model) -> ImageRef | None:
    """The image a model's programs run in: its training's, otherwise the first of `images`.

    None: the spec has neither, and nothing can run in Kubernetes.
    """
    if model.training is not None and model.training.image is not None:
        return model.training.image
    if project.images:
        first = project.images[0]
        return ImageRef(first.origin, first, None)
    return None


def reference(image: ImageRef, environment: Environment) -> str:
    """What a manifest says: somebody's image as written, ours by the environment that runs it."""
    if image.image is None:
        return image.reference or ""
    return f"{repository(image.image)}:{conventions.dns(environment.name)}"


def repository(image: Image) -> str:
    """Where an image of ours is pushed to; without a registry, its local name."""
    return image.reference or conventions.dns(image.name)


def serving_reference(project: Project, environment: Environment, model: Model) -> str:
    """The serving image of the version that runs; without a registry, its local name."""
    registry = project.registry or conventions.dns(project.name)
    return f"{conventions.serving_image(registry, model.name)}:{environment.version(model)}"


def is_generated(image: ImageRef) -> bool:
    """Whether we write its Dockerfile, and so know its user and its folders."""
    return image.image is not None and image.image.dockerfile is None


def runs_programs(project: Project, image: Image) -> bool:
    """Whether our programs run in it: jobs of some model do."""
    return any(
        used is not None and used.image is not None and used.image.name == image.name
        for used in (job_image(project, model) for model in project.models)
    )


def code_paths(project: Project, image: Image) -> tuple[str, ...]:
    """The project's own files and folders that jobs in Kubernetes need in `image`, each once.

    A GitLab job has a checkout; a pod has what its image holds.
    """
    found: dict[str, None] = {}
    for model in _in_kubernetes(project):
        used = job_image(project, model)
        if used is None or used.image is None or used.image.name != image.name:
            continue
        found.update(dict.fromkeys(_code_of(model)))
    folders = [path for path in found if not path.endswith(".py")]
    return tuple(
        path
        for path in found
        if not any(path != folder and path.startswith(f"{folder}/") for folder in folders)
    )


def build_inputs(project: Project, image: Image) -> tuple[str, ...]:
    """What a build of `image` reads: with the same content, it is the same image."""
    if image.dockerfile is not None:
        return (image.dockerfile, *code_paths(project, image))
    folder = conventions.dockerfile(image.name).rpartition("/")[0]
    parts = [folder]
    if image.requirements is not None:
        parts.append(image.requirements)
    if runs_programs(project, image):
        parts.append(conventions.PROGRAM_REQUIREMENTS)
    return (*parts, *code_paths(project, image))


def _in_kubernetes(project: Project) -> Iterator[Model]:
    for model in project.models:
        if KUBERNETES in (model.platform.training, model.platform.orchestration):
            yield model


def _code_of(model: Model) -> Iterator[str]:
    if model.training is not None:
        yield conventions.PARAMETERS
        for pattern in model.training.paths:
            folder = _before_wildcard(pattern)
            if folder:
                yield folder
    for view in model.on_demand_views:
        package, dot, _ = view.module.partition(".")
        yield package if dot else f"{package}.py"


def _before_wildcard(pattern: str) -> str:
    """`src` of `src/**/*`, `conf/train.yaml` of itself; nothing of `*.py`."""
    steps = pattern.strip("/").split("/")
    fixed = [step for step in steps if step not in ("", ".")]
    for position, step in enumerate(fixed):
        if any(sign in step for sign in "*?["):
            return "/".join(fixed[:position])
    return "/".join(fixed)
