"""The table of runtimes against a real MLServer: what it exposes after a probe, answers and a failure."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import tools
from mlopsc.project.alerting.promql import bucket
from mlopsc.project.alerting.reading import selectors
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.targets import docker
from targets.alerting_projects import SPEC, files, project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Labels = dict[str, str]
RUNTIME = RUNTIMES["mlserver"]
START_SECONDS = 120
MODEL = """\
import joblib, sys
from sklearn.linear_model import LinearRegression
joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), sys.argv[1])
"""


class Exposed:
    """What stands at an address of metrics: the type of each, and its series."""

    def __init__(self, text: str) -> None:
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        self.series: dict[str, list[Labels]] = {}
        for name, labels in re.findall(r"^(\w+)(\{.*\})? \S+$", text, re.MULTILINE):
            found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
            self.series.setdefault(name, []).append(found)

    def matching(self, metric: str, matchers: str) -> list[Labels]:
        """The series of a metric that a selector with these matchers finds."""
        (selector,) = selectors(f"{metric}{{{matchers}}}")
        return [
            labels
            for labels in self.series.get(metric, [])
            if all(_passes(m.operator, m.value, labels.get(m.label, "")) for m in selector.matchers)
        ]


def _passes(operator: str, wanted: str, value: str) -> bool:
    same = re.fullmatch(wanted, value) is not None if "~" in operator else wanted == value
    return same is not operator.startswith("!")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _get(url: str, body: object = None) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A served model: its own address, and that of its metrics; settings are those we generate."""
    python = tools.python("mlserver")
    folder = tmp_path_factory.mktemp("served")
    _image(folder)
    (folder / "model").mkdir()
    subprocess.run([python, "-c", MODEL, folder / "model/model.joblib"], check=True, timeout=120)
    settings: dict[str, Any] = json.loads((folder / "settings.json").read_text("utf-8"))
    http, grpc, metrics = _free_ports(3)
    # A container has its ports, its addresses and its folders for itself.
    settings |= {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1"}
    settings |= {name: str(folder / name) for name in ("metrics_dir", "environments_dir")}
    for name in ("metrics_dir", "environments_dir"):
        (folder / name).mkdir()
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "mlserver.log").open("wb") as log:
        running = subprocess.Popen(
            [python.parent / "mlserver", "start", "."],
            cwd=folder, stdout=log, stderr=log, start_new_session=True, env={**os.environ, "PATH": path},
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{http}"
        _wait(f"{url}{RUNTIME.health.startup.replace('{model}', 'churn')}", running, folder)
        yield url, f"http://127.0.0.1:{metrics}{RUNTIME.exposed.path}"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(30)


def _image(folder: Path) -> None:
    """The files that the serving image is built from."""
    of = project(SPEC, ("serving:\n", "serving:\n      format: sklearn\n"))
    for path, text in files(docker.emit(of)).items():
        if path.startswith("images/serving-churn/") and path.endswith(".json"):
            (folder / path.rpartition("/")[2]).write_text(text, "utf-8")


def _wait(url: str, running: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and running.poll() is None:
        try:
            if _get(url)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError((folder / "mlserver.log").read_text("utf-8")[-3000:])


def test_the_table_says_what_mlserver_exposes(served: tuple[str, str]) -> None:
    url, metrics_url = served
    known = RUNTIME.metrics("churn", ("models", "churn", "serving", "runtime"))
    latency = known.latency
    assert latency is not None
    idle = Exposed(_get(metrics_url)[1])
    # Before the first prediction: what the absent alert looks for is there, predictions are not.
    assert RUNTIME.exposed.idle == ""
    assert idle.series[known.requests]
    assert idle.series[f"{latency}_bucket"]
    assert idle.matching(known.requests, known.matchers) == []

    predict = f"{url}{RUNTIME.predict.replace('{model}', 'churn')}"
    row = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [3.0]}
    status, answer = _get(predict, {"inputs": [row]})
    assert status == 200
    assert json.loads(answer)["outputs"][0]["data"] == pytest.approx([6.0])
    two = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [3.0, 4.0]}
    failed = _get(predict, {"inputs": [two]})[0]  # the model has one feature
    assert failed >= 500

    found = Exposed(_get(metrics_url)[1])
    assert found.types[known.requests] == "counter"
    assert found.types[latency] == "histogram"
    counted = found.matching(known.requests, known.matchers)
    assert {labels["status_code"] for labels in counted} == {"200", str(failed)}
    bad = found.matching(known.requests, f"{known.matchers},{known.errors}")
    assert {labels["status_code"] for labels in bad} == {str(failed)}
    declared = RUNTIME.exposed.labels
    for labels in counted:
        assert set(labels) == set(declared[known.requests])
    for labels in found.matching(f"{latency}_count", known.matchers):
        assert set(labels) == set(declared[latency])
    bounds = {
        float(labels["le"]) for labels in found.matching(f"{latency}_bucket", known.matchers)
    } - {float("inf")}
    assert bounds == set(known.buckets)
    assert all(bucket(bound, known.buckets) == bound for bound in bounds)
