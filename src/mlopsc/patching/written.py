"""A patch as the lines of a spec, in the form `mlopsc fmt` gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.scalars import ESCAPED, SCALARS, ambiguous, double_quoted, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.patching.structure import Plain

WIDTH: Final = 100
"""Up to here a mapping or a list stands on one line, in braces."""
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}
_IN_BRACES: Final = re.compile(r"[A-Za-z0-9_/.$-][A-Za-z0-9_/.$@+=()*-]*\Z")
"""What needs no quotes between braces: narrower than between lines."""
_BLANK: Final = re.compile(r"^[ \t]+$", re.MULTILINE)
_STEPS: Final = frozenset({"json", "replace"})
"""Lists of steps: one a line, however short."""


def item_lines(patch: dict[str, Plain]) -> list[str]:
    """`patch` as an item of a list, from its dash on, without line ends."""
    lines: list[str] = []
    for key, value in patch.items():
        lines += _entry(key, value)
    return [
        f"{'  ' if number else '- '}{line}" if line else "" for number, line in enumerate(lines)
    ]


def braced(value: Plain) -> str:
    """`value` on one line, in braces and brackets."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_short(key)}: {braced(child)}' for key, child in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(braced, value))}]"
    return _short(value) if isinstance(value, str) else _constant(value)


def _entry(key: str, value: Plain) -> Iterator[str]:
    name = SCALARS[key]
    if isinstance(value, str):
        yield from _text(f"{name}:", value)
    elif isinstance(value, list) and value and key in _STEPS:
        yield f"{name}:"
        for item in value:
            yield from _item(item)
    else:
        yield from _below(name, value)


def _below(name: str, value: Plain) -> Iterator[str]:
    """An entry on one line where it fits there, else on lines of its own."""
    line = None if _has_lines(value) else f"{name}: {braced(value)}"
    if line is not None and (len(line) <= WIDTH or not isinstance(value, dict | list) or not value):
        yield line
    elif isinstance(value, dict):
        yield f"{name}:"
        for key, child in value.items():
            yield from (f"  {line}" if line else "" for line in _entry(key, child))
    elif isinstance(value, list):
        yield f"{name}:"
        for item in value:
            yield from _item(item)


def _item(item: Plain) -> Iterator[str]:
    """An item of a list that stands two columns under its key."""
    if not _has_lines(item) and len(braced(item)) <= WIDTH:
        yield f"  - {braced(item) if isinstance(item, dict | list) else _scalar(item)}"
    elif isinstance(item, dict):
        lines = [line for key, child in item.items() for line in _entry(key, child)]
        yield from (
            f"{'    ' if n else '  - '}{line}" if line else "" for n, line in enumerate(lines)
        )
    elif isinstance(item, list):
        yield f"  - {braced(item)}"
    else:
        yield from (f"  {line}" if line else "" for line in _text("-", str(item)))


def _text(lead: str, value: str) -> Iterator[str]:
    """A string behind `lead`: several lines as they are where YAML can say them so."""
    content = value.rstrip("\n")
    ends = len(value) - len(content)
    if "\n" not in value or not content or ends > 1 or not _fits_block(value):
        yield f"{lead} {SCALARS[value]}"
        return
    # The first line's own spaces would count as the block's, so the block's are told.
    indicator = "2" if value[0] in " \n" else ""
    yield f"{lead} |{indicator}{'' if ends else '-'}"
    yield from (f"  {line}" if line else "" for line in content.split("\n"))


def _fits_block(value: str) -> bool:
    return (
        value[0] != "\t"
        and ESCAPED.search(value.replace("\n", "").replace("\t", "")) is None
        and _BLANK.search(value) is None
    )


def _has_lines(value: Plain) -> bool:
    if isinstance(value, dict):
        return any(map(_has_lines, value.values()))
    if isinstance(value, list):
        return any(map(_has_lines, value))
    return isinstance(value, str) and "\n" in value.rstrip("\n")


def _short(text: str) -> str:
    if _IN_BRACES.match(text) and not ambiguous(text):
        return text
    return double_quoted(text)


def _scalar(value: Plain) -> str:
    return SCALARS[value] if isinstance(value, str) else _constant(value)


def _constant(value: Plain) -> str:
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    return number(value) if isinstance(value, int | float) else braced(value)
