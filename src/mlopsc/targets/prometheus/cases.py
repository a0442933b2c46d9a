"""promtool tests of a rule set: for each alert, when it fires, and the ways in which it must not.

Each alert fires just beyond its limit once its `for` is over; it stays quiet at the limit and just
before `for`; and it is tried without data, where only the absence of a metric is an alert. Beside
the series it watches stand others that differ in one label, so that no matcher is lost unnoticed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.body import texts
from mlopsc.project.alerting.promql import duration, equals, selector
from mlopsc.project.alerting.rules import Age, Alert, Labels, Limits, Presence, RuleSet
from mlopsc.targets.prometheus.rendered import rendered
from mlopsc.targets.prometheus.sample_labels import fitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlopsc.artifacts.draft import Body

STEP: Final = 60
"""Rules are evaluated every minute, as Prometheus does by default."""

_SEEN: Final = 10  # samples of a metric before it goes away
OTHER: Final = "somebody_else"


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that must be firing, and the value it fires with."""

    alert: Alert
    value: float = 1.0


@dataclass(slots=True)
class Case:
    """One timeline, and what is expected on it."""

    rules: RuleSet
    name: str
    series: dict[str, str]
    interval: int = STEP
    alerts: list[Body] = field(default_factory=list)
    queries: list[Body] = field(default_factory=list)

    def expect(self, at: int, kind: str, fired: Iterable[Fired] = ()) -> Case:
        """At `at` seconds, exactly these alerts of a kind fire."""
        expected: list[Body] = [self._fired(one) for one in fired]
        self.alerts.append({"eval_time": duration(at), "alertname": kind, "exp_alerts": expected})
        return self

    def measure(self, at: int, expr: str, labels: Labels) -> Case:
        """At `at` seconds, the expression is 1 for one series with these labels."""
        sample: Body = {"labels": f"{{{equals(labels)}}}", "value": 1}
        self.queries.append({"expr": expr, "eval_time": duration(at), "exp_samples": [sample]})
        return self

    def body(self) -> Body:
        """The test as promtool reads it."""
        series: list[Body] = [
            {"series": name, "values": values} for name, values in self.series.items()
        ]
        body: dict[str, Body] = {"name": self.name, "interval": duration(self.interval)}
        if series:
            body["input_series"] = series
        if self.alerts:
            body["alert_rule_test"] = self.alerts
        if self.queries:
            body["promql_expr_test"] = self.queries
        return body

    def _fired(self, fired: Fired) -> Body:
        words = texts(fired.alert, self.rules)
        return {
            "exp_labels": self.rules.labels(fired.alert),
            "exp_annotations": {name: rendered(text, fired.value) for name, text in words.items()},
        }


def others(
    metric: str, labels: Labels, values: str, varied: Iterable[str] | None = None
) -> dict[str, str]:
    """The same metric of somebody else: for each label, one series that differs in it alone."""
    return {
        selector(metric, equals({**labels, name: OTHER})): values
        for name in (labels if varied is None else varied)
    }


def untestable(rules: RuleSet) -> set[str]:
    """The kinds of alerts of which one looks at a query that has a value even without data.

    What is recorded of such a query cannot be replaced in a test: promtool refuses two samples of
    one moment.
    """
    constant = {
        selector(recording.record, equals(recording.labels))
        for recording in rules.recordings
        if _CONSTANT.search(recording.expr)
    }
    return {
        alert.kind
        for alert in rules.alerts
        if isinstance(alert.watch, (Limits, Presence))
        and selector(alert.watch.metric, equals(alert.watch.labels)) in constant
    }


def cases(rules: RuleSet) -> Iterator[Case]:
    """The tests of everything but burning budgets."""
    left_out = untestable(rules)
    testable = [alert for alert in rules.alerts if alert.kind not in left_out]
    yield _without_data(rules, testable)
    for alert in testable:
        if isinstance(alert.watch, Limits):
            yield from _limits(rules, alert, alert.watch)
        elif isinstance(alert.watch, Age):
            yield _age(rules, alert, alert.watch)
        elif isinstance(alert.watch, Presence):
            yield from _presence(rules, alert, alert.watch)


def _fires_after(hold: int) -> int:
    """Seconds from the first evaluation that is beyond the limit to the one that fires."""
    return math.ceil(hold / STEP) * STEP


def _without_data(rules: RuleSet, testable: list[Alert]) -> Case:
    missed = [
        alert
        for alert in testable
        if isinstance(alert.watch, Presence) and alert.watch.memory is None
    ]
    end = max((_fires_after(alert.hold) for alert in missed), default=0) + STEP
    case = Case(rules, "without data, only what must be there is missed", {})
    for kind in sorted({alert.kind for alert in testable}):
        case.expect(end, kind, [Fired(alert) for alert in missed if alert.kind == kind])
    return case


# --- gauges with limits -----------------------------------------------------------------------


def _limits(rules: RuleSet, alert: Alert, watch: Limits) -> Iterator[Case]:
    for side, limit, beyond in _beyond(watch):
        quiet, fires = STEP + _fires_after(alert.hold) - STEP, STEP + _fires_after(alert.hold)
        samples = fires // STEP + 1
        own = selector(watch.metric, equals(watch.labels))
        around = others(watch.metric, watch.labels, f"{beyond!r}x{samples}")
        yield (
            Case(
                rules,
                f"{_title(alert)} fires {side} {limit!r}, and not before its time",
                {own: f"{limit!r} {beyond!r}x{samples}"},
            )
            .expect(quiet, alert.kind)
            .expect(fires, alert.kind, [Fired(alert, beyond)])
        )
        yield Case(
            rules,
            f"{_title(alert)} is quiet at {limit!r}, whatever others are",
            {own: f"{limit!r}x{samples}", **around},
        ).expect(fires, alert.kind)


def _beyond(watch: Limits) -> Iterator[tuple[str, float, float]]:
    """Side, limit, and a value just beyond it."""
    for side, limit, sign in (("below", watch.minimum, -1), ("above", watch.maximum, 1)):
        if limit is not None:
            # Six digits, so that what is printed of it tells it from the limit.
            yield side, limit, float(f"{limit + sign * max(abs(limit), 1e-3) * 1e-5:.12g}")


# --- moments ----------------------------------------------------------------------------------


def _age(rules: RuleSet, alert: Alert, watch: Age) -> Case:
    at_limit = watch.limit  # the last success is at 0, when the timeline begins
    beyond = at_limit + STEP
    samples = beyond // STEP + 1
    series = {
        selector(watch.metric, equals(watch.labels)): f"0x{samples}",
        **others(watch.metric, watch.labels, f"{beyond}x{samples}"),  # theirs are fresh
    }
    case = Case(rules, f"{_title(alert)} fires after {duration(watch.limit)}", series)
    return case.expect(at_limit, alert.kind).expect(beyond, alert.kind, [Fired(alert, beyond)])


# --- presence ---------------------------------------------------------------------------------


def _presence(rules: RuleSet, alert: Alert, watch: Presence) -> Iterator[Case]:
    own = _series(watch)
    seen = watch.memory is not None
    gone_at = _SEEN * STEP if seen else 0
    fires = gone_at + _fires_after(alert.hold)
    samples = fires // STEP + 1
    # Its siblings, whose absence would be an alert of the same name.
    there = {
        _series(one.watch): f"{_healthy(one.watch)}x{samples}"
        for one in rules.alerts
        if one.kind == alert.kind and one != alert and isinstance(one.watch, Presence)
    }
    labels = {**watch.labels, **fitting(watch.matchers)}
    around = others(watch.metric, labels, f"{_healthy(watch)}x{samples}", watch.labels)
    # An explicit marker: without it a series lives on for five minutes.
    gone = {own: f"{_healthy(watch)}x{_SEEN - 1} stale"} if seen else {}
    yield (
        Case(rules, f"{_title(alert)} fires once it is gone", {**around, **there, **gone})
        .expect(fires - STEP, alert.kind)
        .expect(fires, alert.kind, [Fired(alert)])
    )
    if watch.value:
        down = {own: f"0x{samples}"}
        yield Case(
            rules, f"{_title(alert)} fires while it is 0", {**around, **there, **down}
        ).expect(fires, alert.kind, [Fired(alert)])
    if watch.memory is None:
        return
    # Never seen: it may not run yet.
    yield Case(
        rules, f"{_title(alert)} is quiet before it was ever there", {**around, **there}
    ).expect(fires, alert.kind)


def _series(watch: Presence) -> str:
    return selector(watch.metric, equals({**watch.labels, **fitting(watch.matchers)}))


def _healthy(watch: Presence) -> str:
    return f"{watch.value or 1:g}"


def _title(alert: Alert) -> str:
    words = " ".join(alert.labels.values())
    return f"{alert.kind} {words}".strip()


_CONSTANT: Final = re.compile(
    r"\b(?:vector|absent|absent_over_time|scalar|time|minute|hour|month|year|day_of_month|day_of_week"
    r"|day_of_year|days_in_month)\s*\("
)
"""Functions that give a value where there is no data."""
