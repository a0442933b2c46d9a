"""What is different between two texts, as line numbers of each."""

from __future__ import annotations

from difflib import SequenceMatcher


def changed(old: str, new: str, decided: set[int], decides: set[int]) -> tuple[set[int], set[int]]:
    """The lines (from 1) of `old` that are not in `new`, and those of `new` that are not in `old`.

    A comma at the end of a line belongs to the list around it, not to the line, and is not looked at.
    Where a block could have gone from several places alike (two neighbours that begin or end with
    the same lines), the place is taken that `decided` (of `old`) and `decides` (of `new`) name.
    """
    olds, news = _lines(old), _lines(new)
    head = _common(olds, news)
    tail = _common(olds[head:][::-1], news[head:][::-1])
    middle, between = olds[head : len(olds) - tail], news[head : len(news) - tail]
    if len(middle) == len(between):
        apart = [
            i for i, (one, other) in enumerate(zip(middle, between, strict=True)) if one != other
        ]
        if len(apart) <= max(3, len(middle) // 4):
            same = {head + i + 1 for i in apart}
            return same, set(same)
    gone: set[int] = set()
    come: set[int] = set()
    matcher = SequenceMatcher(None, middle, between, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "delete":
            gone |= _slid(olds, head + i1, head + i2, decided)
        elif tag == "insert":
            come |= _slid(news, head + j1, head + j2, decides)
        elif tag == "replace":
            gone.update(range(head + i1 + 1, head + i2 + 1))
            come.update(range(head + j1 + 1, head + j2 + 1))
    return gone, come


def _lines(text: str) -> list[str]:
    return [line.removesuffix(",") for line in text.split("\n")[:-1]]


def _common(one: list[str], other: list[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _slid(lines: list[str], first: int, last: int, named: set[int]) -> set[int]:
    """The block `lines[first:last]`, as line numbers, moved to where most of it is `named`."""
    places = [(first, last)]
    up, down = (first, last), (first, last)
    while up[0] > 0 and lines[up[0] - 1] == lines[up[1] - 1]:
        up = (up[0] - 1, up[1] - 1)
        places.append(up)
    while down[1] < len(lines) and lines[down[0]] == lines[down[1]]:
        down = (down[0] + 1, down[1] + 1)
        places.append(down)
    blocks = [set(range(start + 1, end + 1)) for start, end in places]
    return max(blocks, key=lambda block: len(block & named))
