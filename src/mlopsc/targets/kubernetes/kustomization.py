"""The folders as kustomize reads them: each model complete in itself, each environment whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import Body, Draft, YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Environment
    from mlopsc.targets.kubernetes.configuration import Folder
    from mlopsc.targets.kubernetes.place import Fields, Place

Made: TypeAlias = "tuple[Place, tuple[Draft, ...]]"
Folders: TypeAlias = "tuple[Folder, ...]"

_DELETE: Final = """\
$patch: delete
apiVersion: v1
kind: ConfigMap
metadata:
  name: of-other-models
"""


def of_model(place: Place, objects: tuple[Draft, ...], folders: Folders) -> Draft:
    """What is applied for one model: its objects and the configuration its jobs read."""
    resources: list[Body] = [*_bases(folders, frozenset({place.model.name}), "../../..")]
    for draft in objects:
        resources.append(traced(draft.path.rpartition("/")[2], draft.origin))
    body = _body(place.environment, resources)
    patches = _without_others(place.model.name, folders)
    if patches is not None:
        body["patches"] = patches
    return YamlDraft(f"{place.folder}/kustomization.yaml", place.model.origin, body)


def of_environment(
    environment: Environment, made: tuple[Made, ...], shared: tuple[Draft, ...], folders: Folders
) -> Draft:
    """What is applied for a whole environment.

    It lists the objects, not the models' folders: those bring the shared configuration each, and
    kustomize refuses an object that comes twice.
    """
    folder = conventions.environment_manifests(environment.name)
    names = frozenset(place.model.name for place, _ in made)
    resources: list[Body] = [*_bases(folders, names, "../..")]
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


def _bases(folders: Folders, names: frozenset[str], up: str) -> Iterator[Body]:
    """The folders whose ConfigMaps the jobs of the models `names` mount."""
    for folder in folders:
        if names & folder.names:
            reason = decision("kubernetes_configuration")
            yield traced(f"{up}/{folder.path}", folder.origin, reason)


def _without_others(name: str, folders: Folders) -> Body | None:
    """A patch that leaves out the ConfigMaps of other models, which the same folders bring."""
    if not any(name in folder.names and len(folder.names) > 1 for folder in folders):
        return None
    selector = f"app.kubernetes.io/name!={conventions.dns(name)}"
    target: Fields = {"kind": "ConfigMap", "labelSelector": selector}
    return traced([{"target": target, "patch": _DELETE}], decision("kubernetes_own"))
