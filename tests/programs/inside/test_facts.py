"""The shape of the facts: what the documentation shows is accepted, anything else is refused with its place."""

from __future__ import annotations

import copy
import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlops import dataset, facts

from conftest import MODEL, PROGRAMS, SOURCE, Json, Project

DOCS = Path(__file__).parents[3] / "docs" / "targets" / "programs.md"
EXAMPLES = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCS.read_text("utf-8"), re.S)
]
RUNNABLE = (
    "batch",
    "cooldown",
    "dataset",
    "gate",
    "materialize",
    "monitor",
    "register",
    "schedules",
    "validate",
)


def problems_of(data: object, tmp_path: Path) -> list[str]:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return [problem.removeprefix(f"{path}: ") for problem in facts.check(path)]


def test_documented_examples_are_right(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 3
    for example in EXAMPLES:
        assert problems_of(example, tmp_path) == []


def test_every_key_of_the_facts_is_documented() -> None:
    shown = {key for example in EXAMPLES for key in keys_of(example)}
    text = DOCS.read_text("utf-8")
    for kind in (facts.ModelFacts, facts.SourceFacts, facts.ScheduleFacts):
        for key in keys_of_class(kind):
            assert key in shown or f"`{key}`" in text or f".{key}`" in text, key


def keys_of(data: object) -> set[str]:
    if isinstance(data, dict):
        return set(data) | {key for value in data.values() for key in keys_of(value)}
    return {key for value in data for key in keys_of(value)} if isinstance(data, list) else set()


def keys_of_class(kind: type) -> set[str]:
    import dataclasses
    import typing

    found: set[str] = set()
    for name, hint in typing.get_type_hints(kind).items():
        found.add(name.rstrip("_"))
        for part in [hint, *typing.get_args(hint)]:
            if dataclasses.is_dataclass(part) and isinstance(part, type):
                found |= keys_of_class(part)
    return found


def changed(data: Json, path: str, value: object) -> Json:
    made = copy.deepcopy(data)
    *steps, last = path.split(".")
    node = made
    for step in steps:
        node = node[int(step)] if step.isdigit() else node[step]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("examples.label.name", ..., "'examples.label' has no key 'name'"),
        ("examples.extra", 1, "'examples' has the unknown key 'extra'"),
        ("task", "guessing", "'task' must be one of classification, regression"),
        ("training.seed", "7", "'training.seed' must be a whole number, not \"7\""),
        ("training.seed", True, "'training.seed' must be a whole number, not true"),
        (
            "training.split.test",
            {},
            "'training.split.test' must have exactly one of 'seconds' and 'share'",
        ),
        ("training.split.test", {"share": 1.5}, "'share' must lie between 0 and 1"),
        (
            "training.window_seconds",
            None,
            "'training.window_seconds' is null; a key that does not apply",
        ),
        ("evaluation.metrics.0.max", ..., "must have at least one of 'min', 'max', 'max_worse'"),
        ("features.own", {}, "'features.own' must be a list"),
        ("features.service", "delay", "exactly when 'joined' is not empty"),
        ("environments", [], "'environments' must be an object"),
        ("format", 2, "'format' must be one of 1, not 2"),
    ],
)
def test_wrong_model_facts(tmp_path: Path, path: str, value: object, said: str) -> None:
    found = problems_of(changed(MODEL, path, value), tmp_path)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("predictions", "columns", "performance", "said"),
    [
        ("none", ["prediction"], False, ["has 'prediction' in 'monitoring.drift.columns'"]),
        ("scored", ["prediction", "carrier"], True, []),
        ("none", ["carrier"], True, ["has 'monitoring.performance' without predictions"]),
        ("logged", ["speed"], False, ["has 'speed' in 'monitoring.drift.columns'"]),
    ],
)
def test_monitor_reads_what_it_reports(
    tmp_path: Path, predictions: str, columns: list[str], performance: bool, said: list[str]
) -> None:
    monitoring: Json = {
        "current": "flights", "reference": {"training": True}, "window_seconds": 1, "min_rows": 1,
        "predictions": predictions, "spec": "x", "drift": {"config": "x", "columns": columns, "spec": "x"},
    }  # fmt: skip
    if performance:
        monitoring["performance"] = {
            "config": "x",
            "metrics": [],
            "tolerance_seconds": 0,
            "spec": "x",
        }
    found = problems_of({**MODEL, "monitoring": monitoring}, tmp_path)
    assert len(found) == len(said)
    assert all(part in one for part, one in zip(said, found, strict=True))


def test_all_problems_at_once(tmp_path: Path) -> None:
    data = changed(changed(SOURCE, "columns.0.type", "number"), "environments.production.path", ...)
    found = problems_of(data, tmp_path)
    assert len(found) == 2
    assert "'columns[0].type' must be one of" in found[0]
    assert "of kind 'parquet' must have 'path' and not 'table'" in found[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "is no facts file"),
        (b"{}", "is no facts file"),
    ],
)
def test_files_that_are_no_facts(
    project: Project, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    path = project.folder / "bad.json"
    path.write_bytes(content)
    assert dataset.main(["--check", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_check_of_good_and_missing_files(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ["mlops/models/delay.json", "mlops/sources/flights.json"]
    assert dataset.main(["--check", *good]) == 0
    assert dataset.main(["--check", *good, "gone.json"]) == 2
    assert "gone.json: there is no such file" in capsys.readouterr().err


def test_unknown_model_is_answered_with_the_known_ones(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dataset.main(["--model", "dealy"]) == 2
    assert (
        "no model 'dealy': mlops/models/dealy.json is missing; there are: delay"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("command", [["mlops/dataset.py"], ["-m", "mlops.gate"]])
def test_programs_start_as_files_and_as_modules(project: Project, command: list[str]) -> None:
    shutil.copytree(PROGRAMS, project.folder / "mlops", dirs_exist_ok=True)
    shown = subprocess.run(
        [sys.executable, *command, "--help"], capture_output=True, text=True, check=True
    )
    assert "exit codes: 0 passed, 1 failed, 2 could not run" in shown.stdout


@pytest.mark.parametrize("name", RUNNABLE)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module(f"mlops.{name}").main(["--help"]) == 0
    said = capsys.readouterr().out
    for flag in ("--facts DIR", "--check FILE", "--environment ENV", "--now TIME"):
        assert flag in said


@pytest.mark.parametrize("argv", [["--nonsense"], [], ["--model"]])
def test_wrong_usage(project: Project, argv: list[str]) -> None:
    for name in RUNNABLE:
        program = importlib.import_module(f"mlops.{name}")
        if name != "schedules":
            assert program.main(argv) == 2


def test_programs_do_not_need_the_compiler() -> None:
    for path in PROGRAMS.glob("*.py"):
        assert "mlopsc" not in re.sub(r'""".*?"""', "", path.read_text("utf-8"), flags=re.S), path
