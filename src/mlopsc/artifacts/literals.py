"""Values as literals of the languages templates are written in; safe for any string."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

from mlopsc.artifacts.scalars import ESCAPED, is_surrogate

_PYTHON_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TOML_SHORT: Final = {**_PYTHON_SHORT, "\b": "\\b", "\f": "\\f"}
_TOML_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
_SPACES: Final = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u2028\u2029]+")
_MARKDOWN_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def python_literal(value: Any) -> str:
    """`value` as Python source that evaluates to it, strings in double quotes as Black writes them.

    Not `repr`: that one escapes by the Unicode version of the Python at hand, and outputs are the
    same bytes everywhere.
    """
    if isinstance(value, str):
        return _python_string(value)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return _number(value)
    return _python_collection(value)


def _python_collection(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{python_literal(key)}: {python_literal(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Set) and value:
        return "{" + ", ".join(sorted(python_literal(item) for item in value)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        items = ", ".join(python_literal(item) for item in value)
        if isinstance(value, tuple):
            return f"({items},)" if len(value) == 1 else f"({items})"
        return f"[{items}]"
    raise TypeError(f"{value!r} has no Python literal here")


def _python_string(text: str) -> str:
    text = str.__str__(text)
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return quote + ESCAPED.sub(lambda match: _escape(match.group(), _PYTHON_SHORT), escaped) + quote


def _escape(character: str, short: Mapping[str, str]) -> str:
    if character in short:
        return short[character]
    code = ord(character)
    if is_surrogate(character):
        raise ValueError(f"half a surrogate pair (U+{code:04X}) cannot be written")
    # TOML 1.0 knows no \x; \u works in both languages.
    return f"\\u{code:04x}" if character <= "\uffff" else f"\\U{code:08x}"


def _number(value: float) -> str:
    written = repr(value)
    if written[-1] in "fn":  # inf, nan
        raise ValueError(f"{written} is not a number a file can hold")
    return written


def toml_value(value: Any) -> str:
    """`value` as TOML 1.0: a basic string, number, truth value, array or inline table."""
    if isinstance(value, str):
        return _toml_string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        items = (f"{_toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        return "{ " + ", ".join(items) + " }" if value else "{}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    raise TypeError(f"{value!r} has no TOML form")


def _toml_key(key: str) -> str:
    return key if _TOML_BARE_KEY.match(key) else _toml_string(key)


def _toml_string(text: str) -> str:
    escaped = str.__str__(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + ESCAPED.sub(lambda match: _escape(match.group(), _TOML_SHORT), escaped) + '"'


def shell_word(value: Any) -> str:
    """`value` as one word of a POSIX shell.

    Raises:
        ValueError: for a zero character, which no argument of a program can hold.
    """
    import shlex

    text = str(value)
    if "\0" in text:
        raise ValueError("a zero character cannot stand in a shell word")
    return shlex.quote(text)


def one_line(value: Any) -> str:
    """`value` on one line, for a comment: white space and control characters become one space."""
    spaced = _SPACES.sub(" ", str(value)).strip()
    return ESCAPED.sub("", spaced)


def markdown(value: Any) -> str:
    """`value` as text of a Markdown line that means nothing but itself, in a table cell too."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", one_line(value))
