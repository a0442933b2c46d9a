"""Projects of several files, and what a compile of them leaves for the next one."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from mlopsc.compiler import Compilation, compile_spec
from mlopsc.incremental.names import names_of
from mlopsc.incremental.recompile import Before
from mlopsc.source.encoding import decode
from mlopsc.source.files import NO_FILES, Inputs
from mlopsc.spec.merging import MERGING
from mlopsc.targets.gitlab.apart import needed

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "mlops.yaml"

HEAD = """\
apiVersion: mlopsc/v1
project: shop
owner: shop/ml
repository: gitlab.example.com/shop/models
registry: registry.example.com/shop/models
include: [shared.yaml, "models/*.yaml"]
variables: {bucket: data, low: 2}
services:
  mlflow: {url: https://mlflow.example.com}
  pushgateway: {url: http://pushgateway.monitoring:9091}
  prometheus: {url: http://prometheus.monitoring:9090}
  alertmanager: {url: http://alertmanager.monitoring:9093}
secrets:
  oncall: {path: shop/pagerduty, key: routing_key}
  trigger: {path: shop/gitlab, key: trigger_token}
alerts:
  channels: {oncall: {pagerduty: {key: {secret: oncall}}}}
  routes: {critical: oncall}
ci: {trigger: {secret: trigger}}
images: {train: {python: "3.11", requirements: requirements.txt}}
defaults:
  models: {serving: {resources: {cpu: 1, memory: 2Gi}}}
environments:
  staging: {namespace: shop-staging, deploy: automatic}
  production:
    namespace: shop
    versions: {returns: "3", refunds: "1"}
    overrides:
      models: {refunds: {serving: {replicas: {min: 3, max: 9}}}}
"""
SHARED = """\
sources:
  customers:
    parquet: data/customers.parquet
    timestamp: seen_at
    freshness: 2d
    columns:
      customer_id: {type: int64, key: customer}
      visits: {type: int64, min: 0, max: 500}
      spent: {type: float32, min: 0}
features:
  habits: {source: customers, fields: [visits, spent], ttl: 30d}
"""
MODEL = """\
sources:
  NAME_orders:
    parquet: ${var.bucket}/NAME.parquet
    timestamp: ordered_at
    freshness: 2d
    rows: {min: 100, unique: [customer_id, ordered_at]}
    columns:
      customer_id: {type: int64, key: customer}
      country: {type: string, one_of: [AT, CH, DE]}
      paid: {type: float32, min: 0, max: 10000}
      sent_back: {type: bool, known_after: 14d}
models:
  NAME:
    task: classification
    target: NAME_orders:sent_back
    features: [habits, "NAME_orders:country", "NAME_orders:paid"]
    prediction: returned
    training:
      command: python src/train.py --model ${model}
      image: train
      framework: sklearn
      window: 180d
      split: {validation: 7d, test: 14d}
      parameters: {max_iter: 200, learning_rate: 0.1}
      schedule: 7d
      resources: {cpu: 2, memory: 4Gi}
    evaluation:
      metrics: {auc: {min: 0.8, max_worse: 0.01}}
      slices: [country]
    serving:
      replicas: {min: "${var.low}", max: 6}
      autoscale: {cpu: 70%}
      slo: {availability: 99.5%, latency: {p95: 250ms}}
    monitoring:
      schedule: 1d
      current: NAME_orders
      window: 30d
      drift: {method: psi, threshold: 0.2, share: {max: 30%}}
      performance: {auc: {min: 0.75, severity: critical}}
      respond: {drift: retrain, performance: retrain}
      cooldown: 7d
"""


def project(*models: str) -> dict[str, bytes]:
    """A project of that many models, each in a file of its own, beside a file they share."""
    files = {ROOT: HEAD, "shared.yaml": SHARED}
    files |= {f"models/{name}.yaml": MODEL.replace("NAME", name) for name in models}
    return {name: text.encode() for name, text in files.items()}


class Memory:
    """Files that are nowhere but here."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, name: str) -> bytes:
        return self._files[name] if name in self._files else NO_FILES.read(name)

    def find(self, pattern: str) -> tuple[str, ...]:
        folder = pattern.removesuffix("*.yaml")
        return tuple(sorted(name for name in self._files if folder and name.startswith(folder)))


def compiled(files: Mapping[str, bytes]) -> Compilation:
    """A clean compile."""
    inputs = Inputs(Memory(files))
    return compile_spec(decode(ROOT, inputs.read(ROOT)), inputs)


def digests(compilation: Compilation) -> dict[str, str]:
    """Path → SHA-256 of every file."""
    return {
        artifact.path: sha256(artifact.text.encode()).hexdigest()
        for artifact in compilation.artifacts()
    }


def written(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Path → content of every file, as a work tree holds them."""
    return {each.path: each.text.encode() for each in compiled(files).artifacts()}


def remembered(files: Mapping[str, bytes]) -> Before:
    """What a clean compile leaves for the next one."""
    made = compiled(files)
    return Before(
        root=ROOT,
        contents=made.inputs.read_so_far,
        patterns=made.inputs.patterns,
        names=names_of(made.document.base, MERGING),
        digests=digests(made),
        diagnostics=made.diagnostics,
        crowded=needed(made.project),
    )
