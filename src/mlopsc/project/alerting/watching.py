"""Rules of what the monitor and the checks of the data push: drift, performance, data, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.presence import absent
from mlopsc.project.alerting.promql import duration, equals, number, selector
from mlopsc.project.alerting.rules import Age, Alert, Group, Labels, Limits
from mlopsc.project.conventions import (
    DATA_CHECK_SUCCESS,
    DRIFT_SHARE,
    MODEL_METRIC,
    MONITOR_LAST_SUCCESS,
    decision,
)
from mlopsc.project.emitted import checked_sources
from mlopsc.project.remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Bound, Environment, Model, Monitoring, Seconds, Source

DRIFT: Final = "ModelDrift"
PERFORMANCE: Final = "ModelPerformanceDegraded"
DATA: Final = "DataCheckFailed"
SILENT: Final = "ModelMonitorSilent"

SILENT_RUNS: Final = 2
"""One missed run may be a retry or a busy runner; two are silence."""

SILENT_SLACK: Final[Seconds] = 3600
"""What a scheduler and the run itself may take on top."""


def silence(monitoring: Monitoring) -> Seconds:
    """How old the last success of the monitor may be."""
    return SILENT_RUNS * monitoring.schedule.every + SILENT_SLACK


def watching(environment: Environment, model: Model, identity: Labels) -> Iterator[Group]:
    """The groups of what is pushed; none where nothing can be pushed to."""
    monitoring = model.monitoring
    if monitoring is None or environment.services.pushgateway is None:
        return
    alerts = [
        *_drift(model, monitoring, identity),
        *_performance(model, monitoring, identity),
        *_silent(environment, model, monitoring, identity),
        *_pushed(environment, model, monitoring, identity),
    ]
    yield Group(f"{model.name}-monitoring", tuple(alerts), (monitoring.origin,))
    sources = checked_sources(environment, model)
    always = [source for source in sources if _checked_at_training(environment, source)]
    because = (model.origin,) if always else (model.origin, _built_by(model))
    checks = [check for source in sources for check in _data(environment, model, source, identity)]
    yield Group(f"{model.name}-data", tuple(checks), because)


def _checked_at_training(environment: Environment, source: Source) -> bool:
    """Whether a table is checked here because a model learns from it here, whoever builds it."""
    return source.name in _learned_from(environment)


@remembered
def _learned_from(environment: Environment) -> frozenset[str]:
    """The sources of what models trained here learn from."""
    return frozenset(
        name
        for model in environment.models
        if model.training is not None and model.training.environment == environment.name
        for name in (model.target.source.name, *(view.source.name for view in model.views))
    )


def _built_by(model: Model) -> Path:
    """What says where tables are built, and so where those are checked."""
    return model.platform.at("orchestration")


def _limited(
    kind: str,
    bound: Bound,
    metric: str,
    own: Labels,
    *,
    labels: Labels,
    summary: str,
    what: str,
    share: bool = False,
) -> Alert:
    """An alert that fires while the worst value of `metric` is outside of `bound`."""
    series = selector(metric, equals(own))
    sides = []
    if bound.minimum is not None:
        sides.append(f"min({series}) < {number(bound.minimum)}")
    if bound.maximum is not None:
        sides.append(f"max({series}) > {number(bound.maximum)}")
    shown = "{{ $value | humanizePercentage }}" if share else '{{ printf "%.6g" $value }}'
    return Alert(
        kind=kind,
        expr=sides[0] if len(sides) == 1 else "\nor\n".join(f"({side})" for side in sides),
        hold=bound.hold,
        severity=bound.severity,
        labels=labels,
        summary=summary,
        description=f"{what} is {shown}; it must be {allowed(bound, share=share)}.",
        watch=Limits(metric, own, bound.minimum, bound.maximum),
        because=(bound.origin,),
        origins=tuple(bound.at(key) for key, _ in _sides(bound)),
        worded=tuple(bound.at(key) for key, _ in _sides(bound)),
        hold_origin=bound.at("for"),
        severity_origin=bound.at("severity"),
    )


def allowed(bound: Bound, *, share: bool = False) -> str:
    """A bound in words: `at least 0.8`, `at most 30 %`."""
    words = {"min": "at least", "max": "at most"}
    return " and ".join(
        f"{words[key]} {number(round(limit * 100, 6)) + ' %' if share else number(limit)}"
        for key, limit in _sides(bound)
    )


def _sides(bound: Bound) -> Iterator[tuple[str, float]]:
    if bound.minimum is not None:
        yield "min", bound.minimum
    if bound.maximum is not None:
        yield "max", bound.maximum


def _drift(model: Model, monitoring: Monitoring, identity: Labels) -> Iterator[Alert]:
    if monitoring.drift is None:
        return
    yield _limited(
        DRIFT,
        monitoring.drift.share,
        DRIFT_SHARE,
        identity,
        labels={},
        summary=f"The rows that {model.name} sees in {identity['environment']} have drifted",
        what="The share of drifted columns",
        share=True,
    )


def _performance(model: Model, monitoring: Monitoring, identity: Labels) -> Iterator[Alert]:
    for bound in monitoring.performance:
        yield _limited(
            PERFORMANCE,
            bound,
            MODEL_METRIC,
            {**identity, "metric": bound.name},
            labels={"metric": bound.name},
            summary=f"{bound.name} of {model.name} is out of bounds in {identity['environment']}",
            what=f"{bound.name}, on rows whose labels are known,",
        )


def _silent(
    environment: Environment, model: Model, monitoring: Monitoring, identity: Labels
) -> Iterator[Alert]:
    limit = silence(monitoring)
    every = duration(monitoring.schedule.every)
    yield Alert(
        kind=SILENT,
        expr=f"time() - max({selector(MONITOR_LAST_SUCCESS, equals(identity))}) > {limit}",
        hold=0,  # the limit is the patience
        severity="warning",
        labels={},
        summary=f"The monitor of {model.name} is silent in {environment.name}",
        description=(
            f"It runs every {every} and last succeeded {{{{ $value | humanizeDuration }}}} ago;"
            " drift and performance are not known since."
        ),
        watch=Age(MONITOR_LAST_SUCCESS, identity, limit),
        because=(monitoring.origin,),
        origins=(monitoring.at("schedule"), decision("prometheus-silence")),
        worded=(monitoring.at("schedule"),),
        hold_origin=decision("prometheus-silence"),
        severity_origin=decision("prometheus-silence"),
    )


def _pushed(
    environment: Environment, model: Model, monitoring: Monitoring, identity: Labels
) -> Iterator[Alert]:
    """What the alerts above look at must be there; from the first run on."""
    first_run = silence(monitoring)
    expected: list[tuple[str, Path]] = [(MONITOR_LAST_SUCCESS, monitoring.origin)]
    if monitoring.drift is not None:
        expected.append((DRIFT_SHARE, monitoring.drift.origin))
    for metric, origin in expected:
        yield absent(
            environment,
            model,
            metric,
            identity,
            origin=origin,
            severity="warning",
            hold=first_run,
            hold_origin=monitoring.at("schedule"),
        )
    for bound in monitoring.performance:
        # Pushed once labels are known, which may take longer than anyone would wait.
        own = {**identity, "metric": bound.name}
        yield absent(
            environment,
            model,
            MODEL_METRIC,
            own,
            name=bound.name,
            origin=bound.origin,
            severity="warning",
            expected=False,
        )


def _data(
    environment: Environment, model: Model, source: Source, identity: Labels
) -> Iterator[Alert]:
    own = {**identity, "source": source.name}
    because = () if _checked_at_training(environment, source) else (_built_by(model),)
    yield Alert(
        kind=DATA,
        expr=f"min({selector(DATA_CHECK_SUCCESS, equals(own))}) < 1",
        hold=0,  # a check is a verdict, not a reading
        severity="warning",
        labels={"source": source.name},
        summary=f"Data of {source.name}, which {model.name} reads, failed its check",
        description=(
            f"A critical expectation on {source.name} did not hold when it was last checked in"
            f" {environment.name}."
        ),
        watch=Limits(DATA_CHECK_SUCCESS, own, 1, None),
        because=(source.origin, *because),
        origins=(source.origin, decision("prometheus-data-checks")),
        worded=(source.origin,),
        hold_origin=decision("prometheus-data-checks"),
        severity_origin=decision("prometheus-data-checks"),
    )
    yield absent(
        environment,
        model,
        DATA_CHECK_SUCCESS,
        own,
        origin=source.origin,
        because=because,
        severity="warning",
        expected=False,
        extra={"source": source.name},
    )
