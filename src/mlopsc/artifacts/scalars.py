"""Scalars as YAML text that YAML 1.1 and 1.2 readers, and people, understand alike.

A string stays plain only if no reader we know takes it for something else: PyYAML and libyaml
(1.1), ruamel and Rust readers (1.2), Go's yaml.v2/v3 and Ruby's Psych (1.1 with additions of their
own, such as `1,000`). Sources: yaml.org/type (int, float, bool, null, merge, value, timestamp),
YAML 1.2.2 chapter 10.
"""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(
    r"""
    (?! \.\.\. )                                       # `... ` ends a document
    (?: [A-Za-z0-9_/.$(] | [^\x00-\xbf\s] | -{1,2}[A-Za-z] )
    (?: [^\s:\#\x00-\x1f\x7f-\xa0]++ | : (?=[^\s]) | (?<!\s)\# | [ ](?=[^\s\#]) )*+
    \Z
    """,
    re.VERBOSE,
)
"""Safe as to syntax: no indicator first, no `: `, no ` #`, no space at the end, one line."""

_WORDS: Final = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<", "---", "..."}
    | {".inf", ".nan", "inf", "nan", "infinity"}
)
_LONGEST_WORD: Final = max(map(len, _WORDS))
_NUMBERS_BEGIN: Final = frozenset("+-.0123456789eE_")
_NUMERIC: Final = re.compile(
    r"""
    [-+]? (?:
        0b[-+]?[01_]+ | 0o?[0-7_]+ | 0x[0-9a-f_]+           # binary, octal, hexadecimal
      | [0-9.][0-9_.,]* (?: e[-+]?[0-9_]* )?           # whole and broken numbers, versions
      | e[-+]?[0-9_]+                                  # Node's yaml, in its YAML 1.1 mode
      | [0-9][0-9_]* (?: :[0-9]+ )+ (?: \.[0-9_]* )?   # base 60: 22:22 is 1342
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: [t\s].* )?  # dates and times
      | \.inf
    ) \Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What some reader takes for a number or a time; `500m`, `16Gi`, `7d` and `10.0.0.0/8` are not."""

INVISIBLE: Final = (
    "\x7f-\xa0\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202f\u2060-\u206f\u3164"
    "\ud800-\uf8ff\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\U000e0000-\U000e00ff\U000f0000-\U0010ffff"
)
"""Ranges of characters nobody sees, for a character class: no-break space, soft hyphen, line
separators, byte order marks, text-direction marks, private use. Joiners and variation selectors are
not here: words of several scripts and emoji need them.

Fixed ranges, not `str.isprintable`: that one follows the Unicode version of the Python at hand, and
outputs are the same bytes everywhere.
"""
ESCAPED: Final = re.compile(f"[\x00-\x1f{INVISIBLE}]")
"""Characters written as escapes, in every language we write."""

_SHORT: Final = {"\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v",
                 "\f": "\\f", "\r": "\\r", "\x1b": "\\e"}  # fmt: skip
_CACHE_LIMIT: Final = 2048


class _Scalars(dict[str, str]):
    """String → YAML text, remembered for a while: strings come back within one model's files.

    Once full it starts anew. Kept as it is, it would hold the first models' strings for ever and help
    none of the others; a larger one is slower, as it no longer fits the processor's cache.
    """

    def __missing__(self, text: str) -> str:
        written = _written(text)
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        self[text] = written
        return written


SCALARS: Final = _Scalars()
"""`SCALARS[text]` is `text` as a one-line YAML scalar, quoted where any reader needs it."""


def _written(text: str) -> str:
    # Most strings of most outputs end here; ASCII that is plain holds nothing to escape.
    if _PLAIN.match(text) and (text.isascii() or not ESCAPED.search(text)) and not ambiguous(text):
        return text
    if ESCAPED.search(text) is None and ('"' in text or "\\" in text):
        return "'" + text.replace("'", "''") + "'"
    return double_quoted(text)


def ambiguous(text: str) -> bool:
    """Whether some YAML reader takes the plain `text` for something other than this string."""
    if len(text) <= _LONGEST_WORD and text.lower() in _WORDS:
        return True
    if text[:1] not in _NUMBERS_BEGIN:
        return False
    if _NUMERIC.match(text) is not None:
        return True
    # Go's readers drop every underscore before they look: `0_x1` is one there.
    return "_" in text and _NUMERIC.match(text.replace("_", "")) is not None


def double_quoted(text: str) -> str:
    """`text` in double quotes, every invisible character escaped.

    Raises:
        ValueError: for half a surrogate pair, which no UTF-8 file can hold.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + ESCAPED.sub(_escape, escaped) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if is_surrogate(character):
        raise ValueError(f"half a surrogate pair (U+{code:04X}) cannot be written")
    if character <= "\xff":
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if character <= "\uffff" else f"\\U{code:08x}"


def is_surrogate(character: str) -> bool:
    """Whether `character` is half of a UTF-16 pair, which stands in no UTF-8 file."""
    return "\ud800" <= character <= "\udfff"


def number(value: float) -> str:
    """An int or a float so that both YAML versions read the same number back.

    Raises:
        ValueError: for infinities and not-a-number: no output of ours can mean them.
    """
    if type(value) is int:
        return str(value)
    written = repr(float(value))
    if written[-1] in "fn":  # inf, nan
        raise ValueError(f"{written} is not a number a file can hold")
    mantissa, exponent, power = written.partition("e")
    if exponent and "." not in mantissa:
        return f"{mantissa}.0e{power}"  # YAML 1.1 reads `1e-05` as text: its floats need a dot
    return written
