"""Retries within a bound, pushes, reports, and the modules that talk to a pipeline."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from mlops import command, network, reports, stores, tables
from mlops.facts import Column, Location
from mlops.network import Sample
from mlops.outcome import CannotRun, Failed

from conftest import PACKAGE as PROGRAMS_ROOT
from conftest import PROGRAMS, Project, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_an_outage_is_bridged(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(network.time, "sleep", pauses.append)
    monkeypatch.delenv("MLOPS_RETRY_PAUSE", raising=False)
    answers = iter([OSError("refused"), OSError("refused"), "there"])

    def attempt() -> str:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert network.retried("MLflow", attempt) == "there"
    assert pauses == [1, 2]


def test_a_lasting_outage_ends_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(network.time, "sleep", pauses.append)
    monkeypatch.delenv("MLOPS_RETRY_PAUSE", raising=False)

    def attempt() -> None:
        raise OSError("refused")

    with pytest.raises(CannotRun, match="MLflow cannot be reached after 5 attempts: refused"):
        network.retried("MLflow", attempt)
    assert pauses == [1, 2, 4, 8]


def test_a_mistake_is_not_repeated() -> None:
    calls = []

    def attempt() -> None:
        calls.append(1)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        network.retried("MLflow", attempt)
    assert len(calls) == 1


@pytest.mark.parametrize(("status", "times"), [(500, 5), (503, 5), (429, 5), (404, 1), (400, 1)])
def test_which_answers_are_worth_another_try(
    project: Project, serve: Callable[..., Server], status: int, times: int
) -> None:
    server = serve(lambda *_: (status, {}, {}))
    with pytest.raises((CannotRun, network.HTTPError)):
        network.http_json("GET", server.url)
    assert len(server.requests) == times


def test_only_web_addresses() -> None:
    with pytest.raises(CannotRun, match="is no http or https address"):
        network.http_json("GET", "file:///etc/passwd")


def test_push_replaces_the_group(project: Project, serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, None, {}))
    samples = [
        Sample("mlops_drift_share", 0.5),
        Sample("mlops_column_drift_score", 0.1, {"column": 'a"b\\c'}),
        Sample("mlops_column_drift_score", 0.2, {"column": "d"}),
    ]
    network.push(server.url, "mlops", {"project": "p/q", "model": "m"}, samples)
    ((method, path, body),) = server.requests
    assert method == "PUT"
    assert path == "/metrics/job/mlops/model/m/project@base64/cC9x"  # a slash needs base64
    assert 'mlops_column_drift_score{column="a\\"b\\\\c"} 0.1\n' in body
    assert 'mlops_column_drift_score{column="d"} 0.2\n' in body


def test_reports_survive_any_text(tmp_path: Path) -> None:
    case = reports.Case('a <b> & "c" \x00\x1b', "failed", "\x07", "]]>", "ü", "spec")
    reports.write_junit(tmp_path / "junit.xml", "s\x01", [case])
    found = ET.parse(tmp_path / "junit.xml").getroot()[0][0]
    assert found.attrib["name"] == 'a <b> & "c" ��'
    reports.write_openmetrics(tmp_path / "m.txt", "x", [({"l": 'a"\\\n'}, 1.0)])
    assert (tmp_path / "m.txt").read_text() == '# TYPE x gauge\nx{l="a\\"\\\\\\n"} 1.0\n# EOF\n'


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("before")

    def write_half() -> None:
        with reports.replaced(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-09-30", datetime(2013, 9, 30, tzinfo=UTC)),
        ("2013-09-30T22:00:00+02:00", datetime(2013, 9, 30, 20, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    options = command.parser("x", "", []).parse_args(["--now", text])
    assert command.now(options) == moment


def test_a_wrong_moment_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = command.parser("x", "", [])
    with pytest.raises(CannotRun, match="'yesterday' is no time"):
        command.now(parser.parse_args(["--now", "yesterday"]))
    with pytest.raises(CannotRun, match="which environment\\? Say --environment with one of: a, b"):
        command.environment(parser.parse_args([]), ["b", "a"])
    monkeypatch.setenv("MLOPS_ENVIRONMENT", "a")
    assert command.environment(parser.parse_args([]), ["b", "a"]) == "a"
    assert command.environment(parser.parse_args(["--environment", "b"]), ["b", "a"]) == "b"


def test_an_unforeseen_error_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    def job(_: object) -> int:
        return 1 // 0

    assert command.run(command.parser("x", "", []), job, []) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_schedules_needs_nothing_but_python(project: Project) -> None:
    """It runs in a plain Python image, so it must not import a package."""
    (project.folder / "mlops/schedules.py").write_bytes((PROGRAMS / "schedules.py").read_bytes())
    for name in ("command", "facts", "network", "outcome", "places"):
        (project.folder / f"mlops/{name}.py").write_bytes((PROGRAMS / f"{name}.py").read_bytes())
    ran = subprocess.run(
        [sys.executable, "-S", "mlops/schedules.py", "--help"], check=False, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("kind", "values", "dtype"),
    [
        ("int64", [1.0, 2.0], "int64"),
        ("int64", [1.0, None], "Int64"),
        ("int32", [1, 2], "int32"),
        ("float32", [1, 2], "float32"),
        ("bool", [True, False], "bool"),
        ("bool", [True, None], "boolean"),
        ("string", ["a", None], "object"),
    ],
)
def test_types(kind: str, values: list[object], dtype: str) -> None:
    made = tables.typed(pd.DataFrame({"x": values}), [Column("x", kind, "spec")])  # type: ignore[arg-type]
    assert str(made["x"].dtype) == dtype


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int32", [2**40]), ("int64", [0.5]), ("int64", ["1"]), ("bool", [1, 0]), ("bool", ["yes"]),
        ("string", [1]), ("float64", [True]), ("float32", ["1.5"]), ("timestamp", ["2013-01-01"]),
    ],
)  # fmt: skip
def test_wrong_types(kind: str, values: list[object]) -> None:
    with pytest.raises(
        Failed,
        match=rf"column 'x' must be {kind}, but it holds .* \(asked for by spec in mlops.yaml\)",
    ):
        tables.typed(pd.DataFrame({"x": values}), [Column("x", kind, "spec")])  # type: ignore[arg-type]


def test_decimals_of_a_database_are_numbers() -> None:
    from decimal import Decimal

    made = tables.typed(
        pd.DataFrame({"x": [Decimal("1.50"), None]}), [Column("x", "float64", "spec")]
    )
    assert made["x"].iloc[0] == 1.5


COUNT_NOON = """
import duckdb, sys
from datetime import UTC, datetime
from mlops import stores
from mlops.facts import Location
with duckdb.connect("w.duckdb") as connection:
    connection.execute("CREATE TABLE t AS SELECT TIMESTAMPTZ '2013-01-01 12:00:00+00' AS at, 1 AS x")
window = stores.Window(datetime(2013, 1, 1, 12, tzinfo=UTC), datetime(2013, 1, 1, 13, tzinfo=UTC))
print(len(stores.store_of(Location("duckdb", "spec", table="t")).rows(["x"], "at", window)))
"""


def test_duckdb_compares_in_utc_wherever_it_runs(project: Project) -> None:
    """A process of its own, because DuckDB asks for the machine's zone once."""
    zone = {
        "TZ": "America/New_York",
        "MLOPS_DUCKDB_URL": "w.duckdb",
        "PYTHONPATH": str(PROGRAMS_ROOT),
    }
    ran = subprocess.run(
        [sys.executable, "-c", COUNT_NOON],
        env={**os.environ, **zone},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "1\n"


def test_missing_tables_are_missing_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.setenv("MLOPS_DUCKDB_URL", str(tmp_path / "w.duckdb"))
    duckdb.connect(str(tmp_path / "w.duckdb")).close()
    with pytest.raises(Failed, match="no data: duckdb table gone"):
        stores.store_of(Location("duckdb", "spec", table="gone")).columns()
    monkeypatch.setenv("MLOPS_POSTGRES_URL", f"sqlite:///{tmp_path}/w.db")
    with pytest.raises(Failed, match="no data: postgres table gone"):
        stores.store_of(Location("postgres", "spec", table="gone")).columns()
    monkeypatch.setenv("MLOPS_DUCKDB_URL", str(tmp_path / "none.duckdb"))
    with pytest.raises(Failed, match="does not exist"):
        stores.store_of(Location("duckdb", "spec", table="gone")).columns()


def test_rows_into_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_POSTGRES_URL", f"sqlite:///{tmp_path}/w.db")
    store = stores.store_of(Location("postgres", "spec", table="scores"))
    for _ in range(2):
        store.append(pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}))
    assert store.columns() == ["x", "y"]
    assert list(store.rows(["y"], None, stores.Window())["y"]) == ["a", "b", "a", "b"]
