"""Rules of what callers are promised: recorded ratios, burning budgets, absent metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.burn_rates import MINIMUM_FAILURES, Burn, burns, can_fire
from mlopsc.project.alerting.presence import absent
from mlopsc.project.alerting.promql import (
    bucket,
    duration,
    equals,
    number,
    selector,
    upper_bound,
)
from mlopsc.project.alerting.rules import Alert, Burning, Group, Indicator, Labels, Recording
from mlopsc.project.conventions import decision, object_name
from mlopsc.project.runtimes import failures_counted, idle_matchers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlopsc.artifacts.draft import Mention
    from mlopsc.project.model import Environment, Model, RuntimeMetrics, Serving, Share, Slo

BURN: Final = "ModelErrorBudgetBurn"


def objectives(environment: Environment, model: Model, identity: Labels) -> Iterator[Group]:
    """The group of a model's objectives, if it has any that can be measured."""
    serving = model.serving
    if serving is None or serving.slo is None or serving.metrics is None:
        return
    scraped = scraped_labels(environment, model)
    indicators = list(_indicators(serving, serving.slo, serving.metrics, equals(scraped)))
    if not indicators:
        return
    yield Group(
        f"{model.name}-objectives",
        (
            *_recordings(indicators, serving.slo, identity),
            *_alerts(indicators, serving.slo, identity),
            *_absences(environment, model, serving, serving.metrics, scraped),
        ),
        (serving.slo.origin,),
    )


def scraped_labels(environment: Environment, model: Model) -> Labels:
    """What every series of a serving model carries.

    One model has one Service in one namespace; service discovery puts both names on each series.
    """
    return {"namespace": environment.namespace, "service": object_name(model.name)}


def _indicators(
    serving: Serving, slo: Slo, metrics: RuntimeMetrics, scraped: str
) -> Iterator[Indicator]:
    if slo.availability is not None and (bad := failed(metrics, scraped)) is not None:
        yield Indicator(
            "availability",
            "serving_errors",
            slo.availability,
            bad,
            selector(metrics.requests, scraped, metrics.matchers),
            (serving.at("runtime"),),
            (slo.at("availability"),),
            apart=not failures_counted(serving.runtime),
        )
    if slo.latency is not None and metrics.latency is not None:
        share, seconds = slo.latency
        bound = bucket(seconds / metrics.unit, metrics.buckets)
        if bound is not None:
            within = selector(
                f"{metrics.latency}_bucket", scraped, metrics.matchers, upper_bound(bound)
            )
            yield Indicator(
                "latency",
                "serving_slow",
                share,
                within,
                selector(f"{metrics.latency}_count", scraped, metrics.matchers),
                (serving.at("runtime"),),
                (slo.at("latency"),),
                inverted=True,
            )


def failed(metrics: RuntimeMetrics, scraped: str) -> str | None:
    """The selector of failed requests; None where the runtime does not tell them."""
    if metrics.errors_metric is not None:
        return selector(metrics.errors_metric, scraped, metrics.errors or metrics.matchers)
    if metrics.errors:
        return selector(metrics.requests, scraped, metrics.matchers, metrics.errors)
    return None


def _fireable(indicator: Indicator, slo: Slo) -> list[Burn]:
    return [burn for burn in burns(slo.window) if can_fire(burn, indicator.objective)]


def _recordings(indicators: Iterable[Indicator], slo: Slo, identity: Labels) -> Iterator[Recording]:
    because = (slo.origin,)
    for indicator in indicators:
        fireable = _fireable(indicator, slo)
        for window in sorted({w for burn in fireable for w in (burn.short, burn.long)}):
            text = duration(window)
            name, expr = indicator.ratio(text), ratio(indicator, text)
            yield Recording(name, expr, identity, because, indicator.selected)
        for window in sorted({burn.long for burn in fireable}):
            text = duration(window)
            name, expr = indicator.count(text), _count(indicator, text)
            yield Recording(name, expr, identity, because, indicator.selected)


def mentions(model: Model) -> tuple[Mention, ...]:
    """How the lines of a model's objectives name its promises: by window, by budget, by bucket."""
    serving = model.serving
    if serving is None or serving.slo is None or serving.metrics is None:
        return ()
    slo, metrics = serving.slo, serving.metrics
    found: list[Mention] = []
    for window in sorted({w for burn in burns(slo.window) for w in (burn.short, burn.long)}):
        text = duration(window)
        pieces = (f"[{text}]", f":ratio_rate{text}", f":increase{text}")
        found += [(piece, slo.at("window")) for piece in pieces]
    if slo.availability is not None:
        found.append((f" * {number(_budget(slo.availability))})", slo.at("availability")))
    if slo.latency is not None:
        bound = bucket(slo.latency[1] / metrics.unit, metrics.buckets)
        if bound is not None:
            found += [(piece, slo.latency_at) for piece in (upper_bound(bound), f'le="{bound:g}')]
    return tuple(found)


def ratio(indicator: Indicator, window: str) -> str:
    """The share of bad events over a window, from the runtime's own counters."""
    every = f"sum(rate({indicator.all}[{window}]))"
    some = f"sum(rate({indicator.bad}[{window}]))"
    if indicator.inverted:
        return f"1 - (\n  {some}\n/\n  ({every} > 0)\n)"
    # A counter of failures may be missing until the first one; then there were none.
    some = f"({some} or vector(0))"
    if indicator.apart:
        return f"{some}\n/\n(({every} or vector(0)) + {some} > 0)"
    return f"{some}\n/\n({every} > 0)"


def _count(indicator: Indicator, window: str) -> str:
    some = f"sum(increase({indicator.bad}[{window}]))"
    if indicator.inverted:
        return f"sum(increase({indicator.all}[{window}]))\n-\n{some}"
    return some


def _alerts(indicators: Iterable[Indicator], slo: Slo, identity: Labels) -> Iterator[Alert]:
    for indicator in indicators:
        for burn in _fireable(indicator, slo):
            yield _burning(indicator, burn, slo, identity)


_WHAT: Final = {
    "availability": ("error budget", "requests that failed"),
    "latency": ("latency budget", "requests that took longer than promised"),
}


def _burning(indicator: Indicator, burn: Burn, slo: Slo, identity: Labels) -> Alert:
    long, short = duration(burn.long), duration(burn.short)
    own = f"{{{equals(identity)}}}"
    threshold = f"({number(burn.factor)} * {number(budget(indicator))})"
    spent, what = _WHAT[indicator.name]
    return Alert(
        kind=BURN,
        expr=(
            f"(\n  {indicator.ratio(long)}{own} > {threshold}\n"
            f"and\n  {indicator.ratio(short)}{own} > {threshold}\n"
            f"and\n  {indicator.count(long)}{own} >= {MINIMUM_FAILURES}\n)"
        ),
        hold=0,  # the long window is the patience
        severity=burn.severity,
        labels={"slo": indicator.name, "burn": burn.name},
        summary=(
            f"{identity['model']} burns its {spent} too fast in {identity['environment']}"
            f" ({burn.name} burn)"
        ),
        description=(
            f"Over the last {long} and the last {short}, the share of {what} was above"
            f" {_percent(burn.threshold(indicator.objective))}; {_percent(indicator.objective)} of"
            f" requests are promised over {duration(slo.window)}."
        ),
        watch=Burning(indicator, burn),
        because=(slo.origin,),
        origins=(slo.origin, decision("prometheus-burn-rates")),
        worded=(*indicator.promised, slo.at("window")),
        hold_origin=decision("prometheus-burn-rates"),
        severity_origin=decision("prometheus-burn-rates"),
    )


def budget(indicator: Indicator) -> float:
    """The share of bad events that the objective leaves room for."""
    return _budget(indicator.objective)


def _budget(objective: Share) -> Share:
    return round(1 - objective, 12)  # 1 - 0.999 is 0.0010000000000000009


def _percent(share: float) -> str:
    return f"{number(round(share * 100, 6))} %"


def _absences(
    environment: Environment,
    model: Model,
    serving: Serving,
    metrics: RuntimeMetrics,
    scraped: Labels,
) -> Iterator[Alert]:
    idle = idle_matchers(serving.runtime, model.name)
    if idle is None:
        yield absent(
            environment,
            model,
            "up",
            scraped,
            origin=serving.at("slo"),
            severity="critical",
            value=1,
        )
        return
    yield absent(
        environment,
        model,
        metrics.requests,
        scraped,
        matchers=idle,
        origin=serving.at("slo"),
        severity="critical",
    )
    slo = serving.slo
    if slo is None or slo.latency is None or metrics.latency is None:
        return
    bound = bucket(slo.latency[1] / metrics.unit, metrics.buckets)
    if bound is not None:
        yield absent(
            environment,
            model,
            f"{metrics.latency}_bucket",
            scraped,
            matchers=",".join(part for part in (idle, upper_bound(bound)) if part),
            origin=slo.at("latency"),
            severity="critical",
        )
