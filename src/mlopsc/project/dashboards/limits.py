"""Bounds of the spec as verdicts on a panel, and as words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project.alerting.promql import number
from mlopsc.project.dashboards.panels import Step

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.dashboards.panels import Verdict
    from mlopsc.project.model import Bound


def within(bound: Bound) -> tuple[Step, ...]:
    """Good inside of a bound, the bound's severity outside."""
    told = bound.at("severity")
    if bound.minimum is None:
        steps = [Step(None, "good")]
    else:
        low = bound.at("min")
        steps = [Step(None, bound.severity, (low, told)), Step(bound.minimum, "good", (low,))]
    if bound.maximum is not None:
        steps.append(Step(bound.maximum, bound.severity, (bound.at("max"), told)))
    return tuple(steps)


def above(value: float, verdict: Verdict, *origins: Path) -> tuple[Step, ...]:
    """Good below `value`."""
    return (Step(None, "good"), Step(value, verdict, origins))


def below(value: float, verdict: Verdict, *origins: Path) -> tuple[Step, ...]:
    """Good from `value` on."""
    return (Step(None, verdict, origins), Step(value, "good", origins))


def percent(share: float) -> str:
    """0.999 → `99.9 %`."""
    return f"{number(round(share * 100, 6))} %"


def latency(seconds: float) -> str:
    """0.25 → `250 ms`, 2.5 → `2.5 s`."""
    if seconds < 1:
        return f"{number(round(seconds * 1000, 6))} ms"
    return f"{number(round(seconds, 6))} s"
