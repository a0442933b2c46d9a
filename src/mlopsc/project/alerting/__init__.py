"""Recording and alerting rules that follow from a project: the one place that decides them.

Two targets write them down: Prometheus' rule files, and PrometheusRule objects for its operator.

    rule_groups(project, environment, model)        a model's groups, as bodies: `spec.groups`
    project_rule_groups(project, environment)       those of `alerts.rules`; may be empty

Both give lists of plain mappings with their causes; an empty list means there is nothing to write.
`rule_set` and `project_rule_set` give the same as typed values, with what each alert watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project.alerting.body import bodies
from mlopsc.project.alerting.objectives import mentions, objectives
from mlopsc.project.alerting.queries import business, own_rules
from mlopsc.project.alerting.rules import RuleSet
from mlopsc.project.alerting.watching import watching
from mlopsc.project.conventions import GRAFANA, RUNBOOKS, dashboard_uid
from mlopsc.project.mentions import in_addresses, in_queries

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Body, Mention
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model, Project

DECISIONS: Final[dict[str, str]] = {
    "prometheus-burn-rates": (
        "windows and factors of the Site Reliability Workbook (chapter 5), in proportion to the"
        " promise's window; 3 failed requests at least, because where traffic is thin one failure"
        " is any ratio; no `for`, because the long window already waits"
    ),
    "prometheus-absence": (
        "an alert on a metric that is gone stays quiet for ever, so its absence is an alert of its"
        " own: after 15 minutes, longer than a rolling update, or for what the monitor pushes after"
        " its first two runs; a version that the spec does not pin may not run yet, so then only"
        " what was there within 7 days can be gone"
    ),
    "prometheus-silence": (
        "two missed runs and an hour: one may be a retry or a busy runner, and schedulers start"
        " late"
    ),
    "prometheus-data-checks": (
        "only critical expectations make a check fail; the pipeline stops at bad data by itself, so"
        " the alert is a warning"
    ),
    "prometheus-annotations": "an alert says what is wrong, by how much, and where to read on",
    "prometheus-tests": (
        "each alert is tried just beyond its limit, at it, just before its time and without data,"
        " so that a rule changed by hand or by us cannot go quiet unnoticed"
    ),
    "prometheus-runbooks": "each kind of alert has a page for whoever gets it",
}
"""Name → why, for what no key of the spec decides."""

_PUBLIC_RUNBOOKS: Final = "https://mlopsc.dev/runbooks/{kind}"


def rule_groups(project: Project, environment: Environment, model: Model) -> list[Body]:
    """The rule groups of one model in one environment."""
    return bodies(rule_set(project, environment, model))


def project_rule_groups(project: Project, environment: Environment) -> list[Body]:
    """The rule groups of `alerts.rules` in one environment."""
    return bodies(project_rule_set(project, environment))


def rule_set(project: Project, environment: Environment, model: Model) -> RuleSet:
    """All rules of one model in one environment; `model` is one of `environment.models`."""
    identity = {
        "project": project.name,
        "model": model.name,
        "environment": environment.name,
    }
    groups = (
        *objectives(environment, model, identity),
        *watching(environment, model, identity),
        *business(model, identity),
    )
    runbook, at = _runbook(project), project.at("repository")
    if model.runbook is not None:
        runbook, at = model.runbook, model.at("runbook")
    said = (*mentions(model), *_mentions(project, environment))
    return RuleSet(identity, runbook, at, groups, _dashboard(project, environment, model), said)


def project_rule_set(project: Project, environment: Environment) -> RuleSet:
    """The project's own rules in one environment."""
    identity = {"project": project.name, "environment": environment.name}
    groups = tuple(own_rules(environment.alerts, identity))
    at, said = project.at("repository"), _mentions(project, environment)
    return RuleSet(identity, _runbook(project), at, groups, mentions=said)


def _mentions(project: Project, environment: Environment) -> tuple[Mention, ...]:
    return (*in_queries(project, environment), *in_addresses(project, environment))


def _dashboard(project: Project, environment: Environment, model: Model) -> tuple[str, Path] | None:
    """Where a model's dashboard is: whatever has an alert has one, if anybody draws any."""
    services = environment.services
    if services.grafana is None or environment.platform.dashboards != GRAFANA:
        return None
    uid = dashboard_uid(project.name, environment.name, model.name)
    return f"{services.grafana}/d/{uid}", services.at("grafana", "url")


def _runbook(project: Project) -> str:
    if project.repository is None:
        return _PUBLIC_RUNBOOKS
    return f"https://{project.repository}/-/blob/HEAD/{RUNBOOKS}/{{kind}}.md"


__all__ = [
    "DECISIONS",
    "project_rule_groups",
    "project_rule_set",
    "rule_groups",
    "rule_set",
]
