"""Which series a PromQL expression reads: a reader of selectors, not a parser of the language.

It tells metrics from functions, keywords and label lists, and takes matchers apart. It refuses only
what cannot be PromQL whatever the version (an open bracket or string, nothing where a value belongs);
everything else is Prometheus' to judge, so a newer function or modifier is no mistake here.

Source: https://prometheus.io/docs/prometheus/latest/querying/basics/ and promql/parser/lex.go of
https://github.com/prometheus/prometheus.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

Operator: TypeAlias = Literal["=", "!=", "=~", "!~"]


class Malformed(ValueError):
    """The text is no PromQL; the message goes on after `the query`."""


@frozen
class Matcher:
    """What a label must be, or must not."""

    label: str
    operator: Operator
    value: str

    def allows(self, value: str) -> bool:
        """Whether a series whose label has this value passes; a missing label counts as empty.

        A regular expression beyond words, wildcards and `|` passes: Go's are not quite Python's, and
        Python's may take for ever.
        """
        if self.operator in ("=", "!="):
            return (value == self.value) is (self.operator == "=")
        if (
            not _PLAIN.fullmatch(self.value)
            or len(_WILDCARDS.findall(self.value)) > _MOST_WILDCARDS
        ):
            return True
        return (re.fullmatch(self.value, value) is not None) is (self.operator == "=~")

    def __str__(self) -> str:
        """As a query says it."""
        return f'{self.label}{self.operator}"{self.value}"'


@frozen
class Selector:
    """The series that an expression reads; `metric` is None where no single name is asked for."""

    metric: str | None
    matchers: tuple[Matcher, ...] = ()


_PLAIN: Final = re.compile(r"(?:(?:[\w\s:/-]|\.|\[[.+]\])[*+]?|\||\(\[\.\]0\+\)\?)*")
_WILDCARDS: Final = re.compile(r"[*+]")
_MOST_WILDCARDS: Final = 3  # the time to match grows with the text's length to this power
_STRING: Final = r""" "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*` """
_TOKEN: Final = re.compile(
    rf"""
    (?P<skipped> \s+ | \#[^\n]* )
  | (?P<braces> \{{ (?: [^"'`{{}}\#] | {_STRING} | \#[^\n]*(?:\n|$) )* \}} )
  | (?P<range> \[ [^\[\]"'`]* \] )
  | (?P<string> {_STRING} )
  | (?P<number> 0[xX][0-9a-fA-F_]+ | (?: \d[\d_]*\.?[\d_]* | \.\d+ ) (?: [eE][+-]?\d+ | [a-z][a-z0-9]* )? )
  | (?P<name> [a-zA-Z_:][a-zA-Z0-9_:]* )
  | (?P<sign> =~ | !~ | != | == | >= | <= | [-+*/%^<>@,()] )
  | (?P<unknown> (?s:.) )
    """,
    re.VERBOSE,
)
_BRACED: Final = re.compile(
    rf"(?<![\w:]) (?P<name> [a-zA-Z_:][a-zA-Z0-9_:]*+ ) (?P<braces> \{{ (?: [^\"{{}}]++ | {_STRING} )* \}} ) | {_STRING}",
    re.VERBOSE,
)
_LABEL_LISTS: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_BEFORE_VALUE: Final = frozenset({"bool", "group_left", "group_right"})
_BETWEEN_VALUES: Final = frozenset({"and", "or", "unless", "atan2"})
_NUMBERS: Final = frozenset({"inf", "nan"})


def selectors(query: str) -> tuple[Selector, ...]:
    """Everything `query` reads, in written order.

    Raises:
        Malformed: it is no PromQL.
    """
    return _Reader(query).read()


def braced(query: str) -> Iterator[tuple[str, str]]:
    """Name and braces of every selector of a query in which each has both, as all of ours do.

    Ten times faster than `selectors`, which counts for a hundred models with a hundred rules each.
    """
    for name, braces in _BRACED.findall(query):
        if name:
            yield name, braces


class _Token(NamedTuple):
    kind: str | None
    text: str


_END: Final = _Token("end", "")


def _tokens(query: str) -> list[_Token]:
    found = [_Token(each.lastgroup, each.group()) for each in _TOKEN.finditer(query)]
    unreadable = next((token.text for token in found if token.kind == "unknown"), None)
    if unreadable is not None:
        raise Malformed(_unreadable(unreadable))
    return [token for token in found if token.kind != "skipped"]


def _unreadable(character: str) -> str:
    if character in "\"'`{[":
        return f"has a {character} that is never closed"
    if character in "}]":
        return f"closes a {character} that was never opened"
    return f"has a {character!r}, which PromQL does not know"


class _Reader:
    """Walks over the tokens, knowing whether a value or an operator comes next."""

    def __init__(self, query: str) -> None:
        self._tokens = _tokens(query)
        self._next = 0
        self._open = 0
        self._found: list[Selector] = []

    def read(self) -> tuple[Selector, ...]:
        if not self._tokens:
            raise Malformed("is empty")
        value_next = True
        while self._next < len(self._tokens):
            token = self._take()
            value_next = self._value(token) if value_next else self._operator(token)
        if self._open:
            raise Malformed("has a ( that is never closed")
        if value_next:
            raise Malformed("ends where a value belongs")
        return tuple(self._found)

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token

    def _peek(self, ahead: int = 0) -> _Token:
        position = self._next + ahead
        return self._tokens[position] if position < len(self._tokens) else _END

    def _value(self, token: _Token) -> bool:
        """Read on where a value may begin; whether one is still to come."""
        if token.kind == "name":
            return self._named(token)
        if token.kind == "braces":
            self._found.append(selected(None, token.text))
            return False
        if token.text == "(":
            self._open += 1
            return True
        if token.text == ")":  # of a function without arguments, such as time()
            return self._close()
        return token.kind == "sign"

    def _named(self, token: _Token) -> bool:
        word, after = token.text.lower(), self._peek()
        if after.text == "(":
            if word in _LABEL_LISTS:
                self._skip_list()
            return True  # else a function or an aggregation, whose arguments follow
        if word in _BEFORE_VALUE:
            return True
        if after.text.lower() in ("by", "without") and self._peek(1).text == "(":
            return True  # an aggregation, whose labels stand before its arguments
        if word in _NUMBERS:
            return False
        labels = self._take().text if after.kind == "braces" else "{}"
        self._found.append(selected(token.text, labels))
        return False

    def _operator(self, token: _Token) -> bool:
        """Read on behind a value; whether another one is to come."""
        word = token.text.lower()
        if token.text == ")":
            return self._close()
        if token.text == "@" or word == "offset":
            self._skip_moment()
            return False
        if word in _LABEL_LISTS and self._peek().text == "(":
            self._skip_list()
            return False
        return token.kind == "sign" or word in _BETWEEN_VALUES

    def _close(self) -> bool:
        if not self._open:
            raise Malformed("closes a ) that was never opened")
        self._open -= 1
        return False

    def _skip_list(self) -> None:
        """Label names in parentheses: `(job, "a.b")`."""
        while self._peek().text not in (")", ""):
            self._take()
        if self._take() is _END:
            raise Malformed("has a ( that is never closed")

    def _skip_moment(self) -> None:
        """What `@` and `offset` take: a number with its sign, `start()`, `end()`, or an expression."""
        while self._peek().text in ("-", "+"):
            self._take()
        if self._peek().kind in ("number", "name"):
            self._take()
        if self._peek().text == "(":
            self._skip_list()


@lru_cache(maxsize=256)  # rules of one model ask for the same few over many windows
def selected(metric: str | None, labels: str) -> Selector:
    """A selector from its name and its braces."""
    if metric is not None and _COMMON.fullmatch(labels):
        return Selector(
            metric, tuple([Matcher(*found) for found in _COMMON_MATCHER.findall(labels)])
        )
    inside = [
        found for found in _LABEL_TOKEN.finditer(labels, 1, len(labels) - 1)
        if found.lastgroup != "skipped"
    ]  # fmt: skip
    matchers: list[Matcher] = []
    position = 0
    while position < len(inside):
        part = [found.group() for found in inside[position : position + 3]]
        kinds = [found.lastgroup for found in inside[position : position + 3]]
        if kinds[0] == "string" and (len(part) == 1 or part[1] == ","):
            metric, width = _unquoted(part[0]), 1  # Prometheus 3: {"a.metric", label="x"}
        elif len(part) == 3 and kinds in (["name", "sign", "string"], ["string", "sign", "string"]):  # noqa: PLR2004
            label = _unquoted(part[0]) if kinds[0] == "string" else part[0]
            if part[1] == ",":
                raise Malformed(_NO_MATCHER.format(labels))
            matchers.append(Matcher(label, cast("Operator", part[1]), _unquoted(part[2])))
            width = 3
        else:
            raise Malformed(_NO_MATCHER.format(labels))
        position += width
        if position < len(inside):
            if inside[position].group() != ",":
                raise Malformed(_NO_MATCHER.format(labels))
            position += 1
    named = next((m for m in matchers if m.label == "__name__" and m.operator == "="), None)
    if named is not None:
        metric = named.value
    return Selector(metric, tuple(m for m in matchers if m is not named))


_COMMON_MATCHER: Final = re.compile(r'([a-zA-Z][a-zA-Z0-9_]*)(=~|!~|!=|=)"([^"\\\n]*)"')
_COMMON: Final = re.compile(rf"\{{(?:{_COMMON_MATCHER.pattern},?)+\}}")
"""Braces as we write them; `__name__` and escapes are for the reader of everything."""
_NO_MATCHER: Final = 'has {0}, and a label is matched like name="value"'
_LABEL_TOKEN: Final = re.compile(
    rf"""
    (?P<skipped> \s+ | \#[^\n]* )
  | (?P<string> {_STRING} )
  | (?P<name> [a-zA-Z_:][a-zA-Z0-9_:]* )
  | (?P<sign> =~ | !~ | != | = | , )
  | (?P<other> . )
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))"
)
_ESCAPED: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip


def _unquoted(literal: str) -> str:
    """The text of a PromQL string; escapes are Go's."""
    text = literal[1:-1]
    if literal[0] == "`" or "\\" not in text:
        return text
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    single, *codes, octal = found.groups()
    if single is not None:
        return _ESCAPED.get(single, single)
    digits = next((code for code in codes if code is not None), None)
    number = int(octal, 8) if digits is None else int(digits, 16)
    return chr(number) if number <= 0x10FFFF else found.group()  # noqa: PLR2004 - the last code point
