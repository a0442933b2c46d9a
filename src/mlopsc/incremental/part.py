"""A spec of many files as if it had only some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Final = b"x-left-out: true\n"
"""What a file that is left out is read as."""


class Part:
    """The files of a project (see `Files`), of whose specs only some hold anything.

    Their content was read before: nothing is read from the disk again.
    """

    def __init__(
        self,
        contents: Mapping[str, bytes],
        patterns: Mapping[str, tuple[str, ...]],
        left_out: frozenset[str],
    ) -> None:
        self._contents = contents
        self._patterns = patterns
        self._left_out = left_out

    def read(self, name: str) -> bytes:
        """The content of a file that counts."""
        return _NOTHING if name in self._left_out else self._contents[name]

    def find(self, pattern: str) -> tuple[str, ...]:
        """The files that count and fit; one of the others, if only such fit."""
        found = self._patterns[pattern]
        return tuple(name for name in found if name not in self._left_out) or found[:1]
