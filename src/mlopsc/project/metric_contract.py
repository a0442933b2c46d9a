"""The metric contract: whatever a rule or a dashboard reads, something in the spec emits.

In what we make, every selector is held to it. In a query of the user's own, the names of ours are
(`emitted.OURS`); other names are others' to emit, and an alert on the query's absence stands beside
it (`alerting.queries`).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from mlopsc.frozen import frozen
from mlopsc.project.alerting import project_rule_set, rule_set
from mlopsc.project.alerting.reading import Malformed, braced, selected, selectors
from mlopsc.project.dashboards import dashboard
from mlopsc.project.emitted import OURS, PUSHED, REPORTED, Series, pushed, served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.alerting.reading import Matcher, Selector
    from mlopsc.project.alerting.rules import RuleSet
    from mlopsc.project.model import Environment, Project


@frozen
class Query:
    """A query, and who asks it.

    Attributes:
        text: the query; empty where only its selectors are left.
        who: the rule or the panel, as a message names it.
        at: the spec path behind it.
        own: whether the user wrote it.
    """

    text: str
    who: str
    at: Path
    own: bool


@frozen
class Unmet:
    """A selector that nothing answers.

    Attributes:
        why: what is missing, as a message says it.
        asked: the name or the value that is asked for.
        there: names or values that there are instead.
        condition: what would make the metric be emitted, if it is one of ours.
    """

    why: str
    asked: str
    there: tuple[str, ...]
    condition: str | None = None


def own_queries(project: Project) -> Iterator[Query]:
    """The user's own queries, of every environment, each once."""
    found: dict[tuple[Path, str], Query] = {}
    for environment in project.environments:
        watched = (model.monitoring for model in environment.models if model.monitoring is not None)
        measures = chain.from_iterable(one.business for one in watched)
        for one in chain(measures, environment.alerts.rules):
            at = one.at("query")
            found.setdefault((at, one.query), Query(one.query, f"'{one.bound.name}'", at, own=True))
    yield from found.values()


def unreadable(query: Query) -> str | None:
    """What keeps a query from being PromQL, said after `the query`; None when nothing does."""
    try:
        selectors(query.text)
    except Malformed as reason:
        return str(reason)
    return None


def unmet(project: Project) -> Iterator[tuple[Query, Unmet]]:
    """Everything that a rule or a dashboard of the project reads and nothing answers.

    A query that cannot be read is passed over; `unreadable` speaks of it.
    """
    own = list(own_queries(project))
    asked = _Asked()
    emitted = _Emitted(_series(project, _noted(project, asked, {query.at for query in own})))
    asked.add(_drawn(project))
    for query, selector in chain(_of_own(own), asked.selectors()):
        if (missing := _missing(selector, emitted, own=query.own)) is not None:
            yield query, missing


# --- what is read ---------------------------------------------------------------------------------


def _rule_sets(project: Project, environment: Environment) -> Iterator[RuleSet]:
    for model in environment.models:
        yield rule_set(project, environment, model)
    yield project_rule_set(project, environment)


def _of_own(own: Iterable[Query]) -> Iterator[tuple[Query, Selector]]:
    for query in own:
        if unreadable(query) is None:
            yield from ((query, selector) for selector in dict.fromkeys(selectors(query.text)))


class _Asked:
    """Every selector of what we make, once, and who asks it first: the same is asked for over many windows.

    The queries themselves are let go: those of a thousand models take more memory than all else together.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Query] = {}

    def add(self, queries: Iterable[Query]) -> None:
        """Note what these ask for."""
        for query in queries:
            for found in braced(query.text):
                if found not in self._first:
                    self._first[found] = Query("", query.who, query.at, own=False)

    def selectors(self) -> Iterator[tuple[Query, Selector]]:
        """What was asked for, in that order."""
        for found, query in self._first.items():
            yield query, selected(*found)


def _noted(project: Project, asked: _Asked, own: set[Path]) -> Iterator[RuleSet]:
    """The rules of every environment, one set at a time; what they ask for is noted as they pass."""
    for environment in project.environments:
        for rules in _rule_sets(project, environment):
            asked.add(_ruled(rules, own))
            yield rules


def _ruled(rules: RuleSet, own: set[Path]) -> Iterator[Query]:
    """The queries of the rules that we make; a recording of the user's query is not one."""
    for recording in rules.recordings:
        if recording.origins[0] not in own:
            yield Query(recording.expr, recording.record, recording.because[0], own=False)
    for alert in rules.alerts:
        yield Query(alert.expr, f"alert {alert.kind}", alert.origins[0], own=False)


def _drawn(project: Project) -> Iterator[Query]:
    """The queries of the dashboards."""
    for environment in project.environments:
        for model in environment.models:
            drawn = dashboard(project, environment, model)
            for panel in drawn.panels if drawn is not None else ():
                for query in panel.queries:
                    yield Query(query.expr, f"panel '{panel.title}'", panel.origins[0], own=False)


# --- what is emitted ------------------------------------------------------------------------------


def _series(project: Project, rules: Iterable[RuleSet]) -> Iterator[Series]:
    for environment in project.environments:
        yield from pushed(project, environment)
        for model in environment.models:
            yield from served(environment, model)
    for each in rules:
        for recording in each.recordings:
            yield Series(recording.record, dict(recording.labels))
        for alert in each.alerts:
            labels = {"alertname": alert.kind, "alertstate": None, **each.labels(alert)}
            yield Series("ALERTS", labels)


class _Emitted:
    """Everything that is emitted, found by a label's value: a hundred models emit thousands."""

    def __init__(self, all_series: Iterable[Series]) -> None:
        self.of: dict[str, list[Series]] = {}
        for series in all_series:
            self.of.setdefault(series.metric, []).append(series)
        self._by_label: dict[tuple[str, str], dict[str | None, list[Series]]] = {}

    def answers(self, metric: str, matchers: Sequence[Matcher], *, own: bool) -> bool:
        """Whether a series of the metric passes every matcher."""
        near = [self._near(metric, one) for one in matchers if one.operator == "="]
        candidates = min(near, key=_length, default=(self.of[metric],))
        return any(
            all(_may_pass(series, matcher, own=own) for matcher in matchers)
            for series in chain.from_iterable(candidates)
        )

    def _near(self, metric: str, matcher: Matcher) -> tuple[list[Series], ...]:
        """The series that have the value, and those that may have any."""
        index = self._by_label.get((metric, matcher.label))
        if index is None:
            index = self._by_label[metric, matcher.label] = {}
            for series in self.of[metric]:
                index.setdefault(series.labels.get(matcher.label), []).append(series)
        return index.get(matcher.value, _NONE), index.get(None, _NONE)


_NONE: list[Series] = []


def _length(parts: tuple[list[Series], ...]) -> int:
    return sum(map(len, parts))


# --- whether they meet ----------------------------------------------------------------------------


def _missing(selector: Selector, emitted: _Emitted, *, own: bool) -> Unmet | None:
    """Why nothing answers a selector; None when something does, or when it is others' to answer."""
    metric = selector.metric
    if metric is None or (own and not metric.startswith(OURS)):
        return None
    if metric not in emitted.of:
        return _unknown(metric, emitted.of)
    if emitted.answers(metric, selector.matchers, own=own):
        return None
    left = emitted.of[metric]
    for matcher in selector.matchers:
        passing = [series for series in left if _may_pass(series, matcher, own=own)]
        if not passing:
            values = dict.fromkeys(series.labels.get(matcher.label) for series in left)
            there = tuple(value for value in values if value is not None)
            return Unmet(f"no series of '{metric}' has {matcher}", matcher.value, there)
        left = passing
    return None


def _may_pass(series: Series, matcher: Matcher, *, own: bool) -> bool:
    """Whether a series may be let through; what a scrape adds to it, only the user can know."""
    if matcher.label not in series.labels:
        return own or series.open or matcher.allows("")
    value = series.labels[matcher.label]
    return value is None or matcher.allows(value)


def _unknown(metric: str, emitted: Iterable[str]) -> Unmet:
    for one in (*PUSHED, *REPORTED):
        if one.name == metric:
            return Unmet(f"nothing in this project emits '{metric}'", metric, (), one.condition)
    ours = [name for name in emitted if name.startswith(OURS)]
    known = dict.fromkeys((*ours, *(one.name for one in PUSHED)))
    return Unmet(f"nothing emits '{metric}'", metric, tuple(known))
