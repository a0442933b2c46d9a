"""What the loop puts around the generated files: servers, the cluster's stand-in, people's inboxes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from loop import cluster, images, servers
from loop.people import SECRETS, config_here, secret_files, trigger_address, write_config
from loop.servers import (
    LOOPBACK,
    Inbox,
    Servers,
    answers,
    ask,
    free_ports,
    path_is_ready,
    pushgateway,
    until,
)
from loop.stage import LoopError, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FLIGHTS = tools.ROOT / "examples" / "flights"
ALERTMANAGER = FLIGHTS / "monitoring" / "alertmanager" / "production.yml"
LISTENS = (
    "import http.server, subprocess, sys\n"
    "subprocess.Popen(['sleep', '1000'])\n"  # a child, which has to end too
    "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()\n"
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "project").mkdir()
    path = os.pathsep.join([str(tools.HOME / "bin"), os.environ["PATH"]])
    return Run(tmp_path, {"PATH": path})


def listener(ports: Sequence[int]) -> list[str]:
    return [sys.executable, "-c", LISTENS, str(ports[0])]


def members(session: int) -> list[str]:
    """The living processes of a session."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    return [line for line in listed.stdout.splitlines() if "Z" not in line]


# Servers


def test_servers_and_their_children_end_with_the_context(run: Run) -> None:
    with pytest.raises(ZeroDivisionError), Servers(run) as started:  # noqa: PT012
        server = started.start("listener", listener, path_is_ready("/"))
        assert answers(server.url)
        assert len(members(server.process.pid)) == 2
        raise ZeroDivisionError
    assert not answers(server.url)
    assert members(server.process.pid) == []


def test_a_taken_port_is_left_to_whoever_has_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        offered: Iterator[tuple[int, ...]] = iter([taken.getsockname()[1:2], free_ports(1)])
        monkeypatch.setattr(servers, "free_ports", lambda _: next(offered))
        with Servers(run) as started:
            server = started.start("listener", listener, path_is_ready("/"))
            assert server.ports != taken.getsockname()[1:2]


def test_a_server_that_ends_at_once_says_why(run: Run) -> None:
    broken = [sys.executable, "-c", "raise SystemExit('no such setting')"]
    with Servers(run) as started, pytest.raises(LoopError, match="no such setting"):
        started.start("broken", lambda _: broken, path_is_ready("/"))


def test_a_server_that_never_gets_ready_is_stopped(run: Run) -> None:
    with Servers(run) as started:
        with pytest.raises(LoopError, match="did not start"):
            started.start("listener", listener, lambda _: False, patience=0.5)
        assert started._running == []


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is of util-linux")
def test_servers_end_even_when_this_process_is_killed(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "starts.py"
    program.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from loop.servers import Servers, path_is_ready\n"
        "from loop.stage import Run\n"
        f"run = Run(Path({str(tmp_path)!r}), {dict(run.environment)!r})\n"
        f"command = lambda ports: [sys.executable, '-c', {LISTENS!r}, str(ports[0])]\n"
        "with Servers(run) as started:\n"
        "    print(started.start('listener', command, path_is_ready('/')).url, flush=True)\n"
        "    time.sleep(1000)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, program], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert answers(url)
        process.send_signal(signal.SIGKILL)
    until("the server's end", lambda: not answers(url), 5)


def test_free_ports_are_different_and_not_the_kernels_own() -> None:
    ports = free_ports(20)
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    assert len(set(ports)) == 20
    assert first <= 12_000 or max(ports) < first


def test_a_pushgateway_remembers_what_was_pushed_before(run: Run) -> None:
    tools.need("pushgateway")
    with Servers(run) as started:
        ask(f"{pushgateway(started).url}/metrics/job/j", "m 1\n", "PUT")
    with Servers(run) as started:
        assert 'm{instance="",job="j"} 1' in ask(f"{pushgateway(started).url}/metrics").text


def test_waiting_ends_with_what_was_waited_for() -> None:
    began = time.monotonic()
    with pytest.raises(LoopError, match=r"waited 0\.2 s for this in vain: the end of time"):
        until("the end of time", lambda: None, 0.2)
    assert time.monotonic() - began < 2


# People


def places(value: object, path: tuple[object, ...] = ()) -> dict[tuple[object, ...], object]:
    """Every leaf of nested data by its path."""
    if isinstance(value, dict):
        pairs: list[tuple[object, Any]] = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return {path: value}
    return {at: leaf for key, inner in pairs for at, leaf in places(inner, (*path, key)).items()}


def test_only_the_secrets_folder_and_pagerdutys_address_differ(tmp_path: Path) -> None:
    text = ALERTMANAGER.read_text("utf-8")
    generated = places(yaml.safe_load(text))
    here = places(config_here(text, tmp_path, "http://127.0.0.1:1/pagerduty"))
    changed = {at for at in generated if here.get(at) != generated[at]}
    assert {generated[at] for at in changed} == {
        f"{SECRETS}/{name}" for name in ("oncall", "team", "retrain-delay")
    }
    for at in changed:
        assert here[at] == str(generated[at]).replace(SECRETS, str(tmp_path))
    assert {at: here[at] for at in here.keys() - generated.keys()} == {
        ("global", "pagerduty_url"): "http://127.0.0.1:1/pagerduty"
    }


def test_every_secret_the_configuration_reads_has_to_be_there(tmp_path: Path) -> None:
    assert secret_files(ALERTMANAGER.read_text("utf-8")) == {"oncall", "team", "retrain-delay"}
    with pytest.raises(LoopError, match=r"reads the secrets .*retrain-delay"):
        write_config(ALERTMANAGER, tmp_path, {"oncall": "key", "team": "address"}, "http://x")


def test_a_trigger_is_called_where_its_page_says() -> None:
    page = (tools.ROOT / "docs" / "targets" / "alertmanager.md").read_text("utf-8")
    variables = {"MLOPS_MODEL": "churn", "MLOPS_ALERT": "ModelDrift"}
    address = trigger_address("https://gitlab.example.com", "PROJECT-ID", "TOKEN", variables)
    assert f"\n{address}\n" in page


def test_an_inbox_keeps_what_it_is_sent() -> None:
    with Inbox() as people:
        assert ask(f"{people.url}/slack", {"text": "hello"}).text == "ok"
        assert [one.json() for one in people.received("/slack")] == [{"text": "hello"}]
        assert people.received("/pagerduty") == []


# The cluster


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tools.need("kubectl")
    tools.python("k8s")
    monkeypatch.setenv(images.STORE, str(tmp_path / "images"))
    cluster.provide_kubectl(tmp_path, tmp_path / "cluster")
    return tmp_path / "kubectl"


def called(kubectl: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [kubectl, *arguments], cwd=FLIGHTS, capture_output=True, text=True, check=False
    )


@pytest.fixture
def objects(kubectl: Path, tmp_path: Path) -> Path:
    file = tmp_path / "objects.yaml"
    file.write_text(called(kubectl, "kustomize", "k8s/production/delay").stdout, "utf-8")
    return file


def test_what_is_applied_is_there(kubectl: Path, objects: Path) -> None:
    absent = called(kubectl, "get", "--filename", str(objects), "--output", "name")
    assert absent.returncode == 1
    assert "NotFound" in absent.stderr
    applied = called(kubectl, "apply", "--server-side", "--filename", str(objects))
    assert "deployment.apps/delay serverside-applied" in applied.stdout.splitlines()
    there = called(kubectl, "get", "--filename", str(objects), "--output", "name")
    kinds = "deployments.apps,services,serviceaccounts,networkpolicies.networking.k8s.io"
    selector = "app.kubernetes.io/instance=flights-delay,app.kubernetes.io/managed-by=mlopsc"
    found = called(
        kubectl, "--namespace", "flights", "get", kinds, "--selector", selector, "--output", "name"
    )
    assert set(found.stdout.split()) == {
        "deployment.apps/delay",
        "service/delay",
        "serviceaccount/delay",
        "networkpolicy.networking.k8s.io/delay",
    }
    assert set(found.stdout.split()) <= set(there.stdout.split())
    assert called(kubectl, "--namespace", "flights", "delete", "service/delay").returncode == 0
    assert called(kubectl, "--namespace", "flights", "delete", "service/delay").returncode == 1
    again = ("delete", "--ignore-not-found", "--kustomize", "k8s/production/delay")
    assert "deployment.apps delay deleted" in called(kubectl, *again).stdout


def test_an_object_that_kubernetes_would_refuse_is_refused(kubectl: Path, objects: Path) -> None:
    text = objects.read_text("utf-8")
    objects.write_text(text.replace("revisionHistoryLimit: 3", "revisionHistoryLimit: three"))
    refused = called(kubectl, "apply", "--server-side", "--filename", str(objects))
    assert refused.returncode == 1
    assert called(kubectl, "--namespace", "flights", "get", "services").stdout == ""


def test_a_rollout_needs_an_image_that_somebody_built(
    kubectl: Path, objects: Path, tmp_path: Path
) -> None:
    called(kubectl, "apply", "--server-side", "--filename", str(objects))
    waits = ("--namespace", "flights", "rollout", "status", "deployment/delay")
    assert "ImagePullBackOff" in called(kubectl, *waits).stderr
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    reference = "registry.example.com/airlines/flights/delay:1"
    store = tmp_path / "images"
    folder = images.folder_of(store, reference)
    images.build(tmp_path / "Dockerfile", tmp_path, reference, store, folder)
    assert called(kubectl, *waits).returncode == 0


def test_what_the_cluster_does_not_know_it_refuses(kubectl: Path) -> None:
    refused = called(kubectl, "exec", "pod/delay")
    assert refused.returncode == 1
    assert "knows no `kubectl exec pod/delay`" in refused.stderr


def test_of_the_serving_settings_only_address_ports_and_volumes_are_moved(tmp_path: Path) -> None:
    settings = yaml.safe_load((FLIGHTS / "images/serving-delay/settings.json").read_text("utf-8"))
    ports = {"http_port": 1, "grpc_port": 2, "metrics_port": 3}
    here = cluster.settings_here(settings, ports, {"/tmp": tmp_path})
    assert {key: here[key] for key in here if here[key] != settings.get(key)} == {
        **ports,
        "host": LOOPBACK,
        "metrics_dir": f"{tmp_path}/metrics",
        "environments_dir": f"{tmp_path}/environments",
    }
