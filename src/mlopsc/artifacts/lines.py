"""The text of an artifact while it is written: lines, and the causes that cover them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Cause, Traced

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path


class Lines:
    """Collects lines in order; `open` and `close` note which of them a `Traced` part covers."""

    __slots__ = ("_causes", "text")

    def __init__(self, origins: tuple[Path, ...]) -> None:
        self.text: list[str] = []  # without line ends; line n of the artifact is text[n - 1]
        self._causes: list[tuple[int, int, tuple[Path, ...]]] = [(1, 0, origins)]

    def open(self, first: int, part: Traced) -> int:
        """Notes that `part` begins on line `first`; the number to `close` it with."""
        self._causes.append((first, first, part.origins))
        return len(self._causes) - 1

    def close(self, number: int) -> None:
        """Notes that part `number` ends on the last line written."""
        first, _, origins = self._causes[number]
        self._causes[number] = (first, len(self.text), origins)

    def causes(self) -> tuple[Cause, ...]:
        """All causes, outer before inner; the first is the draft's own and covers every line."""
        last = len(self.text)
        self._causes[0] = (1, last, self._causes[0][2])
        return tuple(map(Cause._make, self._causes))

    def joined(self) -> str:
        """The whole text, each line ended."""
        return "\n".join(self.text) + "\n" if self.text else ""
