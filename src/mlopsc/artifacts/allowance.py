"""How much a template that is not ours may do, counted in steps and characters.

Not in seconds: a template that is refused is refused on every machine. The filters here are those of
Jinja that could make much of little, written so that they ask first.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from functools import wraps
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_STEPS: Final = 1_000_000
"""Steps of one rendering: turns of loops, calls, filters. A page of a hundred models takes some thousand."""
MAX_TEXT: Final = 1024 * 1024
"""Characters of one text, and items of one list, while a template is at work."""
MAX_MADE: Final = 64 * 1024 * 1024
"""Characters of all texts that one rendering makes on its way."""
_MAX_BITS: Final = 1024
_MAX_PLACES: Final = 15
_MAX_WIDTH: Final = 200
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+>")
PER_STEP: Final = 64
"""Characters or items that a function goes through in what counts as one step."""


class TooMuch(Exception):
    """A template has used up what it may; the message goes on after "the template"."""


class Allowance:
    """What one rendering may still do."""

    __slots__ = ("_made", "_steps")

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._made = MAX_MADE

    def take(self, steps: int) -> None:
        """Go some steps.

        Raises:
            TooMuch: there are none left.
        """
        self._steps -= steps
        if self._steps < 0:
            raise TooMuch(f"takes more than {MAX_STEPS:,} steps")

    def make(self, size: int) -> None:
        """Make a text or list of this size.

        Raises:
            TooMuch: it is too large, or one too many.
        """
        if size > MAX_TEXT:
            raise TooMuch(f"makes a value of more than {MAX_TEXT:,} characters or items")
        self._made -= size
        if self._made < 0:
            raise TooMuch(f"makes more than {MAX_MADE:,} characters on its way")


allowance: Final[ContextVar[Allowance]] = ContextVar("allowance")
"""That of the rendering at work."""


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with what it is given and what it makes counted."""

    @wraps(function)  # also keeps Jinja's marks for what it passes along
    def counting(*arguments: Any, **named: Any) -> Any:
        left = allowance.get()
        left.take(1 + sum(map(size, arguments)) // PER_STEP)
        made = function(*map(in_order, arguments), **named)
        left.make(size(made))
        return made

    return counting


def size(value: object) -> int:
    """Characters of a text, items of a collection; 0 for anything else."""
    return len(value) if isinstance(value, (str, list, tuple, dict, set, frozenset, range)) else 0


def check_binary(operator: str, left: Any, right: Any) -> None:
    """Count what `left OPERATOR right` makes, before it is made.

    Raises:
        TooMuch: it would be too large.
    """
    limits = allowance.get()
    limits.take(1)
    if isinstance(left, int) and isinstance(right, int):
        bits = {
            "*": left.bit_length() + right.bit_length(),
            "**": left.bit_length() * max(right, 1),
        }
        if bits.get(operator, 0) > _MAX_BITS:
            raise TooMuch("makes a number that is too large to write")
    elif operator == "*":
        limits.make(size(left) * _times(right) + size(right) * _times(left))
    else:
        limits.make(size(left) + size(right))


def _times(value: object) -> int:
    return max(value, 0) if isinstance(value, int) else 0


# --- what templates are given -----------------------------------------------------------------------


def printable(value: Any) -> Any:
    """What is printed of `value`, unless that would be another text in each run."""
    if isinstance(value, str):
        return value
    if isinstance(value, (MethodType, FunctionType)):
        raise TypeError(f"{value.__name__} is a function: call it")
    if isinstance(value, (set, frozenset)):
        raise TypeError("a set has no order: `| sort` gives it one")
    written = str(value)
    if _ADDRESS.search(written):
        raise TypeError("this is no text: `| join` or `| list` writes out what it goes through")
    return written


def in_order(value: Any) -> Any:
    """`value`; a set, whose order is another in each run, as a sorted list."""
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else value


def turns(items: Iterable[Any]) -> Iterator[Any]:
    """`items`, each of them a step."""
    left = allowance.get()
    for item in in_order(items):
        left.take(1)
        yield item


def concatenated(parts: Iterable[str]) -> str:
    """The texts as one; so Jinja ends a block, a macro and the whole."""
    left, texts, total = allowance.get(), [], 0
    for part in parts:
        left.take(1)
        total += len(part)
        if total > MAX_TEXT:
            left.make(total)
        texts.append(part)
    left.make(total)
    return "".join(texts)


def joined(parts: Iterable[Any]) -> str:
    """The parts of `a ~ b ~ c` as one text."""
    return concatenated(map(str, parts))


def numbers(*bounds: int) -> range:
    """Python's `range`, whose numbers are counted at once."""
    made = range(*bounds)
    if len(made) > MAX_STEPS:
        raise TooMuch(f"counts further than {MAX_STEPS:,}")
    allowance.get().take(len(made))
    return made


def _join(items: Iterable[Any], d: str = "", attribute: str | None = None) -> str:
    parts: list[Any] = []
    for item in items:
        if parts:
            parts.append(d)
        parts.append(item if attribute is None else item[attribute])
    return joined(parts)


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    written = str(text)
    found = written.count(old) if count < 0 else min(written.count(old), count)
    allowance.get().make(len(written) + found * max(len(new) - len(old), 0))
    return written.replace(old, new, count)


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    lines = str(text).split("\n")
    if not 0 <= int(width) <= _MAX_WIDTH:
        raise TooMuch(f"indents by more than {_MAX_WIDTH} columns")
    allowance.get().make(sum(len(line) + int(width) for line in lines))
    moved = [
        " " * int(width) + line if (line or blank) and (number or first) else line
        for number, line in enumerate(lines)
    ]
    return "\n".join(moved)


def _round(number: float, precision: int = 0) -> float:
    if abs(precision) > _MAX_PLACES:
        raise TooMuch(f"rounds to more than {_MAX_PLACES} places")
    return round(number, precision)


ASKING_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "round": _round,
}
"""Filters of Jinja's names that ask before they make something large."""
