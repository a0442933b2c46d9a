"""What the benchmarks compile: a spec of as many models as asked for, and a kustomization."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SPEC_HEAD = """\
apiVersion: mlopsc/v1
project: shop
description: Models of a shop, one for each question it asks.
owner: shop/ml
repository: gitlab.example.com/shop/models
registry: registry.example.com/shop/models

services:
  mlflow: {url: https://mlflow.example.com}
  pushgateway: {url: http://pushgateway.monitoring:9091}
  prometheus: {url: http://prometheus.monitoring:9090}
  alertmanager: {url: http://alertmanager.monitoring:9093}

secrets:
  oncall: {path: shop/pagerduty, key: routing_key}
  team: {path: shop/slack, key: webhook}
  trigger: {path: shop/gitlab, key: trigger_token}

alerts:
  channels:
    oncall: {pagerduty: {key: {secret: oncall}}}
    team: {slack: {channel: "#shop-ml", webhook: {secret: team}}}
  routes: {critical: oncall, warning: team}

ci:
  trigger: {secret: trigger}

images:
  train: {python: "3.11", requirements: requirements.txt}

environments:
  staging: {namespace: shop-staging, deploy: automatic}
  production:
    namespace: shop
    deploy: manual
    approvers: [shop/ml-leads]
"""

_SOURCE = """\
  orders_{n}:
    parquet: data/orders_{n}.parquet
    timestamp: ordered_at
    freshness: 2d
    rows: {{min: 100, unique: [customer_id, ordered_at]}}
    columns:
      customer_id: {{type: int64, key: customer}}
      country: {{type: string, one_of: [AT, CH, DE, FR, IT, NL]}}
      items: {{type: int64, min: 1, max: 100}}
      paid: {{type: float32, min: 0, max: 10000}}
      rebate: {{type: float32, min: 0, max: 1, nulls: 10%, severity: warning}}
      sent_back: {{type: bool, known_after: 14d}}
"""

_FEATURES = """\
  habits_{n}: {{source: orders_{n}, fields: [items, paid, rebate], ttl: 30d}}
"""

_MODEL = """\
  returns_{n}:
    task: classification
    target: orders_{n}:sent_back
    features: [habits_{n}, "orders_{n}:country"]
    prediction: returned
    training:
      command: python src/train.py
      image: train
      framework: sklearn
      window: 180d
      split: {{validation: 7d, test: 14d}}
      parameters: {{max_iter: 200, learning_rate: 0.1}}
      schedule: 7d
      resources: {{cpu: 2, memory: 4Gi}}
    evaluation:
      metrics: {{auc: {{min: 0.8, max_worse: 0.01}}}}
      slices: [country]
    serving:
      format: mlflow
      request: features
      replicas: {{min: 2, max: 6}}
      autoscale: {{cpu: 70%}}
      clients: [web]
      slo: {{availability: 99.5%, latency: {{p95: 250ms}}}}
    monitoring:
      schedule: 1d
      current: orders_{n}
      window: 30d
      drift: {{method: psi, threshold: 0.2, share: {{max: 30%}}}}
      performance: {{auc: {{min: 0.75, severity: critical}}}}
      respond: {{drift: retrain, performance: retrain}}
      cooldown: 7d
"""


def spec(models: int) -> str:
    """A spec of that many models in two environments, each with all chapters a model can have."""
    numbers = [f"{number:03}" for number in range(models)]
    chapters = {"sources": _SOURCE, "features": _FEATURES, "models": _MODEL}
    return _SPEC_HEAD + "".join(
        f"\n{name}:\n" + "".join(entry.format(n=number) for number in numbers)
        for name, entry in chapters.items()
    )


def write_project(folder: Path, models: int) -> None:
    """The same as a project: `mlops.yaml`, and a file for each model with its source and its view."""
    (folder / "models").mkdir(parents=True)
    (folder / "mlops.yaml").write_text(
        _SPEC_HEAD + "\ninclude: [models/*.yaml]\n", encoding="utf-8"
    )
    for model in range(models):
        write_model(folder, model)


def write_model(folder: Path, model: int, rebate: int = 1) -> None:
    """The file of one model; `rebate` is a number in it to change."""
    chapters = {"sources": _SOURCE, "features": _FEATURES, "models": _MODEL}
    text = "".join(f"{name}:\n{entry.format(n=f'{model:03}')}" for name, entry in chapters.items())
    changed = text.replace("max: 1, nulls", f"max: {rebate}, nulls")
    (folder / "models" / f"returns_{model:03}.yaml").write_text(changed, encoding="utf-8")


# --- the peer ----------------------------------------------------------------------------------

_BASE = {
    "deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: delay}
spec:
  replicas: 2
  selector: {matchLabels: {app: delay}}
  template:
    metadata: {labels: {app: delay}}
    spec:
      serviceAccountName: delay
      containers:
        - name: model
          image: registry.example.com/airlines/flights/delay:1
          ports: [{name: http, containerPort: 8080}]
          envFrom: [{configMapRef: {name: delay}}]
          readinessProbe: {httpGet: {path: /v2/health/ready, port: http}}
          resources: {requests: {cpu: "1", memory: 2Gi}, limits: {memory: 2Gi}}
""",
    "service.yaml": """\
apiVersion: v1
kind: Service
metadata: {name: delay}
spec:
  selector: {app: delay}
  ports: [{name: http, port: 80, targetPort: http}]
""",
    "horizontalpodautoscaler.yaml": """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: delay}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: delay}
  minReplicas: 2
  maxReplicas: 6
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
""",
    "configmap.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: delay}
data: {MLSERVER_HTTP_PORT: "8080", MLSERVER_METRICS_PORT: "8082"}
""",
    "serviceaccount.yaml": """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: delay}
automountServiceAccountToken: false
""",
}

_OVERLAY = {
    "kustomization.yaml": """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: flights
resources: [../../base]
patches: [{path: replicas.yaml}]
""",
    "replicas.yaml": """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: delay}
spec: {minReplicas: 3, maxReplicas: 20}
""",
}


def write_kustomization(folder: Path) -> Path:
    """A base of five objects and one overlay with one patch below `folder`; the overlay's folder."""
    base, overlay = folder / "base", folder / "overlays" / "production"
    base.mkdir(parents=True)
    overlay.mkdir(parents=True)
    for name, text in _BASE.items():
        (base / name).write_text(text, encoding="utf-8")
    (base / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [{', '.join(_BASE)}]\n",
        encoding="utf-8",
    )
    for name, text in _OVERLAY.items():
        (overlay / name).write_text(text, encoding="utf-8")
    return overlay
