"""By how much each line of a spec moves so that every block stands two columns under its key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlopsc.source.layout import Block, Layout

STEP: Final = 2
"""Columns from a key to what stands under it, a list as well as a mapping."""
_MARKER: Final = re.compile(r"(?:---|\.\.\.)(?:\s|\Z)")


def shifts(layout: Layout, lines: Sequence[str]) -> list[int]:
    """For each line the columns it moves to the right; negative, to the left.

    A line that goes on with what another began moves with it, so that what is aligned stays so. A comment
    moves with the block whose column it stands in: first one of the line below it, then one above.
    """
    columns = _Columns()
    found = [0] * len(lines)
    below: Block | None = None  # the block that begins the next line of content
    goes_on = False  # the next line of content goes on with what stands above
    owners = _owners(layout, lines)
    behind = _behind_literals(layout, lines)
    for number in range(len(lines) - 1, -1, -1):
        line, owner = lines[number], owners[number]
        is_comment = line.lstrip(" \t").startswith("#") and number not in layout.inside
        if is_comment and not goes_on:
            found[number] = columns.of_comment(len(line) - len(line.lstrip(" ")), owner, below)
            if owner is not None and number in behind:
                found[number] = min(found[number], columns.shift(owner))
        elif owner is not None:
            found[number] = columns.shift(owner)
        if line.strip() and not is_comment and number not in layout.inside:
            below = layout.blocks.get(number)
            goes_on = below is None
        if _MARKER.match(line) and number not in layout.inside:
            found[number], below, goes_on = 0, None, False
    return found


def _owners(layout: Layout, lines: Sequence[str]) -> list[Block | None]:
    """For each line the block that its line, or the nearest above that begins with one, begins with."""
    found: list[Block | None] = []
    owner: Block | None = None
    for number in range(len(lines)):
        owner = layout.blocks.get(number, owner)
        found.append(owner)
    return found


def _behind_literals(layout: Layout, lines: Sequence[str]) -> set[int]:
    """Comments with nothing but comments between them and a block scalar.

    Further to the right they would become a part of it.
    """
    found: set[int] = set()
    behind = False
    for number, line in enumerate(lines):
        if number in layout.literal:
            behind = True
        elif line.lstrip(" \t").startswith("#") and number not in layout.inside:
            if behind:
                found.add(number)
        elif line.strip():
            behind = False
    return found


def shifted(line: str, by: int) -> str:
    """`line`, moved by as many columns; to the left, no further than its white space reaches."""
    if by >= 0:
        return " " * by + line if line else line
    return line[min(-by, len(line) - len(line.lstrip(" "))) :]


class _Columns:
    """Where blocks will stand."""

    def __init__(self) -> None:
        self._new: dict[int, int] = {}

    def shift(self, block: Block) -> int:
        """By how much `block` moves."""
        return self._column(block) - block.column

    def _column(self, block: Block) -> int:
        known = self._new.get(id(block))
        if known is None:
            if block.above is None:
                known = 0
            elif block.leads:
                known = self._column(block.above) + STEP
            else:
                known = self._column(block.above) + block.column - block.above.column
            self._new[id(block)] = known
        return known

    def of_comment(self, column: int, above: Block | None, below: Block | None) -> int:
        """By how much a comment in `column` moves that stands between two lines of content."""
        over = list(above.chain()) if above else []
        around = [*(below.chain() if below else over[-1:]), *over]  # nothing below: the file's end
        same = next((block for block in around if block.column == column), None)
        nearest = max(
            (block for block in around if block.column < column),
            key=lambda block: block.column,
            default=None,
        )
        block = same or nearest
        return 0 if block is None else self.shift(block)
