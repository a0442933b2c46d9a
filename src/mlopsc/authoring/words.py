"""Values and names as they are written into a spec, and as they are shown in its comments."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from mlopsc.spec.vocabulary import COLUMN, COLUMN_LENGTH, NAME, NAME_LENGTH

if TYPE_CHECKING:
    from mlopsc.authoring.facts import Value

_LONGEST_SHOWN: Final = 60
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_NOT_TEXT: Final = frozenset(
    {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
)
"""Words that one version of YAML or another does not read as text."""


def scalar(value: Value) -> str:
    """A value as YAML that every reader takes for the same value.

    Texts must be printable (see `is_printable`): no escape is needed then but those JSON has too.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        return value if plain else json.dumps(value, ensure_ascii=False)
    return number(value)


def number(value: float) -> str:
    """A number as YAML: whole ones without a point, exponents with one (YAML 1.1 wants it)."""
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 (beyond, the digits mislead)
        return str(int(value))
    mantissa, exponent, power = repr(value).partition("e")
    if exponent and "." not in mantissa:
        mantissa += ".0"
    return mantissa + exponent + power


def rough(value: float) -> str:
    """A number for a comment: six digits are enough to recognise it."""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def is_printable(text: str) -> bool:
    """Whether a person sees every character, so that it may stand in a spec as it is."""
    return text.isprintable()


def shown(name: str) -> str:
    """A name of the file's, whatever is in it, as a short stretch of one line."""
    seen = name if name.isprintable() else ascii(name)[1:-1]
    return f"{seen[:_LONGEST_SHOWN]}…" if len(seen) > _LONGEST_SHOWN else seen


def quoted(name: str) -> str:
    """The same, in quotes."""
    return f"'{shown(name)}'"


def column_problem(name: str) -> str | None:
    """Why the language does not take a column of this name; None if it does."""
    if not name:
        return "it has no name"
    if name.startswith("__index_level_"):
        return "the index that pandas kept"
    if len(name) > COLUMN_LENGTH:
        return f"a column's name has at most {COLUMN_LENGTH} characters; rename it in the data"
    if not re.fullmatch(COLUMN, name) or "\n" in name:
        return "a column's name is a letter, then letters, digits and _; rename it in the data"
    return None


def is_name(text: str) -> bool:
    """Whether `text` can name a project, source, model or entity."""
    return len(text) <= NAME_LENGTH and "\n" not in text and bool(re.fullmatch(NAME, text))


def name_from(text: str, otherwise: str) -> str:
    """The name nearest to `text`; `otherwise` if nothing of it is left."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    words = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    words = words.lstrip("0123456789_")[:NAME_LENGTH].rstrip("_")
    return words or otherwise
