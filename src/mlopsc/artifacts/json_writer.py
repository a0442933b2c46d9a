"""The one JSON writer: two-space indented, in the order given, and a cause for every line."""

from __future__ import annotations

import re
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Final

from mlopsc.artifacts.draft import Cause, JsonDraft, Traced
from mlopsc.artifacts.lines import Lines
from mlopsc.artifacts.plain import plain
from mlopsc.artifacts.scalars import INVISIBLE

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INVISIBLE: Final = re.compile(f"[{INVISIBLE}]")
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}


def write_json(draft: JsonDraft, *, causes: bool = True) -> tuple[str, tuple[Cause, ...]]:
    """The text of `draft`, as `json.dumps(body, indent=2, ensure_ascii=False)` and a line end.

    Without `causes` the text is the same, and only the draft's own cause is noted. Text with a character nobody sees (`scalars.INVISIBLE`) is written in ASCII, with escapes.

    Raises:
        TypeError: for a part that is not plain data.
        ValueError: for half a surrogate pair, an infinity or not-a-number.
    """
    lines = Lines((draft.origin, *draft.because))
    writer = _Writer(lines) if causes else _Untraced(lines)
    writer.node("", draft.body, "", "")
    return lines.joined(), lines.causes()


class _Writer:
    """Writes nested data; `lead` begins a node's first line, `tail` (a comma) ends its last."""

    __slots__ = ("_lines", "_text")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._text = lines.text

    def node(self, lead: str, value: Any, tail: str, pad: str) -> None:
        if type(value) is Traced:
            opened = self._lines.open(len(self._text) + 1, value)
            self.node(lead, value.body, tail, pad)
            self._lines.close(opened)
            return
        value = plain(value)
        if value and type(value) is dict:
            self._mapping(lead, value, tail, pad)
        elif value and type(value) is list:
            self._sequence(lead, value, tail, pad)
        else:
            self._text.append(f"{lead}{_leaf(value)}{tail}")

    def _mapping(self, lead: str, value: dict[Any, Any], tail: str, pad: str) -> None:
        self._text.append(lead + "{")
        inner, left = pad + "  ", len(value)
        for key, child in value.items():
            left -= 1
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} of a draft is not text")
            self.node(f"{inner}{_string(key)}: ", child, "," if left else "", inner)
        self._text.append(f"{pad}}}{tail}")

    def _sequence(self, lead: str, value: list[Any], tail: str, pad: str) -> None:
        self._text.append(lead + "[")
        inner, left = pad + "  ", len(value)
        for child in value:
            left -= 1
            self.node(inner, child, "," if left else "", inner)
        self._text.append(f"{pad}]{tail}")


class _Untraced(_Writer):
    """The same text, with nothing noted of who decides what."""

    __slots__ = ()

    def node(self, lead: str, value: Any, tail: str, pad: str) -> None:
        while type(value) is Traced:
            value = value.body
        super().node(lead, value, tail, pad)


def _leaf(value: Any) -> str:
    if type(value) is str:
        return _string(value)
    if value is None or value is True or value is False:
        return _CONSTANTS[value]
    if type(value) is dict:
        return "{}"
    if type(value) is list:
        return "[]"
    written = repr(value)
    if written[-1] in "fn":  # inf, nan
        raise ValueError(f"{written} is not a number a file can hold")
    return written


def _string(text: str) -> str:
    text = str.__str__(text)
    if _INVISIBLE.search(text) is None:
        return encode_basestring(text)
    if _SURROGATE.search(text) is not None:
        raise ValueError("half a surrogate pair cannot be written")
    return encode_basestring_ascii(text)
