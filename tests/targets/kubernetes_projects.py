"""Projects for the tests of what runs in containers, and their files as a folder."""

from __future__ import annotations

import shutil
import subprocess
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml

import tools
from mlopsc.artifacts.render import render
from mlopsc.project.resolve import resolve
from mlopsc.source.compose import compose
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.merging import MERGING
from mlopsc.spec.parse import parse_spec
from mlopsc.targets import docker, kubernetes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlopsc.artifacts.draft import Draft
    from mlopsc.project.model import Project

Object = dict[str, Any]

FULL: dict[str, Any] = yaml.safe_load(
    """
apiVersion: mlopsc/v1
project: churn
repository: gitlab.example.com/growth/churn
registry: registry.example.com/growth/churn
timezone: Europe/Berlin
platform: {orchestration: kubernetes, training: kubernetes, metrics: prometheus_operator}
services:
  mlflow: {url: https://mlflow.example.com}
  feast: {registry: "gs://acme/registry.db", online_store: redis, connection: {secret: redis}}
  prometheus: {url: "http://prometheus.monitoring:9090"}
  pushgateway: {url: "http://pushgateway.monitoring:9091"}
  postgres: {connection: {secret: warehouse}}
secrets:
  redis: {path: growth/redis, key: connection_string}
  warehouse: {path: growth/warehouse}
  api_key: {path: growth/api, key: key}
environments:
  staging: {namespace: churn-staging}
  production: {namespace: churn-prod, versions: {churn: "14"}}
images:
  train: {python: "3.12", requirements: requirements.txt, packages: [libgomp1]}
sources:
  customers:
    postgres: growth.customers
    timestamp: at
    build: {command: dbt build, image: "registry.example.com/dbt:1.9", schedule: 1h}
    columns:
      customer_id: {type: int64, key: customer}
      visits: float32
  outcomes:
    postgres: growth.outcomes
    timestamp: asked_at
    columns:
      customer_id: {type: int64, key: customer}
      tickets: int64
      churned: {type: bool, known_after: 30d}
  scores: {postgres: growth.scores}
features:
  customer_features: {source: customers, fields: [visits], ttl: 1d, materialize: 1h}
  ratios:
    python: src.features:ratios
    inputs: [customer_features:visits, outcomes:tickets]
    columns: {per_visit: float32}
models:
  churn:
    target: outcomes:churned
    features: [customer_features, ratios, outcomes:tickets]
    training:
      command: python src/train.py
      image: train
      framework: pytorch
      parameters: {learning_rate: 0.1}
      schedule: 7d
      resources: {cpu: 4, memory: 16Gi, gpu: 1}
      env: {API_KEY: {secret: api_key}}
    evaluation: {metrics: {auc: {min: 0.8}}}
    serving:
      replicas: {min: 2, max: 6}
      clients: [web]
      load_time: 195s
      timeout: 20s
      resources: {cpu: 1, memory: 2Gi}
      slo: {availability: 99.9%}
      env: {API_KEY: {secret: api_key}, GREETING: "costs $(TOO) much"}
    batch: {from: outcomes, to: scores, schedule: "0 5 * * *"}
    monitoring: {schedule: 1h, current: outcomes, performance: {auc: {min: 0.8}}}
  small_one:
    target: outcomes:churned
    features: [customer_features]
    training: {command: python src/train.py, image: train}
    evaluation: {metrics: {auc: {min: 0.8}}}
    monitoring: {schedule: 1d, current: outcomes}
    serving: {replicas: {min: 1}}
alerts:
  rules: {lag: {query: max(lag), max: 10}}
"""
)


def spec(**changes: Any) -> dict[str, Any]:
    """`FULL` with the values at dotted paths replaced (`models__churn__serving__replicas=…`).

    None takes a key out.
    """
    made = deepcopy(FULL)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = made
        for step in parents:
            node = node[step]
        if value is None:
            node.pop(last, None)
        else:
            node[last] = value
    return made


def project(**changes: Any) -> Project:
    """The project of `spec`."""
    text = yaml.safe_dump(spec(**changes), sort_keys=False)
    return resolve(compose(read_yaml(Source("mlops.yaml", text)), MERGING).map(parse_spec))


def drafts(made: Project) -> list[Draft]:
    """What both targets hand over."""
    return [*kubernetes.emit(made), *docker.emit(made)]


def objects(made: Project, environment: str = "production") -> list[Object]:
    """The Kubernetes objects of one environment, kustomizations left out."""
    found = []
    for draft in kubernetes.emit(made):
        if draft.path.startswith(f"k8s/{environment}/") and "kustomization" not in draft.path:
            found.append(yaml.safe_load(render(draft, kubernetes.name).text))
    return found


def one(found: list[Object], kind: str, name: str) -> Object:
    """The object of this kind and name."""
    (it,) = [o for o in found if o["kind"] == kind and o["metadata"]["name"] == name]
    return it


def pod_specs(found: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod template of everything that makes pods."""
    for each in found:
        if each["kind"] == "Deployment":
            yield each["metadata"]["name"], each["spec"]["template"]
        if each["kind"] == "CronJob":
            yield each["metadata"]["name"], each["spec"]["jobTemplate"]["spec"]["template"]


def containers_of(template: Object) -> list[Object]:
    """All containers of a pod template."""
    inside = template["spec"]
    return [*inside.get("initContainers", []), *inside["containers"]]


def write(made: Project, folder: Path) -> list[str]:
    """Write the project's files, and those other targets would write that a kustomization names."""
    paths = []
    for draft in drafts(made):
        file = folder / draft.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(draft, "test").text, "utf-8")
        paths.append(draft.path)
    for path in paths:
        if path.endswith("kustomization.yaml"):
            _fill(folder / path)
    return paths


def _fill(kustomization: Path) -> None:
    for generator in yaml.safe_load(kustomization.read_text()).get("configMapGenerator", []):
        for entry in generator["files"]:
            file = kustomization.parent / entry.rpartition("=")[2]
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                continue
            program = tools.ROOT / "templates" / "programs" / file.name
            if program.exists():
                shutil.copy(program, file)
            else:
                file.write_text("{}\n")


def build(folder: Path) -> list[Object]:
    """What `kubectl kustomize` makes of a folder, with no flags."""
    kubectl = tools.need("kubectl")
    result = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return list(yaml.safe_load_all(result.stdout))
