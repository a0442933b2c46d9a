"""A dashboard as the JSON that Grafana reads: its classic model, schema version 42.

Source: the types of npm @grafana/schema 13.2 (Dashboard, Panel, RowPanel, VariableModel,
DashboardLink, and the panels' own Options and FieldConfig).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project.conventions import decision
from mlopsc.targets.grafana.names import datasource_name, datasource_uid
from mlopsc.targets.grafana.panels import DATASOURCE, PROMETHEUS, panels

if TYPE_CHECKING:
    from mlopsc.project.dashboards import Dashboard
    from mlopsc.project.dashboards.panels import Link
    from mlopsc.project.model import Environment, Model, Project

SCHEMA_VERSION: Final = 42
_SHARED_CROSSHAIR: Final = 1


def body(project: Project, environment: Environment, model: Model, shown: Dashboard) -> Body:
    """The whole file."""
    model_said = model.at("description") if model.description else model.origin
    return {
        "uid": traced(shown.uid, ("project",), environment.origin, model.origin),
        "title": traced(shown.title, ("project",), environment.origin, model.origin),
        "description": traced(shown.description, model_said),
        "tags": traced(list(shown.tags), ("project",), environment.origin, model.origin),
        "schemaVersion": traced(SCHEMA_VERSION, decision("grafana-model")),
        "editable": traced(False, decision("grafana-read-only")),
        "graphTooltip": _SHARED_CROSSHAIR,
        "time": traced({"from": "now-7d", "to": "now"}, decision("grafana-range")),
        "refresh": traced("1m", decision("grafana-range")),
        "timezone": "browser",
        "links": traced(_links(project, shown), decision("grafana-links")),
        "annotations": {"list": []},
        "templating": {"list": [_datasource(project, environment)]},
        "panels": panels(shown),
    }


def _datasource(project: Project, environment: Environment) -> Body:
    """The variable `datasource`; what is provisioned beside the dashboard is what it begins with."""
    variable: dict[str, Body] = {
        "name": DATASOURCE,
        "label": "Prometheus",
        "type": "datasource",
        "query": PROMETHEUS,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "options": [],
        "refresh": 1,  # when the dashboard is opened
        "hide": 0,
    }
    if environment.services.prometheus is not None:
        current: Body = {
            "text": datasource_name(project, environment),
            "value": datasource_uid(project, environment),
        }
        variable["current"] = traced(current, environment.services.at("prometheus", "url"))
    return traced(variable, decision("grafana-datasource"))


def _links(project: Project, shown: Dashboard) -> list[Body]:
    common: dict[str, Body] = {"includeVars": False, "keepTime": False, "tooltip": ""}
    others: Body = {
        "type": "dashboards",
        "title": f"Dashboards of {project.name}",
        "icon": "external link",
        "tags": ["mlopsc", project.name],
        "asDropdown": True,
        "targetBlank": False,
        **common,
        "keepTime": True,
    }
    return [traced(others, ("project",)), *(_link(link, common) for link in shown.links)]


def _link(link: Link, common: dict[str, Body]) -> Body:
    there: Body = {
        "type": "link",
        "title": link.title,
        "url": link.url,
        "icon": "doc" if link.title.startswith("Runbook") else "external link",
        "tags": [],
        "asDropdown": False,
        "targetBlank": True,
        **common,
    }
    return traced(there, link.origin)
