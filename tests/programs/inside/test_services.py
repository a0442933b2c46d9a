"""Services that are away, come back, or take a connection and never answer: a bound, a name, an address."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from mlops import network, stores
from mlops.facts import Location
from mlops.network import Sample
from mlops.outcome import CannotRun, Failed
from mlops.stores import Window

from conftest import Project, Server, recovering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALIVE = [Sample("mlops_monitor_last_success_timestamp_seconds", 1)]
GROUP = {"project": "p", "model": "m"}
SECONDS = 20
"""No test waits longer, whatever a client's own patience is."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A short timeout for each attempt; the test fails when all of them together take long."""
    monkeypatch.setenv("MLOPS_RETRY_PAUSE", "0.01")
    monkeypatch.setattr(network, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(stores, "TIMEOUT_SECONDS", 2)
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SECONDS


# --- Pushgateway -----------------------------------------------------------------------------------

ASKED: dict[str, Callable[[str], object]] = {
    "push": lambda url: network.push(url, "job", GROUP, ALIVE),
    "delete": lambda url: network.delete_group(url, "job", GROUP),
    "list": lambda url: network.groups(url, "job"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_gateway_that_is_away(asked: str, free_port_url: str) -> None:
    with pytest.raises(CannotRun) as refusal:
        ASKED[asked](free_port_url)
    assert free_port_url.removeprefix("http://") in str(refusal.value)
    assert "cannot be reached after 5 attempts" in str(refusal.value)


@pytest.mark.parametrize("asked", ASKED)
def test_a_gateway_that_never_answers(asked: str, silent_url: str) -> None:
    with pytest.raises(CannotRun, match=r"cannot be reached after 5 attempts: .*timed out"):
        ASKED[asked](silent_url)


@pytest.mark.parametrize("asked", ASKED)
def test_a_gateway_that_comes_back(asked: str, serve: Callable[..., Server]) -> None:
    server = serve(recovering(lambda *_: (200, {"data": []}, {}), failures=4))
    ASKED[asked](server.url)
    assert len(server.requests) == 5


@pytest.mark.parametrize("asked", ASKED)
def test_a_gateway_that_refuses(asked: str, serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (400, "pushed metrics are inconsistent", {}))
    with pytest.raises(CannotRun) as refusal:
        ASKED[asked](server.url)
    said = f'Pushgateway {server.url} refuses: 400 Bad Request. "pushed metrics are inconsistent"'
    assert str(refusal.value) == said
    assert len(server.requests) == 1


def test_another_service_at_the_gateways_address(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, "no object", {}))
    with pytest.raises(
        CannotRun, match=f"Pushgateway {server.url} answers what no Pushgateway does"
    ):
        network.groups(server.url, "job")


def test_a_gateway_that_speaks_no_http() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)

        def greet() -> None:
            for _ in range(network.ATTEMPTS):
                connection, _address = listening.accept()
                connection.recv(65_536)
                connection.sendall(b"220 mail.example.com ready\r\n")
                connection.close()

        threading.Thread(target=greet, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(
            CannotRun, match=f"Pushgateway {url} cannot be reached after 5 attempts"
        ):
            network.push(url, "job", GROUP, ALIVE)


@pytest.mark.parametrize("asked", ASKED)
def test_an_address_that_is_none_shows_no_password(asked: str) -> None:
    with pytest.raises(CannotRun) as refusal:
        ASKED[asked]("http://ada:secret@127.0.0.1:port")
    assert "Pushgateway http://127.0.0.1:port: that is no address" in str(refusal.value)
    with pytest.raises(CannotRun):
        network.groups("pushgateway:9091", "job")


# --- stores ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["free_port_url", "silent_url"])
def test_a_database_that_is_away_or_never_answers(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ATTEMPTS", 2)
    host = request.getfixturevalue(url).removeprefix("http://")
    monkeypatch.setenv("MLOPS_POSTGRES_URL", f"postgresql+psycopg://ada:secret@{host}/flights")
    place = Location("postgres", "sources.flights.postgres", table="public.flights")
    for asked in (
        lambda store: store.columns(),
        lambda store: store.rows(["a"], "at", Window()),
    ):
        with pytest.raises(CannotRun) as refusal:
            asked(stores.store_of(place))
        said = str(refusal.value)
        assert said.startswith(f"postgres {host} cannot be reached after 2 attempts: ")
        assert "secret" not in said


def test_rows_are_not_written_to_a_database_that_is_away(
    free_port_url: str, monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    import pandas as pd

    host = free_port_url.removeprefix("http://")
    monkeypatch.setenv("MLOPS_POSTGRES_URL", f"postgresql+psycopg://ada:secret@{host}/flights")
    place = Location("postgres", "sources.flights.postgres", table="public.flights")
    with pytest.raises(CannotRun, match=f"postgres {host} cannot be reached after 5 attempts"):
        stores.store_of(place).append(pd.DataFrame({"a": [1]}))


@pytest.mark.parametrize("url", ["free_port_url", "silent_url"])
def test_files_far_away(
    url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ATTEMPTS", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue(url))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    place = Location("parquet", "sources.flights.parquet", path="s3://bucket/flights.parquet")
    with pytest.raises(
        CannotRun, match=r"parquet s3://bucket/flights\.parquet cannot be reached after"
    ):
        stores.store_of(place).columns()


def test_files_that_are_no_parquet_are_no_outage(project: Project) -> None:
    (project.folder / "data/flights.parquet").write_text("no parquet")
    place = Location("parquet", "sources.flights.parquet", path="data/flights.parquet")
    with pytest.raises(Failed, match="not readable as parquet"):
        stores.store_of(place).columns()


# --- what counts as an outage --------------------------------------------------------------------------


class OperationalError(Exception):
    """As the drivers of databases call it."""


class HttpError(OSError):
    """As `requests` makes them: an OSError with the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status}")
        self.response = type("Response", (), {"status_code": status})()


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (OSError("reset"), True), (TimeoutError(), True), (ConnectionRefusedError(), True),
        (FileNotFoundError(), False), (PermissionError(), False), (IsADirectoryError(), False),
        (OperationalError("connection refused"), True),
        (OperationalError("no such table: flights"), False),
        (HttpError(503), True), (HttpError(429), True), (HttpError(404), False), (HttpError(403), False),
        (ValueError("wrong"), False), (KeyError("a"), False),
    ],
)  # fmt: skip
def test_outages(error: Exception, *, outage: bool) -> None:
    assert network.is_outage(error) is outage


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("postgresql://ada:secret@db.example.com:5432/shop?sslmode=require", "db.example.com:5432"),
        ("redis.example.com:6379,password=secret,ssl=true", "redis.example.com:6379"),
        ("rediss://:secret@redis.example.com:6379/0", "redis.example.com:6379"),
        ("data/online.db", "data/online.db"),
        ("s3://bucket/registry.db", "bucket"),
        ("sqlite:////srv/registry.db", "//srv/registry.db"),
    ],
)
def test_addresses_show_no_password(text: str, address: str) -> None:
    assert network.address_of(text) == address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:secret@mlflow.example.com/x", "https://mlflow.example.com/x"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
    ],
)
def test_urls_show_no_password(url: str, shown: str) -> None:
    assert network.without_password(url) == shown
