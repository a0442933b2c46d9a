"""When a pod has started, when it may be asked, when it is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import traced
from mlopsc.project.conventions import decision
from mlopsc.project.runtimes import RUNTIMES, Health

if TYPE_CHECKING:
    from mlopsc.project.model import Seconds, Serving
    from mlopsc.targets.kubernetes.place import Fields

PERIOD: Seconds = 10
READY_PERIOD: Seconds = 5
HTTP = "http"


def of(serving: Serving, model: str) -> Fields:
    """Startup, readiness and liveness of the runtime, each for its own question."""
    runtime = RUNTIMES.get(serving.runtime)
    health = runtime.health if runtime is not None else None
    attempts = -(-serving.load_time // PERIOD)
    start: Fields = _ask(health.startup if health else None, model) | {
        "periodSeconds": PERIOD,
        "timeoutSeconds": 5,
        "failureThreshold": traced(attempts, serving.at("load_time")),
    }
    ready: Fields = _ask(health.readiness if health else None, model) | {
        "periodSeconds": READY_PERIOD,
        "timeoutSeconds": 3,
        "failureThreshold": 3,
    }
    alive: Fields = _ask(health.liveness if health else None, model) | {
        "periodSeconds": PERIOD,
        "timeoutSeconds": 5,
        "failureThreshold": 6,
    }
    origins = (serving.at("runtime"), decision(_reason(health)))
    return {
        "startupProbe": traced(start, *origins),
        "readinessProbe": traced(ready, *origins),
        "livenessProbe": traced(alive, *origins),
    }


def _reason(health: Health | None) -> str:
    return "kubernetes_probes" if health is not None else "kubernetes_custom_probes"


def _ask(path: str | None, model: str) -> Fields:
    if path is None:
        return {"tcpSocket": {"port": HTTP}}
    return {"httpGet": {"path": path.replace("{model}", model), "port": HTTP}}
