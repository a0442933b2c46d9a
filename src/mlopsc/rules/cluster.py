"""Rules about what runs in a cluster: a pod has its image and the network, and no checkout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project import containers
from mlopsc.project.conventions import dns
from mlopsc.rules.rule import Hit, Key, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Model, Project, Source

KUBERNETES = containers.KUBERNETES


def _jobs(
    project: Project,
) -> Iterator[tuple[Model, str, tuple[str | int, ...], tuple[Source, ...]]]:
    """Each model's jobs in the cluster: what it is, where the spec asks for it, what it reads."""
    for model in project.models:
        views = tuple(view.source for view in model.views)
        if model.training is not None and model.platform.training == KUBERNETES:
            yield model, "training", model.training.origin, (model.target.source, *views)
        if model.platform.orchestration != KUBERNETES:
            continue
        if model.monitoring is not None:
            reads = (model.monitoring.current, *views)
            yield model, "monitoring", model.monitoring.origin, reads
        if model.batch is not None:
            reads = (model.batch.source, model.batch.destination, *views)
            yield model, "batch", model.batch.origin, reads


@rule("R601")
def jobs_have_an_image(project: Project) -> Iterator[Hit]:
    """What runs in a cluster runs in an image."""
    for model, what, at, _ in _jobs(project):
        if containers.job_image(project, model) is None:
            yield (
                f"the {what} of '{model.name}' runs in the cluster, and no image is named to run it in",
                Key(at),
                "add `image: NAME` to the model's `training`, and the image to `images`",
            )


@rule("R602")
def jobs_reach_their_tables(project: Project) -> Iterator[Hit]:
    """A file of the checkout is not in the cluster."""
    told: set[tuple[str, str]] = set()
    for model, what, at, reads in _jobs(project):
        for source in reads:
            local = source.kind in ("parquet", "csv") and "://" not in (source.location or "")
            if local and (model.name, source.name) not in told:
                told.add((model.name, source.name))
                yield (
                    f"the {what} of '{model.name}' runs in the cluster, where '{source.location}' is not",
                    source.at(source.kind or ""),
                    "write to a table that pods reach (`bigquery:`, `postgres:` …)"
                    if model.batch is not None and source is model.batch.destination
                    else "keep it where pods can read it (`gs://…`, `s3://…` or a database)",
                    (Note("it is read from here", at, on_key=True),),
                )


@rule("R603")
def builds_have_an_image(project: Project) -> Iterator[Hit]:
    """A table that is built in the cluster is built by an image that holds its code."""
    if project.platform.orchestration != KUBERNETES:
        return
    for source in project.sources:
        build = source.build
        if build is not None and build.schedule is not None and build.image is None:
            yield (
                f"'{source.name}' is built in the cluster, and no image is named to build it in",
                Key(build.origin),
                "add `image:` to its `build`: a name from `images`, or a full reference",
            )


@rule("R604")
def names_stay_apart(project: Project) -> Iterator[Hit]:
    """A model's objects are called MODEL-PURPOSE, which may be another model's name."""
    names = {dns(model.name): model for model in project.models}
    for model in project.models:
        for purpose in ("jobs", "alerts", "monitor", "batch", "train"):
            other = names.get(f"{dns(model.name)}-{purpose}")
            if other is not None:
                yield (
                    f"model '{other.name}' and the {purpose} of '{model.name}' have one name in Kubernetes: {dns(other.name)}",
                    Key(other.origin),
                    "rename one of the two models",
                    (Note("the other one stands here", model.origin, on_key=True),),
                )
    images = {dns(image.name): image for image in project.images}
    for model in project.models:
        if model.serving is not None and (image := images.get(dns(model.name))) is not None:
            yield (
                f"image '{image.name}' and the serving image of model '{model.name}' have one place in the registry",
                Key(image.origin),
                "rename the image",
                (Note("the model stands here", model.origin, on_key=True),),
            )


_MLSERVER_PYTHONS = ("3.9", "3.10", "3.11", "3.12")  # mlserver 1.7.1's metadata: >=3.9,<3.13


@rule("R605")
def runtime_knows_the_python(project: Project) -> Iterator[Hit]:
    """A model is loaded by the Python it was saved with, and MLServer runs on some of them."""
    for model in project.models:
        image = model.training.image.image if model.training and model.training.image else None
        if model.serving is None or model.serving.runtime != "mlserver" or image is None:
            continue
        minor = ".".join(image.python.split(".")[:2])
        if image.dockerfile is None and minor not in _MLSERVER_PYTHONS:
            yield (
                f"'{model.name}' is trained on Python {image.python}, and mlserver runs on {', '.join(_MLSERVER_PYTHONS)}",
                image.at("python"),
                f"take Python {_MLSERVER_PYTHONS[-1]}, or another runtime",
            )
