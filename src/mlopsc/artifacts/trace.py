"""From a line of an artifact back to the spec, and from the spec to the lines: who decides what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Artifact
    from mlopsc.diagnostics.finding import Path


def causes_of(artifact: Artifact, line: int) -> tuple[Path, ...]:
    """The spec paths behind `line` (from 1): its innermost cause, and what its text mentions.

    Empty beyond the last line.
    """
    for cause in reversed(artifact.causes):
        if cause.first <= line <= cause.last:
            return cause.origins + _mentioned(artifact, line)
    return ()


def _mentioned(artifact: Artifact, line: int) -> tuple[Path, ...]:
    if not artifact.mentions:
        return ()
    text = artifact.text.split("\n", line)[line - 1]
    return tuple(path for piece, path in artifact.mentions if piece in text)


def lines_by_path(artifact: Artifact) -> dict[Path, set[int]]:
    """The lines (from 1) that each spec path behind `artifact` decides.

    A line is decided by every cause around it, not by the innermost alone: what makes the block
    decides that the line is there at all.
    """
    decided: dict[Path, set[int]] = {}
    for cause in artifact.causes:
        lines = range(cause.first, cause.last + 1)
        for origin in cause.origins:
            decided.setdefault(origin, set()).update(lines)
    for piece, path in artifact.mentions:
        if piece in artifact.text:
            found = (n for n, line in enumerate(artifact.text.split("\n"), 1) if piece in line)
            decided.setdefault(path, set()).update(found)
    return decided
