"""From a line of an artifact back to the spec: who decided it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Artifact
    from mlopsc.diagnostics.finding import Path


def causes_of(artifact: Artifact, line: int) -> tuple[Path, ...]:
    """The spec paths behind `line` (from 1), by its innermost cause; empty beyond the last line."""
    for cause in reversed(artifact.causes):
        if cause.first <= line <= cause.last:
            return cause.origins
    return ()


def lines_of(artifact: Artifact, path: Path) -> tuple[int, ...]:
    """The lines that `path` decides: those whose innermost cause names it, or a path below it."""
    owners: dict[int, tuple[Path, ...]] = {}
    for cause in artifact.causes:  # outer before inner, so the last word stays
        for line in range(cause.first, cause.last + 1):
            owners[line] = cause.origins
    size = len(path)
    return tuple(
        line
        for line, origins in sorted(owners.items())
        if any(origin[:size] == path for origin in origins)
    )
