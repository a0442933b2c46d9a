"""DVC's files: read by DVC, and run by it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import yaml

import tools
from mlopsc.targets import dvc
from readers.commands import run
from targets.gitlab_compiled import FULL, SMALL, artifacts_of, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMAND = "command: python src/train.py"


def test_three_stages_a_model_with_the_commands_of_the_pipeline() -> None:
    stages = yaml.safe_load(artifacts_of(dvc, SMALL)["dvc.yaml"].text)["stages"]
    assert stages == {
        "delay-dataset": {
            "cmd": "python mlops/dataset.py --model delay --data build/delay/data"
            " --environment production",
            "deps": [
                "mlops/dataset.py", "mlops/models/delay.json", "mlops/sources/flights.json",
                "data/flights.parquet",
            ],
            "outs": ["build/delay/data"],
        },
        "delay-train": {
            "cmd": "MLOPS_DATA=build/delay/data MLOPS_OUT=build/delay/out python src/train.py",
            "deps": ["build/delay/data", "src"],
            "params": ["delay"],
            "outs": ["build/delay/out"],
        },
        "delay-evaluate": {
            "cmd": "python mlops/gate.py --model delay --data build/delay/data --out build/delay/out",
            "deps": [
                "mlops/gate.py", "mlops/models/delay.json", "build/delay/data", "build/delay/out",
            ],
            "metrics": [{"build/delay/gate/gate.json": {"cache": False}}],
        },
    }  # fmt: skip


def test_parameters_stand_under_the_models_name_with_the_seed() -> None:
    parameters = yaml.safe_load(artifacts_of(dvc, FULL)["params.yaml"].text)
    assert parameters == {"churn": {"epochs": 100, "seed": 42}}


def test_a_parameter_called_seed_is_the_users() -> None:
    spec = FULL.replace("{epochs: 100}", "{seed: 7}")
    assert yaml.safe_load(artifacts_of(dvc, spec)["params.yaml"].text) == {"churn": {"seed": 7}}


def test_nothing_to_train_makes_no_file() -> None:
    brought = SMALL.replace("training: {command: python src/train.py}", "artifact: models/delay")
    assert artifacts_of(dvc, brought) == {}


@pytest.mark.parametrize("spec", [SMALL, FULL], ids=["small", "full"])
def test_dvc_accepts_the_files(
    accepts: Callable[..., list[object]], tmp_path: Path, spec: str
) -> None:
    assert accepts(tmp_path, written(dvc, spec, tmp_path)) == []


PLAYED = """\
import json, pathlib, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
name = pathlib.Path(__file__).stem
folder = pathlib.Path(arguments["--data"] if name == "dataset" else "build/delay/gate")
folder.mkdir(parents=True, exist_ok=True)
(folder / f"{name}.json").write_text(json.dumps({"mae": 12.5}))
"""
TRAINED = """\
import os, pathlib, yaml
out = pathlib.Path(os.environ["MLOPS_OUT"])
out.mkdir(parents=True)
assert pathlib.Path(os.environ["MLOPS_DATA"]).is_dir()
(out / "seed").write_text(str(yaml.safe_load(open("params.yaml"))["delay"]["seed"]))
"""


@pytest.mark.parametrize(
    ("command", "seed"),
    [
        ("python src/train.py", "42"),
        ("cd src && echo '$x' {y} $HOME && mkdir ../$MLOPS_OUT", None),
    ],
    ids=["a program", "a line of shell"],
)
def test_dvc_runs_what_it_reads(tmp_path: Path, command: str, seed: str | None) -> None:
    assert COMMAND in SMALL
    spec = SMALL.replace(COMMAND, f"command: {json.dumps(command)}")
    written(dvc, spec, tmp_path)
    files = {
        "mlops/dataset.py": PLAYED, "mlops/gate.py": PLAYED, "src/train.py": TRAINED,
        "mlops/models/delay.json": "{}", "mlops/sources/flights.json": "{}", "data/flights.parquet": "x",
    }  # fmt: skip
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "src").mkdir(exist_ok=True)
    python = tools.python("core")
    env = {"PATH": f"{python.parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    assert run(python.parent / "dvc", "init", "--no-scm", cwd=tmp_path, env=env).returncode == 0
    result = run(python.parent / "dvc", "repro", cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stdout + result.stderr
    again = run(python.parent / "dvc", "repro", cwd=tmp_path, env=env)
    assert "didn't change, skipping" in again.stdout
    if seed is not None:
        assert (tmp_path / "build/delay/out/seed").read_text() == seed
    assert json.loads((tmp_path / "build/delay/gate/gate.json").read_text()) == {"mae": 12.5}
