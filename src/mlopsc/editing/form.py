"""The one form of a spec, for `mlopsc fmt`: what differs between two people's hands, and nothing they meant.

Brought into form are the order of the chapters, the indentation, the kind of quotes, white space at the
ends of lines and the end of the file. All else stays as it was written: comments, blank lines, anchors,
braces, and what people align by hand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlopsc.editing.chapters import in_order
from mlopsc.editing.indentation import shifted, shifts
from mlopsc.editing.quotes import with_shorter_quotes
from mlopsc.source.document import Source
from mlopsc.source.layout import lay_out
from mlopsc.source.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlopsc.source.document import Data

_BREAK: Final = re.compile("\r\n|\r|\n")


def formed(source: Source, order: Sequence[str]) -> str:
    """The text of `source` in form; its chapters in `order`, as far as anchors let them.

    Raises:
        Rejected: Y…: the reader refuses the text.
        AssertionError: the form would say something else, which is a mistake of ours.
    """
    before = read_yaml(source)
    breaks = set(_BREAK.findall(source.text))
    aligned = _aligned(_BREAK.sub("\n", source.text))
    said = _told(before.data)
    # Where a chapter stands may be a part of what it says: a block scalar that ends with the file.
    made = dict.fromkeys(_ended(each) for each in (in_order(aligned, order), aligned)) | {
        aligned: None
    }
    text = next((each for each in made if _says(source.name, each) == said), None)
    if text is None:
        raise AssertionError(f"{source.name}: the form of the text says something else")
    # On Windows a checkout may have such line ends in every file; a few among others are an accident.
    return text.replace("\n", "\r\n") if breaks == {"\r\n"} else text


def _told(data: dict[str, Data]) -> str:
    """What a spec says. The order of its chapters does not count; all other order does."""
    return repr(sorted(data.items()))


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _says(name: str, text: str) -> str:
    return _told(read_yaml(Source(name, text)).data)


def _aligned(text: str) -> str:
    """`text` with blocks indented and quotes written in one way, and nothing at the ends of lines."""
    layout, lines = lay_out(text), text.split("\n")
    by = shifts(layout, lines)
    made = []
    for number, line in enumerate(with_shorter_quotes(layout.scalars, lines)):
        moved = shifted(line, by[number])
        goes_on = number in layout.literal or number + 1 in layout.inside - layout.literal
        made.append(moved if goes_on else moved.rstrip(" \t"))
    last = len(lines) - 1
    while last and not lines[last].strip() and last not in layout.literal:
        last -= 1
    if last in layout.literal:
        return "\n".join(made)  # how a block scalar ends the file decides what it says
    return "\n".join(made).rstrip("\n") + "\n"
