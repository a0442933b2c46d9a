"""How many pods, where, and how many may be missing: autoscaler, disruption budget, spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, Draft, traced
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes.place import SERVING, Fields, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Serving, Share

HPA = "hpa"
CONTAINER = "model"


def is_autoscaled(serving: Serving) -> bool:
    """Whether an autoscaler sets the number of pods, and so nothing else may."""
    return serving.replicas.maximum > serving.replicas.minimum


def emit(place: Place) -> Iterator[Draft]:
    """The autoscaler and the disruption budget, where each makes sense."""
    serving = place.serving
    if serving is None:
        return
    if is_autoscaled(serving) and place.model.platform.autoscaling == HPA:
        yield place.draft("horizontalpodautoscaler", serving.replicas.origin, _hpa(place, serving))
    if serving.replicas.minimum > 1:
        yield place.draft("poddisruptionbudget", serving.replicas.origin, _budget(place, serving))


def spread(place: Place, serving: Serving) -> Fields:
    """Pods apart from each other, if there can be more than one."""
    if serving.replicas.maximum == 1:
        return {}
    keys = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    constraints: list[Body] = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": place.selector(SERVING)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in keys
    ]
    return {"topologySpreadConstraints": traced(constraints, decision("kubernetes_spread"))}


def _hpa(place: Place, serving: Serving) -> Fields:
    replicas, autoscale = serving.replicas, serving.autoscale
    metrics = [
        _utilization(resource, share, autoscale.at(resource))
        for resource, share in (("cpu", autoscale.cpu), ("memory", autoscale.memory))
        if share is not None
    ]
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": place.metadata(place.name, SERVING),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": place.name},
            "minReplicas": traced(replicas.minimum, replicas.at("min")),
            "maxReplicas": traced(replicas.maximum, replicas.at("max")),
            "metrics": metrics,
            "behavior": traced(_behavior(), decision("kubernetes_scaling")),
        },
    }


def _utilization(resource: str, share: Share, origin: Path) -> Body:
    target: Fields = {
        "type": "Utilization",
        "averageUtilization": traced(round(share * 100), origin),
    }
    metric: Fields = {"name": resource, "container": CONTAINER, "target": target}
    body: Fields = {"type": "ContainerResource", "containerResource": metric}
    return traced(body, decision("kubernetes_container_metric"))


def _behavior() -> Fields:
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 60},
                {"type": "Pods", "value": 2, "periodSeconds": 60},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 25, "periodSeconds": 60},
                {"type": "Pods", "value": 1, "periodSeconds": 60},
            ],
        },
    }


def _budget(place: Place, serving: Serving) -> Fields:
    spec: Fields = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": place.selector(SERVING)},
    }
    origins = (serving.replicas.at("min"), decision("kubernetes_budget"))
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": place.metadata(place.name, SERVING),
        "spec": traced(spec, *origins),
    }
