"""What is to see of a served model: traffic, latency, and what is left of its promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.burn_rates import MINIMUM_FAILURES, burns, can_fire
from mlopsc.project.alerting.objectives import budget, failed, ratio, scraped_labels
from mlopsc.project.alerting.promql import duration, equals, number, selector
from mlopsc.project.alerting.rules import Burning
from mlopsc.project.conventions import decision
from mlopsc.project.dashboards.limits import above, latency, percent
from mlopsc.project.dashboards.panels import RATE_WINDOW, Panel, Query, Step
from mlopsc.project.runtimes import failures_counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.alerting.rules import Indicator, RuleSet
    from mlopsc.project.dashboards.panels import Unit
    from mlopsc.project.model import Environment, Model, RuntimeMetrics, Serving, Slo

_UNITS: Final[dict[float, Unit]] = {
    1.0: "seconds",
    0.001: "milliseconds",
    0.000001: "microseconds",
}
QUANTILES: Final = (0.5, 0.95, 0.99)
LOW_BUDGET: Final = 0.25
"""The part of a budget below which a team slows down, while the burn-rate alerts still wait."""


def answering(environment: Environment, model: Model, serving: Serving) -> Panel:
    """How many copies answer when they are asked for their metrics."""
    least = serving.replicas.minimum
    at = serving.at("replicas", "min")
    steps = [Step(None, "critical"), Step(1, "good")]
    if least > 1:
        steps = [Step(None, "critical"), Step(1, "warning", (at,)), Step(least, "good", (at,))]
    return Panel(
        title="Copies that answer",
        description=f"Pods whose metrics Prometheus could read at the last scrape; at least {least} are wanted.",
        shape="number",
        unit="count",
        queries=(Query(f"sum({selector('up', equals(scraped_labels(environment, model)))})", ""),),
        origins=(serving.at("replicas"),),
        columns=4,
        steps=tuple(steps),
        latest=True,
        empty="none",
    )


def traffic(
    environment: Environment, model: Model, serving: Serving, metrics: RuntimeMetrics
) -> Iterator[Panel]:
    """Requests, and those that failed."""
    scraped = equals(scraped_labels(environment, model))
    every = f"sum(rate({selector(metrics.requests, scraped, metrics.matchers)}[{RATE_WINDOW}]))"
    errors = failed(metrics, scraped)
    # A counter of failures may be missing until the first one; then there were none.
    some = f"(sum(rate({errors}[{RATE_WINDOW}])) or vector(0))"
    if errors is not None and not failures_counted(serving.runtime):
        every = f"({every} or vector(0))\n+\n{some}"
    queries = [Query(every, "requests")]
    if errors is not None:
        queries.append(Query(some, "failed"))
    yield Panel(
        title="Requests",
        description="Predictions asked for, over all copies.",
        shape="lines",
        unit="requests per second",
        queries=tuple(queries),
        origins=(serving.at("runtime"),),
        columns=12,
    )
    if errors is not None:
        yield _failures(serving, f"{some}\n/\n({every} > 0)")


def _failures(serving: Serving, expr: str) -> Panel:
    slo, promised = serving.slo, ""
    steps: tuple[Step, ...] = ()
    origins: tuple[Path, ...] = (serving.at("runtime"),)
    if slo is not None and slo.availability is not None:
        allowed = round(1 - slo.availability, 12)
        steps = above(allowed, "warning", slo.at("availability"))
        promised = f" The promise leaves room for {percent(allowed)} over {duration(slo.window)}."
        origins = (*origins, slo.at("availability"))
    return Panel(
        title="Share of requests that failed",
        description=f"As the runtime counts failures; a caller's mistakes are none.{promised}",
        shape="lines",
        unit="share",
        queries=(Query(expr, "failed"),),
        origins=origins,
        columns=12,
        steps=steps,
    )


def answer_times(
    environment: Environment, model: Model, serving: Serving, metrics: RuntimeMetrics
) -> Iterator[Panel]:
    """Quantiles and the whole distribution, from the runtime's own histogram."""
    if metrics.latency is None:
        return
    scraped = equals(scraped_labels(environment, model))
    buckets = selector(f"{metrics.latency}_bucket", scraped, metrics.matchers)
    yield _quantiles(serving, metrics, buckets)
    yield Panel(
        title="Answer times, by bucket",
        description="Requests per second in each bucket of the runtime's histogram.",
        shape="heatmap",
        unit=_UNITS[metrics.unit],
        queries=(Query(f"sum by (le) (rate({buckets}[{RATE_WINDOW}]))", "{{le}}"),),
        origins=(serving.at("runtime"),),
        columns=12,
    )


def _quantiles(serving: Serving, metrics: RuntimeMetrics, buckets: str) -> Panel:
    slo, wanted = serving.slo, set(QUANTILES)
    steps: tuple[Step, ...] = ()
    said = f"Interpolated between the buckets of the runtime's histogram ({_ends(metrics)})."
    origins: tuple[Path, ...] = (serving.at("runtime"),)
    if slo is not None and slo.latency is not None:
        share, seconds = slo.latency
        wanted.add(share)
        steps = above(seconds / metrics.unit, "warning", slo.at("latency"))
        said += f" Promised: {percent(share)} within {latency(seconds)}."
        origins = (*origins, slo.at("latency"))
    queries = (
        Query(
            f"histogram_quantile({number(share)}, sum by (le) (rate({buckets}[{RATE_WINDOW}])))",
            f"p{number(round(share * 100, 6))}",
        )
        for share in sorted(wanted)
    )
    return Panel(
        title="Answer times",
        description=said,
        shape="lines",
        unit=_UNITS[metrics.unit],
        queries=tuple(queries),
        origins=origins,
        columns=12,
        steps=steps,
    )


def _ends(metrics: RuntimeMetrics) -> str:
    first, last = (bound * metrics.unit for bound in (metrics.buckets[0], metrics.buckets[-1]))
    return f"{len(metrics.buckets)} from {latency(first)} to {latency(last)}"


# --- promises ------------------------------------------------------------------------------------

_BUDGETS: Final = {
    "availability": ("Error budget left", "Error budget", "requests answered without failure"),
    "latency": ("Latency budget left", "Latency budget", "requests answered in time"),
}


def indicators(rules: RuleSet) -> tuple[Indicator, ...]:
    """What the objectives count, each once; only what is recorded."""
    watches = (alert.watch for alert in rules.alerts)
    found = (watch.indicator for watch in watches if isinstance(watch, Burning))
    return tuple({indicator.name: indicator for indicator in found}.values())


def budget_left(slo: Slo, indicator: Indicator) -> Panel:
    """What remains of a budget: 1 when nothing went wrong, below 0 when the promise is broken."""
    title, _, what = _BUDGETS[indicator.name]
    spent = ratio(indicator, window := duration(slo.window))
    return Panel(
        title=title,
        description=(
            f"Promised: {percent(indicator.objective)} of {what}, over {window}. Prometheus must keep"
            " its samples for that long; where it has fewer, those count."
        ),
        shape="number",
        unit="share",
        queries=(Query(f"1 - (\n{spent}\n) / {number(budget(indicator))}", ""),),
        origins=(*indicator.selected, *indicator.promised, slo.at("window")),
        columns=4,
        steps=(
            Step(None, "critical"),
            Step(0, "warning"),
            Step(LOW_BUDGET, "good", (decision("grafana-budget"),)),
        ),
        latest=True,
        empty="no requests",
    )


def burning(slo: Slo, indicator: Indicator, rules: RuleSet) -> Panel:
    """How fast a budget burns, over the windows that alert."""
    _, title, what = _BUDGETS[indicator.name]
    fireable = [burn for burn in burns(slo.window) if can_fire(burn, indicator.objective)]
    own = equals(rules.identity)
    queries = (
        Query(
            f"{indicator.ratio(duration(burn.long))}{{{own}}} / {number(budget(indicator))}",
            f"{duration(burn.long)}, alerts above {number(burn.factor)}",
        )
        for burn in fireable
    )
    reason = decision("prometheus-burn-rates")
    lines = sorted({burn.factor: burn for burn in fireable}.items())
    return Panel(
        title=f"{title}: burn rate",
        description=(
            f"How many times faster than the promise allows ({percent(indicator.objective)} of {what});"
            " 1 spends the budget exactly at the end of its window. An alert needs a second, short"
            f" window and at least {MINIMUM_FAILURES} failures too."
        ),
        shape="lines",
        unit="factor",
        queries=tuple(queries),
        origins=(*indicator.selected, *indicator.promised, slo.at("window"), reason),
        columns=12,
        steps=(Step(None, "good"), *(Step(f, burn.severity, (reason,)) for f, burn in lines)),
    )
