"""What must hold: one function a rule, a module a family, all of them in one tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from mlopsc.project.model import Project

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
    """Everything that does not hold, of every rule."""
    return tuple(finding for rule in RULES for finding in rule.findings(project))
