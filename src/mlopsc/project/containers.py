"""Which container runs what: the images of jobs and of serving, their tags and their inputs.

The tag of a serving image is the model's version, a line of the spec. What an image of `images`
will hold is not known to a compiler that reads the spec alone, so its tag names the environment
that runs it, and the deploying job pins it to the tag of the content it built (see `build_inputs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project import conventions
from mlopsc.project.model import Environment, Image, ImageRef, Model, Project, Training
from mlopsc.project.remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from mlopsc.diagnostics.finding import Path

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
    return image.name in _programs_in(project)


@remembered
def _programs_in(project: Project) -> frozenset[str]:
    """The names of the images of the spec that jobs of models run in."""
    used = (job_image(project, model) for model in project.models)
    return frozenset(one.image.name for one in used if one is not None and one.image is not None)


def code_paths(project: Project, image: Image) -> tuple[str, ...]:
    """The project's own files and folders that jobs in Kubernetes need in `image`, each once.

    A GitLab job has a checkout; a pod has what its image holds.
    """
    return _outermost(code_causes(project, image))


def code_causes(project: Project, image: Image) -> dict[str, list[tuple[Path, ...]]]:
    """Every path of code that `image` needs, those inside others too; for each who asks, by what."""
    return _code_by_image(project).get(image.name, {})


def alone(askers: Iterable[tuple[Path, ...]]) -> tuple[Path, ...]:
    """What of the spec is in each asking: a path that two ask for goes with neither of them."""
    first, *others = askers
    return tuple(path for path in first if all(path in other for other in others))


@remembered
def _code_by_image(project: Project) -> dict[str, dict[str, list[tuple[Path, ...]]]]:
    """For each image of the spec that jobs in Kubernetes run in, the paths of their code."""
    found: dict[str, dict[str, list[tuple[Path, ...]]]] = {}
    for model in _in_kubernetes(project):
        used = job_image(project, model)
        if used is not None and used.image is not None:
            paths = found.setdefault(used.image.name, {})
            for path, named in _code_of(model):
                paths.setdefault(path, []).append(named)
    return found


def _outermost(paths: Collection[str]) -> tuple[str, ...]:
    """The paths that lie in no folder that is itself among them."""
    folders = {path for path in paths if not path.endswith(".py")}
    return tuple(path for path in paths if folders.isdisjoint(_above(path)))


def _above(path: str) -> Iterator[str]:
    """The folders a path lies in, innermost first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def build_inputs(project: Project, image: Image) -> tuple[str, ...]:
    """What a build of `image` reads: with the same content, it is the same image."""
    return tuple(input_causes(project, image))


def input_causes(project: Project, image: Image) -> dict[str, tuple[Path, ...]]:
    """The same, with what of the spec names each, so that it would be another without."""
    code = code_causes(project, image)
    outermost = {path: alone(code[path]) for path in _outermost(code)}
    if image.dockerfile is not None:
        return {image.dockerfile: (image.at("dockerfile"),), **outermost}
    found: dict[str, tuple[Path, ...]] = {conventions.dockerfile(image.name).rpartition("/")[0]: ()}
    if image.requirements is not None:
        found[image.requirements] = (image.at("requirements"),)
    if runs_programs(project, image):
        found[conventions.PROGRAM_REQUIREMENTS] = ()
    return {**found, **outermost}


def _in_kubernetes(project: Project) -> Iterator[Model]:
    for model in project.models:
        if KUBERNETES in (model.platform.training, model.platform.orchestration):
            yield model


def _code_of(model: Model) -> Iterator[tuple[str, tuple[Path, ...]]]:
    if model.training is not None:
        yield conventions.PARAMETERS, ()
        for pattern, named in path_causes(model.training).items():
            folder = _before_wildcard(pattern)
            if folder:
                yield folder, named
    for view in model.on_demand_views:
        package, dot, _ = view.module.partition(".")
        yield package if dot else f"{package}.py", (view.at("python"),)


def path_causes(training: Training) -> dict[str, tuple[Path, ...]]:
    """The patterns of `training.paths`; where there are none, they follow from the command."""
    return {
        pattern: (
            (training.at("paths"), training.at("command"))
            if pattern.removesuffix("**/*") in training.command
            else (training.at("paths"),)
        )
        for pattern in training.paths
    }


def _before_wildcard(pattern: str) -> str:
    """`src` of `src/**/*`, `conf/train.yaml` of itself; nothing of `*.py`."""
    steps = pattern.strip("/").split("/")
    fixed = [step for step in steps if step not in ("", ".")]
    for position, step in enumerate(fixed):
        if any(sign in step for sign in "*?["):
            return "/".join(fixed[:position])
    return "/".join(fixed)
