"""Characters a spec may not hold unescaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.diagnostics.lines import split_lines

if TYPE_CHECKING:
    from mlopsc.source.document import Source

_MOST_SHOWN: Final = 10

_REFUSED: Final = re.compile(
    # What YAML does not allow, and U+0085, U+2028, U+2029, U+FEFF, which it does: YAML 1.1 parsers
    # break lines at the first three and 1.2 parsers do not; nobody sees the fourth.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_ESCAPES: Final = {
    "\x00": r"\0",
    "\x07": r"\a",
    "\x08": r"\b",
    "\x0b": r"\v",
    "\x0c": r"\f",
    "\x1b": r"\e",
    "\x85": r"\N",
    "\u2028": r"\L",
    "\u2029": r"\P",
}


def check_characters(source: Source) -> None:
    """Refuses control characters and invisible line separators.

    Raises:
        Rejected: Y003 for each of the first few.
    """
    if _REFUSED.search(source.text) is None:
        return
    findings: list[Finding] = []
    for number, line in enumerate(split_lines(source.text), start=1):
        for match in _REFUSED.finditer(line):
            place = Place(source.name, number, match.start() + 1, match.end() + 1)
            findings.append(_finding(match.group(), place))
            if len(findings) == _MOST_SHOWN:
                raise Rejected(tuple(findings))
    raise Rejected(tuple(findings))


def _finding(character: str, place: Place) -> Finding:
    import unicodedata  # only a refused file pays for the table

    number = f"U+{ord(character):04X}"
    if "\ud800" <= character <= "\udfff":
        message = f"half a surrogate pair ({number}) is no character"
        return Finding("Y003", message, place, "remove it, or write the whole character")
    name = unicodedata.name(character, "a control character").lower()
    return Finding(
        "Y003",
        f"{number} ({name}) cannot stand here unseen",
        place,
        f"remove it, or write it as {_escaped(character)} inside double quotes",
    )


def _escaped(character: str) -> str:
    """The double-quoted escape of `character`, the shortest that YAML knows."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\x{code:02X}" if character <= "\xff" else f"\\u{code:04X}"
