"""`create`: files of the user's own among the generated ones, and in Kustomize's list of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from mlopsc.artifacts.draft import Artifact, Cause, YamlDraft, traced
from mlopsc.diagnostics.finding import Rejected
from mlopsc.patching.refusal import unfitting
from mlopsc.patching.structure import opened, own
from mlopsc.source.encoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlopsc.artifacts.draft import Body, Draft
    from mlopsc.project.model import Creation, Patch
    from mlopsc.source.files import Files

TARGET: Final = "patches"
"""What stands in the place of a target's name for files of the user's own."""
KUSTOMIZATION: Final = "kustomization.yaml"
_MANIFESTS: Final = (".yaml", ".yml", ".json")
_KEYS: Final = tuple(
    re.compile(rf"""^[ \t]*["']?{key}["']?[ \t]*:""", re.MULTILINE)
    for key in ("apiVersion", "kind")
)


def created(creation: Creation, files: Files) -> Artifact:
    """The file `creation` asks for: Unix line ends, one at the end, all else as it is written.

    Raises:
        Unfitting: A008: what it is to be made from cannot be read, or is no text.
    """
    text, at = creation.text or "", creation.at("text")
    if creation.source is not None:
        text, at = _read(creation, files), creation.at("from")
    text = text.replace("\r\n", "\n")
    if text and not text.endswith("\n"):
        text += "\n"
    cause = Cause(1, max(text.count("\n"), 1), (at, creation.at("create")))
    return Artifact(creation.path, text, (cause,), TARGET)


def _read(creation: Creation, files: Files) -> str:
    name = creation.source or ""
    try:
        return decode(name, files.read(name)).text
    except Rejected as rejected:
        said = rejected.findings[0]
        message = said.message if name in said.message else f"'{name}' is no text: {said.message}"
        raise unfitting(
            "A008", message, creation.at("from"), said.help or "name a text file of the project"
        ) from None


def listed(
    draft: Draft, made: Iterable[tuple[Creation, Artifact]], patches: tuple[Patch, ...]
) -> Draft:
    """`draft` with the manifests among `made` in its `resources`, if it is a kustomization above them.

    A kustomization that `patches` mention a file in places it by itself: as a patch of Kustomize's,
    as a part of a ConfigMap.
    """
    folder, _, name = draft.path.rpartition("/")
    if name != KUSTOMIZATION or not isinstance(draft, YamlDraft):
        return draft
    body = own(draft.body)
    inner, _ = opened(body, ())
    resources = opened(inner.get("resources"), ())[0] if isinstance(inner, dict) else None
    if not isinstance(resources, list):
        return draft
    mentioned = frozenset(string for patch in patches for string in _strings(patch))
    added: list[Body] = []
    for creation, artifact in made:
        below = creation.path.removeprefix(f"{folder}/")
        if below != creation.path and below not in mentioned and is_manifest(artifact):
            added.append(traced(below, creation.at("create")))
    resources.extend(added)
    return replace(draft, body=body) if added else draft


def is_manifest(artifact: Artifact) -> bool:
    """Whether a file is one that `kubectl apply` takes: it says its `apiVersion` and its `kind`."""
    path = artifact.path
    return (
        path.endswith(_MANIFESTS)
        and path.rpartition("/")[2] != KUSTOMIZATION
        and all(key.search(artifact.text) for key in _KEYS)
    )


def _strings(patch: Patch) -> Iterator[str]:
    pending: list[object] = [patch.merge, *(step.value for step in patch.operations)]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += cast("list[object]", value)
