"""Specs compiled by one target, without the rest of the compiler; and pipelines listed for a source."""

from __future__ import annotations

import csv
import io
import re
import shutil
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
from readers.commands import run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from mlopsc.artifacts.draft import Artifact
    from mlopsc.project.model import Project

SMALL = """\
apiVersion: mlopsc/v1
project: flights
sources:
  flights:
    parquet: data/flights.parquet
    timestamp: time_hour
    columns:
      carrier: string
      distance: {type: float32, min: 0}
      arr_delay: {type: float32, nulls: 5%, known_after: 1d}
models:
  delay:
    task: regression
    target: flights:arr_delay
    features: [flights:carrier, flights:distance]
    training: {command: python src/train.py}
    evaluation: {metrics: {mae: {max: 30}}}
"""

FULL = """\
apiVersion: mlopsc/v1
project: shop
owner: growth/ml
registry: registry.example.com/growth/shop
storage: gs://acme/shop
timezone: Europe/Berlin
platform: {metrics: prometheus_operator}
services:
  mlflow: {url: https://mlflow.example.com}
  feast: {registry: gs://acme/feast.db, online_store: redis, connection: {secret: redis}}
  pushgateway: {url: http://pushgateway.monitoring:9091}
  prometheus: {url: http://prometheus.monitoring:9090}
secrets:
  redis: {path: growth/redis, key: url}
  slack: {path: growth/slack, key: webhook}
  trigger: {path: growth/gitlab, key: token}
environments:
  staging: {namespace: shop-staging, deploy: automatic, versions: {churn: "15", light: "2"}}
  production:
    namespace: shop
    deploy: manual
    approvers: [growth/ml-leads]
    url: https://api.example.com
    versions: {churn: "14"}
images:
  train: {python: "3.11", requirements: requirements.txt}
sources:
  customers:
    bigquery: acme.growth.customers
    build: {command: dbt build --select customers, image: train, schedule: 1h}
    owner: data/platform
    timestamp: event_timestamp
    columns:
      customer_id: {type: int64, key: customer}
      purchases: {type: float32, min: 0}
  outcomes:
    bigquery: acme.growth.outcomes
    timestamp: asked_at
    columns:
      customer_id: {type: int64, key: customer}
      tickets: int64
      churned: {type: bool, known_after: 30d}
  scores: {bigquery: acme.growth.scores}
features:
  customer: {source: customers, fields: [purchases], ttl: 1d, materialize: 1h}
  ratios:
    python: src.features:ratios
    inputs: [customer:purchases, outcomes:tickets]
    columns: {ratio: float32}
models:
  churn:
    target: outcomes:churned
    features: [customer, ratios, outcomes:tickets]
    prediction: probability
    training:
      command: python src/churn/train.py
      image: train
      timeout: 90m
      parameters: {epochs: 100}
      schedule: "0 3 * * 1"
      resources: {cpu: 4, memory: 16Gi, gpu: 1, limits: {cpu: 8}}
      env: {THREADS: "4", PRICE: "5$"}
    evaluation: {metrics: {auc: {min: 0.85}}}
    serving: {format: mlflow, runtime: mlserver, replicas: {min: 2, max: 4}}
    batch: {from: customers, to: scores, schedule: "0 5 * * *"}
    monitoring:
      schedule: 1h
      current: scores
      drift: {method: psi, threshold: 0.2, share: {max: 30%}}
      respond: {drift: retrain}
      cooldown: 7d
    governance: {approvals: 2}
  light:
    target: outcomes:churned
    features: [customer]
    artifact: gs://acme-models/light
    serving: {format: sklearn, runtime: mlserver}
alerts:
  channels: {team: {slack: {channel: "#ml", webhook: {secret: slack}}}}
  routes: {critical: team, warning: team}
  rules: {lag: {query: max(lag), max: 10000, for: 10m, severity: warning}}
ci:
  tags: {default: [docker], gpu: [gpu]}
  trigger: {secret: trigger}
"""


def in_kubernetes(spec: str = FULL) -> str:
    """The same system with training and schedules in the cluster."""
    words = "platform: {training: kubernetes, orchestration: kubernetes, metrics"
    return spec.replace("platform: {metrics", words)


def many(models: int, spec: str = FULL) -> str:
    """The same system with that many more models like `churn`, each with data of its own."""
    first, churn, rest = re.split(r"(?m)(^  churn:\n(?:    .*\n)+)", spec, maxsplit=1)
    outcomes = re.search(r"(?m)^  outcomes:\n(?:    .*\n)+", first)
    assert outcomes
    numbers = [f"{number:03}" for number in range(models)]
    sources = [
        outcomes[0]
        .replace("  outcomes:", f"  outcomes_{number}:")
        .replace("bigquery: acme.growth.outcomes", f"parquet: data/{number}.parquet")
        for number in numbers
    ]
    copies = [
        churn.replace("  churn:", f"  churn_{number}:")
        .replace("outcomes:", f"outcomes_{number}:")
        .replace("[customer, ratios, ", "[customer, ")
        .replace("src/churn/", f"src/churn_{number}/")
        for number in numbers
    ]
    return (
        first.replace(outcomes[0], outcomes[0] + "".join(sources)) + churn + "".join(copies) + rest
    )


def project_of(spec: str) -> Project:
    """The project a spec means."""
    return resolve(compose(read_yaml(Source("mlops.yaml", spec)), MERGING).map(parse_spec))


def artifacts_of(target: ModuleType, spec: str) -> dict[str, Artifact]:
    """The files of one target, by path."""
    project = project_of(spec)
    return {draft.path: render(draft, target.name) for draft in target.emit(project)}


def written(target: ModuleType, spec: str, folder: Path) -> list[str]:
    """The same on the disk; returns the paths."""
    files = artifacts_of(target, spec)
    for path, artifact in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(artifact.text, "utf-8")
    return sorted(files)


def pipeline_of(files: Mapping[str, Artifact]) -> dict[str, Any]:
    """The root file with its parts, as GitLab puts them together."""
    root = yaml.safe_load(files[".gitlab-ci.yml"].text)
    for part in root.pop("include", ()):
        path = part.get("local", "").lstrip("/") if isinstance(part, dict) else ""
        if path in files:  # others are the user's own
            root.update(yaml.safe_load(files[path].text))
    return root


KEYWORDS = {"stages", "workflow", "default", "include", "variables"}


def jobs_of(pipeline: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The jobs with what they extend filled in; hidden ones left out."""
    return {
        name: _extended(pipeline, job)
        for name, job in pipeline.items()
        if name not in KEYWORDS and not name.startswith(".")
    }


def _extended(pipeline: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    parents = job.get("extends", [])
    result: dict[str, Any] = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        _merge(result, _extended(pipeline, pipeline[parent]))
    _merge(result, {key: value for key, value in job.items() if key != "extends"})
    return result


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = dict(into[key])
            _merge(into[key], value)
        else:
            into[key] = value


_PREDEFINED = "CI_PIPELINE_SOURCE,CI_COMMIT_BRANCH,CI_DEFAULT_BRANCH,CI_MERGE_REQUEST_ID"


class Repository:
    """A clone with everything committed and pushed; each listing adds its own change on top."""

    def __init__(self, folder: Path, paths: list[str]) -> None:
        """Commit *paths*, which are in *folder* already."""
        assert paths
        self.folder = folder
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("config", "user.name", "Test")
        self._git("config", "user.email", "test@example.com")
        self._git("remote", "add", "origin", "git@gitlab.example.com:growth/shop.git")
        self._git("add", "--force", ".")
        self._git("commit", "--quiet", "--message", "before")
        self._git("update-ref", "refs/remotes/origin/main", "HEAD")
        self._git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
        self._git("tag", "before")

    def _git(self, *arguments: str) -> None:
        git = shutil.which("git")
        assert git
        result = run(git, *arguments, cwd=self.folder)
        assert result.returncode == 0, result.stderr

    def started(
        self, variables: Mapping[str, str], changed: tuple[str, ...] = ()
    ) -> dict[str, str]:
        """The jobs a pipeline has: name → `when`."""
        self.change(changed)
        return self.listed(variables)

    def change(self, changed: tuple[str, ...]) -> None:
        """One commit on top of everything that was there before: these files and no other."""
        self._git("reset", "--quiet", "--hard", "before")
        for path in changed:
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.read_text("utf-8") if file.exists() else ""
            file.write_text(before + "\n# changed\n", "utf-8")
        self._git("add", "--force", ".")
        self._git("commit", "--quiet", "--allow-empty", "--message", "after")

    def listed(self, variables: Mapping[str, str], file: str = ".gitlab-ci.yml") -> dict[str, str]:
        """The jobs that the pipeline of a file has for the last commit: name → `when`."""
        result = self.run_locally(variables, "--list-csv-all", f"--file={file}")
        assert result.returncode == 0, result.stdout + result.stderr
        rows = csv.DictReader(io.StringIO(result.stdout), delimiter=";")
        return {row["name"]: row["when"] for row in rows if row["when"] != "never"}

    def run_locally(
        self, variables: Mapping[str, str], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """gitlab-ci-local on the last commit."""
        options = [f"--variable={key}={value}" for key, value in variables.items()]
        return run(
            tools.need("gitlab-ci-local"), f"--home={self.folder.parent}",
            f"--ignore-predefined-vars={_PREDEFINED}", *options, *arguments, cwd=self.folder,
        )  # fmt: skip
