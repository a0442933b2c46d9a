"""A source line as a terminal shows it, and the caret under it.

Terminals count cells, not characters: a tab is several, a CJK letter two, a combining mark none.
And they obey what they are shown: control characters and text-direction marks of a hostile file are
replaced by their escapes.
"""

from __future__ import annotations

import re
from typing import Final

_TAB: Final = "    "
_WINDOW: Final = 110
"""Cells of a line that are shown; a longer one is cut around the caret."""
_MARGIN: Final = 30
"""Cells kept before the caret in a line that is cut."""
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def shown(words: str) -> str:
    """`words` on one line, nothing in it a terminal would obey."""
    return _UNSAFE.sub(lambda match: _escape(match.group()), words)


def underlined(line: str, column: int, end: int) -> tuple[str, str]:
    """`line` as shown, and carets under the columns from `column` to before `end` (from 1)."""
    line = line[
        : end + _WINDOW
    ]  # what is behind the window is never shown; a line may be megabytes
    cells = [_cell(character) for character in line[max(0, column - 1 - _WINDOW) :]]
    skipped = len(line) - len(cells)
    widths = [width for _, width in cells]
    first = min(max(column - 1 - skipped, 0), len(cells))
    last = min(max(end - 1 - skipped, first), len(cells))
    start, stop = _window(widths, first, cut_before=skipped > 0)
    before, behind = "…" * (start > 0 or skipped > 0), "…" * (stop < len(cells))
    source = before + "".join(text for text, _ in cells[start:stop]) + behind
    offset = len(before) + sum(widths[start:first])
    length = sum(widths[first : min(last, stop)])
    return source.rstrip(), " " * offset + "^" * max(1, length)


def _window(widths: list[int], first: int, *, cut_before: bool) -> tuple[int, int]:
    """Which characters are shown: all if they fit, else from a little before `first`."""
    if sum(widths) <= _WINDOW and not cut_before:
        return 0, len(widths)
    start, room = first, _MARGIN
    while start > 0 and room >= widths[start - 1]:
        start -= 1
        room -= widths[start]
    stop, room = first, _WINDOW - sum(widths[start:first])
    while stop < len(widths) and room >= widths[stop]:
        room -= widths[stop]
        stop += 1
    return start, stop


def _cell(character: str) -> tuple[str, int]:
    """What is shown for `character`, and how many cells it takes."""
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        return _TAB, len(_TAB)
    if _UNSAFE.match(character):
        escaped = _escape(character)
        return escaped, len(escaped)
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    code = ord(character)
    return named.get(character) or (f"\\x{code:02x}" if character <= "\xff" else f"\\u{code:04x}")
