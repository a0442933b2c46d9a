"""promtool tests of burning error budgets, over the counters the serving runtime exposes."""

from __future__ import annotations

from functools import cached_property
from math import ceil, gcd
from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import traced
from mlopsc.project.alerting.burn_rates import MINIMUM_FAILURES
from mlopsc.project.alerting.objectives import BURN, scraped_labels
from mlopsc.project.alerting.promql import bucket, duration, equals, selector, upper_bound
from mlopsc.project.alerting.rules import Burning, Indicator, RuleSet
from mlopsc.targets.prometheus.cases import HALF_HOUR, MINUTE, OTHER, Case, Fired, by, others
from mlopsc.targets.prometheus.sample_labels import fitting, matchers, unfit
from mlopsc.targets.prometheus.traffic import Phase, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlopsc.project.alerting.burn_rates import Burn
    from mlopsc.project.alerting.rules import Labels
    from mlopsc.project.model import Environment, Model, RuntimeMetrics, Seconds, Share, Slo
    from mlopsc.targets.prometheus.cases import Series

_SAMPLES: Final = 20
"""Samples of half an hour without traffic."""

_VOLUME: Final = 1000

_CLOSE: Final = 1e-5
"""How near to a threshold, as a part of it, an alert must tell above from below."""

_WHOLE: Final = 60
"""Samples in the window whose length is measured."""

_LEAST_BEFORE: Final = 6
"""Samples before that window: a window a tenth longer would see them."""


def burn_cases(environment: Environment, model: Model, rules: RuleSet) -> Iterator[Case]:
    """The tests of a model's objectives; none if it has none."""
    serving = model.serving
    if serving is None or serving.metrics is None:
        return
    scraped = scraped_labels(environment, model)
    slo = serving.slo
    if slo is None:
        return
    tested = [
        _Tested(rules, indicator, serving.metrics, scraped, slo) for indicator in _indicators(rules)
    ]
    for one in tested:
        yield from one.cases()
    if tested:
        yield _crowded(rules, tested)
    yield from _windows(rules, tested)


def _indicators(rules: RuleSet) -> list[Indicator]:
    found = {
        alert.watch.indicator.name: alert.watch.indicator
        for alert in rules.alerts
        if isinstance(alert.watch, Burning)
    }
    return list(found.values())


_Moment: TypeAlias = tuple[dict["Seconds", "Share"], int]
"""The share of failures by window, and how many failures there were."""


class _Tested:
    """One indicator, its alerts, and its series."""

    def __init__(
        self,
        rules: RuleSet,
        indicator: Indicator,
        metrics: RuntimeMetrics,
        scraped: Labels,
        slo: Slo,
    ) -> None:
        self.rules = rules
        self.indicator = indicator
        self._metrics = metrics
        self._scraped = scraped
        self.slo = slo
        self._alerts = [
            (alert.watch.burn, alert)
            for alert in rules.alerts
            if isinstance(alert.watch, Burning) and alert.watch.indicator.name == indicator.name
        ]
        self.burns = [burn for burn, _ in self._alerts]  # the lines of the table that can fire here

    def using(self, window: Seconds) -> list[Burn]:
        """The lines of the table that look at this window."""
        return [burn for burn in self.burns if window in (burn.short, burn.long)]

    def cases(self) -> Iterator[Case]:
        """Each line of the table, too few, none at all."""
        yield self._table()
        yield from self._few()
        no_traffic = Traffic(HALF_HOUR // _SAMPLES, (Phase(_SAMPLES, 0.0),), volume=0)
        yield self._case("no traffic", no_traffic)

    def _table(self) -> Case:
        """What is recorded, moment after moment: just above a threshold, and just below in one part.

        What is recorded of others is all failures, all the time.
        """
        moments = [moment for burn in self.burns for moment in self._moments(burn)]
        windows = sorted({w for burn in self.burns for w in (burn.short, burn.long)})
        recorded: Series = {
            self.indicator.ratio(duration(w)): traced(
                _samples(ratios.get(w, 0.0) for ratios, _ in moments), *self.indicator.promised
            )
            for w in windows
        } | {
            self.indicator.count(duration(w)): _samples(count for _, count in moments)
            for w in sorted({burn.long for burn in self.burns})
        }
        identity = self.rules.identity
        own = {selector(metric, equals(identity)): text for metric, text in recorded.items()}
        steady = f"{_VOLUME}x{len(moments) - 1}"
        theirs: Series = {}
        for metric in recorded:
            theirs |= others(metric, identity, steady)
        name = f"{self.indicator.name}: both windows of a line burn, or nobody is told"
        case = Case(
            self.rules,
            name,
            {**own, **theirs},
            HALF_HOUR,
            HALF_HOUR,
            because=(self.slo.origin,),
        )
        for step, (ratios, count) in enumerate(moments):
            fired = [
                Fired(alert)
                for burn, alert in self._alerts
                if count >= MINIMUM_FAILURES
                and all(
                    ratios.get(window, 0.0) > burn.threshold(self.indicator.objective)
                    for window in (burn.short, burn.long)
                )
            ]
            case.expect(step * HALF_HOUR, BURN, fired)
        return case

    def _moments(self, burn: Burn) -> Iterator[_Moment]:
        threshold = burn.threshold(self.indicator.objective)
        above, below = threshold * (1 + _CLOSE), threshold * (1 - _CLOSE)
        yield {burn.long: below, burn.short: above}, MINIMUM_FAILURES
        yield {burn.long: above, burn.short: above}, MINIMUM_FAILURES
        if burn.long != burn.short:
            yield {burn.long: above, burn.short: below}, MINIMUM_FAILURES
        yield {burn.long: above, burn.short: above}, MINIMUM_FAILURES - 1

    def _few(self) -> Iterator[Case]:
        """From the runtime's counters to the alert: a full outage, too thin and just thick enough."""
        for failures in (MINIMUM_FAILURES - 1, MINIMUM_FAILURES):
            traffic = Traffic(MINUTE, (Phase(failures, 1.0),), volume=1)
            name = f"{failures} of {failures} requests"
            yield self._case(name, traffic, firing=failures == MINIMUM_FAILURES)

    def _case(self, name: str, traffic: Traffic, *, firing: bool = False) -> Case:
        fired = [Fired(alert) for _, alert in self._alerts if firing]
        step = HALF_HOUR if traffic.end % HALF_HOUR == 0 else MINUTE
        name, series = f"{self.indicator.name}: {name}", self.series(traffic)
        because = (self.slo.origin,)
        case = Case(self.rules, name, series, traffic.interval, step, because=because)
        return case.expect(traffic.end, BURN, fired)

    def series(self, traffic: Traffic) -> Series:
        """The runtime's counters under this traffic."""
        requests, known = self._requests, self._metrics
        if self.indicator.name == "latency":
            metric = f"{known.latency}_bucket"
            return {
                selector(metric, equals(self._within)): traffic.good(),
                selector(metric, equals({**requests, "le": "+Inf"})): traffic.every(),
                selector(f"{known.latency}_count", equals(requests)): traffic.every(),
            }
        if known.errors_metric is not None:
            answered = traffic.good() if self.indicator.apart else traffic.every()
            return {
                selector(known.requests, equals(requests)): answered,
                selector(known.errors_metric, equals(self._failed)): traffic.bad(),
            }
        passed = {**requests, **unfit(known.errors or "")}
        return {
            selector(known.requests, equals(passed)): traffic.good(),
            selector(known.requests, equals(self._failed)): traffic.bad(),
        }

    def others(self, traffic: Traffic) -> Series:
        """The counters of everybody else: all of their requests fail, or are fast."""
        known, samples = self._metrics, traffic.end // traffic.interval
        counted = f"0+{traffic.volume}x{samples}"
        if self.indicator.name == "latency":
            metric, labels = known.latency, self._identifying
            return {
                **others(f"{metric}_bucket", self._within, counted, labels),
                **others(f"{metric}_count", self._requests, counted, labels),
            }
        if known.errors_metric is not None:
            return others(known.errors_metric, self._failed, counted, self._scraped)
        return others(known.requests, self._failed, counted, self._identifying)

    @cached_property
    def _requests(self) -> Labels:
        return {**self._scraped, **fitting(self._metrics.matchers)}

    @cached_property
    def _failed(self) -> Labels:
        known = self._metrics
        if known.errors_metric is not None:
            return {**self._scraped, **fitting(known.errors or known.matchers)}
        return {**self._requests, **fitting(known.errors or "")}

    @cached_property
    def _within(self) -> Labels:
        _, latency = self.slo.latency or (0.0, 0.0)
        bound = bucket(latency / self._metrics.unit, self._metrics.buckets) or 0.0
        return {**self._requests, **fitting(upper_bound(bound))}

    @cached_property
    def _identifying(self) -> list[str]:
        """The labels that tell this model's predictions from other requests."""
        own = (one.label for one in matchers(self._metrics.matchers) if not one.fits(OTHER))
        return [*self._scraped, *own]


def _samples(values: Iterable[float]) -> str:
    return " ".join(f"{value:.12g}" for value in values)


def _until_half_hour(interval: int, least: int) -> int:
    """The number of samples, at least so many, that end at a full half hour."""
    unit = HALF_HOUR // gcd(interval, HALF_HOUR)
    return ceil(least / unit) * unit


def _crowded(rules: RuleSet, tested: Sequence[_Tested]) -> Case:
    """A quarter of the requests fails; of everybody else's all do, and change nothing."""
    traffic = Traffic(HALF_HOUR // _SAMPLES, (Phase(_SAMPLES, 0.25),))
    series: Series = {}
    for one in tested:
        series |= one.series(traffic) | one.others(traffic)
    title, slo = "requests of others do not count", tested[0].slo
    case = Case(rules, title, series, traffic.interval, HALF_HOUR, because=(slo.origin,))
    own = f"{{{equals(rules.identity)}}}"
    for one in tested:
        windows = {window for burn in one.burns for window in (burn.short, burn.long)}
        near = f'{{__name__=~"{one.indicator.ratio(".+")}"}} > 0.24 < 0.26'
        case.measure(traffic.end, f"count({near}) == bool {len(windows)}", {})
        for window in sorted({burn.long for burn in one.burns}):
            failed = traffic.volume * _SAMPLES / 4 * min(window / traffic.end, 1)
            count = f"{one.indicator.count(duration(window))}{own}"
            expr = by(f"abs({count} / {failed:g} - 1) < bool 0.1", (slo.at("window"),))
            case.measure(traffic.end, expr, rules.identity)
    return case


def _windows(rules: RuleSet, tested: Sequence[_Tested]) -> Iterator[Case]:
    """Each recorded window is as long as its name says, measured by the traffic inside it.

    The second half of the window fails; so does what is just before it, which a longer window would
    see. The first half has three times as many events, so that neither side of the ratio may be of
    another window.
    """
    windows = sorted({w for one in tested for burn in one.burns for w in (burn.short, burn.long)})
    for window in windows:
        interval = window // _WHOLE
        before = _until_half_hour(interval, _LEAST_BEFORE + _WHOLE) - _WHOLE
        half = _WHOLE // 2
        traffic = Traffic(
            interval,
            (
                Phase(before - before // 2, 0.0),
                Phase(before // 2, 1.0),
                Phase(half, 0.0, weight=3),
                Phase(half, 1.0),
            ),
        )
        recording = [one for one in tested if one.using(window)]
        series: Series = {}
        for one in recording:
            series |= one.series(traffic)
        moved = (recording[0].slo.at("window"),)
        case = Case(
            rules,
            f"windows of {duration(window)}",
            {name: by(values, moved) for name, values in series.items()},
            interval,
            HALF_HOUR,
            because=(recording[0].slo.origin,),
            titled=moved,
            timed=moved,
        )
        for one in recording:
            own = f"{{{equals(rules.identity)}}}"
            ratio = one.indicator.ratio(duration(window))
            expr = by(f"abs({ratio}{own} - 0.25) < bool 0.02", moved)
            case.measure(traffic.end, expr, rules.identity)
            if any(burn.long == window for burn in one.burns):
                count = one.indicator.count(duration(window))
                failed = half * traffic.volume
                expr = by(f"abs({count}{own} / {failed} - 1) < bool 0.05", moved)
                case.measure(traffic.end, expr, rules.identity)
        yield case
