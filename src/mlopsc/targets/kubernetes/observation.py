"""What the Prometheus Operator reads: a ServiceMonitor and the model's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.alerting import project_rule_groups, rule_groups
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes.place import SERVING, Fields, Place
from mlopsc.targets.kubernetes.serving import metrics_port_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body, Draft
    from mlopsc.project.model import Environment, Project, RuntimeMetrics

OPERATOR = "prometheus_operator"
MONITORING = "monitoring"


def emit(place: Place) -> Iterator[Draft]:
    """The operator's objects, if the platform has it."""
    if place.model.platform.metrics != OPERATOR:
        return
    serving = place.serving
    if serving is not None and serving.metrics is not None:
        body = _service_monitor(place, metrics_port_name(serving) or "", serving.metrics)
        yield place.draft("servicemonitor", serving.origin, body)
    groups = rule_groups(place.project, place.environment, place.model)
    if groups:
        metadata = place.metadata(place.name, MONITORING)
        yield place.draft("prometheusrule", place.model.origin, _rules(metadata, groups))


def of_environment(project: Project, environment: Environment) -> Iterator[Draft]:
    """The rules of no model: those under `alerts.rules`."""
    if environment.platform.metrics != OPERATOR:
        return
    groups = project_rule_groups(project, environment)
    if groups:
        name, whole = conventions.object_name(project.name, "alerts"), conventions.dns(project.name)
        labels = {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/component": MONITORING,
            "app.kubernetes.io/part-of": whole,
            "app.kubernetes.io/managed-by": "mlopsc",
        }
        metadata: Fields = {
            "name": traced(name, ("project",)),
            "namespace": traced(environment.namespace, environment.at("namespace")),
            "labels": traced(labels, decision("kubernetes_labels")),
        }
        path = f"{conventions.environment_manifests(environment.name)}/prometheusrule.yaml"
        yield YamlDraft(path, ("alerts", "rules"), _rules(metadata, groups))


def _rules(metadata: Fields, groups: list[Body]) -> Fields:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": {"groups": groups},
    }


def _service_monitor(place: Place, port: str, metrics: RuntimeMetrics) -> Fields:
    endpoint: Fields = {
        "port": port,
        "path": traced(metrics.path, metrics.origin),
        "interval": traced("30s", decision("kubernetes_scrape")),
        "scrapeTimeout": traced("10s", decision("kubernetes_scrape")),
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": place.metadata(place.name, SERVING),
        "spec": {
            "selector": traced(
                {"matchLabels": place.selector(SERVING)}, decision("kubernetes_selector")
            ),
            "endpoints": [endpoint],
        },
    }
