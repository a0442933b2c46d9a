"""What is remembered of a column's values while they go by, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mlopsc.authoring.facts import MOST_UNIQUE, MOST_VALUES

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

T = TypeVar("T", bound="bool | int | float | str")


class Tally:
    """The different values of a column, and whether any occurred twice."""

    def __init__(self) -> None:
        self._seen: set[bool | int | float | str] = set()
        self.unique = True
        self.few = True  # at most MOST_VALUES different ones
        self._comparing = True

    @property
    def is_open(self) -> bool:
        """Whether further values can change what is known."""
        return self.few or (self.unique and self._comparing)

    def add(self, different: AbstractSet[T], count: int) -> None:
        """A stretch of `count` values, of which `different` are the different ones."""
        if not self.is_open:
            return
        if self.unique and (len(different) < count or not self._seen.isdisjoint(different)):
            self.unique = False
        self._seen.update(different)
        if len(self._seen) > MOST_VALUES:
            self.few = False
        if len(self._seen) > MOST_UNIQUE:
            self._comparing = False
        if not self.is_open:
            self._seen = set()

    def values(self) -> set[bool | int | float | str] | None:
        """All different values; None if there are more than are remembered."""
        return self._seen if self.few else None
