"""Register, compare with the champion, monitor, score and cool down, with a real MLflow and a real Evidently."""

from __future__ import annotations

import copy
import shutil
import time
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlops import batch, cooldown, dataset, gate, monitor, register
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from conftest import Project, Server, declared, exposed, flights, recovering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Said = pytest.CaptureFixture[str]

REGISTRY = {"kind": "mlflow", "name": "flights-delay", "experiment": "flights"}
DRIFT = {
    "metrics": [
        {
            "type": "evidently:metric_v2:DriftedColumnsCount", "columns": ["carrier", "distance"],
            "drift_share": 0.3, "method": "psi", "threshold": 0.2,
            "share_tests": [{"type": "evidently:test_v2:LessOrEqualMetricTest", "is_critical": True, "threshold": 0.3}],
        },
        *(
            {
                "type": "evidently:metric_v2:ValueDrift", "column": column, "method": "psi", "threshold": 0.2,
                "tests": [{"type": "evidently:test_v2:LessThanMetricTest", "threshold": 0.2}],
            }
            for column in ("carrier", "distance")
        ),
    ]
}  # fmt: skip
PERFORMANCE = {"metrics": [{"type": "evidently:metric_container:RegressionPreset"}]}
MONITORING: dict[str, Any] = {
    "current": "flights",
    "reference": {"training": True},
    "window_seconds": 30 * 86400,
    "min_rows": 100,
    "predictions": "none",
    "drift": {
        "config": "monitoring/evidently/delay.drift.json", "columns": ["carrier", "distance"],
        "share_max": 0.3, "spec": "models.delay.monitoring.drift",
    },
    "spec": "models.delay.monitoring",
}  # fmt: skip


class OwnModel(mlflow.pyfunc.PythonModel):
    """A regression on the distance alone, as a user's training might leave it."""

    def __init__(self, model: LinearRegression) -> None:
        self.model = model

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        made: np.ndarray = self.model.predict(model_input[["distance"]])
        return made


def train(project: Project, worse_by: float = 0.0) -> None:
    """What `src/train.py` of a project would do, under the contract."""
    out, data = project.folder / "build/delay/out", project.folder / "build/delay/data"
    shutil.rmtree(out, ignore_errors=True)
    rows = pd.read_parquet(data / "train.parquet")
    model = LinearRegression().fit(rows[["distance"]], rows["late"])
    model.intercept_ += worse_by
    mlflow.pyfunc.save_model(str(out / "model"), python_model=OwnModel(model), pip_requirements=[])
    test = pd.read_parquet(data / "test.parquet")
    test.assign(prediction=model.predict(test[["distance"]])).to_parquet(
        out / "predictions.parquet"
    )
    project.put("build/delay/out/metrics.json", {"coefficients": 1})


def release(project: Project, worse_by: float = 0.0) -> int:
    train(project, worse_by)
    passed = gate.main(["--model", "delay"])
    return passed or register.main(["--model", "delay"])


@pytest.fixture(scope="session")
def _quiet() -> None:
    import logging

    logging.getLogger("mlflow").setLevel(logging.ERROR)


_TEMPLATE: dict[str, Path] = {}


@pytest.fixture
def registered(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    _quiet: None,
) -> Project:
    """A project with MLflow on SQLite and version 1 registered."""
    # Making the database takes MLflow seconds, so the tests copy one.
    if "db" not in _TEMPLATE:
        _TEMPLATE["db"] = tmp_path_factory.mktemp("mlflow") / "empty.db"
        mlflow.MlflowClient(f"sqlite:///{_TEMPLATE['db']}").search_experiments()
    shutil.copy(_TEMPLATE["db"], project.folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.folder}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{project.folder}/mlflow.db")
    mlflow.create_experiment("flights", artifact_location=(project.folder / "artifacts").as_uri())
    monkeypatch.setenv("CI_COMMIT_SHA", "abc123")
    project.model["registry"] = REGISTRY
    project.model["evaluation"]["metrics"][0] |= {"max_worse": 1}
    project.model["respond"] = {
        "cooldown_seconds": 7 * 86400,
        "monthly_budget": 2,
        "spec": "models.delay.monitoring.cooldown",
    }
    project.model["monitoring"] = copy.deepcopy(MONITORING)
    project.put("monitoring/evidently/delay.drift.json", DRIFT)
    project.put("monitoring/evidently/delay.performance.json", PERFORMANCE)
    project.write()
    assert dataset.main(["--model", "delay"]) == 0
    assert release(project) == 0
    return project


def champion(version: str = "1") -> None:
    mlflow.MlflowClient().set_registered_model_alias(REGISTRY["name"], "champion", version)


# --- register and the champion -----------------------------------------------------------------


def test_a_version_has_what_is_needed_to_judge_it_later(registered: Project) -> None:
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("flights-delay", "challenger")
    assert str(version.version) == "1"
    assert version.tags == {
        "mlops.project": "flights", "mlops.model": "delay", "mlops.gate": "passed", "mlops.git.commit": "abc123",
    }  # fmt: skip
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert (
        run.data.metrics["test_mae"]
        == registered.read("build/delay/gate/gate.json")["metrics"]["mae"]
    )
    assert {item.path for item in client.list_artifacts(version.run_id)} == {
        "dataset",
        "model",
        "reference",
    }
    env = (registered.folder / "build/delay/register/register.env").read_text()
    assert env == f"MLOPS_MODEL_VERSION=1\nMLOPS_RUN={version.run_id}\n"
    kept = mlflow.artifacts.download_artifacts(
        run_id=version.run_id, artifact_path="reference/reference.parquet"
    )
    reference = pd.read_parquet(kept)
    sizes = registered.read("build/delay/data/dataset.json")["rows"]
    assert len(reference) == sum(sizes.values())
    assert reference["prediction"].notna().sum() == sizes["test"]


def test_without_a_champion_nothing_is_compared(registered: Project) -> None:
    case = next(
        one
        for one in registered.read("build/delay/gate/gate.json")["cases"]
        if one["what"] == "mae"
    )
    assert case["note"] == "not compared: no version runs in production yet"


def test_a_worse_model_than_the_champion_is_stopped(registered: Project, capsys: Said) -> None:
    champion()
    assert release(registered, worse_by=9) == 1
    assert "at most 1 worse than" in capsys.readouterr().out
    assert release(registered, worse_by=0.1) == 0
    assert (
        str(mlflow.MlflowClient().get_model_version_by_alias("flights-delay", "challenger").version)
        == "2"
    )


def test_a_version_that_is_less_fair_than_the_champion_is_stopped(
    registered: Project, capsys: Said
) -> None:
    registered.model["evaluation"]["metrics"] = []
    registered.model["evaluation"]["fairness"] = [
        {
            "column": "carrier", "name": name, "max_worse": 0.1, "severity": "critical",
            "spec": f"models.delay.evaluation.fairness.carrier.{name}",
        }
        for name in ("wape_difference", "wape_ratio")
    ]  # fmt: skip
    registered.write()
    assert release(registered) == 0
    assert "not compared: no version runs in production yet" in capsys.readouterr().out
    champion("2")
    assert release(registered, worse_by=0.1) == 0
    capsys.readouterr()
    assert release(registered, worse_by=9) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed ")]
    assert {line.split()[1] for line in failed} == {"wape_difference", "wape_ratio"}
    assert "at most 0.1 worse than" in failed[0]


def test_the_version_of_the_spec_is_the_champion(registered: Project, capsys: Said) -> None:
    registered.model["environments"]["production"] = {
        "version": "1",
        "spec": "environments.production.versions.delay",
    }
    registered.write()
    assert release(registered, worse_by=9) == 1
    registered.model["environments"]["production"]["version"] = "9"
    registered.write()
    assert gate.main(["--model", "delay"]) == 2
    assert (
        "MLflow has no version 9 of 'flights-delay' (asked for by environments.production.versions.delay"
        in capsys.readouterr().err
    )


def test_register_only_takes_what_the_gate_saw(registered: Project, capsys: Said) -> None:
    (registered.folder / "build/delay/out/model/extra.bin").write_bytes(b"swapped")
    assert register.main(["--model", "delay"]) == 1
    assert "has changed since the gate looked at it" in capsys.readouterr().err
    verdict = registered.read("build/delay/gate/gate.json")
    registered.put("build/delay/gate/gate.json", verdict | {"verdict": "failed"})
    assert register.main(["--model", "delay"]) == 1
    assert "says 'failed' of 'delay': not registered" in capsys.readouterr().err
    (registered.folder / "build/delay/gate/gate.json").unlink()
    assert register.main(["--model", "delay"]) == 2
    assert "is no verdict of gate.py" in capsys.readouterr().err


def test_register_into_trainings_own_run(registered: Project) -> None:
    train(registered)
    run = mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("flights").experiment_id)
    (registered.folder / "build/delay/out/mlflow_run_id.txt").write_text(f"{run.info.run_id}\n")
    assert gate.main(["--model", "delay"]) == 0
    assert register.main(["--model", "delay"]) == 0
    assert mlflow.MlflowClient().get_model_version("flights-delay", "2").run_id == run.info.run_id


# --- monitor -----------------------------------------------------------------------------------


def look(project: Project, code: int, *argv: str) -> dict[str, Any]:
    project.write()
    assert monitor.main(["--model", "delay", *argv]) == code
    made: dict[str, Any] = project.read("build/delay/monitor/monitor.json")
    return made


def values(found: dict[str, Any]) -> dict[str, float]:
    return {one["name"] + "".join(one["labels"].values()): one["value"] for one in found["metrics"]}


def drifted() -> pd.DataFrame:
    frame = flights(seed=4)
    return frame.assign(distance=frame["distance"] + 3000, carrier="ZZ")


def test_quiet_without_drift(registered: Project) -> None:
    champion()
    found = values(look(registered, 0))
    assert found["mlops_drift_share"] == 0
    assert found["mlops_column_drift_scorecarrier"] < 0.1
    # The clock, whatever time the run looks at: it says that the monitor is alive.
    assert found["mlops_monitor_last_success_timestamp_seconds"] == pytest.approx(
        time.time(), abs=300
    )
    assert (registered.folder / "build/delay/monitor/drift.html").stat().st_size > 10_000


def test_drift_is_found_pushed_and_no_failure_unless_asked(
    registered: Project, serve: Callable[..., Server]
) -> None:
    champion()
    registered.table(drifted())
    gateway = serve(lambda *_: (200, None, {}))
    found = look(registered, 0, "--pushgateway", gateway.url)
    assert found["version"] == "1"
    assert values(found)["mlops_drift_share"] == 1
    method, path, body = gateway.requests[0]
    assert (method, path) == (
        "PUT",
        "/metrics/job/mlops_monitor/environment/production/model/delay/project/flights",
    )
    assert "mlops_drift_share 1.0\n" in body
    assert 'mlops_column_drift_score{column="distance"} ' in body
    assert "mlops_monitor_last_success_timestamp_seconds " in body
    outcomes = {one["what"]: one["outcome"] for one in found["cases"]}
    assert outcomes == {
        "share of drifted columns": "failed", "drift of carrier": "info", "drift of distance": "info",
    }  # fmt: skip
    assert [one["wanted"] for one in found["cases"]] == ["≤ 0.3", "< 0.2", "< 0.2"]
    look(registered, 1, "--fail-on-drift")


def test_a_small_p_value_is_drift(registered: Project) -> None:
    champion()
    test = {"type": "evidently:test_v2:GreaterOrEqualMetricTest", "threshold": 0.05}
    one = {
        "type": "evidently:metric_v2:ValueDrift",
        "column": "distance",
        "method": "ks",
        "threshold": 0.05,
    }
    counted = {
        "type": "evidently:metric_v2:DriftedColumnsCount",
        "columns": ["distance"],
        "method": "ks",
        "threshold": 0.05,
    }
    registered.put(
        "monitoring/evidently/delay.drift.json", {"metrics": [counted, {**one, "tests": [test]}]}
    )
    quiet = look(registered, 0)["cases"]
    assert [(case["outcome"], case["wanted"]) for case in quiet] == [
        ("passed", "≤ 0.3"),
        ("passed", "≥ 0.05"),
    ]
    registered.table(drifted())
    assert [case["outcome"] for case in look(registered, 0)["cases"]] == ["failed", "info"]


def test_too_few_rows_push_nothing(
    registered: Project, serve: Callable[..., Server], capsys: Said
) -> None:
    champion()
    gateway = serve(lambda *_: (200, None, {}))
    registered.model["monitoring"]["min_rows"] = 500
    registered.write()
    assert monitor.main(["--model", "delay", "--pushgateway", gateway.url]) == 2
    assert "not enough rows: " in capsys.readouterr().err
    registered.table(flights().iloc[:0])
    assert monitor.main(["--model", "delay", "--pushgateway", gateway.url]) == 2
    assert "not enough rows: 0 of 'flights' in the window" in capsys.readouterr().err
    assert gateway.requests == []


def test_a_failed_run_pushes_no_success(
    registered: Project, serve: Callable[..., Server], capsys: Said
) -> None:
    champion()
    gateway = serve(lambda *_: (200, None, {}))
    broken = {"metrics": [{"type": "evidently:metric_v2:Nonsense"}]}
    registered.put("monitoring/evidently/delay.drift.json", broken)
    assert monitor.main(["--model", "delay", "--pushgateway", gateway.url]) == 2
    assert "Evidently cannot read it" in capsys.readouterr().err
    registered.table(flights().drop(columns="distance"))
    assert monitor.main(["--model", "delay", "--pushgateway", gateway.url]) == 1
    assert gateway.requests == []


def test_no_version_or_another_versions_reference(
    registered: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert monitor.main(["--model", "delay"]) == 2
    assert (
        "no version of 'delay' runs in production: write environments.production.versions.delay"
        in capsys.readouterr().err
    )
    registered.model["environments"]["production"] = {
        "version": "1",
        "spec": "environments.production.versions.delay",
    }
    registered.write()
    monkeypatch.setenv("MLOPS_MODEL_VERSION", "2")
    assert monitor.main(["--model", "delay"]) == 2
    assert (
        "version 2 runs here (MLOPS_MODEL_VERSION), but environments.production.versions.delay says 1"
        in capsys.readouterr().err
    )
    monkeypatch.delenv("MLOPS_MODEL_VERSION")
    registered.table(flights(), "kept/reference.parquet")
    registered.put("kept/reference.json", {"project": "flights", "model": "delay", "version": "3"})
    assert monitor.main(["--model", "delay", "--reference", "kept"]) == 2
    assert "is the reference of version 3, not of version 1 of 'delay'" in capsys.readouterr().err
    registered.put("kept/reference.json", {"project": "flights", "model": "cancel"})
    assert monitor.main(["--model", "delay", "--reference", "kept"]) == 2
    registered.put("kept/reference.json", {"project": "flights", "model": "delay", "version": "1"})
    assert monitor.main(["--model", "delay", "--reference", "kept"]) == 0


def test_a_version_that_is_not_registered_is_named_by_the_line_that_chose_it(
    registered: Project, capsys: Said
) -> None:
    chosen = "environments.production.versions.delay"
    registered.model["environments"]["production"] = {"version": "9", "spec": chosen}
    registered.put("mlops.yaml", {"environments": {"production": {"versions": {"delay": "9"}}}})
    registered.write()
    assert monitor.main(["--model", "delay"]) == 2
    said = f"MLflow has no version 9 of 'flights-delay' (asked for by {chosen} in mlops.yaml:1)"
    assert said in capsys.readouterr().err


def test_reference_from_a_source(registered: Project) -> None:
    registered.model["monitoring"]["reference"] = {"source": "last_year"}
    registered.put("mlops/sources/last_year.json", registered.source | {
        "source": "last_year",
        "environments": {"production": {"kind": "parquet", "path": "data/last_year.parquet", "spec": "sources.last_year.parquet"}},
    })  # fmt: skip
    registered.table(drifted(), "data/last_year.parquet")
    assert values(look(registered, 0))["mlops_drift_share"] == 1


def test_performance_on_rows_the_version_scores(registered: Project) -> None:
    champion()
    registered.model["monitoring"] |= {
        "predictions": "scored",
        "performance": {
            "config": "monitoring/evidently/delay.performance.json",
            "metrics": [
                {
                    "name": "mae",
                    "max": 1,
                    "severity": "critical",
                    "spec": "models.delay.monitoring.performance.mae",
                }
            ],
            "tolerance_seconds": 0,
            "spec": "models.delay.monitoring.performance",
        },
    }
    found = look(registered, 0)
    assert 4 < values(found)["mlops_model_metricmae"] < 8
    assert {one["what"]: one["outcome"] for one in found["cases"]}["mae"] == "failed"
    assert (registered.folder / "build/delay/monitor/performance.html").is_file()
    look(registered, 1, "--fail-on-drift")


@pytest.fixture
def logged(registered: Project) -> Project:
    """A log of answers, ten minutes after the moment asked about, whose labels come from the examples."""
    champion()
    frame = flights().drop_duplicates(["plane", "at"])
    log = frame.assign(
        at=frame["at"] + pd.Timedelta(minutes=10),
        prediction=frame["late"].astype("float64") + 2,
        version="1",
    )
    registered.table(log.drop(columns="late"), "data/log.parquet")
    registered.put("mlops/sources/log.json", registered.source | {
        "source": "log",
        "columns": [one for one in registered.source["columns"] if one["name"] != "late"],
        "environments": {"production": {"kind": "parquet", "path": "data/log.parquet", "spec": "sources.log.parquet"}},
    })  # fmt: skip
    registered.model["monitoring"] |= {
        "current": "log", "predictions": "logged", "version_column": "version",
        "performance": {
            "config": "monitoring/evidently/delay.performance.json",
            "metrics": [{"name": "mae", "max": 30, "severity": "critical", "spec": "models.delay.monitoring.performance.mae"}],
            "tolerance_seconds": 3600, "spec": "models.delay.monitoring.performance",
        },
    }  # fmt: skip
    return registered


def test_performance_of_logged_answers(logged: Project) -> None:
    assert values(look(logged, 0))["mlops_model_metricmae"] == pytest.approx(2, abs=1e-5)


def test_labels_not_known_yet_are_waited_for(logged: Project) -> None:
    logged.model["examples"]["label"]["known_after_seconds"] = 160 * 86400
    found = look(logged, 0)
    assert "mlops_model_metricmae" not in values(found)
    assert {one["what"]: one["outcome"] for one in found["cases"]}["mae"] == "not judged"
    assert values(found)["mlops_drift_share"] == 0  # drift needs no labels


def test_labels_further_than_the_tolerance_are_other_labels(logged: Project) -> None:
    logged.model["monitoring"]["performance"]["tolerance_seconds"] = 60
    found = look(logged, 0)
    assert {one["what"]: one["outcome"] for one in found["cases"]}["mae"] == "not judged"


def test_rows_of_other_versions_are_left_out(logged: Project, capsys: Said) -> None:
    log = pd.read_parquet(logged.folder / "data/log.parquet")
    logged.table(
        log.assign(version=np.where(np.arange(len(log)) % 4 == 0, "2", "1")), "data/log.parquet"
    )
    look(logged, 0)
    assert "were answered by other versions and are left out" in capsys.readouterr().out


def test_drift_of_the_prediction(logged: Project) -> None:
    logged.model["monitoring"]["drift"]["columns"] = ["carrier", "distance", "prediction"]
    config = {
        "metrics": [
            {**DRIFT["metrics"][0], "columns": ["carrier", "distance", "prediction"]},
            *DRIFT["metrics"][1:],
            {**DRIFT["metrics"][2], "column": "prediction"},
        ]
    }
    logged.put("monitoring/evidently/delay.drift.json", config)
    assert values(look(logged, 0))["mlops_column_drift_scoreprediction"] < 1
    log = pd.read_parquet(logged.folder / "data/log.parquet")
    logged.table(log.assign(prediction=log["prediction"] + 500), "data/log.parquet")
    found = values(look(logged, 0))
    assert found["mlops_column_drift_scoreprediction"] > 2
    assert found["mlops_drift_share"] == pytest.approx(1 / 3)


def test_cut_wires(logged: Project, capsys: Said, free_port_url: str) -> None:
    assert monitor.main(["--model", "delay", "--pushgateway", free_port_url]) == 2
    log = pd.read_parquet(logged.folder / "data/log.parquet")
    logged.table(log.drop(columns="prediction"), "data/log.parquet")
    logged.write()
    assert monitor.main(["--model", "delay", "--pushgateway", free_port_url]) == 1
    assert "column 'prediction' is not in parquet data/log.parquet" in capsys.readouterr().err
    (logged.folder / "monitoring/evidently/delay.drift.json").unlink()
    logged.table(log, "data/log.parquet")
    assert monitor.main(["--model", "delay"]) == 2
    assert "delay.drift.json is missing: compile the project" in capsys.readouterr().err


def test_unreachable_gateway_is_tried_within_a_bound(
    registered: Project, capsys: Said, free_port_url: str
) -> None:
    champion()
    assert monitor.main(["--model", "delay", "--pushgateway", free_port_url]) == 2
    said = capsys.readouterr()
    assert said.out.count("attempt") == 4
    assert f"Pushgateway {free_port_url} cannot be reached after 5 attempts" in said.err


def test_prune_forgets_only_our_models_that_left(
    project: Project, serve: Callable[..., Server], capsys: Said
) -> None:
    def group(**labels: str) -> dict[str, Any]:
        job = "mlops_validate" if "source" in labels else "mlops_monitor"
        return {"labels": {"job": job, **labels}}

    listed = [
        group(project="flights", model="delay", environment="production"),
        group(project="flights", model="gone", environment="production"),
        group(project="flights", model="delay", environment="old"),
        group(project="flights", model="gone", environment="production", source="flights"),
        group(project="churn", model="gone", environment="production"),
        {"labels": {"job": "backup", "project": "flights", "model": "gone"}},
    ]
    gateway = serve(
        lambda method, *_: (200, {"data": listed}, {}) if method == "GET" else (202, None, {})
    )
    assert monitor.main(["--prune", "--pushgateway", gateway.url]) == 0
    assert [path for method, path, _ in gateway.requests if method == "DELETE"] == [
        "/metrics/job/mlops_monitor/environment/production/model/gone/project/flights",
        "/metrics/job/mlops_monitor/environment/old/model/delay/project/flights",
        "/metrics/job/mlops_validate/environment/production/model/gone/project/flights/source/flights",
    ]
    assert (
        "deleted from the Pushgateway: job mlops_monitor, project flights, model gone"
        in capsys.readouterr().out
    )
    assert monitor.main(["--prune"]) == 2
    assert monitor.main(["--prune", "--pushgateway", gateway.url, "--facts", "nowhere"]) == 2


# --- batch -------------------------------------------------------------------------------------


@pytest.fixture
def batched(registered: Project) -> Project:
    champion()
    registered.model["batch"] = {
        "from": "flights",
        "to": "scores",
        "window_seconds": 60 * 86400,
        "spec": "models.delay.batch",
    }
    registered.put("mlops/sources/scores.json", {
        "format": 1, "project": "flights", "source": "scores", "spec": "sources.scores", "columns": [], "models": [],
        "environments": {"production": {"kind": "parquet", "path": "data/scores.parquet", "spec": "sources.scores.parquet"}},
    })  # fmt: skip
    registered.write()
    return registered


def test_newest_row_of_each_key_is_scored_and_appended(batched: Project) -> None:
    assert batch.main(["--model", "delay"]) == 0
    scores = pd.read_parquet(batched.folder / "data/scores.parquet")
    recent = flights().query("at >= '2013-04-02'")
    assert list(scores.columns) == [
        "plane",
        "scored_at",
        "carrier",
        "distance",
        "prediction",
        "version",
    ]
    assert sorted(scores["plane"]) == sorted(recent["plane"].unique())
    newest = recent.drop_duplicates("plane", keep="last").set_index("plane")["distance"]
    assert (scores.set_index("plane")["distance"] == newest.loc[scores["plane"]]).all()
    assert set(scores["version"]) == {"1"}
    assert scores["prediction"].corr(scores["distance"]) == pytest.approx(1, abs=1e-6)
    assert batch.main(["--model", "delay", "--now", "2013-06-02"]) == 0
    assert pd.read_parquet(batched.folder / "data/scores.parquet")["scored_at"].nunique() == 2


def test_scores_into_a_folder_and_into_duckdb(
    batched: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    facts = batched.read("mlops/sources/scores.json")
    facts["environments"]["production"]["path"] = "data/scores"
    batched.put("mlops/sources/scores.json", facts)
    for _ in range(2):
        assert batch.main(["--model", "delay"]) == 0
    assert sorted(path.name for path in (batched.folder / "data/scores").iterdir()) == [
        "part-000000.parquet",
        "part-000001.parquet",
    ]
    facts["environments"]["production"] = {
        "kind": "duckdb",
        "table": "scores",
        "spec": "sources.scores.duckdb",
    }
    batched.put("mlops/sources/scores.json", facts)
    monkeypatch.setenv("MLOPS_DUCKDB_URL", "data/w.duckdb")
    for _ in range(2):
        assert batch.main(["--model", "delay"]) == 0
    with duckdb.connect("data/w.duckdb") as connection:
        rows, moments = connection.execute(
            "SELECT count(*), count(DISTINCT scored_at) FROM scores"
        ).fetchone() or (0, 0)
    assert rows == 2 * len(pd.read_parquet(batched.folder / "data/scores/part-000000.parquet"))
    assert moments == 1


def test_batch_refusals(batched: Project, capsys: Said) -> None:
    batched.table(flights().assign(distance="far"))
    assert batch.main(["--model", "delay"]) == 1
    assert "column 'distance' must be float32" in capsys.readouterr().err
    batched.table(flights().iloc[:0])
    assert batch.main(["--model", "delay"]) == 1
    assert "has no rows of" in capsys.readouterr().err
    batched.model["features"]["own"].append(
        {"name": "wind", "type": "float32", "spec": "models.delay.features[2]"}
    )
    batched.write()
    assert batch.main(["--model", "delay"]) == 1
    assert "column 'wind' is not in parquet" in capsys.readouterr().err
    del batched.model["batch"]
    batched.write()
    assert batch.main(["--model", "delay"]) == 2
    assert not (batched.folder / "data/scores.parquet").exists()


def test_a_model_that_does_not_fit_its_features(batched: Project, capsys: Said) -> None:
    batched.model["features"]["own"] = batched.model["features"]["own"][:1]
    del batched.model["monitoring"]
    batched.write()
    assert batch.main(["--model", "delay"]) == 1
    assert "version 1 cannot predict these rows: KeyError" in capsys.readouterr().err


def test_whole_numbers_for_a_model_that_asks_for_floats(batched: Project) -> None:
    """As in a request, whose JSON knows no difference; MLflow refuses it for a table."""
    batched.table(flights().assign(distance=lambda f: f["distance"].round().astype("int64")))
    batched.model["features"]["own"][1]["type"] = "int64"
    batched.write()
    assert dataset.main(["--model", "delay"]) == 0
    rows = pd.read_parquet(batched.folder / "build/delay/data/train.parquet")
    out = batched.folder / "build/delay/out"
    train(batched)
    shutil.rmtree(out / "model")
    floats = rows[["carrier", "distance"]].astype({"distance": "float64"})
    model = OwnModel(LinearRegression().fit(rows[["distance"]], rows["late"]))
    signature = mlflow.models.infer_signature(floats)
    mlflow.pyfunc.save_model(
        str(out / "model"), python_model=model, pip_requirements=[], signature=signature
    )
    assert gate.main(["--model", "delay"]) == 0
    assert register.main(["--model", "delay"]) == 0
    champion("2")
    assert batch.main(["--model", "delay"]) == 0


def test_both_probabilities_of_a_yes_or_no_question(batched: Project, capsys: Said) -> None:
    """What MLflow answers for a scikit-learn classifier that is asked for probabilities."""
    batched.table(flights().assign(late=lambda rows: rows["late"] > 15))
    batched.model["task"] = "classification"
    batched.model["examples"]["label"]["type"] = "bool"
    batched.model["evaluation"]["metrics"] = []
    del batched.model["monitoring"]
    batched.write()
    assert dataset.main(["--model", "delay"]) == 0
    data, out = batched.folder / "build/delay/data", batched.folder / "build/delay/out"
    train, test = (pd.read_parquet(data / f"{name}.parquet") for name in ("train", "test"))
    numbers = ColumnTransformer([("kept", "passthrough", ["distance"])])
    model = make_pipeline(numbers, LogisticRegression()).fit(train, train["late"])
    shutil.rmtree(out / "model")
    mlflow.sklearn.save_model(
        model,
        out / "model",
        pip_requirements=[],
        pyfunc_predict_fn="predict_proba",
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
    )
    predicted = test.assign(prediction=model.predict_proba(test)[:, 1])
    predicted.to_parquet(out / "predictions.parquet")
    assert gate.main(["--model", "delay"]) == 0
    assert register.main(["--model", "delay"]) == 0
    champion("2")
    assert batch.main(["--model", "delay"]) == 0
    scores = pd.read_parquet(batched.folder / "data/scores.parquet")
    assert scores["prediction"].between(0, 1).all()
    assert scores["prediction"].corr(scores["distance"], "spearman") > 0.99

    batched.model["task"] = "regression"
    batched.model["examples"]["label"]["type"] = "float32"
    batched.write()
    capsys.readouterr()
    assert batch.main(["--model", "delay"]) == 1
    assert "answers 2 numbers a row, 'prediction' is one" in capsys.readouterr().err


# --- cool-down ---------------------------------------------------------------------------------


def test_cool_down_and_budget(registered: Project, capsys: Said) -> None:
    def ask(moment: str, *argv: str) -> int:
        return cooldown.main(["--model", "delay", "--alert", "ModelDrift", "--now", moment, *argv])

    assert ask("2013-06-01T08:00", "--dry-run") == 0
    assert ask("2013-06-01T08:00") == 0
    env = (registered.folder / "build/delay/cooldown/cooldown.env").read_text()
    assert env.startswith("MLOPS_RESPONSE=ModelDrift\nMLOPS_RESPONSE_RUN=")
    assert ask("2013-06-01T09:00") == 1
    assert (
        "the next may begin 2013-06-08T08:00:00+00:00 (asked for by models.delay.monitoring.cooldown"
        in capsys.readouterr().err
    )
    assert ask("2013-06-08T07:59") == 1
    assert ask("2013-06-08T08:00") == 0
    assert ask("2013-06-20") == 1
    assert "2 responses this month (UTC), the budget is 2" in capsys.readouterr().err
    assert ask("2013-07-01") == 0


def test_cool_down_is_the_models_own(registered: Project) -> None:
    assert cooldown.main(["--model", "delay"]) == 0
    registered.put("mlops/models/other.json", registered.model | {"model": "other"})
    assert cooldown.main(["--model", "other"]) == 0
    assert cooldown.main(["--model", "delay"]) == 1


def test_cool_down_cannot_run(
    registered: Project, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert cooldown.main(["--model", "delay"]) == 2
    assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err
    del registered.model["respond"]
    registered.write()
    assert cooldown.main(["--model", "delay"]) == 2
    assert "no answer of model 'delay' is 'retrain'" in capsys.readouterr().err


# --- a registry that is away ---------------------------------------------------------------------


PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "register": register.main,
    "monitor": monitor.main,
    "cooldown": cooldown.main,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_registry_that_is_away(
    registered: Project,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    free_port_url: str,
    program: str,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", free_port_url.replace("://", "://ada:secret@"))
    assert PROGRAMS[program](["--model", "delay"]) == 2
    said = capsys.readouterr()
    assert f"could not run: MLflow {free_port_url} cannot be reached after 5 attempts: " in said.err
    assert said.out.count("; attempt ") == 4
    assert "Traceback" not in said.err
    assert "secret" not in said.out + said.err


def test_a_registry_that_never_answers(
    registered: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch, silent_url: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", silent_url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    began = time.monotonic()
    assert cooldown.main(["--model", "delay"]) == 2
    assert time.monotonic() - began < 30
    assert f"MLflow {silent_url} cannot be reached after 5 attempts: " in capsys.readouterr().err


def test_a_registry_that_comes_back(
    registered: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> None:
    """It answers on the third attempt, and then says that it knows no such version."""
    gone = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such version"}
    server = serve(recovering(lambda *_: (404, gone, {}), failures=2))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    registered.model["environments"]["production"] = {
        "version": "9",
        "spec": "environments.production.versions.delay",
    }
    registered.write()
    assert monitor.main(["--model", "delay"]) == 2
    said = capsys.readouterr()
    assert said.out.count("; attempt ") == 2
    assert (
        "MLflow has no version 9 of 'flights-delay' "
        "(asked for by environments.production.versions.delay in mlops.yaml)" in said.err
    )
    assert len(server.requests) == 3


def test_a_registry_that_refuses_is_asked_once(
    registered: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> None:
    denied = {"error_code": "PERMISSION_DENIED", "message": "not yours"}
    server = serve(lambda *_: (403, denied, {}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    assert cooldown.main(["--model", "delay"]) == 2
    assert (
        f"could not run: MLflow {server.url}: PERMISSION_DENIED: not yours"
        in capsys.readouterr().err
    )
    assert len(server.requests) == 1


def test_a_run_of_trainings_own_that_is_not_there(registered: Project, capsys: Said) -> None:
    note = registered.folder / "build/delay/out/mlflow_run_id.txt"
    note.write_text("deadbeef\n")
    assert gate.main(["--model", "delay"]) == 0
    assert register.main(["--model", "delay"]) == 1
    assert (
        "mlflow_run_id.txt names the run 'deadbeef', which MLflow does not have "
        "(asked for by models.delay.training in mlops.yaml)"
    ) in capsys.readouterr().err


# --- what really arrives at the Pushgateway --------------------------------------------------------


def test_the_monitor_pushes_what_is_declared(logged: Project, pushgateway: str) -> None:
    look(logged, 0, "--pushgateway", pushgateway)
    assert exposed(pushgateway, "monitor.py") == declared("monitor.py")
