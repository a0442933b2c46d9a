"""A file of the whole project, when one item's lines in it change.

Such a file is the items' blocks one after the other. What a change makes of a block is seen in two
compiles of that item's part; here the same is done to the block as it stands in the whole.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

BLOCKS: Final = frozenset(
    {"dvc.yaml", "params.yaml", "MLproject", ".gitlab/schedules.json", ".gitlab/CODEOWNERS"}
)
"""Files whose blocks stand in the order of the items' names or of the spec, whatever else they say."""
BLOCK_FOLDERS: Final = ("monitoring/alertmanager/",)


def is_of_blocks(path: str) -> bool:
    """Whether each item has lines of its own in the file at `path`, in an order no edit changes."""
    return path in BLOCKS or path.startswith(BLOCK_FOLDERS)


def spliced(whole: str, old: str, new: str, own: Collection[int]) -> str | None:
    """`whole` with the change from `old` to `new`; None if it cannot be told where it goes.

    Args:
        whole: the file of the whole project, as it was.
        old: the same file of a part of it, as it was.
        new: the file of that part as it is.
        own: the lines of `old` (from 1) that the changed items decide: the place of a change is found
            by these alone.
    """
    before, after, lines = old.split("\n"), new.split("\n"), whole.split("\n")
    changes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for kind, first, last, start, end in reversed(changes):
        if kind == "equal":
            continue
        if any(number + 1 not in own for number in range(first, last)):
            return None
        found = _found(lines, before, first, last, own)
        if found is None:
            return None
        at, above = found
        lines[at + above : at + above + last - first] = after[start:end]
    return "\n".join(lines)


def _found(
    lines: list[str], before: list[str], first: int, last: int, own: Collection[int]
) -> tuple[int, int] | None:
    """Where lines `first` to `last` of `before` stand, with as much around them as makes that certain.

    The position of what was looked for, and how many of its lines come before `first`.
    """
    low, high = first, last
    while True:
        if low < high:
            places = _places(lines, before[low:high])
            if not places:
                return None
            if len(places) == 1:
                return places[0], first - low
        if low > 0 and low in own:
            low -= 1
        elif high < len(before) and high + 1 in own:
            high += 1
        else:
            return None


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    size = len(wanted)
    return [
        at
        for at in range(len(lines) - size + 1)
        if lines[at] == wanted[0] and lines[at : at + size] == wanted
    ]
