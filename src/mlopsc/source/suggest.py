"""The name somebody may have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEAR: Final = 0.6
"""Share of letters in common, in order, from which two names look alike (difflib's own default)."""
_LONGEST: Final = 100
"""Characters of a name that are compared; hostile ones are longer."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that looks most like `word`; None if none is near. Ties: alphabetical.

    Case, and `-` for `_`, do not count.
    """
    from difflib import SequenceMatcher  # only a mistake pays for the import

    matcher = SequenceMatcher()
    matcher.set_seq2(_fold(word))
    best, best_ratio = None, _NEAR
    for name in sorted(known, reverse=True):
        matcher.set_seq1(_fold(name))
        if matcher.quick_ratio() >= best_ratio and (ratio := matcher.ratio()) >= best_ratio:
            best, best_ratio = name, ratio
    return best


def _fold(word: str) -> str:
    return word[:_LONGEST].casefold().replace("-", "_")
