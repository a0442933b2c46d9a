"""What a language says about laying one part of a document over another."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path

Pattern: TypeAlias = tuple[str, ...]
"""A path in which `*` stands for any name."""


@frozen
class Merging:
    """The language's part in composing; the algorithm itself knows nothing of machine learning.

    Attributes:
        items: where named things stand, each defined in one place, with what one is called.
        groups: mapping → keys of which one is written: a member laid over takes the others' place.
        parts: keys whose presence asks for something: a default alone never brings one.
        shorthands: mapping → the key that a scalar in its place stands for.
        verbatim: what is another tool's language: `${…}` in it is left alone.
        control: top-level keys that say how to compose; no environment changes them.
        only: the key of an item that names the environments it exists in.
    """

    items: dict[Pattern, str]
    groups: tuple[tuple[Pattern, tuple[str, ...]], ...]
    parts: tuple[Pattern, ...]
    shorthands: dict[Pattern, str]
    verbatim: tuple[Pattern, ...]
    control: frozenset[str]
    only: str = "only"

    def item(self, path: Path) -> str | None:
        """What is called by a name at exactly this path: "model", "channel"; None: nothing is."""
        return next((what for pattern, what in self.items.items() if fits(pattern, path)), None)

    def is_part(self, path: Path) -> bool:
        """Whether writing the key at `path` asks for something."""
        return any(fits(pattern, path) for pattern in self.parts)

    def others(self, path: Path) -> tuple[str, ...]:
        """The keys beside `path` that exclude it."""
        for pattern, members in self.groups:
            if path[-1] in members and fits(pattern, path[:-1]):
                return tuple(member for member in members if member != path[-1])
        return ()

    def shorthand(self, path: Path) -> str | None:
        """The key that a scalar at `path` stands for."""
        return next((key for pattern, key in self.shorthands.items() if fits(pattern, path)), None)


def fits(pattern: Pattern, path: Path) -> bool:
    """Whether `path` is one of those `pattern` names."""
    return len(pattern) == len(path) and all(
        want in ("*", step) for want, step in zip(pattern, path, strict=True)
    )
