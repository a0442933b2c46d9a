"""Dashboards that follow from a project: the one place that decides what they show.

    dashboard(project, environment, model)   what there is to see of one model in one environment
    has_dashboard(environment, model)        whether that is anything

Every panel shows something that the project emits or that its rules record; what nobody emits has no
panel. The files are written by the target `grafana`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting import rule_set
from mlopsc.project.alerting.queries import MODEL_LEVEL
from mlopsc.project.conventions import GRAFANA, RUNBOOKS, dashboard_uid
from mlopsc.project.dashboards import serving, watching
from mlopsc.project.dashboards.panels import Dashboard, Link, Panel, Row
from mlopsc.project.emitted import checked_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.alerting.rules import RuleSet
    from mlopsc.project.model import Environment, Model, Project

DECISIONS: Final[dict[str, str]] = {
    "grafana-budget": (
        "a quarter of a budget left is when a team slows down; the burn-rate alerts tell of speed,"
        " not of what remains"
    ),
}
"""Name → why, for what no key of the spec decides."""


def dashboard(project: Project, environment: Environment, model: Model) -> Dashboard | None:
    """The dashboard of one model; None where nobody draws any, or there is nothing to see."""
    if not has_dashboard(environment, model):
        return None
    rules = rule_set(project, environment, model)
    rows = tuple(row for row in _rows(environment, model, rules) if row.panels)
    return Dashboard(
        uid=dashboard_uid(project.name, environment.name, model.name),
        title=f"{project.name} / {model.name} / {environment.name}",
        description=model.description or "",
        tags=("mlopsc", project.name, model.name, environment.name),
        links=tuple(_links(project, environment, model, rules)),
        rows=rows,
    )


def has_dashboard(environment: Environment, model: Model) -> bool:
    """Whether there is one: somebody draws it, and something is to be seen."""
    if environment.platform.dashboards != GRAFANA:
        return False
    served, watched = model.serving, model.monitoring
    if (served is not None and served.metrics is not None) or (watched and watched.business):
        return True
    pushed = watched is not None or bool(checked_sources(environment, model))
    return pushed and environment.services.pushgateway is not None


def _rows(environment: Environment, model: Model, rules: RuleSet) -> Iterator[Row]:
    """All rows, those with nothing to show included."""
    at = model.at
    yield Row(0, "Now", tuple(_now(environment, model, rules)), model.origin)
    yield Row(1, "Traffic", tuple(_traffic(environment, model)), at("serving"))
    yield Row(2, "Promises", tuple(_promises(model, rules)), at("serving", "slo"))
    watched = model.monitoring
    if watched is not None and environment.services.pushgateway is not None:
        if watched.drift is not None:
            drifting = tuple(watching.drifting(watched.drift, rules.identity))
            yield Row(3, "Drift", drifting, watched.drift.origin)
        metrics = tuple(watching.performance(watched, rules.identity))
        yield Row(4, "Model metrics", metrics, watched.at("performance"))
    yield Row(5, "Data", tuple(_data(environment, model, rules)), model.origin)
    yield Row(6, "Business", tuple(_business(model, rules)), at("monitoring", "business"))


def _now(environment: Environment, model: Model, rules: RuleSet) -> Iterator[Panel]:
    if rules.alerts:
        yield watching.firing(model, rules)
    served, watched = model.serving, model.monitoring
    if served is not None and served.metrics is not None:
        yield serving.answering(environment, model, served)
        if served.slo is not None:
            for indicator in serving.indicators(rules):
                yield serving.budget_left(served.slo, indicator)
    if watched is not None and environment.services.pushgateway is not None:
        if watched.drift is not None:
            yield watching.drift_now(watched.drift, rules.identity)
        yield watching.monitor_age(watched, rules.identity)
    if rules.alerts:
        yield watching.alerts(model, rules)


def _traffic(environment: Environment, model: Model) -> Iterator[Panel]:
    served = model.serving
    if served is not None and served.metrics is not None:
        yield from serving.traffic(environment, model, served, served.metrics)
        yield from serving.answer_times(environment, model, served, served.metrics)


def _promises(model: Model, rules: RuleSet) -> Iterator[Panel]:
    if model.serving is not None and model.serving.slo is not None:
        for indicator in serving.indicators(rules):
            yield serving.burning(model.serving.slo, indicator, rules)


def _data(environment: Environment, model: Model, rules: RuleSet) -> Iterator[Panel]:
    sources = checked_sources(environment, model)
    if sources and environment.services.pushgateway is not None:
        yield watching.data(sources, model, rules.identity)


def _business(model: Model, rules: RuleSet) -> Iterator[Panel]:
    if model.monitoring is not None:
        for measure in model.monitoring.business:
            yield watching.business(measure, MODEL_LEVEL, rules.identity)


def _links(
    project: Project, environment: Environment, model: Model, rules: RuleSet
) -> Iterator[Link]:
    if project.repository is not None:
        repository = f"https://{project.repository}"
        at = project.at("repository")
        yield Link("Repository", repository, at)
        if model.runbook is None and rules.alerts:
            yield Link("Runbooks", f"{repository}/-/tree/HEAD/{RUNBOOKS}", at)
    if model.runbook is not None:
        yield Link("Runbook", model.runbook, model.at("runbook"))
    if environment.services.mlflow is not None:
        versions = f"{environment.services.mlflow}/#/models/{model.name}"
        yield Link("Versions", versions, environment.services.at("mlflow", "url"))


__all__ = ["DECISIONS", "Dashboard", "dashboard", "has_dashboard"]
