"""How dashboards get into a Grafana: as ConfigMaps for its sidecar, or as files it is provisioned with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import Body, Draft, YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.grafana.names import datasource_name, datasource_uid
from mlopsc.targets.grafana.panels import PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.dashboards import Dashboard
    from mlopsc.project.model import Environment, Model, Project

Fields = dict[str, Body]
Shown: TypeAlias = "tuple[tuple[Model, Dashboard], ...]"

SCRAPE_INTERVAL: Final = "1m"
"""Prometheus' own default; where scrapes are more frequent, rates are only smoother.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/, scrape_interval.
"""
DASHBOARD_FOLDER: Final = "/var/lib/grafana/dashboards"


def emit(project: Project, environment: Environment, shown: Shown) -> Iterator[Draft]:
    """A kustomization of ConfigMaps, and the provisioning files."""
    folder = conventions.dashboards(environment.name)
    yield YamlDraft(
        f"{folder}/kustomization.yaml",
        environment.origin,
        _config_maps(project, environment, shown),
    )
    file = f"{project.name}-{environment.name}.yaml"  # unlike those of other projects beside it
    yield YamlDraft(
        f"{folder}/provisioning/dashboards/{file}",
        environment.origin,
        {"apiVersion": 1, "providers": [_provider(project, environment)]},
    )
    if environment.services.prometheus is not None:
        yield YamlDraft(
            f"{folder}/provisioning/datasources/{file}",
            environment.services.at("prometheus"),
            {"apiVersion": 1, "datasources": [_datasource(project, environment)]},
        )


def _config_maps(project: Project, environment: Environment, shown: Shown) -> Fields:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": traced(environment.namespace, environment.at("namespace")),
        "configMapGenerator": [_config_map(project, *each) for each in shown],
    }


def _config_map(project: Project, model: Model, dashboard: Dashboard) -> Body:
    """The sidecar writes all dashboards of a cluster into one folder, so the file's name is the uid."""
    labels: Fields = dict(conventions.kubernetes_labels(project.name, model.name, "monitoring"))
    labels["grafana_dashboard"] = traced("1", decision("grafana-sidecar"))
    options: Fields = {
        "disableNameSuffixHash": traced(True, decision("grafana-sidecar")),
        "labels": labels,
        "annotations": traced({"grafana_folder": project.name}, decision("grafana-folder")),
    }
    body: Fields = {
        "name": conventions.object_name(model.name, "dashboard"),
        "files": [f"{dashboard.uid}.json={model.name}.json"],
        "options": options,
    }
    return traced(body, model.origin)


def _provider(project: Project, environment: Environment) -> Body:
    path = f"{DASHBOARD_FOLDER}/{project.name}/{environment.name}"
    body: Fields = {
        "name": f"{project.name}-{environment.name}",
        "orgId": 1,
        "type": "file",
        "folder": traced(project.name, ("project",)),
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": path},
    }
    return traced(body, environment.origin, decision("grafana-provisioning"))


def _datasource(project: Project, environment: Environment) -> Body:
    url = (environment.services.prometheus or "").replace("$", "$$")  # else Grafana's own variable
    body: Fields = {
        "name": datasource_name(project, environment),
        "uid": datasource_uid(project, environment),
        "type": PROMETHEUS,
        "access": "proxy",
        "url": traced(url, environment.services.at("prometheus", "url")),
        "editable": False,
        "jsonData": {"httpMethod": "POST", "timeInterval": SCRAPE_INTERVAL},
    }
    return traced(body, environment.services.at("prometheus"), decision("grafana-prometheus"))
