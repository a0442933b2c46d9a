"""Label values that fit matchers, and values that do not: what test series are made of."""

from __future__ import annotations

import re
from functools import cache

# Python's own parser of regular expressions: there is no public one, and RE2's syntax is a subset.
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, Final

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

_MATCHER: Final = re.compile(
    r"""\s*(?P<label>[A-Za-z_][A-Za-z0-9_]*)\s*(?P<sign>=~|!~|!=|=)\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*,?"""
)
_ORDINARY: Final = ("200", "OK", "ok", "0", "other", "503", "x")


@frozen
class Matcher:
    """One label matcher of a selector."""

    label: str
    sign: str
    value: str

    def fits(self, value: str) -> bool:
        """Whether a label value passes; Prometheus anchors its regular expressions."""
        if self.sign in {"=", "!="}:
            return (value == self.value) == (self.sign == "=")
        return (re.fullmatch(self.value, value) is not None) == (self.sign == "=~")


@cache  # a runtime has a handful, and every test of every model asks for them
def matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers of `a="b",c=~"d"`; escapes stay as they are written."""
    return tuple(
        Matcher(*found.group("label", "sign", "value")) for found in _MATCHER.finditer(text)
    )


def fitting(text: str) -> dict[str, str]:
    """Labels that every matcher fits."""
    return dict(_fitting(text))


@cache
def _fitting(text: str) -> dict[str, str]:
    return {matcher.label: _value(matcher) for matcher in matchers(text)}


def unfit(text: str) -> dict[str, str]:
    """Labels that no matcher fits: of a request that did not fail, for matchers of failures."""
    return {
        matcher.label: next((v for v in _candidates(matcher) if not matcher.fits(v)), "")
        for matcher in matchers(text)
    }


def _value(matcher: Matcher) -> str:
    # Nothing fits `!~".*"`: the rule then selects nothing, and its test says so.
    return next((value for value in _candidates(matcher) if matcher.fits(value)), matcher.value)


def _candidates(matcher: Matcher) -> list[str]:
    if matcher.sign in {"=~", "!~"}:
        return [*_ORDINARY, _example(matcher.value), ""]
    return [*_ORDINARY, matcher.value, ""]


@cache
def _example(pattern: str) -> str:
    """A text that the regular expression matches."""
    return _of_sequence(parser.parse(pattern))


def _of_sequence(sequence: Any) -> str:
    return "".join(_of_node(code, argument) for code, argument in sequence)


def _of_node(code: Any, argument: Any) -> str:
    if code in {codes.MAX_REPEAT, codes.MIN_REPEAT}:
        least: int = argument[0]
        return _of_sequence(argument[2]) * least
    write = _WRITERS.get(code)
    return "" if write is None else write(argument)  # an anchor writes nothing


def _of_class(members: Any) -> str:
    characters = [chr(code) for code in range(0x20, 0x7F)]
    inside = re.compile(_class_text(members))
    return next((text for text in ["0", "x", *characters] if inside.fullmatch(text)), "x")


def _class_text(members: Any) -> str:
    text = ""
    for code, argument in members:
        if code is codes.NEGATE:
            text = "^" + text
        elif code is codes.LITERAL:
            text += re.escape(chr(argument))
        elif code is codes.RANGE:
            text += f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"

    return f"[{text}]"


_WRITERS: Final[dict[Any, Callable[[Any], str]]] = {
    codes.LITERAL: chr,
    codes.NOT_LITERAL: lambda character: "y" if character == ord("x") else "x",
    codes.ANY: lambda _: "x",
    codes.BRANCH: lambda branch: _of_sequence(branch[1][0]),
    codes.SUBPATTERN: lambda group: _of_sequence(group[-1]),
    codes.IN: _of_class,
}
