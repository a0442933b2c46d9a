"""What each command loads: start-up time is a promise, and a heavy package is paid for by whom it serves.

Nothing is timed here. A command runs in a process of its own, which then tells what it imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

HEAVY = frozenset(
    {"jinja2", "jsonschema", "ruamel", "kubernetes", "gitlab", "pydantic", "pydantic_core", "yaml"}
    | {"pyarrow", "pandas", "numpy"}  # what a data file's columns are read with
    | {
        "asyncio",
        "email",
        "http",
        "ssl",
        "unittest",
        "importlib.metadata",
    }  # slow, and ours to avoid
)
COMPILER = "mlopsc.compiler"

_RUN = """\
import json, sys
from mlopsc.cli.main import run
code = run(sys.argv[2:])
with open(sys.argv[1], "w", encoding="utf-8") as told:
    json.dump({"code": code, "modules": sorted(sys.modules)}, told)
"""

VALID = (EXAMPLES / "minimal" / "mlops.yaml").read_text(encoding="utf-8")


def loaded(tmp_path: Path, *arguments: str, code: int = 0) -> set[str]:
    """Those of `HEAVY`, and the compiler, that `mlopsc` with these arguments has loaded."""
    told = tmp_path / "told.json"
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(told), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(told.read_text(encoding="utf-8"))
    assert found["code"] == code, done.stderr
    return (HEAVY | {COMPILER}) & set(found["modules"])


def project(folder: Path, text: str = VALID) -> str:
    (folder / "mlops.yaml").write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        *([command, "--help"] for command in ("compile", "check", "why", "init", "promote")),
        ["targets"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_what_compiles_nothing_loads_nothing(tmp_path: Path, arguments: list[str]) -> None:
    assert loaded(tmp_path, *arguments) == set()


def test_a_file_that_is_no_yaml_is_refused_by_the_reader_alone(tmp_path: Path) -> None:
    spec = project(tmp_path, VALID.replace("project: flights", "project: ["))
    assert loaded(tmp_path, "check", spec, code=1) == {COMPILER, "yaml"}


def test_a_name_that_leads_nowhere_needs_neither_models_nor_templates(tmp_path: Path) -> None:
    spec = project(tmp_path, VALID.replace("flights:arr_delay", "trains:arr_delay"))
    assert loaded(tmp_path, "check", spec, code=1) == {COMPILER, "yaml", "pydantic_core"}


def test_only_a_wrong_shape_loads_the_models(tmp_path: Path) -> None:
    spec = project(tmp_path, VALID.replace("project: flights", "project: 3"))
    assert "pydantic" in loaded(tmp_path, "check", spec, code=1)


def test_compile_and_check_load_templates_and_no_more(tmp_path: Path) -> None:
    spec = project(tmp_path)
    everything = {COMPILER, "yaml", "pydantic_core", "jinja2"}
    assert loaded(tmp_path, "compile", spec) <= everything
    assert loaded(tmp_path, "check", spec) <= everything


def test_files_that_are_data_need_no_templates(tmp_path: Path) -> None:
    spec = project(tmp_path)
    data = {COMPILER, "yaml", "pydantic_core"}
    assert loaded(tmp_path, "compile", spec, "--target", "dvc") == data
    assert loaded(tmp_path, "why", str(tmp_path / "dvc.yaml") + ":3") == data
