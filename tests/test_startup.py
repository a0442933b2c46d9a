"""What each command loads: start-up time is a promise, and a heavy package is paid for by whom it serves.

Nothing is timed here. A command runs in a process of its own, which then tells what it imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
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
        *(
            [command, "--help"]
            for command in ("compile", "check", "why", "init", "promote", "fmt", "upgrade")
        ),
        ["targets"],
        ["template"],
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


def test_the_form_and_the_upgrade_of_a_spec_need_the_reader_alone(tmp_path: Path) -> None:
    spec = project(tmp_path)
    assert loaded(tmp_path, "fmt", "--check", spec) == {"yaml"}
    assert loaded(tmp_path, "upgrade", spec) == {"yaml"}


def test_installed_packages_are_looked_up_only_where_a_spec_names_one(tmp_path: Path) -> None:
    asked = 'targets: {catalog: {package: nothing-of-this-name, version: "1"}}\n'
    assert "importlib.metadata" not in loaded(tmp_path, "check", project(tmp_path), code=1)
    assert "importlib.metadata" in loaded(
        tmp_path, "check", project(tmp_path, VALID + asked), code=1
    )


_AGAIN = """\
import sys
bare = set(sys.modules)
from mlopsc.__main__ import main
told, sys.argv = sys.argv[1], ["mlopsc", *sys.argv[2:]]
try:
    main()
finally:
    loaded = sorted(set(sys.modules) - bare)
    with open(told, "w", encoding="utf-8") as file:
        file.write("\\n".join(loaded))
"""
OURS_IN_A_HURRY = {
    "mlopsc",
    "mlopsc.__main__",
    "mlopsc.cli",
    "mlopsc.cli.unchanged",
    "mlopsc.workspace",
    "mlopsc.workspace.cache",
    "mlopsc.workspace.remembered",
    "mlopsc.workspace.signature",
}
BUILT_IN = {
    *("__future__", "_stat", "array", "gc", "stat", "time", "zlib"),
    # `array` registers itself as a sequence.
    *("collections", "collections.abc", "_collections", "itertools", "keyword", "operator"),
    *("_operator", "reprlib"),
}


@pytest.mark.parametrize("command", ["check", "compile"])
def test_where_nothing_has_changed_nothing_is_loaded(tmp_path: Path, command: str) -> None:
    spec = project(tmp_path)
    told = tmp_path / "told.txt"
    environ = {**os.environ, "MLOPSC_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments: str) -> set[str]:
        argv = [sys.executable, "-c", _AGAIN, str(told), *arguments]
        subprocess.run(argv, check=True, capture_output=True, env=environ)
        return set(told.read_text(encoding="utf-8").splitlines())

    assert COMPILER in run("compile", spec)
    for _ in range(4):  # compiled by a compiler edited a moment ago, it is compiled again
        time.sleep(2.2)  # until files are old enough for their times to be believed
        if COMPILER not in run("check", spec):
            break
    assert run(command, spec) <= OURS_IN_A_HURRY | BUILT_IN
