"""Lines as diagnostics count them."""

from __future__ import annotations

import re
from typing import Final

_LINE_BREAK: Final = re.compile("\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    r"""The lines of `text`, without their ends; `\r\n`, `\r` and `\n` end one (YAML 1.2.2, 5.4).

    Unlike `str.splitlines`, which also breaks at form feeds and Unicode separators.
    """
    if "\r" not in text:
        return text.split("\n")
    return _LINE_BREAK.split(text)
