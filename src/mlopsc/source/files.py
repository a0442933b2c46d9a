"""The project's files as the compiler sees them: by name, read-only, and each one remembered."""

from __future__ import annotations

from typing import Final, Protocol

from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.frozen import frozen


class Files(Protocol):
    """The files of a project; names are relative to its folder, with `/`."""

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            Rejected: there is none, or it cannot be read (W001 to W006).
        """
        ...

    def find(self, pattern: str) -> tuple[str, ...]:
        """The names that fit, sorted: `*` and `?` stay within a folder, `**` goes through folders.

        Names that start with a dot are only found by a pattern that writes the dot.
        """
        ...


@frozen
class Rest:
    """What a part of a project has to know of the rest.

    Attributes:
        names: items that may be spoken of, and are defined in no file of the part.
        crowded: the whole project has more parts than one pipeline should hold.
    """

    names: frozenset[str] = frozenset()
    crowded: bool = False


NO_REST: Final = Rest()
"""Of a whole project, nothing is left out."""


class Inputs:
    """Files, with a memory of what was read: a compile's inputs, which its lock lists."""

    def __init__(self, files: Files, rest: Rest | None = None) -> None:
        self._files = files
        self.rest = rest or NO_REST
        self.read_so_far: dict[str, bytes] = {}
        self.patterns: dict[str, tuple[str, ...]] = {}

    def read(self, name: str) -> bytes:
        """See `Files.read`; a file is read once, however often it is asked for."""
        if name not in self.read_so_far:
            self.read_so_far[name] = self._files.read(name)
        return self.read_so_far[name]

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return not self.rest.names

    def find(self, pattern: str) -> tuple[str, ...]:
        """See `Files.find`."""
        if pattern not in self.patterns:
            self.patterns[pattern] = self._files.find(pattern)
        return self.patterns[pattern]


class _NoFiles:
    """A spec by itself, as an editor or a test has it."""

    def read(self, name: str) -> bytes:
        raise Rejected(
            (
                Finding(
                    "W001",
                    f"there is no file '{name}'",
                    Place(name, 1, 1, 1),
                    "compile the spec from the folder it lies in",
                ),
            )
        )

    def find(self, pattern: str) -> tuple[str, ...]:
        return ()


NO_FILES: Final[Files] = _NoFiles()
