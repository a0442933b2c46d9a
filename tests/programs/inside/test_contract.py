"""The contract with the user's code: each missing or wrong piece, named with the line that asks for it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from mlops import dataset, gate, places

from conftest import Project, flights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Said = pytest.CaptureFixture[str]
SPEC = """\
project: flights
sources:
  flights:
    parquet: data/flights.parquet
    timestamp: at
    columns:
      carrier: string
      distance: {type: float32}
      late: {type: float32, known_after: 1d}
models:
  delay:
    target: flights:late
    features:
      - flights:carrier
      - flights:distance
    training:
      command: python src/train.py
      split: {validation: 20%, test: 20%}
    evaluation:
      metrics: {mae: {max: 30}}
"""
TRAINING = "(asked for by models.delay.training in mlops.yaml:16)"
PREDICTION = (
    "(asked for by models.delay.prediction in mlops.yaml:11)"  # not written: its model's line
)
MAE = "models.delay.evaluation.metrics.mae in mlops.yaml:20"


@pytest.fixture
def trained(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with its spec, whose dataset is made and whose training left everything."""
    (project.folder / "mlops.yaml").write_text(SPEC)
    monkeypatch.setenv("MLOPS_DATA", "data/delay")
    monkeypatch.setenv("MLOPS_OUT", "out")
    assert dataset.main(["--model", "delay"]) == 0
    test = pd.read_parquet(project.folder / "data/delay/test.parquet")
    (project.folder / "out/model").mkdir(parents=True)
    (project.folder / "out/model/model.bin").write_bytes(b"weights")
    test.assign(prediction=test["late"] + 1).to_parquet(project.folder / "out/predictions.parquet")
    project.put("out/metrics.json", {"epochs": 3})
    assert gate.main(["--model", "delay"]) == 0
    return project


# --- what training leaves ----------------------------------------------------------------------------


def rewritten(change: Callable[[pd.DataFrame], Any]) -> Callable[[Path], None]:
    def rewrite(out: Path) -> None:
        path = out / "predictions.parquet"
        change(pd.read_parquet(path)).to_parquet(path)

    return rewrite


def two_columns(out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(out / "predictions.parquet")
    twice = table.append_column("prediction", pa.array([0.0] * len(table)))
    pq.write_table(twice, out / "predictions.parquet")


def damaged(out: Path) -> None:
    """A file whose ends are those of parquet, and whose rows are overwritten."""
    path = out / "predictions.parquet"
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4)
    path.write_bytes(content)


def emptied(out: Path) -> None:
    (out / "model/model.bin").unlink()


def without_model(out: Path) -> None:
    emptied(out)
    (out / "model").rmdir()


def text(name: str, content: str | bytes) -> Callable[[Path], None]:
    def write(out: Path) -> None:
        path = out / name
        path.unlink()
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def folder(name: str) -> Callable[[Path], None]:
    def make(out: Path) -> None:
        (out / name).unlink()
        (out / name).mkdir()

    return make


@pytest.mark.parametrize(
    ("change", "said", "asked"),
    [
        (without_model, "out/model is missing or empty: training must leave the model there", TRAINING),
        (emptied, "out/model is missing or empty: training must leave the model there", TRAINING),
        (lambda out: (out / "predictions.parquet").unlink(), "out/predictions.parquet is missing", TRAINING),
        (folder("predictions.parquet"), "out/predictions.parquet is missing", TRAINING),
        (text("predictions.parquet", "carrier,prediction"), "out/predictions.parquet cannot be read as parquet", TRAINING),
        (text("predictions.parquet", ""), "out/predictions.parquet cannot be read as parquet", TRAINING),
        (damaged, "out/predictions.parquet cannot be read as parquet", TRAINING),
        (two_columns, "out/predictions.parquet cannot be read as parquet: Multiple matches", TRAINING),
        (rewritten(lambda p: p.rename(columns={"prediction": "y"})), "has no column 'prediction', it has: ", PREDICTION),
        (rewritten(lambda p: p.iloc[:-1]), "rows, the test split has ", TRAINING),
        (rewritten(lambda p: pd.concat([p, p])), "rows, the test split has ", TRAINING),
        (rewritten(lambda p: p.iloc[::-1]), "row 0 is another one than in test.parquet", TRAINING),
        (rewritten(lambda p: p.assign(prediction=[np.nan, *p["prediction"][1:]])), "column 'prediction' is empty in 1 of", PREDICTION),
        (rewritten(lambda p: p.assign(prediction=[np.inf, *p["prediction"][1:]])), "column 'prediction' holds inf", PREDICTION),
        (rewritten(lambda p: p.assign(prediction="late")), "column 'prediction' must hold numbers, not ", PREDICTION),
        (rewritten(lambda p: p.assign(prediction=[[1.0]] * len(p))), "column 'prediction' must hold numbers, not object", PREDICTION),
        (lambda out: (out / "metrics.json").unlink(), "out/metrics.json is missing: training must write its metrics", TRAINING),
        (folder("metrics.json"), "out/metrics.json cannot be read: ", TRAINING),
        (text("metrics.json", ""), "out/metrics.json is not JSON: ", TRAINING),
        (text("metrics.json", b"\xff\xfe"), "out/metrics.json is not JSON: ", TRAINING),
        (text("metrics.json", "[" * 100_000), "out/metrics.json is not JSON: ", TRAINING),
        (text("metrics.json", "[1]"), "out/metrics.json must be one object of names and numbers", TRAINING),
        (text("metrics.json", '{"loss": NaN}'), "out/metrics.json: 'loss' is no number but nan", TRAINING),
        (text("metrics.json", '{"loss": -Infinity}'), "out/metrics.json: 'loss' is no number but -inf", TRAINING),
        (text("metrics.json", '{"loss": 1' + "0" * 400 + "}"), "out/metrics.json: 'loss' is no number but 1000", TRAINING),
        (text("metrics.json", '{"loss": {"train": 1}}'), "out/metrics.json: 'loss' is no number but {'train': 1}", TRAINING),
        (text("metrics.json", '{"loss": null}'), "out/metrics.json: 'loss' is no number but None", TRAINING),
        (text("metrics.json", '{"loss": true}'), "out/metrics.json: 'loss' is no number but True", TRAINING),
        (text("metrics.json", json.dumps({"loss": "x" * 10_000})), "'loss' is no number but 'xxxx", TRAINING),
    ],
)  # fmt: skip
def test_what_training_left_wrong(
    trained: Project, capsys: Said, change: Callable[[Path], None], said: str, asked: str
) -> None:
    change(trained.folder / "out")
    capsys.readouterr()
    assert gate.main(["--model", "delay"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("failed: ")
    assert said in error
    assert error.endswith(f"{asked}\n")
    assert "Traceback" not in error
    assert len(error) < 1000


def test_a_metric_of_ones_own_that_is_not_there(trained: Project, capsys: Said) -> None:
    trained.model["evaluation"]["metrics"][0]["name"] = "cost"
    trained.write()
    assert gate.main(["--model", "delay"]) == 1
    assert (
        f"metrics.json does not have it; it has: epochs (asked for by {MAE})"
        in capsys.readouterr().err
    )


def test_a_bound_that_does_not_hold_is_named_with_its_line(trained: Project, capsys: Said) -> None:
    trained.model["evaluation"]["metrics"][0]["max"] = 0.5
    trained.write()
    assert gate.main(["--model", "delay"]) == 1
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed ")]
    assert row.split()[1:5] == ["mae", "1", "≤", "0.5"]
    assert row.endswith(MAE)
    assert MAE in (trained.folder / "build/delay/gate/junit.xml").read_text()
    case = trained.read("build/delay/gate/gate.json")["cases"][1]
    assert case["spec"] == "models.delay.evaluation.metrics.mae"  # a line would be old tomorrow


# --- what training gets -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (flights().drop(columns="carrier"), "(asked for by models.delay.features[0] in mlops.yaml:14)"),
        (flights().assign(distance="far"), "(asked for by models.delay.features[1] in mlops.yaml:15)"),
        (flights().drop(columns="late"), "(asked for by models.delay.target in mlops.yaml:12)"),
        (flights().iloc[:0], "(asked for by models.delay.training in mlops.yaml:16)"),
        (flights().assign(late=np.nan), "(asked for by models.delay.target in mlops.yaml:12)"),
        (None, "data/flights.parquet does not exist (asked for by sources.flights.parquet in mlops.yaml:4)"),
    ],
)  # fmt: skip
def test_data_that_is_wrong(
    trained: Project, capsys: Said, frame: pd.DataFrame | None, said: str
) -> None:
    (trained.folder / "data/flights.parquet").unlink()
    if frame is not None:
        trained.table(frame)
    assert dataset.main(["--model", "delay"]) == 1
    assert said in capsys.readouterr().err


# --- the line of a path ---------------------------------------------------------------------------------

WRITTEN = """\
# comments, and lines of every kind
x-usual: &usual
  training:
    command: python src/train.py
models:
  "delay":
    <<: *usual
    target: flights:late
    features:
    - flights:carrier

    - {a: 1,
       b: 2}
    monitoring: {drift: {share: {max: 30%}}}
  other:
    <<: [*usual]
    training: {command: other}
columns:
  a.b:
    c: 1
  a: {c: 2}
on: {no: 3}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("models", 5),
        ("models.delay", 6),
        ("models.delay.target", 8),
        ("models.delay.features", 9),
        ("models.delay.features[0]", 10),
        ("models.delay.features[1]", 12),
        ("models.delay.features[1].b", 13),
        ("models.delay.features[7]", 9),
        ("models.delay.monitoring.drift.share.max", 14),
        ("models.delay.monitoring.drift.threshold", 14),
        # Merged in: the line where it is written.
        ("models.delay.training.command", 4),
        # … unless it is written here.
        ("models.other.training.command", 17),
        # Not written: the line of what it would be written under.
        ("models.delay.prediction", 6),
        ("columns.a.b.c", 20),
        ("columns.a.b.d", 19),
        ("on.no", 22),
        ("sources.flights", None),
        ("", None),
    ],
)
def test_lines(project: Project, path: str, line: int | None) -> None:
    (project.folder / "mlops.yaml").write_text(WRITTEN)
    assert places.place_of(path) == (None if line is None else ("mlops.yaml", line))


def test_what_stands_in_an_included_file_is_found_there(project: Project) -> None:
    files = {
        "mlops.yaml": "include: [teams.yaml, gone.yaml, /etc/x]\nenvironments: {staging: {}}\nmodels: {here: {}}\n",
        "teams.yaml": "include: ['models/*.yaml']\n",
        "models/delay.yaml": "models:\n  delay:\n    target: a:b\n",
        "models/other.yaml": "include: [teams.yaml]\nmodels: {other: {training: {}}}\n",
        "models/broken.yaml": "models: {delay: [",
    }
    for name, text in files.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text)
    assert places.place_of("models.delay.target") == ("models/delay.yaml", 3)
    assert places.named("models.delay.serving") == "models.delay.serving in models/delay.yaml:2"
    assert places.place_of("models.other.training.seed") == ("models/other.yaml", 2)
    assert places.place_of("models.here") == ("mlops.yaml", 3)
    assert places.place_of("environments.staging") == ("mlops.yaml", 2)


def test_an_edited_spec_is_read_again(project: Project) -> None:
    path = project.folder / "mlops.yaml"
    path.write_text("models: {}\n")
    assert places.named("models.delay") == "models.delay in mlops.yaml:1"
    path.write_text("# a line above\nmodels: {}\n")
    os.utime(path, ns=(1, 1))
    assert places.named("models.delay") == "models.delay in mlops.yaml:2"


@pytest.mark.parametrize(
    "content", [b"models: [", b"\xff", b"", b"- a\n", b"a: *gone", b"text", b"[" * 5000]
)
def test_without_a_readable_spec_the_path_is_said(project: Project, content: bytes) -> None:
    (project.folder / "mlops.yaml").write_bytes(content)
    assert places.named("models.delay") == "models.delay in mlops.yaml"


def test_without_a_spec_or_pyyaml_the_path_is_said(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert places.named("models.delay") == "models.delay in mlops.yaml"
    (project.folder / "mlops.yaml").write_text("models: {delay: {}}\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert places.named("models.delay") == "models.delay in mlops.yaml"
