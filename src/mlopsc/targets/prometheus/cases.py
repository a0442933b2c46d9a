"""promtool tests of a rule set: for each alert, when it fires, and the ways in which it must not.

Each alert fires just beyond its limit once its `for` is over; it stays quiet at the limit and just
before `for`; and it is tried without data, where only the absence of a metric is an alert. Beside
the series it watches stand others that differ in one label, so that no matcher is lost unnoticed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import traced
from mlopsc.frozen import frozen
from mlopsc.project.alerting.body import texts
from mlopsc.project.alerting.promql import duration, equals, quoted, selector
from mlopsc.project.alerting.rules import Age, Alert, Labels, Limits, Presence, RuleSet
from mlopsc.targets.prometheus.rendered import rendered
from mlopsc.targets.prometheus.sample_labels import fitting, matchers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path

MINUTE: Final = 60
HALF_HOUR: Final = 1800
STEPS: Final = (MINUTE, HALF_HOUR)
"""How often promtool evaluates the rules on a timeline: it has one pace a file. Every minute, as
Prometheus does by default; timelines of hours and days take too long at that."""

_LONG: Final = 10 * 3600
_SEEN: Final = 10  # samples of a metric before it goes away; there is one at every evaluation
OTHER: Final = "somebody_else"


Series: TypeAlias = "dict[str, Body]"


@frozen
class Fired:
    """An alert that must be firing, and the value it fires with."""

    alert: Alert
    value: float = 1.0


@dataclass(slots=True)
class Case:
    """One timeline, and what is expected on it.

    Attributes:
        series: name → values, in promtool's notation; traced where the spec decides them.
        because: the spec paths it is there for.
        owners: of a series that may be missing, what it is there for.
        titled: those behind its name.
        timed: those behind its moments.
    """

    rules: RuleSet
    name: str
    series: Series
    interval: int = MINUTE
    step: int = MINUTE
    because: tuple[Path, ...] = ()
    owners: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    titled: tuple[Path, ...] = ()
    timed: tuple[Path, ...] = ()
    alerts: list[Body] = field(default_factory=list)
    queries: list[Body] = field(default_factory=list)

    def expect(
        self,
        at: int,
        kind: str,
        fired: Iterable[Fired] = (),
        because: tuple[Path, ...] = (),
    ) -> Case:
        """At `at` seconds, exactly these alerts of a kind fire; `because`: what it is there for."""
        expected: list[Body] = [self._fired(one) for one in fired]
        moment = by(duration(at), self.timed)
        body: Body = {"eval_time": moment, "alertname": kind, "exp_alerts": expected}
        self.alerts.append(by(body, because))
        return self

    def measure(self, at: int, expr: Body, labels: Labels) -> Case:
        """At `at` seconds, the expression is 1 for one series with these labels."""
        sample: Body = {"labels": f"{{{equals(labels)}}}", "value": 1}
        query: Body = {
            "expr": expr,
            "eval_time": by(duration(at), self.timed),
            "exp_samples": [sample],
        }
        self.queries.append(query)
        return self

    def body(self) -> Body:
        """The test as promtool reads it."""
        series: list[Body] = [
            by({"series": name, "values": values}, self.owners.get(name, ()))
            for name, values in self.series.items()
        ]
        body: dict[str, Body] = {
            "name": by(self.name, self.titled),
            "interval": by(duration(self.interval), self.timed),
        }
        if series:
            body["input_series"] = series
        if self.alerts:
            body["alert_rule_test"] = self.alerts
        if self.queries:
            body["promql_expr_test"] = self.queries
        return by(body, self.because)

    def _fired(self, fired: Fired) -> Body:
        alert = fired.alert
        labels: dict[str, Body] = dict(self.rules.labels(alert))
        labels["severity"] = traced(alert.severity, alert.severity_origin)
        words: dict[str, Body] = {
            name: rendered(text, fired.value) for name, text in texts(alert, self.rules).items()
        }
        words["description"] = traced(words["description"], *alert.worded)
        return traced({"exp_labels": labels, "exp_annotations": words}, *alert.because)


def by(body: Body, origins: tuple[Path, ...]) -> Body:
    """`body`, decided by `origins` if there are any."""
    return traced(body, *origins) if origins else body


def others(
    metric: str, labels: Labels, values: Body, varied: Iterable[str] | None = None
) -> Series:
    """The same metric of somebody else: for each label, one series that differs in it alone."""
    own = {name: f"{name}={quoted(value)}" for name, value in labels.items()}
    series: Series = {}
    for name in labels if varied is None else varied:
        matchers_ = ",".join({**own, name: f'{name}="{OTHER}"'}.values())
        series[f"{metric}{{{matchers_}}}"] = values
    return series


def untestable(rules: RuleSet) -> set[str]:
    """The kinds of alerts of which one looks at a query that has a value even without data.

    What is recorded of such a query cannot be replaced in a test: promtool refuses two samples of
    one moment.
    """
    recorded = [
        (alert.kind, alert.watch.metric, alert.watch.labels)
        for alert in rules.alerts
        if isinstance(alert.watch, (Limits, Presence)) and ":" in alert.watch.metric
    ]
    return {
        kind
        for kind, metric, labels in recorded
        for recording in rules.recordings
        if recording.record == metric
        and recording.labels == labels
        and _CONSTANT.search(recording.expr)
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
    yield from _missed(rules, testable)
    for kind in sorted({alert.kind for alert in testable}):
        yield from _forgotten(rules, kind)


def _pace(wait: int) -> int:
    return MINUTE if wait < _LONG else HALF_HOUR


def _fires_after(hold: int, step: int) -> int:
    """Seconds from an evaluation to the first one that comes `hold` later or after."""
    return math.ceil(hold / step) * step


def _without_data(rules: RuleSet, testable: list[Alert]) -> Case:
    missed = [
        alert
        for alert in testable
        if isinstance(alert.watch, Presence) and alert.watch.memory is None
    ]
    longest = max((alert.hold for alert in missed), default=0)
    step = _pace(longest)
    end = _fires_after(longest, step) + step
    name = "without data, only what must be there is missed"
    timed = tuple(dict.fromkeys(alert.hold_origin for alert in missed))
    case = Case(rules, name, {}, interval=step, step=step, because=timed, timed=timed)
    for kind in sorted({alert.kind for alert in testable}):
        siblings = [alert for alert in testable if alert.kind == kind]
        firing = [Fired(alert) for alert in missed if alert.kind == kind]
        case.expect(end, kind, firing, _shared(siblings))
    return case


def _shared(alerts: Sequence[Alert]) -> tuple[Path, ...]:
    """What all `alerts` are there for: without it, nobody asks for their kind."""
    first, *rest = alerts
    return tuple(path for path in first.because if all(path in other.because for other in rest))


# --- gauges with limits -----------------------------------------------------------------------


def _limits(rules: RuleSet, alert: Alert, watch: Limits) -> Iterator[Case]:
    """At the limit for as long as `for` lasts, then beyond; others are beyond all the time."""
    for side, limit, beyond in _beyond(watch):
        step = _pace(alert.hold)
        patience = _fires_after(alert.hold, step)
        fires = step + 2 * patience
        at_limit, samples = (step + patience) // step, fires // step + 1
        origins = (*alert.origins, alert.hold_origin)
        own = traced(f"{limit!r}x{at_limit - 1} {beyond!r}x{samples - at_limit - 1}", *origins)
        theirs = traced(f"{beyond!r}x{samples - 1}", *origins)
        around = others(watch.metric, watch.labels, theirs)
        name = f"{_title(alert)} fires {side} {limit!r}, and not before its time"
        case = Case(
            rules,
            name,
            {_pushed(watch): own, **around},
            step,
            step,
            because=alert.because,
            titled=alert.origins,
            timed=(alert.hold_origin,),
        )
        for moment in sorted({patience, fires - step}):
            case.expect(moment, alert.kind, because=(alert.hold_origin,))
        yield case.expect(fires, alert.kind, [Fired(alert, beyond)])


def _beyond(watch: Limits) -> Iterator[tuple[str, float, float]]:
    """Side, limit, and a value just beyond it."""
    for side, limit, sign in (("below", watch.minimum, -1), ("above", watch.maximum, 1)):
        if limit is not None:
            # Six digits, so that what is printed of it tells it from the limit.
            yield side, limit, float(f"{limit + sign * max(abs(limit), 1e-3) * 1e-5:.12g}")


def _pushed(watch: Limits | Age) -> str:
    """A series as it arrives: pushed ones with a label no alert may carry, recorded ones without."""
    sender = {} if ":" in watch.metric else {"instance": "sender-1"}
    return selector(watch.metric, equals({**watch.labels, **sender}))


# --- moments ----------------------------------------------------------------------------------


def _age(rules: RuleSet, alert: Alert, watch: Age) -> Case:
    step = _pace(watch.limit)
    at_limit = watch.limit // step * step  # the last success is at 0, when the timeline begins
    beyond = at_limit + step
    samples = beyond // step
    theirs = traced(f"{beyond}x{samples}", *alert.origins)  # fresh
    series: Series = {
        _pushed(watch): traced(f"0x{samples}", *alert.origins),
        **others(watch.metric, watch.labels, theirs),
    }
    name = f"{_title(alert)} fires after {duration(watch.limit)}"
    case = Case(
        rules,
        name,
        series,
        step,
        step,
        because=(*alert.because, *alert.origins),  # its limit says in which of the files
        titled=alert.origins,
        timed=alert.origins,
    )
    return case.expect(at_limit, alert.kind).expect(beyond, alert.kind, [Fired(alert, beyond)])


# --- presence ---------------------------------------------------------------------------------


def _missed(rules: RuleSet, testable: list[Alert]) -> Iterator[Case]:
    """What is gone is missed when its time is over; others have it all the time."""
    watched = [(alert, alert.watch) for alert in testable if isinstance(alert.watch, Presence)]
    for step in STEPS:
        going = [(alert, watch) for alert, watch in watched if _pace(alert.hold) == step]
        if not going:
            continue
        kinds = {alert.kind for alert, _ in going}
        staying = [
            (alert, watch)
            for alert, watch in watched
            if _pace(alert.hold) != step and alert.kind in kinds
        ]
        yield _gone(rules, going, staying, step)
        if any(watch.value for _, watch in going):
            yield _zero(rules, going, staying, step)
        if any(watch.memory is not None for _, watch in going):
            yield _never_seen(rules, going, staying, step)


_Watched: TypeAlias = list[tuple[Alert, Presence]]


def _gone(rules: RuleSet, going: _Watched, staying: _Watched, step: int) -> Case:
    """They were there, and stop."""
    due = [(alert, _due(alert, step)) for alert, _ in going]
    samples = max(at for _, at in due) // step
    timed = _timed((*going, *staying))
    series = _around(going, staying, samples, timed)
    for _, watch in going:
        # An explicit marker: without it a series lives on for five minutes.
        series[_series(watch)] = f"{_healthy(watch)}x{_SEEN - 1} stale"
    name = "what is gone is missed, and not before its time"
    owners = _owners(going, staying)
    case = Case(rules, name, series, step, step, because=timed, owners=owners, timed=timed)
    for kind in dict.fromkeys(alert.kind for alert, _ in due):
        own = [(alert, at) for alert, at in due if alert.kind == kind]
        for moment in sorted({at - wait for _, at in own for wait in (step, 0)}):
            case.expect(moment, kind, [Fired(alert) for alert, at in own if at <= moment])
    return case


def _zero(rules: RuleSet, going: _Watched, staying: _Watched, step: int) -> Case:
    down = [(alert, watch) for alert, watch in going if watch.value]
    rest = [*((alert, watch) for alert, watch in going if not watch.value), *staying]
    end = max(_due(alert, step) for alert, _ in down)
    timed = _timed((*going, *staying))
    series = _around(down, rest, end // step, timed)
    series |= {_series(watch): by(f"0x{end // step}", timed) for _, watch in down}
    name, owners = "what is 0 is missed like what is gone", _owners(going, staying)
    case = Case(rules, name, series, step, step, because=timed, owners=owners, timed=timed)
    for kind in dict.fromkeys(alert.kind for alert, _ in down):
        case.expect(end, kind, [Fired(alert) for alert, _ in down if alert.kind == kind])
    return case


def _never_seen(rules: RuleSet, going: _Watched, staying: _Watched, step: int) -> Case:
    """What was never there may not run yet."""
    unseen = [(alert, watch) for alert, watch in going if watch.memory is not None]
    rest = [*((alert, watch) for alert, watch in going if watch.memory is None), *staying]
    end = max(_due(alert, step) for alert, _ in unseen)
    timed = _timed((*going, *staying))
    series = _around(unseen, rest, end // step, timed)
    name, owners = "what was never there is not missed", _owners(going, staying)
    case = Case(rules, name, series, step, step, because=timed, owners=owners, timed=timed)
    for kind in dict.fromkeys(alert.kind for alert, _ in unseen):
        case.expect(end, kind)
    return case


def _due(alert: Alert, step: int) -> int:
    """The evaluation that misses what has stopped, in seconds."""
    return _SEEN * step + _fires_after(alert.hold, step)


def _around(going: _Watched, staying: _Watched, samples: int, timed: tuple[Path, ...]) -> Series:
    """The series of others beside those that go, and the healthy ones that stay."""
    series: Series = {}
    for _, watch in going:
        series |= _neighbours(watch, by(f"{_healthy(watch)}x{samples}", timed))
    return series | {
        _series(watch): by(f"{_healthy(watch)}x{samples}", timed) for _, watch in staying
    }


def _timed(watched: Iterable[tuple[Alert, Presence]]) -> tuple[Path, ...]:
    """What decides how long each of them waits."""
    return tuple(dict.fromkeys(alert.hold_origin for alert, _ in watched))


def _neighbours(watch: Presence, values: Body) -> Series:
    """The same metric of others, by each label that tells them apart."""
    labels = {**watch.labels, **fitting(watch.matchers)}
    chosen = [one.label for one in matchers(watch.matchers) if not one.fits(OTHER)]
    return others(watch.metric, labels, values, [*watch.labels, *chosen])


def _owners(going: _Watched, staying: _Watched) -> dict[str, tuple[Path, ...]]:
    """What each series of `_around` and those of the alerts themselves are there for."""
    owners: dict[str, tuple[Path, ...]] = {}
    for alert, watch in (*going, *staying):
        because = (*alert.because, alert.hold_origin)  # how long it waits says where it is tried
        owners[_series(watch)] = because
        owners |= dict.fromkeys(_neighbours(watch, ""), because)
    return owners


def _forgotten(rules: RuleSet, kind: str) -> Iterator[Case]:
    """What was there long ago is not missed any more."""
    siblings = [
        (alert, alert.watch)
        for alert in rules.alerts
        if alert.kind == kind and isinstance(alert.watch, Presence)
    ]
    remembering = [(alert, watch) for alert, watch in siblings if watch.memory is not None]
    memory = min((watch.memory or 0 for _, watch in remembering), default=0)
    if not memory:
        return
    # Prometheus 2 counts a sample on the far edge of a range, Prometheus 3 does not.
    edge = (_SEEN - 1) * HALF_HOUR + memory
    last, end = (edge - 1) // HALF_HOUR * HALF_HOUR, (edge // HALF_HOUR + 1) * HALF_HOUR
    series: Series = {
        _series(watch): f"{_healthy(watch)}x{end // HALF_HOUR}"
        if watch.memory is None
        else f"{_healthy(watch)}x{_SEEN - 1} stale"
        for _, watch in siblings
    }
    name, owners = f"{kind} forgets after {duration(memory)}", _owners(siblings, [])
    case = Case(rules, name, series, HALF_HOUR, HALF_HOUR, owners=owners)
    yield case.expect(last, kind, [Fired(alert) for alert, _ in remembering]).expect(end, kind)


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
