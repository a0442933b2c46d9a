"""One more patch at the end of a spec's `patches`, every other byte kept, for `mlopsc adopt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.workspace.edit_text import (
    BOM,
    UnreadableError,
    after,
    apart,
    compose,
    end_of,
    means,
    newline,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHAPTER: Final = "patches"
_INDENT: Final = "  "


def append_patch(text: str, patch: dict[str, Any], lines: Sequence[str], braced: str) -> str:
    """The spec `text` with one more item at the end of `patches`.

    Args:
        text: a spec, or a file one includes.
        patch: the item, as data.
        lines: the item as block YAML, from its dash on.
        braced: the item on one line, for a list that stands in brackets.

    Raises:
        Rejected: W052: the list is shared through an anchor, or stands where nothing can be added.
    """
    body = text.removeprefix(BOM)
    try:
        spec = read(body)
    except UnreadableError as error:
        raise _rejected(f"the spec cannot be read: {error}", braced) from error
    wanted = apart(spec)
    wanted[CHAPTER] = [*(wanted.get(CHAPTER) or []), patch]
    for candidate in _candidates(body, lines, braced):
        if means(candidate, wanted):
            return text[: len(text) - len(body)] + candidate
    raise _rejected("the list of patches is shared or generated (an anchor, alias or '<<')", braced)


def _candidates(text: str, lines: Sequence[str], braced: str) -> Iterator[str]:
    """Texts that may be what is wanted, the one that reads best first."""
    root = compose(text)
    pair = next((pair for pair in root.value if pair[0].value == CHAPTER), None)
    if root.flow_style:
        yield from _into(text, root if pair is None else pair[1], pair, braced)
        return
    ended = newline(text)
    if not text.endswith("\n"):
        text += ended
    if pair is None:
        gap = [""] if ended * 2 in text else []  # where chapters have blank lines between them
        chapter = [*gap, f"{CHAPTER}:", *_indented(lines, _INDENT)]
        yield after(text, len(text), chapter)
        yield after(text, end_of(root), chapter)  # where a `...` ends the document
    elif not isinstance(pair[1].value, list):
        return
    elif pair[1].flow_style:
        yield from _into(text, pair[1], pair, braced)
    else:
        column = pair[1].start_mark.column
        yield after(text, end_of(pair[1]), _indented(lines, " " * column))


def _indented(lines: Sequence[str], pad: str) -> list[str]:
    return [pad + line if line else "" for line in lines]


def _into(text: str, node: Any, chapter: Any, braced: str) -> Iterator[str]:
    """`text` with one more entry in the brackets or braces of `node`: behind the last, or before the end."""
    entry = braced if chapter is not None else f"{CHAPTER}: [{braced}]"
    close = int(node.end_mark.index) - 1
    if not node.value:
        yield text[:close] + entry + text[close:]
        return
    last = node.value[-1]
    end = end_of(last[1], int(last[0].end_mark.index)) if isinstance(last, tuple) else end_of(last)
    yield f"{text[:end]}, {entry}{text[end:]}"
    yield f"{text[:close]}{entry}{text[close:]}"  # behind a comma


def _rejected(reason: str, braced: str) -> Rejected:
    return Rejected(
        (
            Finding(
                "W052",
                f"the patch cannot be written into the spec: {reason}",
                (CHAPTER,),
                f"write it by hand: `- {braced}`",
            ),
        )
    )
