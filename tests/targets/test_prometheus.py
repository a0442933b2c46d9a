from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from mlopsc.artifacts.draft import CopyDraft
from mlopsc.project.alerting import DECISIONS, project_rule_groups, rule_groups, rule_set
from mlopsc.project.alerting.burn_rates import burns
from mlopsc.project.alerting.promql import duration, upper_bound
from mlopsc.targets import prometheus
from targets.alerting_projects import (
    SPEC,
    check_rules,
    failed_tests,
    files,
    plain,
    project,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlopsc.project.model import Project

RULES = "monitoring/prometheus/{}/churn.rules.yml"


def _texts(of: Project) -> dict[str, str]:
    return files(draft for draft in prometheus.emit(of))


def _alerts(of: Project, environment: str = "production") -> list[dict[str, object]]:
    groups = yaml.safe_load(_texts(of)[RULES.format(environment)])["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def _kinds(of: Project, environment: str = "production") -> set[object]:
    return {alert["alert"] for alert in _alerts(of, environment)}


# --- the real reader --------------------------------------------------------------------------

SLO = "slo: {availability: 99.9%, latency: {p95: 250ms}, window: 7d}"
# Objectives alone: no monitoring, no alerts, and so no secrets.
SERVED = (
    SPEC[: SPEC.index("secrets:")]
    + SPEC[SPEC.index("environments:") : SPEC.index("    monitoring:")]
)


def _served_by(runtime: str, serving: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return SERVED, ((SLO, f"runtime: {runtime}\n      {serving}"),)


SPECS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "as it is": (SPEC, ()),
    "a query with a value of its own": (
        SPEC,
        (("sum(revenue_total) # in euro", "sum(rate(revenue_total[5m])) or vector(0)"),),
    ),
    "another schedule": (SPEC, (("schedule: 1h", "schedule: 5m"), ("99.9%", "99.99%"))),
    "thirty days": (SERVED, (("window: 7d", "window: 30d"),)),
    "four weeks, loose": (SERVED, (("window: 7d", "window: 28d"), ("99.9%", "94%"), ("p95", "p99"))),
    "triton": _served_by("triton", "format: onnx\n      slo: {availability: 99.9%, window: 7d}"),
    "torchserve": _served_by("torchserve", "format: pytorch\n      slo: {availability: 99.9%, window: 7d}"),
    "tfserving": _served_by(
        "tfserving",
        "format: tensorflow\n      slo: {availability: 99.9%, latency: {p95: 218.591ms}, window: 7d}",
    ),
    "tfserving, beyond a second": _served_by(
        "tfserving", "format: tensorflow\n      slo: {latency: {p95: 1.27482s}, window: 7d}"
    ),
    "bentoml": _served_by(
        "bentoml", "format: custom\n      slo: {availability: 99.9%, latency: {p95: 1s}, window: 7d}"
    ),
    "a runtime of one's own": _served_by("custom", f"""format: custom
      image: registry.example.com/growth/server:1.0.0
      metrics:
        requests: app_requests_total
        errors: 'code=~"5[0-9]{{2}}|(timeout|gone).+",kind!="probe"'
        latency: app_duration_ms
        unit: milliseconds
        buckets: [100, 250, 1000]
        matchers: 'path="/predict",method!~"GET|HEAD"'
      {SLO}"""),
    "failures of one's own": _served_by("custom", """format: custom
      image: registry.example.com/growth/server:1.0.0
      metrics: {requests: app_requests_total, errors_metric: app_failures_total}
      slo: {availability: 99.9%, window: 7d}"""),
}  # fmt: skip


def test_promtool_accepts_the_rules_and_every_test_holds(tmp_path: Path) -> None:
    names = {}
    for number, (name, (spec, changes)) in enumerate(SPECS.items()):
        texts = _texts_without_pages(project(spec, *changes))
        if changes:  # staging differs in what may be gone; once is enough
            texts = {path: text for path, text in texts.items() if "/staging/" not in path}
        write(tmp_path / str(number), texts)
        names[str(number)] = name
    assert check_rules(tmp_path) == ""
    tests = sorted(tmp_path.rglob("*.rules.test.yml"))
    assert len(tests) >= 2 * len(SPECS)
    failed = failed_tests(tests, tmp_path / "report.xml")
    assert {
        f"{names[path.relative_to(tmp_path).parts[0]]}: {path.name}": text
        for path, text in failed.items()
    } == {}


def _texts_without_pages(of: Project) -> dict[str, str]:
    return files(draft for draft in prometheus.emit(of) if not isinstance(draft, CopyDraft))


# --- what there is ----------------------------------------------------------------------------


def test_every_kind_of_alert_has_its_page_and_points_to_it() -> None:
    texts = _texts(project())
    for alert in _alerts(project()):
        annotations = alert["annotations"]
        assert isinstance(annotations, dict)
        assert set(annotations) == {"summary", "description", "runbook_url"}
        page = f"monitoring/runbooks/{alert['alert']}.md"
        assert (
            annotations["runbook_url"]
            == f"https://gitlab.example.com/growth/churn/-/blob/HEAD/{page}"
        )
        assert len(texts[page]) > 500
    pages = {path for path in texts if path.startswith("monitoring/runbooks/")}
    kinds = (
        _kinds(project())
        | _kinds(project(), "staging")
        | {"ProjectRuleViolated", "ProjectMetricAbsent"}
    )
    assert pages == {f"monitoring/runbooks/{kind}.md" for kind in kinds}


def test_without_a_repository_the_public_page_is_linked() -> None:
    found = _alerts(project(SPEC, ("repository: gitlab.example.com/growth/churn\n", "")))
    assert (
        found[0]["annotations"]["runbook_url"] == "https://mlopsc.dev/runbooks/ModelErrorBudgetBurn"
    )  # type: ignore[index]


def test_a_page_of_the_teams_own_takes_the_place_of_ours() -> None:
    own = project(
        SPEC, ("    training:", "    runbook: https://wiki.example.com/{{churn}}\n    training:")
    )
    texts = _texts(own)
    for alert in _alerts(own):
        assert alert["annotations"]["runbook_url"] == 'https://wiki.example.com/{{ "{{" }}churn}}'  # type: ignore[index]
    assert "monitoring/runbooks/ModelDrift.md" not in texts
    assert "monitoring/runbooks/ProjectRuleViolated.md" in texts


def test_every_alert_carries_the_labels_that_identify_it() -> None:
    seen = set()
    for environment in ("staging", "production"):
        for alert in _alerts(project(), environment):
            labels = alert["labels"]
            assert isinstance(labels, dict)
            assert labels["severity"] in {"critical", "warning", "info"}
            assert (labels["project"], labels["model"], labels["environment"]) == (
                "churn",
                "churn",
                environment,
            )
            identity = (alert["alert"], *sorted(labels.items()))
            assert identity not in seen
            seen.add(identity)


def test_nothing_is_made_for_a_model_nobody_watches() -> None:
    spec = SPEC[: SPEC.index("    serving:")] + SPEC[SPEC.index("alerts:") :]
    assert [path for path in _texts(project(spec)) if "churn.rules" in path] == []


def test_without_a_pushgateway_nothing_waits_for_what_is_pushed() -> None:
    spec = project(
        SPEC, ('services:\n  pushgateway: {url: "http://pushgateway.monitoring:9091"}\n', "")
    )
    assert _kinds(spec) == {
        "ModelErrorBudgetBurn", "ModelMetricAbsent", "BusinessMetricOutOfBounds", "BusinessMetricAbsent",
    }  # fmt: skip


def test_an_objective_whose_threshold_no_share_exceeds_is_left_out() -> None:
    found = _alerts(project(SPEC, ("p95", "p80")))
    latency = [a["labels"]["burn"] for a in found if a["labels"].get("slo") == "latency"]  # type: ignore[index, attr-defined]
    assert latency == ["slow"]  # 14.4 × 20 % and 6 × 20 % are above 1


def test_where_no_version_is_pinned_only_what_was_there_can_be_gone() -> None:
    for alert in _alerts(project(), "staging"):
        if alert["alert"] == "ModelMetricAbsent":
            assert "present_over_time" in str(alert["expr"])
    pinned = [a for a in _alerts(project()) if a["alert"] == "ModelMetricAbsent"]
    plain_ones = {
        a["labels"]["metric"] for a in pinned if "present_over_time" not in str(a["expr"])
    }  # type: ignore[index]
    assert plain_ones == {
        "rest_server_requests_total",
        "rest_server_request_duration_seconds_bucket",
        "mlops_monitor_last_success_timestamp_seconds",
        "mlops_drift_share",
    }


def test_a_query_that_ends_in_a_comment_keeps_its_bracket() -> None:
    text = _texts(project())[RULES.format("production")]
    assert "sum(revenue_total) # in euro\n      )" in text


def test_the_operator_gets_the_same_groups_as_the_file() -> None:
    one = project()
    environment = one.environments[-1]
    written = yaml.safe_load(_texts(one)[RULES.format("production")])["groups"]
    assert plain(rule_groups(one, environment, environment.models[0])) == written
    own = yaml.safe_load(_texts(one)["monitoring/prometheus/production/all-models.rules.yml"])
    assert plain(project_rule_groups(one, environment)) == own["groups"]


def test_every_decision_that_rules_name_is_explained() -> None:
    one = project()
    for environment in one.environments:
        for model in environment.models:
            for alert in rule_set(one, environment, model).alerts:
                for origin in (*alert.origins, alert.hold_origin, alert.severity_origin):
                    assert origin[0] != "decision" or origin[1] in DECISIONS


# --- the workbook's table ---------------------------------------------------------------------


def test_thirty_days_give_the_table_of_the_workbook() -> None:
    table = [(b.factor, duration(b.long), duration(b.short), b.severity) for b in burns(30 * 86400)]
    assert table == [
        (14.4, "1h", "5m", "critical"),
        (6.0, "6h", "30m", "critical"),
        (1.0, "3d", "6h", "warning"),
    ]


@pytest.mark.parametrize("days", [7, 28, 90])
def test_the_same_share_of_the_budget_is_gone_whatever_the_window(days: int) -> None:
    for burn, consumed in zip(burns(days * 86400), (0.02, 0.05, 0.1), strict=True):
        assert burn.factor * burn.long / (days * 86400) == pytest.approx(consumed, rel=0.01)
        assert burn.short >= 300


# --- bucket bounds ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "spellings", "others"),
    [
        (0.25, ["0.25", "0.250"], ["0.2", "0.251", "0x25", "2.5"]),
        (1.0, ["1", "1.0", "1.00"], ["10", "1.5", "11"]),
        (10.0, ["10", "10.0"], ["1", "100"]),
        (218591.0, ["218591", "218591.0"], ["21859", "2185910"]),
        (1274820.0, ["1.27482e+06", "1274820", "1274820.0"], ["1.27482", "1x27482e+06"]),
        (0.00001, ["1e-05", "0.00001"], ["0.0001", "1e-5"]),
    ],
)
def test_a_bucket_is_found_however_it_is_spelled(
    bound: float, spellings: list[str], others: list[str]
) -> None:
    import re

    pattern = upper_bound(bound).removeprefix('le=~"').removesuffix('"')
    assert [text for text in spellings if not re.fullmatch(pattern, text)] == []
    assert [text for text in others if re.fullmatch(pattern, text)] == []
