"""Projects that are watched, from the text of a spec; and promtool over what they compile to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

import tools
from mlopsc.artifacts.draft import Draft, Traced
from mlopsc.artifacts.render import render
from mlopsc.project.resolve import resolve
from mlopsc.source.compose import compose
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.merging import MERGING
from mlopsc.spec.parse import parse_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlopsc.project.model import Project

SPEC = """
apiVersion: mlopsc/v1
project: churn
repository: gitlab.example.com/growth/churn
registry: registry.example.com/growth/churn
services:
  pushgateway: {url: "http://pushgateway.monitoring:9091"}
secrets:
  pagerduty: {path: growth/pagerduty, key: routing_key}
  slack: {path: growth/slack, key: webhook}
  trigger: {path: growth/gitlab, key: token}
environments:
  staging: {namespace: churn-staging}
  production: {namespace: churn, versions: {churn: "14"}}
sources:
  outcomes:
    parquet: data/outcomes.parquet
    timestamp: asked_at
    columns:
      customer_id: {type: int64, key: customer}
      open_tickets: int64
      churned: {type: bool, known_after: 30d}
models:
  churn:
    target: outcomes:churned
    features: [outcomes:open_tickets]
    training: {command: python src/train.py}
    evaluation: {metrics: {auc: {min: 0.8}}}
    serving:
      slo: {availability: 99.9%, latency: {p95: 250ms}, window: 7d}
    monitoring:
      schedule: 1h
      current: outcomes
      drift: {share: {max: 30%, for: 10m}}
      performance: {auc: {min: 0.8, severity: critical}, calibration: {min: -0.5, max: 0.5}}
      business: {revenue: {query: "sum(revenue_total) # in euro", min: 10000, max: 1e7, for: 5m}}
      respond: {drift: retrain, performance: retrain}
      cooldown: 7d
alerts:
  channels:
    oncall: {pagerduty: {key: {secret: pagerduty}}}
    team: {slack: {channel: "#growth", webhook: {secret: slack}}}
  routes: {critical: oncall, warning: team}
  rules:
    consumer_lag: {query: max(kafka_consumergroup_lag), max: 10000, for: 10m}
ci: {trigger: {secret: trigger}}
"""


def project(spec: str = SPEC, *changes: tuple[str, str]) -> Project:
    """The project of `spec`, after replacing each `(old, new)`."""
    for old, new in changes:
        assert old in spec, old
        spec = spec.replace(old, new)
    document = read_yaml(Source("mlops.yaml", spec))
    return resolve(compose(document, MERGING).map(parse_spec))


def files(drafts: Iterable[Draft]) -> dict[str, str]:
    """Path → text of the drafts."""
    return {draft.path: render(draft, "target").text for draft in drafts}


def plain(body: Any) -> Any:
    """A draft's body without its causes."""
    if isinstance(body, Traced):
        return plain(body.body)
    if isinstance(body, dict):
        return {key: plain(value) for key, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [plain(item) for item in body]
    return body


def write(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")


def dump(path: Path, data: object) -> None:
    """Write `data` as JSON, which is YAML and a hundred times quicker to write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")


def check_rules(folder: Path) -> str:
    """What `promtool check rules` says of all rule files below a folder; empty when content."""
    paths = sorted(p for p in folder.rglob("*.rules.yml"))
    command = [tools.need("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def failed_tests(tests: Sequence[Path], report: Path) -> dict[Path, str]:
    """Run all test files in one promtool; the failing ones with what they say."""
    command = [tools.need("promtool"), "test", "rules", f"--junit={report}", *tests]
    subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    failed = {}
    for suite in Xml.parse(report).getroot().iter("testsuite"):  # written by promtool itself
        problems = [*suite.iter("failure"), *suite.iter("error")]
        if problems:
            failed[Path(suite.get("name", ""))] = "\n".join(p.text or "" for p in problems)
    return failed
