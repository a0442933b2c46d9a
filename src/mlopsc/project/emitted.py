"""What a project tells Prometheus: each emitter's metrics, declared once.

The programs declare what they push (`PUSHED`) and what they only report (`REPORTED`); tests compare
that with what they really push. The runtimes' declarations are in `project.runtimes`. What follows
from them for one project are `Series`: which values each label can have there.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlopsc.frozen import frozen
from mlopsc.project.conventions import (
    COLUMN_DRIFT_SCORE,
    DATA_CHECK_SUCCESS,
    DRIFT_SHARE,
    IDENTITY_LABELS,
    MODEL_METRIC,
    MONITOR_JOB,
    MONITOR_LAST_SUCCESS,
    VALIDATE_JOB,
    object_name,
)
from mlopsc.project.drift import watched_columns
from mlopsc.project.expectations import validated
from mlopsc.project.runtimes import CUSTOM, RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlopsc.project.model import Environment, Model, Project, Source

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@frozen
class Metric:
    """A metric of a program of ours.

    Attributes:
        labels: what each of its series carries, apart from the Pushgateway's `job` and `instance`.
        program: who emits it, by its file in `mlops/`.
        job: the Pushgateway's `job`; None: it is not pushed.
        condition: the key of the spec that makes the program emit it.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    program: str
    job: str | None
    condition: str


PUSHED: Final = (
    Metric(
        DATA_CHECK_SUCCESS,
        "gauge",
        (*IDENTITY_LABELS, "source"),
        "1 when no critical expectation of the source failed",
        "validate.py",
        VALIDATE_JOB,
        "columns in the source, in an environment that trains or builds by a schedule",
    ),
    Metric(
        DRIFT_SHARE,
        "gauge",
        IDENTITY_LABELS,
        "Share of the examined columns that drifted",
        "monitor.py",
        MONITOR_JOB,
        "`monitoring` in a model",
    ),
    Metric(
        COLUMN_DRIFT_SCORE,
        "gauge",
        (*IDENTITY_LABELS, "column"),
        "Drift score of a column by the configured method",
        "monitor.py",
        MONITOR_JOB,
        "`monitoring` in a model",
    ),
    Metric(
        MODEL_METRIC,
        "gauge",
        (*IDENTITY_LABELS, "metric"),
        "Performance of the running version on rows whose labels are known",
        "monitor.py",
        MONITOR_JOB,
        "`performance: {METRIC: …}` in the `monitoring` of a model",
    ),
    Metric(
        MONITOR_LAST_SUCCESS,
        "gauge",
        IDENTITY_LABELS,
        "Unix time of the last complete monitor run",
        "monitor.py",
        MONITOR_JOB,
        "`monitoring` in a model",
    ),
)
"""What the programs push to the Pushgateway."""

REPORTED: Final = (
    Metric(
        "mlops_gate_metric",
        "gauge",
        ("model", "metric"),
        "",
        "gate.py",
        None,
        "`evaluation` in a model, for the merge request's metrics report alone",
    ),
)
"""What the programs write into GitLab's metrics reports, which Prometheus never sees."""

OURS: Final = ("mlops_", "model:", "project:")
"""What names of ours begin with: metrics of the programs, and what the rules record."""

SCRAPED_LABELS: Final = ("job", "instance", "namespace", "service", "pod", "container", "endpoint")
"""Labels that Prometheus and its operator put on what they scrape."""


@frozen
class Series:
    """Series of one metric in one project.

    Attributes:
        labels: label → its value; None: any value.
        open: whether they may carry further labels that nobody declared.
    """

    metric: str
    labels: Mapping[str, str | None] = field(default_factory=dict)
    open: bool = False


def pushed(project: Project, environment: Environment) -> Iterator[Series]:
    """What the programs push from one environment."""
    if environment.services.pushgateway is None:
        return
    for model in environment.models:
        identity = {
            "project": project.name,
            "model": model.name,
            "environment": environment.name,
            "job": MONITOR_JOB,
        }
        yield from _monitored(model, identity)
        for source in checked_sources(environment, model):
            labels = {**identity, "job": VALIDATE_JOB, "source": source.name}
            yield Series(DATA_CHECK_SUCCESS, labels)


def _monitored(model: Model, identity: Mapping[str, str]) -> Iterator[Series]:
    monitoring = model.monitoring
    if monitoring is None:
        return
    yield Series(MONITOR_LAST_SUCCESS, identity)
    if monitoring.drift is not None:
        yield Series(DRIFT_SHARE, identity)
        for column in watched_columns(model):
            yield Series(COLUMN_DRIFT_SCORE, {**identity, "column": column})
    for bound in monitoring.performance:
        yield Series(MODEL_METRIC, {**identity, "metric": bound.name})


def checked_sources(environment: Environment, model: Model) -> tuple[Source, ...]:
    """The sources a model reads whose checks run in an environment, each once.

    A pipeline checks what a model learns from where that model trains, and what it builds on a
    schedule where it is built; a verdict is pushed for every model that reads the source. An alert on
    any other source would wait for a metric that never comes.
    """
    return validated(tuple(one for one in model.reads if one.name in environment.checked))


def served(environment: Environment, model: Model) -> Iterator[Series]:
    """What a model's serving runtime exposes, as Prometheus scrapes it; and `up`, of the scrape."""
    serving = model.serving
    if serving is None or serving.metrics is None:
        return
    found = serving.metrics
    scraped: dict[str, str | None] = dict.fromkeys(SCRAPED_LABELS)
    scraped |= {"namespace": environment.namespace, "service": object_name(model.name)}
    yield Series("up", scraped)
    own = serving.runtime == CUSTOM
    declared = {} if own else RUNTIMES[serving.runtime].exposed.labels
    for name in filter(None, dict.fromkeys((found.requests, found.errors_metric))):
        yield Series(name, {**scraped, **dict.fromkeys(declared.get(name, ()))}, open=own)
    if found.latency is not None:
        labels = {**scraped, **dict.fromkeys(declared.get(found.latency, ()))}
        yield Series(f"{found.latency}_count", labels, open=own)
        yield Series(f"{found.latency}_sum", labels, open=own)
        for bound in found.buckets:
            yield Series(f"{found.latency}_bucket", {**labels, "le": repr(float(bound))}, open=own)
        yield Series(f"{found.latency}_bucket", {**labels, "le": "+Inf"}, open=own)
