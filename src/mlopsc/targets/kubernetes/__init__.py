"""Kubernetes: what serves, scores and watches a model, one object a file, by kustomize folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.targets.kubernetes import (
    availability,
    configuration,
    dashboards,
    jobs,
    kustomization,
    network,
    observation,
    serving,
    training,
)
from mlopsc.targets.kubernetes.decisions import DECISIONS
from mlopsc.targets.kubernetes.place import Place, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Draft
    from mlopsc.project.model import Project

__all__ = ["DECISIONS", "emit", "name"]

name: Final = "kubernetes"


def emit(project: Project) -> Iterator[Draft]:
    """The objects of every model in every environment, and the folders that hold them together."""
    folders = tuple(configuration.folders(project))
    yield from configuration.emit(project, folders)
    for environment in project.environments:
        shared = tuple(observation.of_environment(project, environment))
        yield from shared
        here = []
        there = (*folders, *dashboards.folders(environment))
        for place in places(project, environment):
            objects = tuple(_objects(place))
            if objects:
                here.append((place, objects))
                yield from objects
                yield kustomization.of_model(place, objects, there)
        if here or shared:
            yield kustomization.of_environment(environment, tuple(here), shared, there)


def _objects(place: Place) -> Iterator[Draft]:
    yield from serving.emit(place)
    yield from availability.emit(place)
    yield from jobs.emit(place)
    yield from training.emit(place)
    yield from network.emit(place)
    yield from observation.emit(place)
