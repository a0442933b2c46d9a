"""One kind of quotes: the shorter way to write a text, double ones where both are as long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlopsc.source.layout import Scalar

_SIMPLE: Final = re.compile(r'"(?:[^\\]|\\[\\"])*"\Z')
r"""A double-quoted text with no escapes but `\\` and `\"`: single quotes can say it too."""


def with_shorter_quotes(scalars: Iterable[Scalar], lines: Sequence[str]) -> list[str]:
    """`lines`, with each quoted text that stands on one line in the quotes that need less.

    Quotes stay quotes: what looks as if it needed none may mean something else to another reader.
    """
    made = list(lines)
    for scalar in sorted(scalars, key=lambda one: (one.line, one.column), reverse=True):
        if scalar.style in ("'", '"') and scalar.line == scalar.end_line:
            line = made[scalar.line]
            written = line[scalar.column : scalar.end]
            made[scalar.line] = (
                line[: scalar.column] + _shorter(written, scalar.value) + line[scalar.end :]
            )
    return made


def _shorter(written: str, value: str) -> str:
    if written[0] == '"' and not _SIMPLE.match(written):
        return written
    double = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    single = "'" + value.replace("'", "''") + "'"
    return double if len(double) <= len(single) else single
