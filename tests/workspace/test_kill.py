"""Killed at any moment, the next compile makes the tree right."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from workspace.killed import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_every_step(scenario: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workspace.killed", scenario, str(tmp_path / "project")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    deaths = [int(count) for count in done.stdout.split()]
    assert len(deaths) == 3
    assert min(deaths) >= 20
