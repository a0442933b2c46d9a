"""The folders as kustomize reads them: each model complete in itself, each environment whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Draft, YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes import configuration
from mlopsc.targets.kubernetes.place import Fields, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Environment

Made = tuple[Place, tuple[Draft, ...]]

_DELETE: Final = """\
$patch: delete
apiVersion: v1
kind: ConfigMap
metadata:
  name: of-other-models
"""


def of_model(place: Place, objects: tuple[Draft, ...]) -> Draft:
    """What is applied for one model: its objects and the configuration its jobs read."""
    resources: list[Body] = [*_bases((place,), "../../..")]
    for draft in objects:
        resources.append(traced(draft.path.rpartition("/")[2], draft.origin))
    body = _body(place.environment, resources)
    patches = _without_others(place)
    if patches is not None:
        body["patches"] = patches
    return YamlDraft(f"{place.folder}/kustomization.yaml", place.model.origin, body)


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
    names = {place.model.name for place in places}
    for folder in configuration.folders(places[0].project):
        if names & {model.name for model in folder.models}:
            reason = decision("kubernetes_configuration")
            yield traced(f"{up}/{folder.path}", folder.origin, reason)


def _without_others(place: Place) -> Body | None:
    """A patch that leaves out the ConfigMaps of other models, which the same folders bring."""
    shared = {
        model.name
        for folder in configuration.folders(place.project)
        for model in folder.models
        if place.model.name in {each.name for each in folder.models}
    }
    if shared <= {place.model.name}:
        return None
    selector = f"app.kubernetes.io/name!={conventions.dns(place.model.name)}"
    target: Fields = {"kind": "ConfigMap", "labelSelector": selector}
    return traced([{"target": target, "patch": _DELETE}], decision("kubernetes_own"))
