"""From a spec line to the generated lines it decides: the way back of `why`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Document


def decided_by(
    lines: Mapping[Path, set[int]], paths: Iterable[Path], document: Document
) -> set[int]:
    """Those of `lines` (by path, see `lines_by_path`) that what is written at any of `paths` decides.

    These are the lines whose causes name the path itself, or something that follows from the value
    there (the columns of a table that is named, say), or the list it is an item of. A cause that
    names a mapping speaks of its presence, and not of the values below it.
    """
    found: set[int] = set()
    for path in paths:
        named = (path, path[:-1]) if path and isinstance(path[-1], int) else (path,)
        for origin, decided in lines.items():
            if origin in named or _follows(origin, path, document):
                found |= decided
    return found


def _follows(origin: Path, path: Path, document: Document) -> bool:
    """Whether `origin` is below `path` without being written: it follows from what is there."""
    size = len(path)
    return len(origin) > size and origin[:size] == path and not document.has(origin[: size + 1])
