"""What a plain (unquoted) scalar means: the core schema of YAML 1.2.2, chapter 10.3.2."""

from __future__ import annotations

import re
from typing import Final

from mlopsc.source.limits import MAX_DIGITS

_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_CANONICAL: Final = frozenset({"null", "true", "false"})
_FIRST: Final = frozenset("0123456789+-.~nNtTfF")
"""The characters a scalar that is not text can start with."""
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED: Final = re.compile(r"0(?:o([0-7]+)|x([0-9a-fA-F]+))\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE: Final = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


class NotFiniteError(ValueError):
    """The scalar is an infinity, not a number, or a number no float can hold."""


class TooLongError(ValueError):
    """The scalar is a number of more digits than any reader keeps."""


def core_value(text: str) -> tuple[bool | int | float | str | None, bool]:
    """The value of a plain scalar, and whether `text` is another way to write it (`0x1F`, `1.10`).

    Raises:
        NotFiniteError: for `.inf`, `.nan` and numbers beyond a float's range.
        TooLongError: for numbers of more than `MAX_DIGITS` characters.
    """
    if text and text[0] not in _FIRST:
        return text, False
    if text in _CONSTANTS:
        return _CONSTANTS[text], text not in _CANONICAL
    return _number(text)


def _number(text: str) -> tuple[int | float | str, bool]:
    if _DECIMAL.match(text):
        whole = int(_checked(text))
        return whole, str(whole) != text
    if prefixed := _PREFIXED.match(text):
        octal, hexadecimal = prefixed.groups()
        base = 8 if octal else 16
        return int(_checked(octal or hexadecimal), base), True
    if _FLOAT.match(text):
        number = float(_checked(text))
        if number in (float("inf"), float("-inf")):
            raise NotFiniteError(f"{text} is larger than any number a program here can hold")
        return number, repr(number) != text
    if _NOT_FINITE.match(text):
        raise NotFiniteError(f"{text} is not a finite number")
    return text, False


def _checked(digits: str) -> str:
    if len(digits) > MAX_DIGITS:
        raise TooLongError(f"a number of {len(digits)} digits is more than any tool keeps exactly")
    return digits
