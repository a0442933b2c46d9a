"""A spec of many files as if it had only some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Final = b"x-left-out: true\n"
"""What a file that is left out is read as."""


class Part:
    """The files of a project (see `Files`), of which only those named hold anything.

    Their content was read before: nothing is read from the disk again.
    """

    def __init__(
        self,
        contents: Mapping[str, bytes],
        patterns: Mapping[str, tuple[str, ...]],
        names: frozenset[str],
    ) -> None:
        self._contents = contents
        self._patterns = patterns
        self._names = names

    def read(self, name: str) -> bytes:
        """The content of a file that counts."""
        return self._contents[name] if name in self._names else _NOTHING

    def find(self, pattern: str) -> tuple[str, ...]:
        """The files that count and fit; one of the others, if only such fit."""
        found = self._patterns[pattern]
        return tuple(name for name in found if name in self._names) or found[:1]
