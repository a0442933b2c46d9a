from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from mlopsc.targets import alertmanager
from targets.alerting_projects import SPEC, files, project

if TYPE_CHECKING:
    from mlopsc.project.model import Project

PATH = "monitoring/alertmanager/{}.yml"

OTHER_CHANNELS = (
    (
        SPEC[SPEC.index("    oncall: {pager") : SPEC.index("  rules:")],
        """    post:
      email: {to: "a@example.com, b@example.com", from: alerts@example.com, smarthost: "smtp.example.com:587",
              username: alerts, password: {secret: slack}}
    plain: {email: {to: a@example.com, from: alerts@example.com, smarthost: "smtp.example.com:25"}}
    own: {webhook: {url: {secret: pagerduty}}}
  routes: {critical: own, warning: post, info: plain}
""",
    ),
)


def _texts(of: Project) -> dict[str, str]:
    return files(alertmanager.emit(of))


def _read(of: Project, environment: str = "production") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(_texts(of)[PATH.format(environment)])
    return read


def _amtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(tools.need("amtool")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "changes", [(), OTHER_CHANNELS], ids=["pagerduty and slack", "mail and webhook"]
)
def test_amtool_accepts_it(tmp_path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    for path, text in _texts(project(SPEC, *changes)).items():
        file = tmp_path / Path(path).name
        file.write_text(text, "utf-8")
        done = _amtool("check-config", file)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"alertname": "ModelErrorBudgetBurn", "severity": "critical"}, "oncall"),
        ({"alertname": "ModelErrorBudgetBurn", "severity": "warning"}, "team"),
        ({"alertname": "ModelDrift", "severity": "warning"}, "retrain-churn,team"),
        ({"alertname": "ModelPerformanceDegraded", "severity": "critical"}, "retrain-churn,oncall"),
        ({"alertname": "DataCheckFailed", "severity": "info"}, "no-channel"),
        ({"alertname": "ModelDrift", "severity": "warning", "model": "other"}, "team"),
        (
            {"alertname": "ModelDrift", "severity": "warning", "environment": "staging"},
            "no-channel",
        ),
        ({"alertname": "ModelDrift", "severity": "warning", "project": "other"}, "no-channel"),
    ],
)
def test_who_hears_of_what(tmp_path: Path, labels: dict[str, str], receivers: str) -> None:
    file = tmp_path / "production.yml"
    file.write_text(_texts(project())[PATH.format("production")], "utf-8")
    whole = {"project": "churn", "model": "churn", "environment": "production", **labels}
    done = _amtool(
        "config", "routes", "test", f"--config.file={file}", *(f"{k}={v}" for k, v in whole.items())
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == receivers


def test_only_the_environment_a_model_learns_from_starts_a_training() -> None:
    assert "retrain-churn" in _texts(project())[PATH.format("production")]
    assert "retrain" not in _texts(project())[PATH.format("staging")]


def test_a_training_is_asked_for_once_and_an_end_asks_for_nothing() -> None:
    hook = next(r for r in _read(project())["receivers"] if r["name"] == "retrain-churn")
    assert hook["webhook_configs"] == [
        {
            "url_file": "/etc/alertmanager/secrets/retrain-churn",
            "send_resolved": False,
            "max_alerts": 1,
        }
    ]


def test_no_secret_stands_in_it_and_no_variable_that_nobody_fills_in() -> None:
    text = _texts(project(SPEC, *OTHER_CHANNELS))[PATH.format("production")]
    assert "$" not in text
    for receiver in yaml.safe_load(text)["receivers"]:
        for kind, configurations in receiver.items():
            if kind != "name":
                assert not {"url", "api_url", "routing_key", "auth_password"} & set(
                    configurations[0]
                )


def test_one_cause_is_told_once() -> None:
    base = {"project": "churn", "model": "churn", "environment": "production"}
    fast = base | {
        "alertname": "ModelErrorBudgetBurn",
        "slo": "availability",
        "burn": "fast",
        "severity": "critical",
    }
    rules = _read(project())["inhibit_rules"]

    def mutes(source: dict[str, str], target: dict[str, str]) -> bool:
        return any(
            _fits(rule["source_matchers"], source)
            and _fits(rule["target_matchers"], target)
            and all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
            for rule in rules
        )

    assert mutes(fast, fast | {"burn": "medium"})
    assert mutes(fast, fast | {"burn": "slow", "severity": "warning"})
    assert not mutes(fast, fast | {"burn": "medium", "slo": "latency"})
    assert not mutes(fast, fast | {"burn": "medium", "model": "other"})
    drift = base | {"alertname": "ModelDrift", "severity": "warning"}
    silent = base | {"alertname": "ModelMonitorSilent", "severity": "warning"}
    gone = base | {"alertname": "ModelMetricAbsent", "severity": "warning"}
    last = gone | {"metric": "mlops_monitor_last_success_timestamp_seconds"}
    assert mutes(silent, drift)
    assert mutes(last, silent)
    assert mutes(last, gone | {"metric": "mlops_drift_share"})
    assert not mutes(gone | {"metric": "mlops_drift_share"}, last)
    assert mutes(
        base | {"alertname": "DataCheckFailed", "severity": "warning", "source": "s"}, drift
    )
    assert not mutes(drift, silent)
    critical = gone | {"severity": "critical", "metric": "rest_server_requests_total"}
    assert mutes(critical, critical | {"metric": "rest_server_request_duration_seconds_bucket"})
    for alert in (fast, drift, silent, last, critical):
        assert not mutes(alert, alert)


def _fits(matchers: list[str], labels: dict[str, str]) -> bool:
    import re

    for matcher in matchers:
        label, sign, value = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
        is_there = (
            re.fullmatch(value, labels.get(label, "")) is not None
            if "~" in sign
            else labels.get(label, "") == value
        )
        if is_there == sign.startswith("!"):
            return False
    return True


def test_where_nobody_is_to_be_told_there_is_no_file() -> None:
    spec = (
        SPEC[: SPEC.index("secrets:")] + SPEC[SPEC.index("environments:") : SPEC.index("alerts:")]
    )
    quiet = project(spec, ("respond: {drift: retrain, performance: retrain}", "respond: {}"))
    assert _texts(quiet) == {}
