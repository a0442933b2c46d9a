"""What is to see of a watched model: drift, its metrics, its data, its business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.promql import equals, number, selector
from mlopsc.project.alerting.watching import allowed, silence
from mlopsc.project.conventions import (
    COLUMN_DRIFT_SCORE,
    DATA_CHECK_SUCCESS,
    DRIFT_SHARE,
    MODEL_METRIC,
    MONITOR_LAST_SUCCESS,
    decision,
)
from mlopsc.project.dashboards.limits import above, below, within
from mlopsc.project.dashboards.panels import Panel, Query
from mlopsc.project.drift import P_VALUE_METHODS
from mlopsc.project.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.alerting.rules import Labels, RuleSet
    from mlopsc.project.dashboards.panels import Step
    from mlopsc.project.model import Drift, Model, Monitoring, QueryBound, Source

_THIRD: Final = 8  # columns of a panel with two neighbours


# --- numbers at the top --------------------------------------------------------------------------


def firing(model: Model, rules: RuleSet) -> Panel:
    """How many alerts fire; `ALERTS` is what Prometheus writes of every rule of its own."""
    return Panel(
        title="Alerts",
        description="Alerts that fire now. What each means is on its runbook page.",
        shape="number",
        unit="count",
        queries=(Query(f"count({_firing(rules)}) or vector(0)", ""),),
        origins=(model.origin,),
        columns=4,
        steps=above(1, "critical"),
        latest=True,
    )


def alerts(model: Model, rules: RuleSet) -> Panel:
    """Which alerts fired when."""
    return Panel(
        title="Alerts over time",
        description="Each alert of this model, while it fires.",
        shape="states",
        unit="number",
        queries=(
            Query(
                f"max by (alertname, severity) ({_firing(rules)})", "{{alertname}} ({{severity}})"
            ),
        ),
        origins=(model.origin,),
        columns=24,
        empty="no alert fired",
        named=((1, "firing", "critical"),),
    )


def _firing(rules: RuleSet) -> str:
    return selector("ALERTS", equals(rules.identity), 'alertstate="firing"')


def drift_now(drift: Drift, identity: Labels) -> Panel:
    """The share of drifted columns."""
    return Panel(
        title="Columns that drifted",
        description=f"The share must be {allowed(drift.share, share=True)}.",
        shape="number",
        unit="share",
        queries=(Query(f"max({selector(DRIFT_SHARE, equals(identity))})", ""),),
        origins=(drift.at("share"),),
        columns=4,
        steps=within(drift.share),
        latest=True,
        empty="not looked yet",
    )


def monitor_age(monitoring: Monitoring, identity: Labels) -> Panel:
    """How old what is shown of drift and performance is."""
    series = selector(MONITOR_LAST_SUCCESS, equals(identity))
    reason = decision("prometheus-silence")
    every = duration_text(monitoring.schedule.every)
    return Panel(
        title="Last look",
        description=f"Time since the monitor last ran through; it runs every {every}.",
        shape="number",
        unit="seconds",
        queries=(Query(f"time() - max({series})", ""),),
        origins=(monitoring.at("schedule"),),
        columns=4,
        steps=above(silence(monitoring), "warning", monitoring.at("schedule"), reason),
        latest=True,
        empty="never",
    )


# --- drift ---------------------------------------------------------------------------------------


def drifting(drift: Drift, identity: Labels) -> Iterator[Panel]:
    """The share over time, and each column's score."""
    yield Panel(
        title="Share of columns that drifted",
        description=f"It must be {allowed(drift.share, share=True)}; one value a run of the monitor.",
        shape="steps",
        unit="share",
        queries=(Query(f"max({selector(DRIFT_SHARE, equals(identity))})", "share"),),
        origins=(drift.at("share"),),
        columns=_THIRD,
        steps=within(drift.share),
    )
    by_column = f"max by (column) ({selector(COLUMN_DRIFT_SCORE, equals(identity))})"
    p_value = drift.method in P_VALUE_METHODS
    yield _scores("Drift by column", "steps", by_column, drift)
    yield _scores(
        "Drift by column, now", "bars", f"{'sort' if p_value else 'sort_desc'}({by_column})", drift
    )


def _scores(title: str, shape: str, expr: str, drift: Drift) -> Panel:
    p_value = drift.method in P_VALUE_METHODS
    side = "below" if p_value else "from"
    return Panel(
        title=title,
        description=(
            f"Scores by {drift.method}; {side} {number(drift.threshold)} "
            f"{'' if p_value else 'on '}a column counts as drifted."
        ),
        shape="bars" if shape == "bars" else "steps",
        unit="number",
        queries=(Query(expr, "{{column}}"),),
        origins=(drift.at("method"), drift.at("threshold")),
        columns=_THIRD,
        steps=_drifted(drift),
        latest=shape == "bars",
    )


def _drifted(drift: Drift) -> tuple[Step, ...]:
    """A p-value drifts when it is small, a distance when it is large."""
    sides = below if drift.method in P_VALUE_METHODS else above
    return sides(drift.threshold, "warning", drift.at("threshold"))


# --- metrics, data, business ---------------------------------------------------------------------


def performance(monitoring: Monitoring, identity: Labels) -> Iterator[Panel]:
    """Each metric of the running version that has a bound."""
    for bound in monitoring.performance:
        series = selector(MODEL_METRIC, equals({**identity, "metric": bound.name}))
        yield Panel(
            title=bound.name,
            description=f"On rows whose labels are known by now; it must be {allowed(bound)}.",
            shape="steps",
            unit="number",
            queries=(Query(f"max({series})", bound.name),),
            origins=(bound.origin,),
            columns=_THIRD,
            steps=within(bound),
        )


def data(sources: tuple[Source, ...], model: Model, identity: Labels) -> Panel:
    """Whether the tables kept what the spec says of them."""
    series = selector(DATA_CHECK_SUCCESS, equals(identity))
    return Panel(
        title="Data checks",
        description=(
            "The verdict of each table's last check; a critical expectation that fails fails it."
            f" Checked here: {', '.join(source.name for source in sources)}."
        ),
        shape="states",
        unit="number",
        queries=(Query(f"min by (source) ({series})", "{{source}}"),),
        origins=(model.origin, *(source.origin for source in sources)),
        columns=24,
        named=((0, "failed", "critical"), (1, "passed", "good")),
    )


def business(measure: QueryBound, level: str, identity: Labels) -> Panel:
    """A query of the user's own, as the rules record it: its worst value on each bounded side."""
    bound = measure.bound
    sides = [("min", bound.minimum), ("max", bound.maximum)]
    own = equals({**identity, "metric": bound.name})
    queries = (
        Query(selector(f"{level}:{side}", own), f"{side} over its series")
        for side, limit in sides
        if limit is not None
    )
    return Panel(
        title=bound.name,
        description=f"It must be {allowed(bound)}.",
        shape="lines",
        unit="number",
        queries=tuple(queries),
        origins=(measure.at("query"),),
        columns=_THIRD,
        steps=within(bound),
    )
