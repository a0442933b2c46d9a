"""How a YAML text is laid out: which block begins a line, what spans lines, where anchors stand.

For edits that keep every other byte: the places of a `Document` say where values are, this says what
stands around them. The tokens are those of the very parser the reader uses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlopsc.frozen import frozen

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # PyYAML built without libyaml: the same tokens, about eight times slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_STYLES: Final = frozenset({"|", ">"})


@frozen
class Block:
    """A block mapping or list.

    Attributes:
        column: where its keys or dashes stand, from 0.
        above: the block it stands in; None at the top.
        leads: whether it begins on a line of its own, as it does not in `- a: 1`.
    """

    column: int
    above: Block | None
    leads: bool

    def chain(self) -> Iterator[Block]:
        """The block itself and those it stands in, from the inside out."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.above


@frozen
class Scalar:
    """A scalar that is quoted, a block, or of several lines; from 0, `end` and `end_line` where it ends.

    Attributes:
        style: `'`, `"`, `|`, `>`, or empty for a plain one.
        value: what it says, folded and without its escapes.
    """

    line: int
    column: int
    end_line: int
    end: int
    style: str
    value: str


@dataclass(slots=True)
class Layout:
    """What stands where; lines from 0.

    Attributes:
        blocks: line → the block whose key or dash begins the line.
        scalars: in order.
        chapters: the keys of the top mapping, each with its line; empty if that is in braces.
        names: each anchor (`&NAME`) and alias (`*NAME`) with its line, in order.
        inside: lines that begin inside a scalar, whose white space may be a part of it.
        literal: those of them that are a block scalar's: their white space is.
    """

    blocks: dict[int, Block] = field(default_factory=dict)
    scalars: list[Scalar] = field(default_factory=list)
    chapters: list[tuple[int, str]] = field(default_factory=list)
    names: list[tuple[int, str]] = field(default_factory=list)
    inside: set[int] = field(default_factory=set)
    literal: set[int] = field(default_factory=set)


def lay_out(text: str) -> Layout:
    r"""The layout of a text that the reader accepts, and whose lines end in `\n`.

    Raises:
        MarkedYAMLError: the text is no YAML.
    """
    parser = _Parser(text)
    walk = _Walk(text.split("\n"))
    try:
        while parser.check_token():
            walk.take(parser.get_token())
    finally:
        parser.dispose()
    return walk.layout


@frozen
class _Opened:
    """A block that has begun and not ended; `unsaid`: a list in its key's column, which no token begins."""

    block: Block
    is_list: bool
    unsaid: bool = False


class _Walk:
    """Follows the tokens of one text."""

    def __init__(self, lines: list[str]) -> None:
        self.layout = Layout()
        self._lines = lines
        self._open: list[_Opened] = []
        self._flow = 0
        self._chapter_follows = False

    def take(self, token: Any) -> None:
        """The next token."""
        kind, mark = type(token).__name__.removesuffix("Token"), token.start_mark
        if kind in ("BlockMappingStart", "BlockSequenceStart"):
            self._begin(mark, is_list=kind == "BlockSequenceStart")
        elif kind == "BlockEnd":
            self._end_unsaid()
            self._open.pop()
        elif kind in ("FlowMappingStart", "FlowSequenceStart"):
            self._flow += 1
        elif kind in ("FlowMappingEnd", "FlowSequenceEnd"):
            self._flow -= 1
        elif kind == "BlockEntry":
            if not self._open[-1].is_list:
                self._begin(mark, is_list=True, unsaid=True)
            self._entry(mark)
        elif kind == "Key" and not self._flow:
            self._end_unsaid()
            self._entry(mark)
            self._chapter_follows = len(self._open) == 1
        elif kind in ("Anchor", "Alias"):
            sign = "&" if kind == "Anchor" else "*"
            self.layout.names.append((mark.line, sign + token.value))
        elif kind == "Scalar":
            self._scalar(token)

    def _begin(self, mark: Any, *, is_list: bool, unsaid: bool = False) -> None:
        leads = not self._lines[mark.line][: mark.column].strip()
        above = self._open[-1].block if self._open else None
        self._open.append(_Opened(Block(mark.column, above, leads), is_list, unsaid))

    def _end_unsaid(self) -> None:
        if self._open[-1].unsaid:
            self._open.pop()

    def _entry(self, mark: Any) -> None:
        if not self._lines[mark.line][: mark.column].strip():
            self.layout.blocks[mark.line] = self._open[-1].block

    def _scalar(self, token: Any) -> None:
        start, style = token.start_mark, token.style or ""
        if self._chapter_follows:
            self._chapter_follows = False
            self.layout.chapters.append((start.line, token.value))
        last = _last_line(token)
        if style in ("'", '"') or last > start.line:
            end = token.end_mark
            self.layout.scalars.append(
                Scalar(start.line, start.column, end.line, end.column, style, token.value)
            )
            within = range(start.line + 1, last + 1)
            self.layout.inside.update(within)
            if style in _BLOCK_STYLES:
                self.layout.literal.update(within)


def _last_line(token: Any) -> int:
    """The last line that `token` stands on: a block scalar ends at the start of the one after it."""
    start, end = token.start_mark, token.end_mark
    return int(end.line - 1 if end.line > start.line and end.column == 0 else end.line)
