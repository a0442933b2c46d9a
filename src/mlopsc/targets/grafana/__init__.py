"""Grafana: a dashboard a model and environment, and what brings them into a Grafana.

    monitoring/grafana/ENV/MODEL.json              the dashboard
    monitoring/grafana/ENV/kustomization.yaml      each as a ConfigMap that a sidecar picks up
    monitoring/grafana/ENV/provisioning/…          the same by files, and the data source

What a dashboard shows is decided in `mlopsc.project.dashboards`; this target writes it down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Draft, JsonDraft
from mlopsc.project import conventions, dashboards
from mlopsc.targets.grafana import delivery, document
from mlopsc.targets.grafana.decisions import DECISIONS as OWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Project

__all__ = ["DECISIONS", "emit", "name"]

name: Final = "grafana"
DECISIONS: Final = {**dashboards.DECISIONS, **OWN}


def emit(project: Project) -> Iterator[Draft]:
    """The dashboards of every environment, and how Grafana finds them."""
    for environment in project.environments:
        shown = []
        for model in environment.models:
            dashboard = dashboards.dashboard(project, environment, model)
            if dashboard is None:
                continue
            shown.append((model, dashboard))
            path = conventions.dashboard(environment.name, model.name)
            yield JsonDraft(
                path, model.origin, document.body(project, environment, model, dashboard)
            )
        if shown:
            yield from delivery.emit(project, environment, tuple(shown))
