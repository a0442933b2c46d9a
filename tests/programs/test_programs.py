"""Runs the programs' tests under the Python that has their packages: .tools/core.

The packages take seconds to import (Feast, Great Expectations, Evidently and MLflow about ten each), so the tests
of each stand together in one process.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from mlopsc.project.emitted import PUSHED, REPORTED

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORE = Path(os.environ.get("MLOPSC_TOOLS", ROOT / ".tools")) / "core" / "bin" / "python"

PROCESSES = {
    "plain": (
        "test_facts.py",
        "test_dataset.py",
        "test_gate.py",
        "test_schedules.py",
        "test_network.py",
        "test_services.py",
        "test_contract.py",
    ),
    "feast": ("test_feast.py",),
    "great_expectations": ("test_validate.py",),
    "mlflow_evidently": ("test_registry.py",),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_under_core(process: str) -> None:
    assert CORE.is_file(), f"{CORE} is missing: run tests/tools/install.sh"
    command = [
        CORE,
        "-m",
        "pytest",
        "-q",
        "-c",
        "pytest.ini",
        "--confcutdir",
        ".",
        *PROCESSES[process],
    ]
    # What the outer run was told is not meant for the inner one, and its modules are for another Python.
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST_", "PYTHONPATH", "COV_"))
    }
    inherited["MLOPSC_DECLARED"] = json.dumps([asdict(one) for one in (*PUSHED, *REPORTED)])
    inherited["MLOPSC_PUSHGATEWAY"] = str(CORE.parents[2] / "bin" / "pushgateway")
    ran = subprocess.run(
        command, cwd=HERE / "inside", env=inherited, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


def test_every_file_is_run() -> None:
    listed = sorted(name for names in PROCESSES.values() for name in names)
    assert listed == sorted(path.name for path in (HERE / "inside").glob("test_*.py"))
