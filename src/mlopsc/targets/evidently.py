"""Evidently: a model's drift and performance reports, in Evidently's own JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Draft, JsonDraft, Traced, traced
from mlopsc.project.conventions import decision, drift_report, performance_report
from mlopsc.project.drift import P_VALUE_METHODS, reports_of, watched_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Drift, Model, Monitoring, Project, Task

name: Final = "evidently"

DECISIONS: Final = {
    "evidently.each_column": "each column's own score, so that an alert can name the ones that moved",
    "evidently.direction": "a distance drifts when it is large, a p-value when it is small",
    "evidently.tests": "bounds are judged by our program and by Prometheus, from the spec; the report only shows",
}

_PRESETS: Final[dict[Task, str]] = {
    "classification": "evidently:metric_container:ClassificationPreset",
    "regression": "evidently:metric_container:RegressionPreset",
    "forecasting": "evidently:metric_container:RegressionPreset",
}
"""Tasks Evidently has a performance report for."""


def emit(project: Project) -> Iterator[Draft]:
    """A drift and a performance report for each model that asks for one."""
    for model in project.models:
        monitoring = model.monitoring
        if monitoring is None:
            continue
        if monitoring.drift is not None:
            body = _drift(model, monitoring, monitoring.drift)
            yield JsonDraft(drift_report(model.name), monitoring.drift.origin, body)
        if performance_report(model.name) in reports_of(model):
            yield JsonDraft(
                performance_report(model.name), monitoring.at("performance"), _performance(model)
            )


def _drift(model: Model, monitoring: Monitoring, drift: Drift) -> Body:
    columns = watched_columns(model)
    share = drift.share.maximum
    names = [traced(column, origin) for column, origin in columns.items()]
    counted: dict[str, Body] = {
        "type": "evidently:metric_v2:DriftedColumnsCount",
        "columns": names,
        "method": traced(drift.method, drift.at("method")),
        "threshold": traced(drift.threshold, drift.at("threshold")),
    }
    if share is not None:
        counted["drift_share"] = traced(share, drift.share.at("max"))
        counted["share_tests"] = [
            traced(
                {
                    "type": "evidently:test_v2:LessOrEqualMetricTest",
                    "is_critical": True,
                    "threshold": share,
                },
                drift.share.at("max"),
            )
        ]
    each = [
        traced(_column(column, drift), origin, decision("evidently.each_column"))
        for column, origin in columns.items()
    ]
    return {
        "metrics": [counted, *each],
        "metadata": {"model": traced(model.name, model.origin)},
        "tags": ["drift"],
        "include_tests": traced(False, decision("evidently.tests")),
    }


def _column(column: str, drift: Drift) -> Body:
    p_value = drift.method in P_VALUE_METHODS
    kind = "GreaterOrEqualMetricTest" if p_value else "LessThanMetricTest"
    threshold: Traced = traced(drift.threshold, drift.at("threshold"))
    return {
        "type": "evidently:metric_v2:ValueDrift",
        "column": column,
        "method": traced(drift.method, drift.at("method")),
        "threshold": threshold,
        "tests": [
            {
                "type": traced(
                    f"evidently:test_v2:{kind}",
                    drift.at("method"),
                    decision("evidently.direction"),
                ),
                "is_critical": False,
                "threshold": threshold,
            }
        ],
    }


def _performance(model: Model) -> Body:
    return {
        # No `include_tests` in the preset: with false there, 0.7.23 cannot render it (KeyError).
        "metrics": [{"type": traced(_PRESETS[model.task], model.at("task"))}],
        "metadata": {"model": traced(model.name, model.origin)},
        "tags": ["performance"],
        "include_tests": traced(False, decision("evidently.tests")),
    }
