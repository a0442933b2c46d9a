"""Where things stand in a spec's text, for edits that keep every other byte.

ruamel.yaml says where, and reads the result again: an edit is only given out if it means exactly what
was asked for. Writing the whole text anew would keep the comments, but not the spacing, the line ends
and the flow maps people align by hand.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

BOM: Final = "\ufeff"


class UnreadableError(Exception):
    """The text is no YAML; the message says in one line why."""


def read(text: str) -> Any:
    """The data of a spec.

    Raises:
        UnreadableError: it is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UnreadableError(str(error).splitlines()[0]) from error


def compose(text: str) -> Any:
    """The nodes of a spec, each with the marks where it begins and ends; aliases are their anchors."""
    from ruamel.yaml import YAML

    return YAML(typ="rt", pure=True).compose(text)


def means(text: str, wanted: Any) -> bool:
    """Whether `text` is a spec that says `wanted`."""
    try:
        return bool(read(text) == wanted)
    except UnreadableError:
        return False


def apart(value: Any) -> Any:
    """A copy that shares nothing, not even what an anchor shares."""
    if isinstance(value, dict):
        return {key: apart(below) for key, below in value.items()}
    if isinstance(value, list):
        return [apart(below) for below in value]
    return deepcopy(value)


def newline(text: str) -> str:
    """The line end that `text` uses."""
    return "\r\n" if "\r\n" in text else "\n"


def after(text: str, end: int, lines: Iterable[str]) -> str:
    """`text` with `lines` (without ends) behind the line that position `end` stands in.

    A text whose last line has no end has none afterwards either.
    """
    ended = newline(text)
    if not (end and text[end - 1] == "\n"):
        found = text.find("\n", end)
        if found < 0:
            return text + ended + ended.join(lines)
        end = found + 1
    return text[:end] + "".join(line + ended for line in lines) + text[end:]


def end_of(node: Any, before: int = 0) -> int:
    """Where the text of a node ends. A block collection's own mark stands at what comes next.

    Args:
        node: what `compose` gave.
        before: where what leads to the node ends: an alias to something above ends there.
    """
    if node.start_mark.index < before:
        return before
    if isinstance(node.value, list) and node.value and not node.flow_style:
        last = node.value[-1]
        if isinstance(last, tuple):
            return end_of(last[1], int(last[0].end_mark.index))
        return end_of(last, int(node.start_mark.index))
    return int(node.end_mark.index)
