"""`mlopsc show`: what a spec says after all layers, and where each value comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from incremental.projects import project
from mlopsc.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in project("returns", "refunds").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["show", "--spec", str(folder), *arguments]) == 0
    return capsys.readouterr().out


def at(folder: Path, file: str, text: str) -> str:
    """FILE:LINE of the one line with `text`."""
    lines = (folder / file).read_text("utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return f"{file}:{number}"


def origins(text: str) -> dict[str, str]:
    """The last key of each line → the comment behind its value."""
    return {
        line.partition(":")[0].strip(" -"): line.partition("  # ")[2]
        for line in text.splitlines()
        if "  # " in line
    }


def test_each_layer_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = origins(shown(folder, capsys, "models.refunds.serving"))
    override = at(folder, "mlops.yaml", "refunds: {serving")
    item = at(folder, "models/refunds.yaml", "replicas:")
    assert said["min"] == f"{override}, override of production over {item}"
    assert said["memory"] == f"{at(folder, 'mlops.yaml', 'memory: 2Gi')}, default of models"
    assert said["runtime"] == "the language's default"
    assert said["availability"] == at(folder, "models/refunds.yaml", "availability")


def test_in_another_environment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = origins(shown(folder, capsys, "models.refunds.serving.replicas", "--env", "staging"))
    item = at(folder, "models/refunds.yaml", "replicas:")
    variable = at(folder, "mlops.yaml", "low: 2")
    assert said == {"min": f"{item}, ${{var.low}} from {variable}", "max": item}


def test_what_is_shown_is_the_spec_as_it_is_compiled(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = yaml.safe_load(shown(folder, capsys))
    assert data["models"]["refunds"]["serving"]["replicas"] == {"min": 3, "max": 9}
    assert data["models"]["returns"]["serving"]["replicas"] == {"min": 2, "max": 6}
    assert data["models"]["returns"]["training"]["command"] == "python src/train.py --model returns"
    assert data["sources"]["returns_orders"]["parquet"] == "data/returns.parquet"
    assert data["timezone"] == "UTC"
    assert "defaults" not in data


def test_one_value(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(folder, capsys, "environments.staging.namespace")
    place = at(folder, "mlops.yaml", "namespace: shop-staging")
    assert text.endswith(f"namespace: shop-staging  # {place}\n")


def test_for_tools(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(shown(folder, capsys, "models.refunds.evaluation", "--format", "json"))
    assert {
        "path": "models.refunds.evaluation.metrics.auc.min",
        "value": 0.8,
        "origin": at(folder, "models/refunds.yaml", "metrics:"),
    } in rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models.return"], "`models` has no 'return'; did you mean 'returns'?"),
        (["model"], "the spec has no 'model'; did you mean 'models'?"),
        (["models.returns.task.x"], "`models.returns.task` has no 'x'"),
        (
            ["models", "--env", "prod"],
            "there is no environment 'prod'; there are: staging, production",
        ),
    ],
)
def test_a_name_that_is_nothing(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["show", "--spec", str(folder), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_spec_that_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "shared.yaml").write_text("sources: 3\n", "utf-8")
    assert run(["show", "--spec", str(folder)]) == 1
    assert "shared.yaml:1" in capsys.readouterr().err


def test_a_value_taken_away_by_null_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "models" / "returns.yaml"
    path.write_text(path.read_text().replace("autoscale: {cpu: 70%}", "resources: null"), "utf-8")
    said = origins(shown(folder, capsys, "models.returns.serving.resources"))
    removed = at(folder, "models/returns.yaml", "resources: null")
    assert said["memory"] == f"the language's default, since {removed} removes what was written"
