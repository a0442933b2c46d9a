"""Rules as the mappings Prometheus reads, in a rule file or in a PrometheusRule object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project.alerting.promql import duration, literal
from mlopsc.project.alerting.rules import Alert, Group, Recording, RuleSet
from mlopsc.project.conventions import decision

if TYPE_CHECKING:
    from mlopsc.project.alerting.rules import Rule


def bodies(rules: RuleSet) -> list[Body]:
    """The groups of a rule set, each line with its cause."""
    return [_group(group, rules) for group in rules.groups if group.rules]


def texts(alert: Alert, rules: RuleSet) -> dict[str, str]:
    """An alert's annotations, with `$value` still to be filled in."""
    found = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": literal(rules.runbook_of(alert)),
    }
    if rules.dashboard is not None:
        found["dashboard_url"] = literal(rules.dashboard[0])
    return found


def _group(group: Group, rules: RuleSet) -> Body:
    return traced(
        {"name": group.name, "rules": [_rule(rule, rules) for rule in group.rules]}, *group.because
    )


def _rule(rule: Rule, rules: RuleSet) -> Body:
    return _recording(rule) if isinstance(rule, Recording) else _alert(rule, rules)


def _recording(rule: Recording) -> Body:
    body: dict[str, Body] = {
        "record": rule.record,
        "expr": traced(rule.expr, *rule.origins),
        "labels": dict(rule.labels),
    }
    return traced(body, *rule.because)


def _alert(alert: Alert, rules: RuleSet) -> Body:
    body: dict[str, Body] = {"alert": alert.kind, "expr": traced(alert.expr, *alert.origins)}
    if alert.hold:
        body["for"] = traced(duration(alert.hold), alert.hold_origin)
    labels = rules.labels(alert)
    body["labels"] = {**labels, "severity": traced(labels["severity"], alert.severity_origin)}
    words = texts(alert, rules)
    ours = decision("prometheus-annotations")
    annotations: dict[str, Body] = {
        "summary": traced(words["summary"], *alert.because, ours),
        "description": traced(words["description"], *alert.worded, ours),
        "runbook_url": traced(words["runbook_url"], rules.runbook_origin),
    }
    if rules.dashboard is not None:
        annotations["dashboard_url"] = traced(words["dashboard_url"], rules.dashboard[1])
    body["annotations"] = annotations
    return traced(body, *alert.because)
