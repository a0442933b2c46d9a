"""The folders as kustomize reads them: each model complete in itself, each environment whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, Draft, YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes import configuration
from mlopsc.targets.kubernetes.place import Fields, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Environment, Project

Made = tuple[Place, tuple[Draft, ...]]


def of_model(place: Place, objects: tuple[Draft, ...]) -> Draft:
    """What is applied for one model: its objects and the configuration its jobs read."""
    resources: list[Body] = [*_bases((place,), "../../..")]
    for draft in objects:
        resources.append(traced(draft.path.rpartition("/")[2], draft.origin))
    path = f"{place.folder}/kustomization.yaml"
    return YamlDraft(path, place.model.origin, _body(place.environment, resources))


def of_environment(
    environment: Environment, made: tuple[Made, ...], shared: tuple[Draft, ...]
) -> Draft:
    """What is applied for a whole environment.

    It lists the objects, not the models' folders: those bring the shared configuration each, and
    kustomize refuses an object that comes twice.
    """
    folder = conventions.environment_manifests(environment.name)
    places = tuple(place for place, _ in made)
    resources: list[Body] = [*_bases(places, "../..")]
    drafts = [*shared, *(draft for _, objects in made for draft in objects)]
    for draft in drafts:
        resources.append(traced(draft.path.removeprefix(f"{folder}/"), draft.origin))
    body = _body(environment, resources)
    return YamlDraft(f"{folder}/kustomization.yaml", environment.origin, body)


def _body(environment: Environment, resources: list[Body]) -> Fields:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": traced(environment.namespace, environment.at("namespace")),
        "resources": resources,
    }


def _bases(places: tuple[Place, ...], up: str) -> Iterator[Body]:
    """The folders whose ConfigMaps the jobs of `places` mount."""
    running = [place for place in places if configuration.runs_jobs(place.model)]
    if not running:
        return
    wanted = {conventions.PROGRAMS}
    for place in running:
        if configuration.reads_reports(place.model):
            wanted.add(configuration.REPORTS)
        if place.model.uses_feature_store:
            wanted.add(conventions.FEATURE_REPO)
    yield from _ordered(places[0].project, wanted, up)


def _ordered(project: Project, wanted: set[str], up: str) -> Iterator[Body]:
    for folder in configuration.folders(project):
        if folder.path in wanted:
            reason = decision("kubernetes_configuration")
            yield traced(f"{up}/{folder.path}", folder.origin, reason)
