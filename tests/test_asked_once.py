"""What is worked out once for a project, however many of its models ask."""

from __future__ import annotations

from mlopsc.project.remembered import remembered


class Whole:
    """Equal to every other: only identity may tell them apart."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_the_work_is_done_once_a_value() -> None:
    asked: list[Whole] = []

    @remembered
    def work_out(whole: Whole) -> int:
        asked.append(whole)
        return len(asked)

    first, second = Whole(), Whole()
    assert [work_out(first), work_out(second), work_out(first), work_out(second)] == [1, 2, 1, 2]
    assert [id(whole) for whole in asked] == [id(first), id(second)]


def test_a_long_watch_lets_go_of_what_was() -> None:
    @remembered
    def work_out(whole: Whole) -> object:
        return object()

    first = Whole()
    answer = work_out(first)
    for _ in range(8):
        work_out(Whole())
    assert work_out(first) is answer
    for _ in range(40):
        work_out(Whole())
    assert work_out(first) is not answer
