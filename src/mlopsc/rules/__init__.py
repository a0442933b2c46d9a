"""What must hold: one function a rule, a module a family, all of them in one tuple."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlopsc.diagnostics.finding import Note
from mlopsc.diagnostics.paths import as_written
from mlopsc.rules import (
    batches,
    cluster,
    data,
    models,
    monitoring,
    operations,
    pipelines,
    queries,
    rungs,
    serving,
)
from mlopsc.rules.rule import Rule

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding
    from mlopsc.project.model import Environment, Project

FAMILIES = (
    data,
    models,
    serving,
    monitoring,
    operations,
    pipelines,
    cluster,
    batches,
    queries,
    rungs,
)

RULES: tuple[Rule, ...] = tuple(
    item for family in FAMILIES for item in vars(family).values() if isinstance(item, Rule)
)
"""Every rule, family by family, as written."""


def check(project: Project) -> tuple[Finding, ...]:
    """Everything that does not hold, of every rule: for what environments share, and in each of them.

    What is wrong everywhere is said once.
    """
    found = [finding for rule in RULES for finding in rule.findings(project)]
    known = {_said(finding) for finding in found}
    for environment in project.environments:
        there = _as_in(project, environment)
        if there is None:
            continue
        for rule in RULES:
            if rule.whole or rule.severity == "info":
                continue
            for finding in rule.findings(there):
                if _said(finding) not in known:
                    known.add(_said(finding))
                    note = Note(f"it is so in environment '{environment.name}'")
                    found.append(replace(finding, notes=(*finding.notes, note)))
    return tuple(found)


def _as_in(project: Project, environment: Environment) -> Project | None:
    """The project with its chapters as they are in one environment; None: they are the shared ones."""
    chapters: dict[str, Any] = {
        name: getattr(environment, name)
        for name in ("platform", "services", "sources", "views", "models", "alerts")
    }
    if all(value is getattr(project, name) for name, value in chapters.items()):
        return None
    return replace(project, **chapters)


def _said(finding: Finding) -> tuple[str, str, object]:
    """What a finding says of which node, in whichever environment."""
    at = finding.at
    return finding.code, finding.message, as_written(at) if isinstance(at, tuple) else at
