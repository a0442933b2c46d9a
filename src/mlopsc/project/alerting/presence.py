"""Alerts for metrics that are gone: without one, the other alerts on a metric just stay quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.promql import duration, equals, selector
from mlopsc.project.alerting.rules import Alert, Labels, Presence
from mlopsc.project.conventions import decision

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model, Seconds, Severity

ABSENT: Final = "ModelMetricAbsent"

HOLD: Final[Seconds] = 15 * 60
"""How long a metric must be gone: longer than a rolling update, a restart of Prometheus or of the
Pushgateway takes."""

MEMORY: Final[Seconds] = 7 * 86_400
"""How far back a metric counts as seen, where nothing proves that it ought to be there."""


def absent(
    environment: Environment,
    model: Model,
    metric: str,
    labels: Labels,
    *,
    origin: Path,
    severity: Severity,
    matchers: str = "",
    name: str | None = None,
    value: float = 0,
    hold: Seconds = HOLD,
    expected: bool = True,
    extra: Labels | None = None,
    because: tuple[Path, ...] = (),
    hold_origin: Path | None = None,
) -> Alert:
    """The alert for a metric of a model that is not there.

    A model whose version is pinned runs, so its metrics must be there (`expected`). Where the spec
    does not say which version runs, it may not run yet: then a metric counts as gone only if it was
    there within MEMORY.

    Args:
        environment: where it is gone.
        model: whose it is.
        metric: the metric's name.
        labels: what its series carry; its absence is told with `metric` instead.
        origin: the spec path that makes somebody look at it.
        severity: of the alert.
        matchers: further matchers beside `labels`.
        name: the label `metric` of the alert, if it is not the metric's name.
        value: 1 for `up`, which is there with 0 when a scrape fails.
        hold: how long it may take to appear, for a model whose version is pinned.
        expected: whether a pinned model has it from the beginning.
        extra: further labels of the alert.
        because: what else it is there for.
        hold_origin: the spec path behind `hold`.
    """
    ours = decision("prometheus-absence")
    series = selector(metric, equals(labels), matchers)
    name = name or metric
    pinned = environment.pinned(model) and expected
    hold = hold if pinned else HOLD
    waiting = hold_origin if pinned and hold_origin is not None else ours
    there = f"max({series})" if not value else f"(max({series}) == 1)"
    # absent() of an aggregation has no labels: the alert keeps one identity whatever is gone.
    expr = f"absent({there})"
    if not pinned:
        expr += f"\nand\nmax(present_over_time({series}[{duration(MEMORY)}]))"
    return Alert(
        kind=ABSENT,
        expr=expr,
        hold=hold,
        severity=severity,
        labels={"metric": name, **(extra or {})},
        summary=f"{name} of {model.name} is gone in {environment.name}",
        description=(
            f"Prometheus has had no sample of {name} for {duration(hold)}; the alerts that look at"
            " it cannot fire."
        ),
        watch=Presence(metric, labels, matchers, value, None if pinned else MEMORY),
        because=(origin, *because),
        origins=(origin, environment.at("versions"), ours),  # there or not: which one is the same
        worded=(waiting, ours),
        hold_origin=waiting,
        severity_origin=ours,
    )
