"""What rules and dashboards read is emitted: refused where it is not, and never refused where it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mlopsc.project import emitted, metric_contract
from mlopsc.project.alerting import project_rule_set, rule_set
from mlopsc.project.alerting.reading import braced, selected, selectors
from mlopsc.project.dashboards import dashboard
from mlopsc.project.emitted import PUSHED, REPORTED, Series, checked_sources
from mlopsc.project.metric_contract import own_queries, unmet
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.rules import RULES
from targets.alerting_projects import SPEC, project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.diagnostics.finding import Finding
    from mlopsc.project.model import Environment, Model, Project

ROOT = Path(__file__).resolve().parent.parent
NETWORK = ROOT / "templates" / "programs" / "network.py"
EXAMPLES = sorted(ROOT.glob("examples/*/mlops.yaml"))
DASHBOARDS = ("registry: registry", "platform: {dashboards: grafana}\nregistry: registry")
LAG = "query: max(kafka_consumergroup_lag)"


def found(of: Project, code: str = "R801") -> list[Finding]:
    return [finding for rule in RULES if rule.code == code for finding in rule.findings(of)]


def asking(query: str, *changes: tuple[str, str]) -> Project:
    """The project of SPEC, whose own rule asks `query`."""
    quoted = "'" + query.replace("'", "''") + "'"
    return project(SPEC, (LAG, f"query: {quoted}"), *changes)


# --- what is refused -----------------------------------------------------------------------------

NOT_WATCHED = ((SPEC[SPEC.index("    monitoring:") : SPEC.index("alerts:")], ""),)
NO_PERFORMANCE = (
    ("performance: {auc: {min: 0.8, severity: critical}, calibration: {min: -0.5, max: 0.5}}", ""),
    ("respond: {drift: retrain, performance: retrain}", "respond: {drift: retrain}"),
)


@pytest.mark.parametrize(
    ("query", "changes", "why", "instead"),
    [
        ("mlops_drift_shar", (), "nothing emits 'mlops_drift_shar'", "did you mean 'mlops_drift_share'?"),
        ("max(mlops_drift_score)", (), "nothing emits 'mlops_drift_score'", "did you mean "),
        ("mlops_drift_share > 0.1", NOT_WATCHED, "nothing in this project emits 'mlops_drift_share'", "it takes `monitoring` in a model"),
        ("max by (column) (mlops_column_drift_score)", NOT_WATCHED, "emits 'mlops_column_drift_score'", "it takes `monitoring` in a model"),
        ("mlops_model_metric", NO_PERFORMANCE, "emits 'mlops_model_metric'", "it takes `performance"),
        ('mlops_model_metric{metric="acu"}', (), "has metric=\"acu\"", "did you mean 'auc'?"),
        ('mlops_model_metric{metric="f1"}', (), "has metric=\"f1\"", "there are: auc, calibration"),
        ('mlops_drift_share{model="chrun"}', (), "has model=\"chrun\"", "did you mean 'churn'?"),
        ('mlops_drift_share{environment="prod"}', (), "has environment=\"prod\"", "there are: staging, production"),
        ('mlops_drift_share{project="x"}', (), "has project=\"x\"", "there are: churn"),
        ('mlops_drift_share{job="mlops_validate"}', (), "has job=\"mlops_validate\"", "there are: mlops_monitor"),
        ('mlops_column_drift_score{column="open_ticket"}', (), "column=\"open_ticket\"", "did you mean 'open_tickets'?"),
        ('mlops_column_drift_score{column=~"x.*"}', (), "has column=~\"x.*\"", "there are: open_tickets"),
        ('mlops_data_check_success{source="outcome"}', (), "has source=\"outcome\"", "did you mean 'outcomes'?"),
        # Checked where the model trains, and it trains in production.
        ('mlops_data_check_success{environment="staging"}', (), "environment=\"staging\"", "there are: production"),
        ('{__name__="mlops_drift_shar"}', (), "nothing emits 'mlops_drift_shar'", "did you mean"),
        ("up and on() mlops_gone", (), "nothing emits 'mlops_gone'", ""),
        ("mlops_gate_metric", (), "emits 'mlops_gate_metric'", "for the merge request's metrics report alone"),
        ("model:business:mox", (), "nothing emits 'model:business:mox'", "did you mean 'model:business:max'?"),
        ('model:business:max{metric="revenu"}', (), "has metric=\"revenu\"", "did you mean 'revenue'?"),
        ("model:serving_errors:ratio_rate1w", (), "emits 'model:serving_errors:ratio_rate1w'", "did you mean"),
        ("project:rule:min", (), "nothing emits 'project:rule:min'", "did you mean 'project:rule:max'?"),
    ],
)  # fmt: skip
def test_a_query_over_ours_is_held_to_what_is_there(
    query: str, changes: tuple[tuple[str, str], ...], why: str, instead: str
) -> None:
    (finding,) = found(asking(query, *changes))
    assert finding.at == ("alerts", "rules", "consumer_lag", "query")
    assert finding.message.startswith("'consumer_lag' reads what never comes: ")
    assert why in finding.message
    assert instead in (finding.help or "")


def test_a_models_own_numbers_are_held_to_it_too() -> None:
    (finding,) = found(project(SPEC, ("sum(revenue_total)", "sum(mlops_revenue)")))
    assert finding.at == ("models", "churn", "monitoring", "business", "revenue", "query")


def test_without_a_pushgateway_nothing_is_pushed() -> None:
    gone = ('services:\n  pushgateway: {url: "http://pushgateway.monitoring:9091"}\n', "")
    (finding,) = found(asking("mlops_drift_share", gone))
    assert "nothing in this project emits" in finding.message


@pytest.mark.parametrize(
    "query",
    [
        "mlops_drift_share",
        'mlops_drift_share{model="churn",environment=~"prod.*"} offset 1d',
        'max by (model) (mlops_model_metric{metric=~"auc|f1"})',
        'mlops_model_metric{metric!="auc"}',
        'mlops_column_drift_score{column="open_tickets",job="mlops_monitor",instance=""}',
        # Prometheus may put any label on what it scrapes.
        'mlops_drift_share{cluster="eu-1",prometheus="a"}',
        'mlops_data_check_success{source="outcomes",environment="production"}',
        'model:business:min{metric="revenue"}',
        "project:rule:max",
        "model:serving_errors:ratio_rate14m",
        # Others' to emit, whatever they are called.
        "kafka_consumergroup_lag", "rest_server_requests_total{path='/nowhere'}", "ml_ops", "count(up == 0)",
        '{__name__=~"mlops_.*"}', '{job="x"}', "time() - 5", 'label_replace(x, "mlops_gone", "mlops_gone", "a", "")',
        "x # mlops_gone", 'x{mlops_gone="mlops_gone"}', "sum by (mlops_gone) (x)",
    ],
)  # fmt: skip
def test_what_is_there_and_what_is_others_may_be_asked_for(query: str) -> None:
    of = asking(query)
    assert [finding.message for finding in found(of)] == []
    assert found(of, "R802") == []


def test_a_counter_of_a_runtime_of_ones_own_may_be_called_like_ours() -> None:
    serving = """runtime: custom
      image: registry.example.com/growth/server:1.0.0
      metrics: {requests: mlops_requests_total, errors: 'code=~"5.."'}
      slo: {availability: 99.9%}"""
    slo = "slo: {availability: 99.9%, latency: {p95: 250ms}, window: 7d}"
    assert found(asking('rate(mlops_requests_total{code="200"}[5m])', (slo, serving))) == []
    (finding,) = found(asking("mlops_request_total", (slo, serving)))
    assert finding.help == "did you mean 'mlops_requests_total'?"


def test_an_unreadable_query_is_told_once() -> None:
    of = asking("max(mlops_gone")
    assert found(of) == []
    (finding,) = found(of, "R802")
    assert finding.message == "the query of 'consumer_lag' has a ( that is never closed"


# --- others' metrics have an absent alert ---------------------------------------------------------


@pytest.mark.parametrize("bound", ["max: 10000", "min: 1", "min: 1, max: 10000"])
def test_every_query_of_ones_own_has_an_absent_alert(bound: str) -> None:
    of = project(SPEC, ("max: 10000, for: 10m}", f"{bound}, for: 10m}}"))
    for environment in of.environments:
        rules = project_rule_set(of, environment)
        (gone,) = [alert for alert in rules.alerts if alert.kind == "ProjectMetricAbsent"]
        read = {found.metric for found in selectors(gone.expr)}
        asked = {r.record for r in rules.recordings if LAG.removeprefix("query: ") in r.expr}
        assert read
        assert read <= asked


# --- what we make, and what emits it ---------------------------------------------------------------

SPECS: dict[str, Callable[[], Project]] = {
    "watched": lambda: project(SPEC, DASHBOARDS),
    **{path.parent.name: lambda path=path: _resolved(path.read_text("utf-8")) for path in EXAMPLES},
}


def _resolved(spec: str) -> Project:
    return project(spec)


def _expressions(of: Project) -> Iterator[str]:
    for environment in of.environments:
        sets = [rule_set(of, environment, model) for model in environment.models]
        for rules in (*sets, project_rule_set(of, environment)):
            yield from (rule.expr for rule in (*rules.recordings, *rules.alerts))
        for model in environment.models:
            drawn = dashboard(of, environment, model)
            yield from drawn.queries if drawn is not None else ()


@pytest.mark.parametrize("name", SPECS)
def test_every_query_of_ours_is_emitted_and_read_in_full(name: str) -> None:
    of = SPECS[name]()
    assert [missing.why for _, missing in unmet(of)] == []
    own = {query.text.strip() for query in own_queries(of)}
    for expression in _expressions(of):
        if not any(query in expression for query in own):
            assert [selected(*each) for each in braced(expression)] == list(selectors(expression))


@pytest.mark.parametrize("runtime", sorted(set(RUNTIMES) - {"mlserver"}))
def test_what_the_rules_ask_of_a_runtime_it_declares(runtime: str) -> None:
    slo = "slo: {availability: 99.9%, latency: {p95: 250ms}, window: 7d}"
    exposed = RUNTIMES[runtime].exposed
    format_ = RUNTIMES[runtime].formats[0]
    latency = ""
    if exposed.latency:
        bound = next(bound for bound in exposed.buckets if bound * exposed.unit >= 0.1)
        latency = f", latency: {{p95: {bound * exposed.unit:.9g}s}}"
    words = (
        f"runtime: {runtime}\n      format: {format_}\n      slo: {{availability: 99.9%{latency}}}"
    )
    of = project(SPEC, (slo, words), DASHBOARDS)
    assert [missing.why for _, missing in unmet(of)] == []
    named = {exposed.requests, exposed.errors_metric, exposed.latency} - {None}
    assert set(exposed.labels) == named


def _without(name: str) -> Callable[..., Iterator[Series]]:
    """The emitters, one of whose metrics is gone."""
    before = {"pushed": emitted.pushed, "served": emitted.served}

    def cut(which: str) -> Callable[..., Iterator[Series]]:
        def emit(*about: Any) -> Iterator[Series]:
            return (series for series in before[which](*about) if series.metric != name)

        return emit

    return cut


READ = [
    *(metric.name for metric in PUSHED),
    "rest_server_requests_total",
    "rest_server_request_duration_seconds_bucket",
    "rest_server_request_duration_seconds_count",
]


@pytest.mark.parametrize("name", READ)
def test_a_metric_that_nobody_emits_any_more_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = project(SPEC, DASHBOARDS)
    for which in ("pushed", "served"):
        monkeypatch.setattr(metric_contract, which, _without(name)(which))
    asked = [query for query, missing in unmet(of) if name in missing.why]
    assert asked, f"nothing reads {name}, or nobody looks"
    assert {finding.severity for finding in found(of)} == {"error"}


@pytest.mark.parametrize("label", ["path", "method", "status_code", "le"])
def test_a_label_that_a_runtime_does_not_have_any_more_is_noticed(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(environment: Environment, model: Model) -> Iterator[Series]:
        for series in emitted.served(environment, model):
            labels = {name: value for name, value in series.labels.items() if name != label}
            yield Series(series.metric, labels, series.open)

    monkeypatch.setattr(metric_contract, "served", without)
    assert any(f"{label}=" in missing.why for _, missing in unmet(project()))


def test_a_bucket_that_a_runtime_does_not_have_any_more_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without(environment: Environment, model: Model) -> Iterator[Series]:
        return (s for s in emitted.served(environment, model) if s.labels.get("le") != "0.25")

    monkeypatch.setattr(metric_contract, "served", without)
    assert any("le=~" in missing.why for _, missing in unmet(project()))


# --- the declaration, the programs and the pipeline -------------------------------------------------


def _constants(name: str) -> Any:
    for node in ast.parse(NETWORK.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{NETWORK.name} has no {name}")


def test_the_programs_push_what_is_declared() -> None:
    assert _constants("METRICS") == {metric.name: metric.help for metric in PUSHED}
    jobs = {_constants("MONITOR_JOB"), _constants("VALIDATE_JOB")}
    assert {metric.job for metric in PUSHED} == jobs
    assert all((ROOT / "templates/programs" / metric.program).is_file() for metric in PUSHED)
    assert all(metric.name.startswith(emitted.OURS) for metric in (*PUSHED, *REPORTED))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_data_checks_run_where_they_are_said_to(path: Path) -> None:
    """`checked_sources` against the jobs of the committed pipelines."""
    of = project(path.read_text("utf-8"))
    said = {
        (environment.name, model.name, source.name)
        for environment in of.environments
        for model in environment.models
        for source in checked_sources(environment, model)
    }
    assert said == set(_checks_run(of, path.parent))


def _checks_run(of: Project, folder: Path) -> Iterator[tuple[str, str, str]]:
    pipelines = [folder / ".gitlab-ci.yml", *folder.glob(".gitlab/ci/**/*.yml")]
    text = "\n".join(path.read_text("utf-8") for path in pipelines)
    runs = re.findall(r"validate\.py --(model|source) (\w+) --environment (\w+)", text)
    facts = {
        path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("mlops/sources/*.json")
    }
    for kind, name, environment in runs:
        sources = [name]
        if kind == "model":
            model = next(model for model in of.models if model.name == name)
            sources = [model.target.source.name, *(view.source.name for view in model.views)]
        for source in sources:
            if "checkpoint" in facts.get(source, {"environments": {}})["environments"].get(
                environment, {}
            ):
                yield from ((environment, model, source) for model in facts[source]["models"])
