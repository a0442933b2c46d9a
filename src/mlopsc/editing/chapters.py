"""The chapters of a spec in the language's order, each with the comments that are about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mlopsc.source.layout import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlopsc.source.layout import Layout

_END: Final = re.compile(r"\.\.\.(?:\s|\Z)")
"""The line that ends a document."""


def in_order(text: str, order: Sequence[str]) -> str:
    """`text` with its chapters in `order`, as far as anchors and their aliases let them.

    A key that is not in `order` (`x-…`, `<<`) stays above the chapter it stands above. What is written
    at the very top or the very end, and is not part of a chapter, stays there.
    """
    layout, lines = lay_out(text), text.split("\n")
    if not layout.chapters:
        return text
    head, chunks, foot = _chunks(layout, lines)
    groups = _groups(chunks, {name: rank for rank, name in enumerate(order)})
    arranged = [chunk for group in _arranged(groups) for chunk in group.chunks]
    if arranged == chunks:
        return text
    spaced = any(chunk.gap for chunk in chunks[1:])
    made = list(head)
    for before, chunk in zip([None, *arranged], arranged, strict=False):
        if before is not None and spaced and _apart(before, chunk):
            made.append("")
        made += [*chunk.comments, *chunk.lines]
    while arranged[-1].ends_inside and len(foot) > 1 and not foot[0]:
        del foot[0]  # it would belong to what now stands above it
    return "\n".join([*made, *foot])


@dataclass(eq=False, slots=True)
class _Chunk:
    """A key of the top mapping with all that belongs to it; `gap` counts the blank lines above."""

    key: str
    names: list[str]
    gap: int = 0
    ends_inside: bool = False  # its last line is a block scalar's, to which a blank line may belong
    comments: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def is_short(self) -> bool:
        return len(self.lines) == 1 and not self.comments


@dataclass(eq=False, slots=True)
class _Group:
    """A chapter, and above it the keys that stay with it."""

    chunks: list[_Chunk]
    rank: int
    after: set[int] = field(default_factory=set)  # positions of groups whose anchors it uses


def _apart(above: _Chunk, below: _Chunk) -> bool:
    """Whether a blank line is to stand between two chapters."""
    return not above.ends_inside and not (above.is_short and below.is_short)


# --- apart ----------------------------------------------------------------------------------------


def _chunks(layout: Layout, lines: list[str]) -> tuple[list[str], list[_Chunk], list[str]]:
    """The lines above the first chapter, the chapters, and the lines below the last."""
    starts = [line for line, _ in layout.chapters]
    end = next(
        (
            n
            for n in range(starts[-1], len(lines))
            if _END.match(lines[n]) and n not in layout.inside
        ),
        len(lines),
    )
    ends = [*starts[1:], end]
    chunks = [
        _Chunk(key, [name for line, name in layout.names if start <= line < end])
        for (start, key), end in zip(layout.chapters, ends, strict=True)
    ]
    head, comments = _head(lines[: starts[0]])
    chunks[0].comments = comments
    for position, (start, end) in enumerate(zip(starts, ends, strict=True)):
        content = _content_end(layout, lines, start, end)
        tail = lines[content:end]
        chunks[position].ends_inside = content - 1 in layout.literal
        if position + 1 == len(chunks):
            chunks[position].lines = lines[start:content]
            return head, chunks, [*tail, *lines[end:]]
        own, gap, following = _split(tail)
        chunks[position].lines = lines[start:content] + own
        chunks[position + 1].gap = gap
        chunks[position + 1].comments = following
    raise AssertionError("a mapping without a last key")


def _head(lines: list[str]) -> tuple[list[str], list[str]]:
    """What is about the file, and the comments that are about the first chapter.

    Comments that nothing separates from it are taken for the file's, unless it has others.
    """
    start = len(lines)
    while start and lines[start - 1].startswith("#"):
        start -= 1
    if any(line.startswith("#") for line in lines[:start]):
        return lines[:start], lines[start:]
    return lines, []


def _content_end(layout: Layout, lines: list[str], start: int, end: int) -> int:
    """The line behind a chapter's last: behind it stand blank lines, and comments in the first column."""
    while end > start + 1:
        line = lines[end - 1]
        if end - 1 in layout.inside or (line.strip() and not line.startswith("#")):
            return end
        end -= 1
    return end


def _split(tail: list[str]) -> tuple[list[str], int, list[str]]:
    """What follows a chapter: the comments that end it, blank lines, the comments above the next."""
    if "" not in tail:
        return [], 0, tail
    first = tail.index("")
    rest = tail[first:]
    gap = next((number for number, line in enumerate(rest) if line), len(rest))
    return tail[:first], gap, rest[gap:]


# --- together -------------------------------------------------------------------------------------


def _groups(chunks: list[_Chunk], ranks: dict[str, int]) -> list[_Group]:
    groups: list[_Group] = []
    waiting: list[_Chunk] = []
    for chunk in chunks:
        waiting.append(chunk)
        if chunk.key in ranks:
            groups.append(_Group(waiting, ranks[chunk.key]))
            waiting = []
    if waiting:
        groups.append(_Group(waiting, len(ranks)))
    _bind(groups)
    return groups


def _bind(groups: list[_Group]) -> None:
    """Note which groups have to follow which: an alias means the last anchor of its name above it."""
    anchored: dict[str, int] = {}
    used: dict[str, set[int]] = {}
    for position, group in enumerate(groups):
        for name in (name for chunk in group.chunks for name in chunk.names):
            word = name[1:]
            if name[0] == "&":
                group.after |= used.pop(word, set()) | _known(anchored.get(word))
                anchored[word] = position
            else:
                group.after |= _known(anchored.get(word))
                used.setdefault(word, set()).add(position)
        group.after.discard(position)


def _known(position: int | None) -> set[int]:
    return set() if position is None else {position}


def _arranged(groups: list[_Group]) -> Iterable[_Group]:
    """The groups by rank, each behind those it has to follow."""
    left = dict(enumerate(groups))
    while left:
        free = [position for position, group in left.items() if not group.after & left.keys()]
        yield left.pop(min(free, key=lambda position: (groups[position].rank, position)))
