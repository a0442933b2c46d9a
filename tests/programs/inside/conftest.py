"""A small project on disk for every test: the programs, facts that name them, and data."""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAMS = Path(__file__).parents[3] / "templates" / "programs"
# The programs are the package `mlops` of a project; here a folder with nothing else is that project.
PACKAGE = Path(tempfile.mkdtemp(prefix="programs-"))
(PACKAGE / "mlops").symlink_to(PROGRAMS)
sys.path.insert(0, str(PACKAGE))

Json = dict[str, Any]


def pytest_sessionfinish() -> None:
    (PACKAGE / "mlops").unlink()
    PACKAGE.rmdir()


MODEL: Json = {
    "format": 1,
    "project": "flights",
    "model": "delay",
    "spec": "models.delay",
    "task": "regression",
    "prediction": "prediction",
    "examples": {
        "source": "flights",
        "timestamp": "at",
        "keys": [{"name": "plane", "type": "int64", "spec": "sources.flights.columns.plane"}],
        "label": {
            "name": "late",
            "type": "float32",
            "known_after_seconds": 86400,
            "spec": "models.delay.target",
        },
        "spec": "models.delay.target",
    },
    "features": {
        "own": [
            {"name": "carrier", "type": "string", "spec": "models.delay.features[0]"},
            {"name": "distance", "type": "float32", "spec": "models.delay.features[1]"},
        ],
        "joined": [],
        "views": [],
        "request": [],
    },
    "training": {
        "environment": "production",
        "split": {
            "validation": {"share": 0.2},
            "test": {"share": 0.2},
            "spec": "models.delay.training.split",
        },
        "seed": 7,
        "spec": "models.delay.training",
    },
    "evaluation": {
        "against": "production",
        "metrics": [
            {
                "name": "mae",
                "max": 30,
                "severity": "critical",
                "spec": "models.delay.evaluation.metrics.mae",
            }
        ],
        "slices": [],
        "fairness": [],
        "columns": [],
        "groups": [],
        "min_slice_rows": 20,
        "spec": "models.delay.evaluation",
    },
    "environments": {"production": {"alias": "champion"}},
}
SOURCE: Json = {
    "format": 1,
    "project": "flights",
    "source": "flights",
    "spec": "sources.flights",
    "timestamp": "at",
    "columns": [
        {"name": "plane", "type": "int64", "spec": "sources.flights.columns.plane"},
        {"name": "carrier", "type": "string", "spec": "sources.flights.columns.carrier"},
        {"name": "distance", "type": "float32", "spec": "sources.flights.columns.distance"},
        {"name": "late", "type": "float32", "spec": "sources.flights.columns.late"},
    ],
    "models": ["delay"],
    "environments": {
        "production": {
            "kind": "parquet",
            "path": "data/flights.parquet",
            "checkpoint": "flights",
            "spec": "sources.flights.parquet",
        }
    },
}
NOW = "2013-06-01"


def flights(rows: int = 1000, planes: int = 200, seed: int = 1) -> pd.DataFrame:
    """Flights of five months, with a delay that depends on carrier and distance."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2013-01-01")
    carrier = rng.choice(["AA", "B6", "UA"], rows)
    distance = rng.uniform(100, 2500, rows).astype("float32")
    return pd.DataFrame(
        {
            "plane": rng.integers(0, planes, rows),
            "at": start + pd.to_timedelta(np.sort(rng.integers(0, 150 * 24, rows)), unit="h"),
            "carrier": carrier,
            "distance": distance,
            "late": (distance / 100 + (carrier == "UA") * 10 + rng.normal(0, 5, rows)).astype(
                "float32"
            ),
        }
    )


class Project:
    """A project's folder, which is the working directory of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model: Json = copy.deepcopy(MODEL)
        self.source: Json = copy.deepcopy(SOURCE)

    def write(self) -> None:
        """Write the facts as they are now."""
        self.put("mlops/models/delay.json", self.model)
        self.put("mlops/sources/flights.json", self.source)

    def put(self, path: str, data: object) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(data), encoding="utf-8")
        return target

    def table(self, frame: pd.DataFrame, path: str = "data/flights.parquet") -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(target, index=False)

    def read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in (
        "MLOPS_DATA", "MLOPS_OUT", "MLOPS_ENVIRONMENT", "MLOPS_VERSION", "PUSHGATEWAY_URL",
        "MLFLOW_TRACKING_URI", "MLOPS_GITLAB_TOKEN", "CI_COMMIT_SHA",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLOPS_NOW", NOW)
    monkeypatch.setenv("MLOPS_RETRY_PAUSE", "0.01")
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path)
    made.write()
    made.table(flights())
    return made


class Server:
    """An HTTP server on a free port that notes what it is asked and answers what the test says."""

    def __init__(
        self, answer: Callable[[str, str, str], tuple[int, object, dict[str, str]]]
    ) -> None:
        self.requests: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                outer.requests.append((self.command, self.path, body))
                status, data, headers = answer(self.command, self.path, body)
                payload = b"" if data is None else json.dumps(data).encode()
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_PUT = do_POST = do_DELETE = _any  # noqa: N815 - the server's names

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Callable[[str, str, str], tuple[int, object, dict[str, str]]]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def free_port_url() -> str:
    """An address where nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def silent_url() -> Iterator[str]:
    """An address that takes connections, and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def recovering(
    answer: Callable[[str, str, str], tuple[int, object, dict[str, str]]], failures: int = 1
) -> Callable[[str, str, str], tuple[int, object, dict[str, str]]]:
    """A server's answers, after so many that it cannot answer now."""
    left = [failures]

    def answered(method: str, path: str, body: str) -> tuple[int, object, dict[str, str]]:
        if left[0]:
            left[0] -= 1
            return 500, {"error_code": "INTERNAL_ERROR", "message": "restarting"}, {}
        return answer(method, path, body)

    return answered


# --- the metric contract: what the programs emit, as the compiler declares it --------------------

Emitted = dict[str, tuple[str, str, set[str]]]
"""Metric → its type, its help and the labels of its series."""


def declared(program: str) -> Emitted:
    """What a program declares; whoever runs these tests says it, as no mlopsc is installed here."""
    said = json.loads(os.environ["MLOPSC_DECLARED"])
    return {
        one["name"]: (one["kind"], one["help"], set(one["labels"]))
        for one in said
        if one["program"] == program
    }


def exposed(gateway: str, program: str) -> Emitted:
    """What Prometheus finds at the Pushgateway of a program's job."""
    from prometheus_client.parser import text_string_to_metric_families

    job = {
        one["job"] for one in json.loads(os.environ["MLOPSC_DECLARED"]) if one["program"] == program
    }
    with urlopen(f"{gateway}/metrics", timeout=10) as response:
        text = response.read().decode()
    found: Emitted = {}
    for family in text_string_to_metric_families(text):
        samples = [one for one in family.samples if one.labels.get("job") in job]
        # The Pushgateway itself says when it was pushed to.
        if samples and not family.name.startswith(("push_time_", "push_failure_time_")):
            labels = {frozenset(set(one.labels) - {"job", "instance"}) for one in samples}
            assert len(labels) == 1, f"series of {family.name} have different labels"
            found[family.name] = (family.type, family.documentation, set(*labels))
    return found


@pytest.fixture
def pushgateway(tmp_path: Path) -> Iterator[str]:
    """A real Pushgateway."""
    binary = Path(os.environ["MLOPSC_PUSHGATEWAY"])
    if not binary.exists():
        reason = "the tool 'pushgateway' is not installed: run `make tools`"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (tmp_path / "pushgateway.log").open("wb") as log:
        running = subprocess.Popen(
            [binary, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    try:
        _ready(f"http://{address}/-/ready", running)
        yield f"http://{address}"
    finally:
        running.terminate()
        running.wait(10)


def _ready(url: str, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and running.poll() is None:
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
