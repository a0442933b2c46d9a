"""The test's end of a worker process (``serve.py`` is the other end)."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tools

_FOLDER = Path(__file__).parent

# A test tells nobody that it ran.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "FEAST_USAGE": "False",
    "DVC_NO_ANALYTICS": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Worker:
    """A process that has imported one heavy tool and reads files with it."""

    def __init__(self, tool: str, interpreter: Path) -> None:
        self._tool = tool
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed in stop()
        self._process = subprocess.Popen(
            [interpreter, _FOLDER / f"worker_{tool}.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=os.environ | _QUIET,
        )

    def read(self, root: Path, paths: list[str], **options: Any) -> list[tuple[str, str]]:
        """Return ``(path, message)`` for each file of the project at *root* the tool refuses."""
        assert self._process.stdin
        assert self._process.stdout
        request = {"root": str(root), "paths": paths, **options}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(self._obituary()) from None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(self._obituary())
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the reader of {self._tool} failed:\n{answer['error']}")
        return [(path, message) for path, message in answer["refusals"]]

    def stop(self) -> None:
        """End the process; it ends by itself when its input does."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
        self._log.close()

    def _obituary(self) -> str:
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")[-4000:]
        return f"the worker of {self._tool} ended with status {self._process.wait()}:\n{said}"


_running: list[Worker] = []


@functools.cache
def worker(tool: str, environment: str = "core") -> Worker:
    """Return the session's worker for *tool*, started at the first call."""
    started = Worker(tool, tools.python(environment))
    _running.append(started)
    return started


def stop_all() -> None:
    """End every worker of this session."""
    while _running:
        _running.pop().stop()
    worker.cache_clear()
