"""What is worked out once for a project or an environment, however many of its parts ask."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Whole = TypeVar("Whole")
Result = TypeVar("Result")

_KEPT: Final = 16  # a project and its environments; a longer watch lets go of earlier ones


def remembered(work_out: Callable[[Whole], Result]) -> Callable[[Whole], Result]:
    """`work_out`, which does its work once for each of the values it was last asked about.

    A question that each of a thousand models asks of all others takes a million steps. Values are told
    apart by identity: they never change, and comparing them would be the work that is saved.
    """
    answers: dict[int, tuple[Whole, Result]] = {}

    @wraps(work_out)
    def answer(whole: Whole) -> Result:
        known = answers.get(id(whole))
        if known is not None and known[0] is whole:
            return known[1]
        result = work_out(whole)
        if len(answers) >= _KEPT:
            answers.pop(next(iter(answers)), None)
        answers[id(whole)] = (whole, result)
        return result

    return answer
