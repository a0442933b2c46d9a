"""The scalars of a spec: where each stands in the text, and the text with another in its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlopsc.spec.merging import MERGING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path, Place
    from mlopsc.source.document import Data, Document

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Leaf:
    """A scalar as written; through an anchor or a merge key it stands at several paths."""

    place: Place
    paths: tuple[Path, ...]
    value: Scalar

    @property
    def name(self) -> str:
        return ".".join(map(str, self.paths[0]))

    @property
    def value_paths(self) -> tuple[Path, ...]:
        """What the scalar says: of a short form (`carrier: string`) the key it stands for.

        The item itself is there whatever its value.
        """
        return tuple(
            path if (key := MERGING.shorthand(path)) is None else (*path, key)
            for path in self.paths
        )


def leaves(document: Document) -> list[Leaf]:
    """All of them, in order of place."""
    found: dict[Place, list[Path]] = {}
    values: dict[Place, Scalar] = {}
    for path, value in _scalars(document.data):
        place = document.place(path)
        found.setdefault(place, []).append(path)
        values[place] = value
    order = sorted(found, key=lambda place: (place.file, place.line, place.column))
    return [Leaf(place, tuple(found[place]), values[place]) for place in order]


def _scalars(data: Data, at: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    if isinstance(data, dict):
        for key, value in data.items():
            if not key.startswith("x-"):
                yield from _scalars(value, (*at, key))
    elif isinstance(data, list):
        for position, value in enumerate(data):
            yield from _scalars(value, (*at, position))
    else:
        yield at, data


def replaced(text: str, place: Place, value: Scalar) -> str:
    """`text` with `value` instead of the scalar at `place`, which ends on its line."""
    lines = text.split("\n")
    line = lines[place.line - 1]
    written = json.dumps(value, ensure_ascii=False)
    lines[place.line - 1] = line[: place.column - 1] + written + line[place.end - 1 :]
    return "\n".join(lines)
