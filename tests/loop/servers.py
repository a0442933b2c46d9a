"""Servers of the loop: Prometheus, Pushgateway, Alertmanager, anything that listens on loopback.

They live as long as the ``Servers`` context that started them, however it ends. What they keep lies
in ``services`` below the run's home, so that a later stage goes on where an earlier one stopped.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import yaml

from loop.stage import LoopError, kill_group

if TYPE_CHECKING:
    from types import TracebackType

    from loop.stage import Run

LOOPBACK = "127.0.0.1"
SCRAPE_INTERVAL = "1s"
"""Of scrapes and rules: a person waits for them. Nothing generated depends on it."""
PORT_TAKEN = "address already in use"
"""What Go's and Python's servers say when somebody else got the port first."""

Found = TypeVar("Found")
_loopback = build_opener(ProxyHandler({}))  # the machine's proxy does not know this machine's ports


# Asking


def until(
    what: str, look: Callable[[], Found | None], patience: float = 30, pause: float = 0.1
) -> Found:
    """What *look* finds, asked again until it finds something.

    Args:
        what: what is waited for, for the message.
        look: gives something that is not None, nor False, nor empty, when it has come.
        patience: seconds until it is given up.
        pause: seconds between two looks.

    Raises:
        LoopError: it did not come.
    """
    end = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise LoopError(f"waited {patience:g} s for this in vain: {what}")
        time.sleep(pause)


@dataclass(frozen=True)
class Answer:
    """What an HTTP server answered."""

    status: int
    text: str

    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.text)


def ask(url: str, body: object = None, method: str | None = None, timeout: float = 30) -> Answer:
    """One request to a server on loopback; an error status is an answer like any other.

    Args:
        url: where.
        body: text is sent as it is, other data as JSON, None is a GET.
        method: instead of GET, or POST when there is a body.
        timeout: seconds.

    Raises:
        OSError: nobody answers.
    """
    data = body if isinstance(body, str) else json.dumps(body)
    sent = None if body is None else data.encode()
    kind = "text/plain" if isinstance(body, str) else "application/json"
    request = Request(url, data=sent, headers={"Content-Type": kind}, method=method)
    try:
        with _loopback.open(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.read().decode())
    except HTTPError as refused:
        return Answer(refused.code, refused.read().decode(errors="replace"))


def answers(url: str) -> bool:
    """Whether somebody answers there, and with a status of success."""
    try:
        return ask(url, timeout=2).status < 300
    except (URLError, OSError):
        return False


# Starting and stopping


@dataclass(frozen=True)
class Server:
    """A process that listens; its address is that of its first port."""

    name: str
    ports: tuple[int, ...]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"{LOOPBACK}:{self.ports[0]}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.address}"


Command = Callable[[Sequence[int]], Sequence[str | Path]]
"""A server's command line, by the ports it shall listen on."""
Ready = Callable[[Sequence[int]], bool]
"""Whether a server that listens on these ports does its work."""


@dataclass
class Servers:
    """Servers that are stopped when this context ends, the last one first."""

    run: Run
    _running: list[Server] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._running:
            self.stop(self._running[-1])

    @property
    def data(self) -> Path:
        """Where servers keep what shall outlive them."""
        folder = self.run.home / "services"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(
        self,
        name: str,
        command: Command,
        ready: Ready,
        *,
        ports: int = 1,
        at: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        patience: float = 30,
    ) -> Server:
        """Start a server on free ports and wait until it is ready.

        Args:
            name: for its log and for messages.
            command: its command line.
            ready: whether it does its work.
            ports: how many it listens on.
            at: which ones, when others know them already; free ones without it.
            env: variables beside those of the run.
            cwd: its working folder, the project's without it.
            patience: seconds until it must be ready.

        Raises:
            LoopError: it ended, or it is not ready in time; with the end of its log.
        """
        for _ in range(5):  # between the choice of a port and its use anybody may take it
            server = self._launch(name, command, tuple(at) or free_ports(ports), env, cwd)
            with contextlib.ExitStack() as undo:
                undo.callback(self.stop, server)
                if self._came_up(server, ready, patience):
                    undo.pop_all()
                    return server
            taken = PORT_TAKEN in server.log.read_text("utf-8", errors="replace").lower()
            if at or not taken:
                break
        raise LoopError(f"{name} did not start; {server.log}:\n{_end_of(server.log)}")

    def stop(self, server: Server) -> None:
        """Stop a server and everything it started; stopping twice is no mistake."""
        try:
            kill_group(server.process)
        finally:
            if server in self._running:
                self._running.remove(server)

    def _launch(
        self,
        name: str,
        command: Command,
        ports: tuple[int, ...],
        env: Mapping[str, str] | None,
        cwd: Path | None,
    ) -> Server:
        log = self.run.log(name)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_leash(), *map(str, command(ports))],
                cwd=cwd or self.run.project,
                env={**self.run.environment, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(name, ports, log, process)
        self._running.append(server)
        return server

    def _came_up(self, server: Server, ready: Ready, patience: float) -> bool:
        with self.run.observer.working(f"{server.name} starts"):
            end = time.monotonic() + patience
            while server.process.poll() is None and time.monotonic() < end:
                # Asked in this order: an answer of somebody else on this port comes with an end of ours.
                if ready(server.ports) and server.process.poll() is None:
                    return True
                time.sleep(0.1)
        return False


def free_ports(count: int) -> tuple[int, ...]:
    """Different ports of loopback that nobody listens on now.

    They lie below those that the kernel hands out by itself (ip(7), ip_local_port_range), so that
    no connection of anybody takes one by chance before its server starts.
    """
    with contextlib.ExitStack() as held:
        found: list[int] = []
        for port in random.sample(range(10_000, _first_port_of_kernel()), k=1000):
            if len(found) == count:
                return tuple(found)
            one = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind((LOOPBACK, port))
                found.append(port)
    raise LoopError(f"no {count} free ports on {LOOPBACK}")


def _first_port_of_kernel() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:  # another system than Linux
        first = 32768
    return first if first > 12_000 else 32768


@functools.cache
def _leash() -> tuple[str, ...]:
    """What a command is started by, so that it ends even when this process is killed outright."""
    program = shutil.which(
        "setpriv"
    )  # util-linux; where it is missing, contexts and groups must do
    return (program, "--pdeathsig", signal.SIGTERM.name[3:]) if program else ()


def _end_of(log: Path, lines: int = 20) -> str:
    said = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in said[-lines:])


def path_is_ready(path: str) -> Ready:
    """A server is ready when it answers there with success."""
    return lambda ports: answers(f"http://{LOOPBACK}:{ports[0]}{path}")


# The servers that watch


@dataclass(frozen=True)
class Scrape:
    """What Prometheus asks for metrics, and the labels that service discovery would add."""

    job: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    honor_labels: bool = False


def pushgateway(servers: Servers) -> Server:
    """A Pushgateway that remembers what was pushed before."""
    keeps = servers.data / "pushgateway.metrics"
    return servers.start(
        "pushgateway",
        lambda ports: [
            "pushgateway",
            f"--web.listen-address={LOOPBACK}:{ports[0]}",
            f"--persistence.file={keeps}",
        ],
        path_is_ready("/-/ready"),
    )


def alertmanager(
    servers: Servers, config: Path, name: str = "alertmanager", at: Sequence[int] = ()
) -> Server:
    """An Alertmanager alone, with what it has told so far kept below its *name*."""
    return servers.start(
        name,
        lambda ports: [
            "alertmanager",
            f"--config.file={config}",
            f"--storage.path={servers.data / name}",
            f"--web.listen-address={LOOPBACK}:{ports[0]}",
            "--cluster.listen-address=",
        ],
        path_is_ready("/-/ready"),
        at=at,
    )


def prometheus(
    servers: Servers,
    rules: Sequence[Path],
    scrapes: Sequence[Scrape],
    alertmanagers: Sequence[str] = (),
) -> Server:
    """A Prometheus with these files of rules; its configuration beside them is our own.

    Args:
        servers: who stops it.
        rules: files of rules.
        scrapes: what it looks at.
        alertmanagers: addresses of whom it tells.
    """
    config = servers.data / "prometheus.yml"
    config.write_text(yaml.safe_dump(prometheus_config(rules, scrapes, alertmanagers)), "utf-8")
    return servers.start(
        "prometheus",
        lambda ports: [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={servers.data / 'prometheus'}",
            f"--web.listen-address={LOOPBACK}:{ports[0]}",
            "--rules.alert.resend-delay=2s",  # an Alertmanager that starts later hears of it soon
        ],
        path_is_ready("/-/ready"),
    )


def also_scrape(servers: Servers, server: Server, scrape: Scrape) -> None:
    """Have a Prometheus look at one more, and wait until it does."""
    path = servers.data / "prometheus.yml"
    config = yaml.safe_load(path.read_text("utf-8"))
    config["scrape_configs"].append(_scrape_config(scrape))
    path.write_text(yaml.safe_dump(config), "utf-8")
    server.process.send_signal(signal.SIGHUP)  # reads its configuration again
    until(f"metrics of {scrape.address}", lambda: values(server, f'up{{job="{scrape.job}"}} == 1'))


def prometheus_config(
    rules: Sequence[Path], scrapes: Sequence[Scrape], alertmanagers: Sequence[str]
) -> dict[str, Any]:
    """Prometheus' configuration, as docs/targets/prometheus.md asks for it."""
    return {
        "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
        "rule_files": [str(path.resolve()) for path in rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        "scrape_configs": [_scrape_config(scrape) for scrape in scrapes],
    }


def _scrape_config(scrape: Scrape) -> dict[str, Any]:
    return {
        "job_name": scrape.job,
        "honor_labels": scrape.honor_labels,
        "static_configs": [{"targets": [scrape.address], "labels": dict(scrape.labels)}],
    }


def of_pushgateway(gateway: Server) -> Scrape:
    """The Pushgateway, whose series keep the labels they were pushed with."""
    return Scrape("pushgateway", gateway.address, honor_labels=True)


def query(server: Server, expression: str) -> list[dict[str, Any]]:
    """The series that an expression gives now: ``{"metric": labels, "value": [time, text]}``.

    Raises:
        LoopError: Prometheus refuses the expression.
    """
    answer = ask(f"{server.url}/api/v1/query?{urlencode({'query': expression})}").json()
    if answer["status"] != "success":
        raise LoopError(f"Prometheus on {expression}: {answer['error']}")
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


def values(server: Server, expression: str) -> list[float]:
    """The numbers that an expression gives now."""
    return [float(series["value"][1]) for series in query(server, expression)]


def firing(server: Server) -> list[dict[str, str]]:
    """The labels of every alert that fires now."""
    alerts = ask(f"{server.url}/api/v1/alerts").json()["data"]["alerts"]
    return [dict(alert["labels"]) for alert in alerts if alert["state"] == "firing"]


# People's stand-in


@dataclass(frozen=True)
class Message:
    """A request that came in."""

    method: str
    path: str
    body: str

    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.body)


class Inbox:
    """Takes every request and keeps it: where PagerDuty and Slack would be."""

    def __init__(self) -> None:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                inbox.messages.append(Message(self.command, self.path, body.decode()))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(b"ok")  # Slack's word for success; PagerDuty's body is not read

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Messages are kept, not printed."""

        self.messages: list[Message] = []
        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def received(self, path: str) -> list[Message]:
        """The messages to a path so far, oldest first."""
        return [message for message in self.messages if message.path == path]
