"""Each example compiles to the bytes that are committed beside it, wherever and however it is compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/mlops.yaml"))


def generated(project: Path) -> dict[str, bytes]:
    """What the lock names, and the lock."""
    lock = (project / "mlops.lock").read_bytes()
    lines = [line.split() for line in lock.decode().splitlines() if not line.startswith("#")]
    paths = [words[1] for words in lines if len(words) == 2 and len(words[0]) == 64]
    assert paths, "the lock names no file"
    return {path: (project / path).read_bytes() for path in paths} | {"mlops.lock": lock}


def mlopsc(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlopsc", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def copied(name: str, to: Path, *, outputs: bool) -> Path:
    """The example as somebody else's checkout, with or without what it compiles to."""
    project = to / "a project"
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("data", "build"))
    if not outputs:
        for path in generated(project):
            (project / path).unlink()
    return project


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Pacific/Apia"},
        {
            "PYTHONHASHSEED": "424242",
            "LC_ALL": "C.UTF-8",
            "TZ": "America/New_York",
            "PYTHONUTF8": "1",
            "PYTHONDEVMODE": "1",  # where a value that is changed after all is an error: see frozen.py
        },
    ],
    ids=["C", "UTF-8, development mode"],
)
def test_compiles_to_the_committed_bytes(
    name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    project = copied(name, tmp_path, outputs=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = mlopsc("compile", str(project), cwd=elsewhere, **environment)
    assert done.returncode == 0, done.stderr
    assert generated(project) == generated(EXAMPLES / name)
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_check_is_clean(name: str) -> None:
    done = mlopsc("check", cwd=EXAMPLES / name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_second_compile_rewrites_nothing(name: str, tmp_path: Path) -> None:
    project = copied(name, tmp_path, outputs=True)
    before = {path: (project / path).stat() for path in generated(project)}
    done = mlopsc("compile", cwd=project)
    assert done.returncode == 0, done.stderr
    after = {path: (project / path).stat() for path in generated(project)}
    assert {p: (s.st_mtime_ns, s.st_ino) for p, s in after.items()} == {
        p: (s.st_mtime_ns, s.st_ino) for p, s in before.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_machine_is_in_the_outputs(name: str) -> None:
    for path, data in generated(EXAMPLES / name).items():
        if path == "mlops.lock":
            continue
        text = data.decode()
        assert str(EXAMPLES.parent) not in text, path
        assert "\r" not in text, path
        assert text.endswith("\n"), path
