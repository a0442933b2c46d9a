"""What the provisioned data source is called: it must not be a name that somebody else gave one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project.conventions import short

if TYPE_CHECKING:
    from mlopsc.project.model import Environment, Project

_LONGEST_UID = 40


def datasource_name(project: Project, environment: Environment) -> str:
    """What people read."""
    return f"Prometheus of {project.name}, {environment.name}"


def datasource_uid(project: Project, environment: Environment) -> str:
    """What dashboards and addresses refer to."""
    return short(f"prometheus-{project.name}-{environment.name}", _LONGEST_UID)
