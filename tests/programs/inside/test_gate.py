"""gate.py: the contract, each metric against figures worked out by hand, bounds, slices, fairness, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from mlops import dataset, gate, metrics

from conftest import Project, declared, flights

if TYPE_CHECKING:
    from collections.abc import Callable

Said = pytest.CaptureFixture[str]


@pytest.fixture
def trained(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose dataset is written and whose training left everything the contract asks for."""
    monkeypatch.setenv("MLOPS_DATA", "data/delay")
    monkeypatch.setenv("MLOPS_OUT", "out")
    project.model["evaluation"]["columns"] = [{"name": "region", "type": "string", "spec": "x"}]
    rng = np.random.default_rng(2)
    project.table(flights().assign(region=rng.choice(["north", "south"], 1000)))
    project.write()
    assert dataset.main(["--model", "delay"]) == 0
    leave(project, lambda test: test["late"] + 3)
    return project


def leave(project: Project, predict: Callable[[pd.DataFrame], Any], **reported: float) -> None:
    test = pd.read_parquet(project.folder / "data/delay/test.parquet")
    (project.folder / "out/model").mkdir(parents=True, exist_ok=True)
    (project.folder / "out/model/model.bin").write_bytes(b"weights")
    test.assign(prediction=predict(test)).to_parquet(project.folder / "out/predictions.parquet")
    project.put("out/metrics.json", {"epochs": 3, **reported})


def judge(project: Project, code: int) -> dict[str, Any]:
    project.write()
    assert gate.main(["--model", "delay"]) == code
    made: dict[str, Any] = project.read("build/delay/gate/gate.json")
    return made


def outcomes(verdict: dict[str, Any]) -> dict[str, str]:
    return {case["what"]: case["outcome"] for case in verdict["cases"]}


def test_a_good_model_passes_and_every_report_says_so(trained: Project) -> None:
    verdict = judge(trained, 0)
    assert verdict["verdict"] == "passed"
    assert verdict["metrics"]["mae"] == pytest.approx(3, abs=1e-5)
    assert verdict["metrics"]["epochs"] == 3
    folder = trained.folder / "build/delay/gate"
    assert (folder / "gate.env").read_text() == "MLOPS_GATE=passed\n"
    metrics_text = (folder / "metrics.txt").read_text()
    assert 'mlops_gate_metric{model="delay",metric="epochs"} 3.0\n' in metrics_text
    assert metrics_text.endswith("# EOF\n")
    suite = ET.parse(folder / "junit.xml").getroot()[0]
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "0"


def test_it_reports_the_metric_that_is_declared_and_no_other(trained: Project) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    judge(trained, 0)
    report = (trained.folder / "build/delay/gate/metrics.txt").read_text()
    (family,) = text_string_to_metric_families(report)
    labels = {name for sample in family.samples for name in sample.labels}
    assert {family.name: (family.type, "", labels)} == declared("gate.py")


def test_a_worse_model_fails_with_the_spec_line(trained: Project, capsys: Said) -> None:
    leave(trained, lambda test: test["late"] + 31)
    verdict = judge(trained, 1)
    assert outcomes(verdict) == {"contract": "passed", "mae": "failed"}
    out = capsys.readouterr().out
    assert "failed   mae" in out
    assert "≤ 30" in out
    assert "models.delay.evaluation.metrics.mae" in out
    assert (
        ET.parse(trained.folder / "build/delay/gate/junit.xml").getroot()[0].attrib["failures"]
        == "1"
    )


@pytest.mark.parametrize(("severity", "code"), [("critical", 1), ("warning", 0), ("info", 0)])
def test_severity_decides(trained: Project, severity: str, code: int) -> None:
    trained.model["evaluation"]["metrics"][0] |= {"max": 1, "severity": severity}
    found = outcomes(judge(trained, code))
    assert found["mae"] == {"critical": "failed"}.get(severity, severity)


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("out/model/model.bin", "out/model is missing or empty"),
        ("out/metrics.json", "out/metrics.json is missing"),
        (
            "out/predictions.parquet",
            "out/predictions.parquet is missing (asked for by models.delay.training",
        ),
        ("data/delay/test.parquet", "data/delay/test.parquet is missing"),
    ],
)
def test_missing_pieces(trained: Project, capsys: Said, cut: str, said: str) -> None:
    (trained.folder / cut).unlink()
    assert gate.main(["--model", "delay"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda p: p.rename(columns={"prediction": "predictions"}),
            "has no column 'prediction', it has: ",
        ),
        (lambda p: p.iloc[:-1], "one prediction for each row, in the same order"),
        (lambda p: p.iloc[::-1], "row 0 is another one than in test.parquet: 'plane' is"),
        (
            lambda p: p.assign(prediction=[np.nan] + [1.0] * (len(p) - 1)),
            "column 'prediction' is empty in 1 of",
        ),
        (
            lambda p: p.assign(prediction=[np.inf] + [1.0] * (len(p) - 1)),
            "column 'prediction' holds inf",
        ),
        (lambda p: p.assign(prediction="late"), "column 'prediction' must hold numbers"),
    ],
)
def test_wrong_predictions(
    trained: Project, capsys: Said, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    path = trained.folder / "out/predictions.parquet"
    change(pd.read_parquet(path)).to_parquet(path)
    assert gate.main(["--model", "delay"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[1]", "must be one object"),
        ('{"auc": "good"}', "'auc' is no number but 'good'"),
    ],
)
def test_wrong_metrics_json(trained: Project, capsys: Said, text: str, said: str) -> None:
    (trained.folder / "out/metrics.json").write_text(text)
    assert gate.main(["--model", "delay"]) == 1
    assert said in capsys.readouterr().err


def test_a_metric_of_the_users_own_comes_from_metrics_json(trained: Project, capsys: Said) -> None:
    trained.model["evaluation"]["metrics"].append(
        {
            "name": "cost",
            "max": 10,
            "severity": "critical",
            "spec": "models.delay.evaluation.metrics.cost",
        }
    )
    trained.write()
    assert gate.main(["--model", "delay"]) == 1
    assert (
        "metric 'cost' is none that the gate computes for a regression" in capsys.readouterr().err
    )
    leave(trained, lambda test: test["late"], cost=11)
    assert outcomes(judge(trained, 1))["cost"] == "failed"
    leave(trained, lambda test: test["late"], cost=9)
    assert outcomes(judge(trained, 0))["cost"] == "passed"


@pytest.mark.parametrize(
    ("bound", "code"), [({"max": 10}, 0), ({"min": 10}, 0), ({"min": 10.01}, 1)]
)
def test_a_value_on_the_bound_holds(trained: Project, bound: dict[str, float], code: int) -> None:
    leave(trained, lambda test: test["late"], cost=10)
    trained.model["evaluation"]["metrics"] = [
        {"name": "cost", "severity": "critical", "spec": "x", **bound}
    ]
    judge(trained, code)


def test_slices_hold_too_and_small_ones_are_not_judged(trained: Project) -> None:
    test = pd.read_parquet(trained.folder / "data/delay/test.parquet")
    largest = test["carrier"].value_counts().idxmax()
    leave(trained, lambda test: test["late"] + np.where(test["carrier"] == largest, 40, 0))
    trained.model["evaluation"]["slices"] = [
        {"column": "carrier", "spec": "models.delay.evaluation.slices[0]"}
    ]
    found = outcomes(judge(trained, 1))
    assert found["mae"] == "passed"
    assert found[f"mae where carrier = {largest}"] == "failed"
    assert sorted(found.values()) == ["failed", "passed", "passed", "passed", "passed"]
    trained.model["evaluation"]["min_slice_rows"] = 10_000
    found = outcomes(judge(trained, 0))
    assert found[f"mae where carrier = {largest}"] == "not judged"


def test_slice_by_a_column_that_is_no_feature(trained: Project, capsys: Said) -> None:
    trained.model["evaluation"]["slices"] = [
        {"column": "region", "spec": "models.delay.evaluation.slices[0]"}
    ]
    assert {"mae where region = north", "mae where region = south"} < set(
        outcomes(judge(trained, 0))
    )
    trained.model["evaluation"]["slices"] = [
        {"column": "distance", "spec": "models.delay.evaluation.slices[0]"}
    ]
    trained.write()
    assert gate.main(["--model", "delay"]) == 2
    assert (
        "put values into ranges first (asked for by models.delay.evaluation.slices[0]"
        in capsys.readouterr().err
    )


def test_max_worse_without_registry_is_said_and_not_compared(trained: Project) -> None:
    trained.model["evaluation"]["metrics"][0]["max_worse"] = 1
    case = next(case for case in judge(trained, 0)["cases"] if case["what"] == "mae")
    assert case["note"] == "not compared: no model registry"


def test_registry_without_address_cannot_run(trained: Project, capsys: Said) -> None:
    trained.model["evaluation"]["metrics"][0]["max_worse"] = 1
    trained.model["registry"] = {"kind": "mlflow", "name": "delay", "experiment": "flights"}
    trained.write()
    assert gate.main(["--model", "delay"]) == 2
    assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err


def test_model_without_evaluation_is_held_to_the_contract_only(trained: Project) -> None:
    del trained.model["evaluation"]
    assert outcomes(judge(trained, 0)) == {"contract": "passed"}


def test_verdict_is_about_exactly_these_files(trained: Project) -> None:
    before = judge(trained, 0)["sha256"]
    (trained.folder / "out/model/model.bin").write_bytes(b"other weights")
    assert judge(trained, 0)["sha256"] != before


# --- metrics -----------------------------------------------------------------------------------

YES_NO = pd.DataFrame({"y": [True, True, True, False, False, False, False, False],
                       "p": [0.9, 0.6, 0.2, 0.7, 0.4, 0.3, 0.2, 0.1]})  # fmt: skip
"""tp 2, fn 1, fp 1, tn 4 at 0.5. Of the 15 pairs, yes is above no in 5 + 4 + 1.5."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 6 / 8), ("precision", 2 / 3), ("recall", 2 / 3), ("f1", 2 / 3),
        ("balanced_accuracy", (2 / 3 + 4 / 5) / 2), ("auc", 10.5 / 15), ("roc_auc", 10.5 / 15),
        ("selection_rate", 3 / 8), ("true_positive_rate", 2 / 3), ("false_positive_rate", 1 / 5),
        ("brier", (0.01 + 0.16 + 0.64 + 0.49 + 0.16 + 0.09 + 0.04 + 0.01) / 8),
        ("mcc", (2 * 4 - 1 * 1) / np.sqrt(3 * 3 * 5 * 5)),
        ("log_loss", -np.log([0.9, 0.6, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9]).mean()),
        ("average_precision", (1 + 2 / 3 + 3 / 7) / 3),
    ],
)  # fmt: skip
def test_classification(name: str, value: float) -> None:
    assert measure("classification", name, YES_NO) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mae", 8 / 4), ("mse", 18 / 4), ("rmse", np.sqrt(18 / 4)), ("median_ae", 2.0), ("max_error", 3.0),
        ("mape", (1 / 2 + 2 / 4 + 3 / 6 + 2 / 8) / 4), ("wape", 8 / 20), ("mean_error", -2 / 4),
        ("smape", 2 * (1 / 5 + 2 / 6 + 3 / 9 + 2 / 18) / 4), ("r2", 1 - 18 / 20),
    ],
)  # fmt: skip
def test_regression(name: str, value: float) -> None:
    frame = pd.DataFrame({"y": [2.0, 4.0, 6.0, 8.0], "p": [3.0, 2.0, 3.0, 10.0]})
    assert measure("regression", name, frame) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ndcg_at_2", (1 / np.log2(3) / 1 + 1) / 2), ("mrr", (1 / 2 + 1) / 2),
        ("precision_at_1", 0.5), ("recall_at_2", 1.0), ("map_at_3", (1 / 2 + 1) / 2),
    ],
)  # fmt: skip
def test_ranking_counts_lists_alike_and_leaves_out_lists_without_relevance(
    name: str, value: float
) -> None:
    frame = pd.DataFrame(
        {"q": [1, 1, 1, 2, 2, 3], "y": [0, 1, 0, 1, 0, 0], "p": [0.9, 0.8, 0.1, 0.6, 0.5, 0.4]}
    )
    assert measure("ranking", name, frame, groups=("q",)) == pytest.approx(value)


def test_several_classes() -> None:
    frame = pd.DataFrame({"y": ["a", "b", "c", "a"], "p": ["a", "b", "b", "a"]})
    assert measure("classification", "accuracy", frame) == 0.75
    assert measure("classification", "recall", frame) == pytest.approx(2 / 3)
    with pytest.raises(metrics.Undefined, match="needs probabilities"):
        measure("classification", "auc", frame)
    scores = pd.DataFrame(
        {"p_a": [0.8, 0.1, 0.2, 0.9], "p_b": [0.1, 0.8, 0.5, 0.1], "p_c": [0.1, 0.1, 0.3, 0.0]}
    )
    assert measure("classification", "auc", frame.join(scores)) == pytest.approx(1.0)
    assert measure("classification", "log_loss", frame.join(scores)) == pytest.approx(
        -np.log([0.8, 0.8, 0.3, 0.9]).mean()
    )


@pytest.mark.parametrize(
    ("name", "frame", "reason"),
    [
        ("auc", YES_NO[YES_NO["y"]], "not every class is among the labels"),
        ("auc", YES_NO.assign(p=[1, 1, 0, 1, 0, 0, 0, 0]), "needs probabilities"),
        ("precision", YES_NO.assign(p=0.1), "has no finite value"),
        ("accuracy", YES_NO.iloc[:0], "there are no rows"),
    ],
)
def test_undefined_is_no_number(name: str, frame: pd.DataFrame, reason: str) -> None:
    with pytest.raises(metrics.Undefined, match=reason):
        measure("classification", name, frame)


def test_probabilities_outside_their_range_are_refused() -> None:
    with pytest.raises(gate.Failed, match=r"between 0 and 1, not 0.1 to 7"):
        measure("classification", "auc", YES_NO.assign(p=[7, 0.6, 0.2, 0.7, 0.4, 0.3, 0.2, 0.1]))


def measure(task: Any, name: str, frame: pd.DataFrame, groups: tuple[str, ...] = ()) -> float:
    found = metrics.metric(task, name)
    assert found is not None
    return metrics.value(found, metrics.answers(frame, task, "y", "p", groups))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("demographic_parity_difference", 0.5 - 0.25), ("demographic_parity_ratio", 0.5),
        ("equal_opportunity_difference", 1 - 0.5), ("equalized_odds_difference", 0.5),
        ("equalized_odds_ratio", 0.0), ("accuracy_difference", 0.0),
    ],
)  # fmt: skip
def test_fairness(name: str, value: float) -> None:
    """Group a: tp 1, fp 1, tn 2; group b: tp 1, fn 1, tn 2."""
    frame = pd.DataFrame(
        {"y": [1, 0, 0, 0, 1, 1, 0, 0], "p": [0.9, 0.8, 0.1, 0.2, 0.7, 0.3, 0.2, 0.1]}
    )
    given = metrics.answers(frame, "classification", "y", "p", ())
    between = metrics.fairness("classification", name)
    assert between is not None
    assert between([given.of(np.arange(4)), given.of(np.arange(4, 8))]) == pytest.approx(value)


def test_fairness_gate(trained: Project, capsys: Said) -> None:
    bound = {
        "column": "region", "name": "mae_difference", "max": 5, "severity": "critical",
        "spec": "models.delay.evaluation.fairness.region.mae_difference",
    }  # fmt: skip
    trained.model["evaluation"]["fairness"] = [bound]
    assert outcomes(judge(trained, 0))["mae_difference by region"] == "passed"
    region = pd.read_parquet(trained.folder / "data/delay/evaluation.parquet")["region"]
    leave(trained, lambda test: test["late"] + np.where(region == "north", 10, 0))
    verdict = judge(trained, 1)
    assert outcomes(verdict)["mae_difference by region"] == "failed"
    assert verdict["metrics"]["mae_difference/region"] == pytest.approx(10, abs=1e-4)
    bound["name"] = "niceness_difference"
    trained.write()
    assert gate.main(["--model", "delay"]) == 2
    assert (
        "'niceness_difference' is no measure of fairness for a regression"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("severity", "code", "outcome"), [("critical", 1, "failed"), ("warning", 0, "warning")]
)
@pytest.mark.parametrize(
    ("north", "said"),
    [
        (
            3,
            "only south is a group of 20 test rows or more: use a longer `split.test`; without north",
        ),
        (None, "there is no group of 20 test rows or more"),
    ],
)
def test_fairness_between_groups_too_small_to_judge_does_not_hold(
    trained: Project, north: int | None, said: str, severity: str, code: int, outcome: str
) -> None:
    """A promise about groups is not kept by having too few of their rows."""
    trained.model["evaluation"]["fairness"] = [
        {
            "column": "region", "name": "mae_difference", "max": 5, "severity": severity,
            "spec": "models.delay.evaluation.fairness.region.mae_difference",
        }
    ]  # fmt: skip
    path = trained.folder / "data/delay/evaluation.parquet"
    rows = np.arange(len(pd.read_parquet(path)))
    tens = pd.Series(rows // 10).map("region {}".format)
    few = tens if north is None else np.where(rows < north, "north", "south")
    pd.DataFrame({"region": few}).to_parquet(path)
    verdict = judge(trained, code)
    (case,) = [one for one in verdict["cases"] if one["what"] == "mae_difference by region"]
    assert case["outcome"] == outcome
    assert case["found"] == "undefined"
    assert case["wanted"] == "≤ 5"
    assert said in case["note"]
    assert "mae_difference/region" not in verdict["metrics"]


def test_every_documented_metric_is_computed() -> None:
    from test_facts import DOCS

    text = DOCS.read_text("utf-8")
    for name in [*metrics.CLASSIFICATION, *metrics.REGRESSION, *metrics.ALIASES, "ndcg_at_", "mrr"]:
        assert f"`{name}" in text, name
