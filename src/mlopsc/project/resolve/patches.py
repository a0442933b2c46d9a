"""`patches` as facts: which files, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlopsc.project.model import Creation, Operation, Patch, Replacement

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.resolve.scope import Scope
    from mlopsc.spec.root import Spec


def resolve_patches(scope: Scope, spec: Spec) -> tuple[Patch | Creation, ...]:
    """The patches, in written order."""
    return tuple(
        _patch(patch, scope.at("patches", position)) for position, patch in enumerate(spec.patches)
    )


def _patch(patch: Any, at: Path) -> Patch | Creation:
    if patch.create is not None:
        return Creation(at, patch.create, patch.from_, patch.text)
    return Patch(
        origin=at,
        artifact=patch.artifact,
        expect=patch.expect or {},
        merge=patch.merge,
        operations=tuple(
            Operation((*at, "json", position), step.op, step.path, step.from_, step.value)
            for position, step in enumerate(patch.json_)
        ),
        replacements=tuple(
            Replacement((*at, "replace", position), piece.find, piece.with_)
            for position, piece in enumerate(patch.replace)
        ),
    )
