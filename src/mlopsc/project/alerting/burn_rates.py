"""How fast an error budget may burn before somebody is told.

Source: Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"
(https://sre.google/workbook/alerting-on-slos/). Its table is for 30 days: 2 % of the budget in 1 h
and 5 % in 6 h wake somebody up, 10 % in 3 d is a ticket, and a second window of a twelfth ends the
alert soon after the burning ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.project.model import Seconds, Severity, Share

_MINUTE: Final = 60

SHORTEST: Final = 5 * _MINUTE
"""No window is shorter: a rate over fewer than a handful of scrapes is noise."""

MINIMUM_FAILURES: Final = 3
"""Fewer failed requests in the long window tell nobody: where traffic is thin, one is any ratio."""


@frozen
class Burn:
    """One line of the table.

    Attributes:
        factor: how many times faster than the window allows.
        long: the window that says it matters, seconds.
        short: the window that says it still goes on, seconds.
    """

    name: str
    factor: float
    long: Seconds
    short: Seconds
    severity: Severity

    def threshold(self, objective: Share) -> float:
        """The share of failed requests above which the budget burns that fast."""
        return self.factor * (1 - objective)


@frozen
class _Line:
    name: str
    factor: float
    part: int  # of the promise's window; the same share of the budget is gone by then
    severity: Severity


_TABLE: Final = (
    _Line("fast", 14.4, 720, "critical"),
    _Line("medium", 6.0, 120, "critical"),
    _Line("slow", 1.0, 10, "warning"),
)


def burns(window: Seconds) -> tuple[Burn, ...]:
    """The table for a promise over `window`: windows keep their proportion to it."""
    return tuple(
        Burn(line.name, line.factor, long := _minutes(window / line.part), _minutes(long / 12),
             line.severity)
        for line in _TABLE
    )  # fmt: skip


def can_fire(burn: Burn, objective: Share) -> bool:
    """Whether the threshold is a share that can be exceeded at all."""
    return burn.threshold(objective) < 1 - 1e-9  # floats: 14.4 x (1 - 0.9305…) meets 1 from below


def _minutes(seconds: float) -> Seconds:
    return max(round(seconds / _MINUTE) * _MINUTE, SHORTEST)
