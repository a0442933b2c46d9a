"""promtool tests of burning error budgets, over the counters the serving runtime exposes."""

from __future__ import annotations

from math import ceil, gcd
from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.burn_rates import MINIMUM_FAILURES
from mlopsc.project.alerting.objectives import BURN
from mlopsc.project.alerting.promql import bucket, duration, equals, selector, upper_bound
from mlopsc.project.alerting.rules import Burning, Indicator, RuleSet
from mlopsc.project.conventions import object_name
from mlopsc.targets.prometheus.cases import HALF_HOUR, MINUTE, OTHER, Case, Fired, others
from mlopsc.targets.prometheus.sample_labels import fitting, matchers, unfit
from mlopsc.targets.prometheus.traffic import Phase, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlopsc.project.alerting.burn_rates import Burn
    from mlopsc.project.alerting.rules import Labels
    from mlopsc.project.model import Environment, Model, RuntimeMetrics

_SAMPLES: Final = 20
"""Samples in a short window: one more or less moves a ratio by 5 %."""

_VOLUME: Final = 1000

_WHOLE: Final = 60
"""Samples in the window whose length is measured."""

_LEAST_BEFORE: Final = 6
"""Samples before that window: a window a tenth longer would see them."""


def burn_cases(environment: Environment, model: Model, rules: RuleSet) -> Iterator[Case]:
    """The tests of a model's objectives; none if it has none."""
    serving = model.serving
    if serving is None or serving.metrics is None:
        return
    scraped = {"namespace": environment.namespace, "service": object_name(model.name)}
    tested = [
        _Tested(rules, indicator, serving.metrics, scraped, _latency(model))
        for indicator in _indicators(rules)
    ]
    for one in tested:
        yield from one.cases()
    yield from _windows(rules, tested)


def _indicators(rules: RuleSet) -> list[Indicator]:
    found = {
        alert.watch.indicator.name: alert.watch.indicator
        for alert in rules.alerts
        if isinstance(alert.watch, Burning)
    }
    return list(found.values())


def _latency(model: Model) -> float | None:
    slo = model.serving.slo if model.serving is not None else None
    return slo.latency[1] if slo is not None and slo.latency is not None else None


class _Tested:
    """One indicator, its alerts, and its series."""

    def __init__(
        self,
        rules: RuleSet,
        indicator: Indicator,
        metrics: RuntimeMetrics,
        scraped: Labels,
        latency: float | None,
    ) -> None:
        self.rules = rules
        self.indicator = indicator
        self._metrics = metrics
        self._scraped = scraped
        self._latency = latency
        self._alerts = {
            alert.watch.burn: alert
            for alert in rules.alerts
            if isinstance(alert.watch, Burning) and alert.watch.indicator == indicator
        }

    @property
    def burns(self) -> Sequence[Burn]:
        """The lines of the table that can fire here."""
        return list(self._alerts)

    def cases(self) -> Iterator[Case]:
        """Just above, just below, over, too short, too few, none at all."""
        objective = self.indicator.objective
        for burn in self.burns:
            threshold = burn.threshold(objective)
            above = min(threshold * 1.01, (threshold + 1) / 2)
            yield from self._steady(f"{burn.name} burns just above its threshold", above)
            yield from self._steady(f"{burn.name} does not burn just below", threshold * 0.99)
            yield self._alone(burn)
            yield from self._over(burn)
            yield from self._too_short(burn)
        yield from self._few()
        yield self._case(
            "no traffic", Traffic(HALF_HOUR // _SAMPLES, (Phase(_SAMPLES, 0.0),), volume=0), []
        )

    def _steady(self, name: str, share: float) -> Iterator[Case]:
        yield from self._expected(name, Traffic(HALF_HOUR // _SAMPLES, (Phase(_SAMPLES, share),)))

    def _alone(self, burn: Burn) -> Case:
        """What is recorded of others, all of whose requests fail, is no reason here."""
        long, short = duration(burn.long), duration(burn.short)
        recorded = {
            self.indicator.ratio(long): 1,
            self.indicator.ratio(short): 1,
            self.indicator.count(long): _VOLUME,
        }
        theirs = {
            series: f"{value}x{HALF_HOUR // MINUTE}"
            for metric, value in recorded.items()
            for series in others(metric, self.rules.identity, "")
        }
        name = f"{self.indicator.name}: {burn.name} is not burnt by others"
        case = Case(self.rules, name, theirs, MINUTE, HALF_HOUR)
        return case.expect(HALF_HOUR, BURN)

    def _over(self, burn: Burn) -> Iterator[Case]:
        """Everything failed, and then just less than the threshold, for the short window at least."""
        threshold = burn.threshold(self.indicator.objective)
        for times in (4, 10):
            if times / (times + 2) > threshold * 1.05:
                interval = burn.short // _SAMPLES
                traffic = _aligned(interval, times * _SAMPLES, 1.0, 2 * _SAMPLES, threshold * 0.97)
                yield from self._expected(f"{burn.name} ends when the burning ends", traffic)
                return

    def _too_short(self, burn: Burn) -> Iterator[Case]:
        """The short window burns, the long one does not quite."""
        threshold, interval = burn.threshold(self.indicator.objective), burn.short // _SAMPLES
        every = _until_half_hour(interval, 6 * _SAMPLES)
        covered = min(every, burn.long // interval - 1)
        bad = threshold * 0.97 * covered  # samples, if all of their events were bad
        # Twice the threshold, so that no faster line of the table is near to burning as well.
        last = max(_SAMPLES, ceil(bad), ceil(0.97 * covered / 2))
        traffic = Traffic(interval, (Phase(every - last, 0.0), Phase(last, bad / last)))
        yield from self._expected(f"{burn.name} waits for its long window", traffic)

    def _few(self) -> Iterator[Case]:
        for failures in (MINIMUM_FAILURES - 1, MINIMUM_FAILURES):
            firing = self.burns if failures == MINIMUM_FAILURES else []
            traffic = Traffic(MINUTE, (Phase(failures, 1.0),), volume=1)
            yield self._case(f"{failures} of {failures} requests", traffic, firing)

    def _expected(self, name: str, traffic: Traffic) -> Iterator[Case]:
        firing = traffic.firing(self.burns, self.indicator.objective)
        if firing is not None:  # None: another line of the table is too close to call
            yield self._case(name, traffic, firing)

    def _case(self, name: str, traffic: Traffic, firing: Sequence[Burn]) -> Case:
        fired = [Fired(self._alerts[burn]) for burn in firing]
        step = HALF_HOUR if traffic.end % HALF_HOUR == 0 else MINUTE
        name, series = f"{self.indicator.name}: {name}", self.series(traffic)
        case = Case(self.rules, name, series, traffic.interval, step)
        return case.expect(traffic.end, BURN, fired)

    def series(self, traffic: Traffic) -> dict[str, str]:
        """The runtime's counters under this traffic; everybody else's all fail."""
        if self.indicator.name == "latency":
            return self._histogram(traffic)
        known = self._metrics
        requests = {**self._scraped, **fitting(known.matchers)}
        if known.errors_metric is not None:
            failed = {**self._scraped, **fitting(known.errors or known.matchers)}
            answered = traffic.good() if self.indicator.apart else traffic.every()
            return {
                selector(known.requests, equals(requests)): answered,
                selector(known.errors_metric, equals(failed)): traffic.bad(),
                **others(known.errors_metric, failed, traffic.every(), self._scraped),
            }
        errors = known.errors or ""
        failed = {**requests, **fitting(errors)}
        return {
            selector(known.requests, equals({**requests, **unfit(errors)})): traffic.good(),
            selector(known.requests, equals(failed)): traffic.bad(),
            **others(known.requests, failed, traffic.every(), self._identifying),
        }

    def _histogram(self, traffic: Traffic) -> dict[str, str]:
        known = self._metrics
        bound = bucket((self._latency or 0) / known.unit, known.buckets) or 0.0
        requests = {**self._scraped, **fitting(known.matchers)}
        within = {**requests, **fitting(upper_bound(bound))}
        everything = {**requests, "le": "+Inf"}
        every, metric = traffic.every(), f"{known.latency}_bucket"
        return {
            selector(metric, equals(within)): traffic.good(),
            selector(metric, equals(everything)): every,
            **others(metric, within, every, self._identifying),
            selector(f"{known.latency}_count", equals(requests)): every,
            **others(f"{known.latency}_count", requests, every, self._identifying),
        }

    @property
    def _identifying(self) -> list[str]:
        """The labels that tell this model's predictions from other requests."""
        own = (one.label for one in matchers(self._metrics.matchers) if not one.fits(OTHER))
        return [*self._scraped, *own]


def _until_half_hour(interval: int, least: int) -> int:
    """The number of samples, at least so many, that end at a full half hour."""
    unit = HALF_HOUR // gcd(interval, HALF_HOUR)
    return ceil(least / unit) * unit


def _aligned(interval: int, first: int, share: float, last: int, then: float) -> Traffic:
    """Two phases of samples; the first lasts longer, to end at a full half hour."""
    every = _until_half_hour(interval, first + last)
    return Traffic(interval, (Phase(every - last, share), Phase(last, then)))


def _windows(rules: RuleSet, tested: Sequence[_Tested]) -> Iterator[Case]:
    """Each recorded window is as long as its name says, measured with the traffic inside it.

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
        recording = [one for one in tested if any(window in (b.short, b.long) for b in one.burns)]
        series = {name: text for one in recording for name, text in one.series(traffic).items()}
        case = Case(rules, f"windows of {duration(window)}", series, interval, HALF_HOUR)
        for one in recording:
            own = f"{{{equals(rules.identity)}}}"
            ratio = one.indicator.ratio(duration(window))
            case.measure(traffic.end, f"abs({ratio}{own} - 0.25) < bool 0.02", rules.identity)
            if any(burn.long == window for burn in one.burns):
                count = one.indicator.count(duration(window))
                failed = half * traffic.volume
                case.measure(
                    traffic.end, f"abs({count}{own} / {failed} - 1) < bool 0.05", rules.identity
                )
        yield case
