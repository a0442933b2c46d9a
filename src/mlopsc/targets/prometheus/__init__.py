"""Prometheus: rule files, a promtool test beside each, and a runbook page for each kind of alert.

`monitoring/prometheus/ENV/MODEL.rules.yml`, and `all-models.rules.yml` for the project's own rules.
What the rules are is decided in `mlopsc.project.alerting`; this target writes them as files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import CopyDraft, Draft, YamlDraft
from mlopsc.project.alerting import DECISIONS, project_rule_set, rule_set
from mlopsc.project.alerting.body import bodies
from mlopsc.project.alerting.promql import duration
from mlopsc.project.conventions import RUNBOOKS, alert_rules, alert_rules_test, decision
from mlopsc.targets.prometheus.burn_cases import burn_cases
from mlopsc.targets.prometheus.cases import HALF_HOUR, MINUTE, cases, untestable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.alerting.rules import RuleSet
    from mlopsc.project.model import Project
    from mlopsc.targets.prometheus.cases import Case

name: Final = "prometheus"

ALL_MODELS: Final = "all-models"  # no model can be called that: spec names have no hyphen

__all__ = ["DECISIONS", "emit", "name"]


def emit(project: Project) -> Iterator[Draft]:
    """Rules and tests of each environment, and the pages their alerts point to."""
    kinds: set[str] = set()
    for environment in project.environments:
        for model in environment.models:
            rules = rule_set(project, environment, model)
            tests = (*cases(rules), *burn_cases(environment, model, rules))
            yield from _files(environment.name, model.name, model.origin, rules, tests)
            if model.runbook is None:
                kinds.update(alert.kind for alert in rules.alerts)
        rules = project_rule_set(project, environment)
        origin = environment.alerts.at("rules")
        yield from _files(environment.name, ALL_MODELS, origin, rules, tuple(cases(rules)))
        kinds.update(alert.kind for alert in rules.alerts)
    for kind in sorted(kinds):
        yield CopyDraft(
            f"{RUNBOOKS}/{kind}.md", decision("prometheus-runbooks"), f"runbooks/{kind}.md"
        )


def _files(
    environment: str, subject: str, origin: Path, rules: RuleSet, tests: tuple[Case, ...]
) -> Iterator[Draft]:
    if not rules.alerts:
        return
    path = alert_rules(environment, subject)
    said = rules.mentions
    yield YamlDraft(path, origin, {"groups": bodies(rules)}, mentions=said)
    for step, suffix in ((MINUTE, ""), (HALF_HOUR, ".hours")):
        paced: list[Body] = [case.body() for case in tests if case.step == step]
        if paced:
            test: Body = {
                "rule_files": [_file(path)],
                "evaluation_interval": duration(step),
                "tests": paced,
            }
            tested = alert_rules_test(environment, f"{subject}{suffix}")
            ours, note = decision("prometheus-tests"), _note(rules, tested)
            yield YamlDraft(tested, ours, test, note, (origin,), said)


def _file(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _note(rules: RuleSet, path: str) -> str:
    note = f"Run it: promtool test rules {_file(path)}"
    if left_out := sorted(untestable(rules)):
        names = ", ".join(left_out)
        note += f"\nNot tested: {names}; a query of theirs has a value even without data"
    return note
