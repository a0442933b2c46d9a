"""The parser's marks (from 0, without a file, ends on other lines) → places."""

from __future__ import annotations

import re
from typing import Any, Final

from mlopsc.diagnostics.finding import Place

_WORD: Final = re.compile(r"""[&*!]?[^\s,\[\]{}'":#]+|\S""")


class Marks:
    """Turns marks into places of the file `name`, which consists of `lines`."""

    __slots__ = ("_lines", "_name")

    def __init__(self, name: str, lines: list[str]) -> None:
        self._name = name
        self._lines = lines

    def top(self) -> Place:
        """The file's first character."""
        return Place(self._name, 1, 1, 1)

    def scalar(self, event: Any) -> Place:
        """All of a scalar, or its first line."""
        start, end = event.start_mark, event.end_mark
        line = start.line
        last = end.column + 1 if end.line == line else self._end_of(line)
        return Place(self._name, line + 1, start.column + 1, last)

    def first_line(self, start: Any) -> Place:
        """What stands on the line where a collection starts.

        A block's own end mark is of no use: it lies on the line of the token after it.
        """
        column = start.column + 1
        return Place(self._name, start.line + 1, column, max(column + 1, self._end_of(start.line)))

    def flow(self, start: Any, end: Any) -> Place | None:
        """A collection in brackets, if it opens and closes on one line."""
        first, last = start.start_mark, end.end_mark
        if not start.flow_style or first.line != last.line:
            return None
        return Place(self._name, first.line + 1, first.column + 1, last.column + 1)

    def word(self, mark: Any) -> Place:
        """The word that starts at `mark`: an alias, a tag, an anchor, a bracket."""
        text = self._lines[mark.line] if mark.line < len(self._lines) else ""
        word = _WORD.match(text, mark.column)
        end = word.end() if word else mark.column + 1
        return Place(self._name, mark.line + 1, mark.column + 1, end + 1)

    def _end_of(self, line: int) -> int:
        """The exclusive end column of what stands on `line` before a comment."""
        text = self._lines[line]
        comment = text.find(" #")
        return len((text if comment < 0 else text[:comment]).rstrip()) + 1
