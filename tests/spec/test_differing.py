"""Where environments may differ, and that a file they share holds nothing that differs."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from composing import compiled, diagnostics, outputs, refused, said
from mlopsc.source.encoding import decode
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.differing import MAY_DIFFER
from mlopsc.spec.patterns import matches

if TYPE_CHECKING:
    from mlopsc.compiler import Compilation

ROOT = Path(__file__).resolve().parents[2]
CHURN = ROOT / "examples" / "churn" / "mlops.yaml"

DIFFERENCES: dict[str, Any] = {
    "storage": "gs://other/churn",
    "services.prometheus.url": "http://other:9090",
    "services.pushgateway.url": "http://other:9091",
    "services.mlflow.url": "https://other.example.com",
    "services.feast.registry": "gs://other/registry.db",
    "services.kafka.brokers": "other:9092",
    "sources.customers.bigquery": "acme-other.growth.customer_features",
    "sources.outcomes.bigquery": "acme-other.growth.churn_outcomes",
    "sources.churn_scores.bigquery": "acme-other.growth.churn_scores",
    "sources.customers.kafka.topic": "other_events",
    "sources.customers.freshness": "3d",
    "sources.outcomes.freshness": "3d",
    "sources.customers.rows.min": 3,
    "sources.customers.rows.max": 123456,
    "sources.outcomes.rows.min": 7,
    "models.churn.serving.replicas.min": 3,
    "models.churn.serving.resources.memory": "9Gi",
    "models.churn.serving.autoscale.cpu": "33%",
    "models.churn.serving.env": {"OTHER": "1"},
    "models.churn.serving.clients": ["other"],
    "models.churn.serving.slo.availability": "98%",
    "models.churn.serving.slo.latency": {"p95": "500ms"},
    "models.churn.serving.timeout": "7s",
    "models.churn.serving.load_time": "9m",
    "models.churn.batch.schedule": "0 7 * * *",
    "models.churn.batch.resources": {"cpu": 3, "memory": "7Gi"},
    "models.churn.monitoring.schedule": "12h",
    "models.churn.monitoring.performance.auc.min": 0.5,
    "models.churn.monitoring.performance.log_loss": {"max": 3},
    "models.churn.monitoring.business": {"other": {"query": "sum(other_total)", "min": 1}},
    "models.churn.monitoring.respond": {"drift": "alert", "performance": "alert"},
    "models.churn.monitoring.cooldown": "11d",
    "models.churn.monitoring.resources": {"cpu": 3, "memory": "7Gi"},
    "models.churn.monitoring.drift.share": {"max": "11%"},
    "alerts.routes.warning": "oncall",
    "alerts.rules.consumer_lag.max": 4321,
}
"""A value that an environment may have of its own, by the path it stands at."""

REFUSED: dict[str, Any] = {
    "description": "Other.",
    "registry": "registry.example.com/other",
    "timezone": "UTC",
    "platform.metrics": "prometheus",
    "images.train.python": "3.12",
    "sources.customers.parquet": "data/customers.parquet",
    "sources.customers.timestamp": "other",
    "sources.customers.columns.total_purchases.min": 1,
    "sources.customers.columns.other": "int64",
    "sources.customers.kafka.format": "json",
    "features.customer_features.ttl": "2d",
    "models.churn.features": ["customer_features"],
    "models.churn.training.seed": 1,
    "models.churn.evaluation.metrics.auc.min": 0.5,
    "models.churn.serving.port": 9090,
    "models.churn.serving.runtime": "bentoml",
    "models.churn.monitoring.window": "2d",
    "models.churn.monitoring.drift.threshold": 0.5,
    "models.churn.governance.approvals": 1,
    "ci.tags": {"default": ["other"]},
}
"""A value that has to be the same everywhere."""


def at(path: str, value: Any) -> Any:
    """`value` with the mappings of `path` around it."""
    for step in reversed(path.split(".")):
        value = {step: value}
    return value


@cache
def churn() -> str:
    return json.dumps(read_yaml(decode("mlops.yaml", CHURN.read_bytes())).data)


def spec(environment: str = "staging", overrides: Any = None) -> str:
    data = json.loads(churn())
    if overrides is not None:
        data["environments"][environment]["overrides"] = overrides
    return json.dumps(data)


@cache
def usual() -> dict[str, str]:
    return outputs(spec())


# --- the table --------------------------------------------------------------------------------


def test_every_row_of_the_table_is_tried() -> None:
    tried = [tuple(path.split(".")) for path in DIFFERENCES]
    kinds = {pattern for pattern in MAY_DIFFER if pattern[0] == "sources" and len(pattern) == 3}
    for pattern in MAY_DIFFER:
        if pattern not in kinds:  # one kind of source stands for all
            assert any(matches(pattern, path) for path in tried), pattern
    assert not any(
        matches(row, tuple(path.split(".")))
        for row in MAY_DIFFER
        for path in REFUSED
        if path != "sources.customers.parquet"
    )


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("path", DIFFERENCES)
def test_where_environments_may_differ(path: str, environment: str) -> None:
    found = diagnostics(spec(environment, at(path, DIFFERENCES[path])))
    assert not [one for one in found if one.code[0] in "SY"], said(
        spec(environment, at(path, DIFFERENCES[path]))
    )


def said_of(compilation: Compilation) -> set[tuple[str, str]]:
    return {(one.code, one.message) for one in compilation.diagnostics}


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("path", DIFFERENCES)
def test_rules_find_nothing_new_in_an_environment_that_differs(path: str, environment: str) -> None:
    """Each of the values is a good one, whether the other environment has it or not."""
    made = compiled(spec(environment, at(path, DIFFERENCES[path])))
    assert said_of(made) == said_of(compiled(spec()))


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("path", REFUSED)
def test_where_they_may_not(path: str, environment: str) -> None:
    found = diagnostics(spec(environment, at(path, REFUSED[path])))
    assert {one.code for one in found} == {"S011"}
    for one in found:
        assert one.source is not None
        assert '"overrides"' in one.source  # the override is to blame, in whichever environment


# --- what is shared -----------------------------------------------------------------------------

TELLS = re.compile(r"(?<![a-z])(staging|production)(?![a-z])")


def environment_of(path: str) -> str | None:
    """The environment a generated file is of; None: all share it."""
    found = TELLS.search(path)
    return found[1] if found else None


def changed(environment: str, path: str) -> set[str]:
    """The files that an override changes, makes or takes away."""
    made = outputs(spec(environment, at(path, DIFFERENCES[path])))
    before = usual()
    return {name for name in {*made, *before} if made.get(name) != before.get(name)}


@pytest.mark.parametrize("path", DIFFERENCES)
def test_an_override_changes_files_of_its_environment_alone(path: str) -> None:
    for environment, other in (("staging", "production"), ("production", "staging")):
        files = changed(environment, path)
        theirs = [name for name in files if environment_of(name) == other]
        # A suite that two environments no longer share becomes one of each.
        assert all(name.startswith("gx/") for name in theirs), theirs


# --- places -----------------------------------------------------------------------------------

SMALL = """\
apiVersion: mlopsc/v1
project: shop
variables: {path: a.parquet}
environments:
  dev: {}
  staging: {%s}
  production: {%s}
sources:
  orders: {parquet: "${var.path}", timestamp: at, columns: {id: string, total: {type: float64, min: 0}}}
"""
OVER = "overrides: {sources: {orders: {columns: {total: {min: 1}}}}}"


def test_the_finding_stands_at_the_override_and_says_what_it_overrides() -> None:
    assert said(SMALL % (OVER, "")) == (
        "error[S011]: `sources.orders.columns.total.min` is not the same in 'staging' as in"
        " 'production'\n"
        "  --> mlops.yaml:6:67\n"
        "   |\n"
        f" 6 |   staging: {{{OVER}}}\n"
        "   |                                                                   ^\n"
        "   = help: write one value for all: files that every environment shares are made from it\n"
        "   = note: this is an override of environment 'staging'\n"
        "   = note: it overrides what stands at mlops.yaml:9:101\n"
    )
    assert refused(SMALL % ("", OVER)) == ["S011 mlops.yaml:7:70 |1|"]
    assert "is not the same in 'dev' and 'staging' as in 'production'" in said(SMALL % ("", OVER))
    assert refused(SMALL % (OVER, OVER)) == ["S011 mlops.yaml:7:70 |1|"]  # the odd one is dev


def test_equal_overrides_everywhere_are_no_difference() -> None:
    text = (SMALL % (OVER, OVER)).replace("dev: {}", f"dev: {{{OVER}}}")
    assert said(text) == ""


def test_what_null_takes_away_differs_where_the_null_stands() -> None:
    over = "overrides: {sources: {orders: {columns: {id: null}}}}"
    assert refused(SMALL % (over, "")) == ["S011 mlops.yaml:6:58 |null|"]
    assert refused(SMALL % ("", over)) == ["S011 mlops.yaml:7:61 |null|"]


def test_a_variable_that_differs_is_named_where_it_is_used() -> None:
    text = (SMALL % ("variables: {path: b}", "")).replace(
        "timestamp: at", 'timestamp: "${var.path}"'
    )
    text = text.replace("variables: {path: a.parquet}", "variables: {path: a}")
    out = said(text)
    assert out.count("error[") == 1
    assert "error[S011]: `sources.orders.timestamp` is not the same in 'staging'" in out
    assert "`${var.path}` is filled in from at mlops.yaml:6:31" in out


def test_a_shorthand_is_the_mapping_it_stands_for() -> None:
    over = "overrides: {sources: {orders: {columns: {id: {type: string}}}}}"
    assert said(SMALL % (over, "")) == ""
    over = "overrides: {sources: {orders: {columns: {id: {unique: true}}}}}"
    assert refused(SMALL % (over, "")) == ["S011 mlops.yaml:6:67 |true|"]


def test_an_empty_chapter_is_no_difference() -> None:
    assert said(SMALL % ("overrides: {models: {}, alerts: {rules: {}}}", "")) == ""


def test_a_source_stays_of_one_kind() -> None:
    over = "overrides: {sources: {orders: {csv: a.csv}}}"
    assert {line[:4] for line in refused(SMALL % (over, ""))} == {"S011"}
    over = "overrides: {sources: {orders: {parquet: b.parquet}}}"
    assert said(SMALL % (over, "")) == ""


def test_only_makes_no_difference_in_what_is_shared() -> None:
    text = (
        SMALL % ("", "") + "  old: {csv: a.csv, timestamp: at, columns: {a: string}, only: [dev]}\n"
    )
    assert said(text) == ""
