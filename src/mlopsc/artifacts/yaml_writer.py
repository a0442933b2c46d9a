"""The one YAML writer: block style as people write Kubernetes files, and a cause for every line.

Lists stand at their key's column, strings are quoted where a YAML 1.1 or 1.2 reader would take them
for something else, several lines become a literal block, nothing is folded and no anchors appear.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts.draft import Cause, Traced, YamlDraft
from mlopsc.artifacts.lines import Lines
from mlopsc.artifacts.plain import plain
from mlopsc.artifacts.scalars import ESCAPED, SCALARS, number

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_KEY: Final = 1000
"""A key's colon must follow within 1,024 characters (YAML 1.2.2, 7.4.2); longer ones need `?`."""
_SHORT_KEY: Final = 100
"""Shorter than the longest, however much of it is escaped."""
_BLANK_LINE: Final = re.compile(r"^[ \t]+$", re.MULTILINE)


def write_yaml(
    draft: YamlDraft, header: Sequence[str], *, causes: bool = True
) -> tuple[str, tuple[Cause, ...]]:
    """The text of `draft` below `header` (comment lines without `#`), and the causes of its lines.

    Without `causes` the text is the same, and costs a quarter less: most compiles ask for nothing else.

    Raises:
        TypeError: for a part that is not plain data.
        ValueError: for half a surrogate pair, an infinity or not-a-number.
    """
    lines = Lines((draft.origin, *draft.because))
    lines.text += [f"# {line}" if line else "#" for line in header]
    writer = _Writer(lines) if causes else _Untraced(lines)
    writer.root(draft.body)
    return lines.joined(), lines.causes()


class _Writer:
    """Writes nested data below one another; `pad` is the indentation of a node's lines.

    `lead` is what the first line of a node begins with: its padding, or that of the list item it
    stands in with the dash.
    """

    __slots__ = ("_lines", "_text")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._text = lines.text

    def root(self, body: Any) -> None:
        if type(body) is Traced:
            opened = self._lines.open(len(self._text) + 1, body)
            self.root(body.body)
            self._lines.close(opened)
            return
        body = plain(body)
        if body and type(body) is dict:
            self._mapping(body, "", "")
        elif body and type(body) is list:
            self._sequence(body, "", "")
        else:
            self._leaf("", body, "")

    def _mapping(self, body: dict[Any, Any], pad: str, lead: str) -> None:
        text = self._text
        for key, value in body.items():
            kind = type(value)
            if kind is str and type(key) is str and len(key) < _SHORT_KEY and "\n" not in value:
                text.append(f"{lead}{SCALARS[key]}: {SCALARS[value]}")  # most lines there are
            elif kind is Traced:
                self._traced_entry(key, value, pad, lead)
            else:
                self._entry(key, value, pad, lead)
            lead = pad

    def _traced_entry(self, key: Any, value: Traced, pad: str, lead: str) -> None:
        opened = self._lines.open(len(self._text) + 1, value)
        if type(value.body) is Traced:
            self._traced_entry(key, value.body, pad, lead)
        else:
            self._entry(key, value.body, pad, lead)
        self._lines.close(opened)

    def _entry(self, key: Any, value: Any, pad: str, lead: str) -> None:
        written = SCALARS[key] if type(key) is str else self._key(key)
        if len(written) > _LONGEST_KEY:
            self._text.append(f"{lead}? {written}")
            written, lead = "", pad
        value = plain(value)
        kind = type(value)
        if kind is dict and value:
            self._text.append(f"{lead}{written}:")
            inner = pad + "  "
            self._mapping(value, inner, inner)
        elif kind is list and value:
            self._text.append(f"{lead}{written}:")
            self._sequence(value, pad, pad)
        else:
            self._leaf(f"{lead}{written}: ", value, pad)

    def _sequence(self, body: list[Any], pad: str, lead: str) -> None:
        for item in body:
            if type(item) is str and "\n" not in item:
                self._text.append(f"{lead}- {SCALARS[item]}")
            else:
                self._item(item, pad, lead)
            lead = pad

    def _item(self, item: Any, pad: str, lead: str) -> None:
        if type(item) is Traced:
            opened = self._lines.open(len(self._text) + 1, item)
            self._item(item.body, pad, lead)
            self._lines.close(opened)
            return
        item = plain(item)
        if item and type(item) is dict:
            self._mapping(item, pad + "  ", lead + "- ")
        elif item and type(item) is list:
            self._sequence(item, pad + "  ", lead + "- ")
        else:
            self._leaf(f"{lead}- ", item, pad)

    def _leaf(self, lead: str, value: Any, pad: str) -> None:
        """A scalar, or an empty mapping or list, after `lead`."""
        if type(value) is str:
            if "\n" in value and _fits_block(value):
                self._block(lead, value, pad + "  ")
            else:
                self._text.append(lead + SCALARS[value])
        elif value is None or value is True or value is False:
            self._text.append(lead + _CONSTANTS[value])
        elif type(value) is dict:
            self._text.append(lead + "{}")
        elif type(value) is list:
            self._text.append(lead + "[]")
        else:
            self._text.append(lead + number(value))

    def _block(self, lead: str, value: str, pad: str) -> None:
        content = value.rstrip("\n")
        ends = len(value) - len(content)
        self._text.append(lead + ("|-", "|", "|+")[min(ends, 2)])
        self._text.extend(pad + line if line else "" for line in content.split("\n"))
        self._text.extend([""] * (ends - 1))

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} of a draft is not text")
        return SCALARS[str.__str__(key)]


class _Untraced(_Writer):
    """The same text, with nothing noted of who decides what."""

    __slots__ = ()

    def root(self, body: Any) -> None:
        super().root(_bare(body))

    def _mapping(self, body: dict[Any, Any], pad: str, lead: str) -> None:
        text = self._text
        for key, child in body.items():
            value = child
            while type(value) is Traced:
                value = value.body
            if (
                type(value) is str
                and type(key) is str
                and len(key) < _SHORT_KEY
                and "\n" not in value
            ):
                text.append(f"{lead}{SCALARS[key]}: {SCALARS[value]}")
            else:
                self._entry(key, value, pad, lead)
            lead = pad

    def _item(self, item: Any, pad: str, lead: str) -> None:
        super()._item(_bare(item), pad, lead)


def _bare(body: Any) -> Any:
    while type(body) is Traced:
        body = body.body
    return body


_CONSTANTS: Final = {None: "null", True: "true", False: "false"}


def _fits_block(value: str) -> bool:
    """Whether a literal block gives `value` back exactly, under every reader."""
    first = value.lstrip("\n")[:1]
    return (
        first not in ("", " ", "\t")  # the first line's indentation is the block's
        and ESCAPED.search(value.replace("\n", "").replace("\t", "")) is None
        and _BLANK_LINE.search(value) is None
    )
