"""MLflow's project file: read by MLflow, its commands run by a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from mlopsc.targets import mlflow
from readers.commands import run
from targets.gitlab_compiled import FULL, SMALL, artifacts_of, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def entry_points(spec: str) -> dict[str, dict[str, object]]:
    return yaml.safe_load(artifacts_of(mlflow, spec)["MLproject"].text)["entry_points"]


def test_each_step_of_a_model_is_an_entry_point() -> None:
    points = entry_points(FULL)
    assert list(points) == ["churn-dataset", "churn-train", "churn-evaluate"]
    assert points["churn-train"]["parameters"] == {
        "data": {"type": "string", "default": "build/churn/data"},
        "out": {"type": "string", "default": "build/churn/out"},
    }


def test_without_mlflow_there_is_no_project_file() -> None:
    assert artifacts_of(mlflow, SMALL) == {}


def test_a_command_with_braces_reaches_the_shell_as_it_is(tmp_path: Path) -> None:
    spec = FULL.replace(
        "command: python src/churn/train.py",
        "command: 'for i in a b; do echo {$i} \"$MLOPS_OUT\"; done'",
    )
    command = entry_points(spec)["churn-train"]["command"]
    assert isinstance(command, str)
    result = run("sh", "-ec", command.format(data="d", out="'o p'"), cwd=tmp_path)
    assert result.stdout == "{a} o p\n{b} o p\n"


def test_mlflow_accepts_the_file(accepts: Callable[..., list[object]], tmp_path: Path) -> None:
    assert accepts(tmp_path, written(mlflow, FULL, tmp_path)) == []
