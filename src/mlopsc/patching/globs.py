"""Patterns of paths: `*` and `?` stay within a folder, `**` goes through folders."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

WILD: Final = frozenset("*?")
_PIECES: Final = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_MEANS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def fits(pattern: str, path: str) -> bool:
    """Whether `path` is what `pattern` names; brackets and all else stand for themselves."""
    return pattern == path or (
        not WILD.isdisjoint(pattern) and _compiled(pattern).fullmatch(path) is not None
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = _PIECES.findall(pattern)
    return re.compile("".join(_MEANS.get(piece) or re.escape(piece) for piece in pieces))
