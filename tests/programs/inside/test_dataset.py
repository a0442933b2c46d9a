"""dataset.py: the right rows, in the right split, in the spec's types; and a clear no to everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from mlops import dataset

from conftest import Project, flights

if TYPE_CHECKING:
    from collections.abc import Callable

Said = pytest.CaptureFixture[str]


def run(project: Project, *argv: str) -> dict[str, pd.DataFrame]:
    project.write()
    assert dataset.main(["--model", "delay", "--data", "out", *argv]) == 0
    names = ("train", "validation", "test", "evaluation")
    return {name: pd.read_parquet(project.folder / "out" / f"{name}.parquet") for name in names}


def refused(project: Project, capsys: Said, code: int = 1) -> str:
    project.write()
    assert dataset.main(["--model", "delay", "--data", "out"]) == code
    assert not (project.folder / "out" / "train.parquet").exists()
    return capsys.readouterr().err


def test_columns_types_and_description(project: Project) -> None:
    parts = run(project)
    assert list(parts["train"].columns) == ["plane", "at", "carrier", "distance", "late"]
    assert {name: str(kind) for name, kind in parts["train"].dtypes.items() if name != "carrier"} == {
        "plane": "int64", "at": "datetime64[ns]", "distance": "float32", "late": "float32",
    }  # fmt: skip
    described = project.read("out/dataset.json")
    assert described["rows"] == {name: len(parts[name]) for name in ("train", "validation", "test")}
    assert described["window"] == {"start": None, "end": "2013-05-31T00:00:00.000001+00:00"}
    assert [column["role"] for column in described["columns"]] == [
        "key", "timestamp", "feature", "feature", "label",
    ]  # fmt: skip


def test_a_key_never_changes_sides_and_the_seed_draws(project: Project) -> None:
    parts = run(project)
    planes = {name: set(parts[name]["plane"]) for name in ("train", "validation", "test")}
    assert not planes["train"] & planes["test"]
    assert not planes["train"] & planes["validation"]
    assert 0.12 < len(planes["test"]) / 200 < 0.28  # 20 % of 200 planes, three standard deviations
    project.table(flights().sample(frac=1, random_state=3))  # the order of the rows decides nothing
    assert {
        name: set(part["plane"]) for name, part in run(project).items() if name in planes
    } == planes
    project.model["training"]["seed"] = 8
    assert set(run(project)["test"]["plane"]) != planes["test"]


def test_draw_without_keys_keeps_equal_rows_together(project: Project) -> None:
    project.model["examples"]["keys"] = []
    twice = pd.concat([flights(), flights()])
    project.table(twice)
    parts = run(project)
    rows = {
        name: set(zip(parts[name]["at"], parts[name]["distance"], strict=True))
        for name in parts
        if name != "evaluation"
    }
    assert not rows["train"] & rows["test"]
    assert sum(len(parts[name]) for name in rows) == sum(flights()["at"] <= "2013-05-31") * 2


def test_same_input_same_bytes(project: Project) -> None:
    run(project)
    before = {path.name: path.read_bytes() for path in (project.folder / "out").iterdir()}
    run(project)
    assert {path.name: path.read_bytes() for path in (project.folder / "out").iterdir()} == before


def test_split_by_time(project: Project) -> None:
    day = 86400
    project.model["training"]["split"] |= {
        "validation": {"seconds": 20 * day},
        "test": {"seconds": 10 * day},
    }
    frame = flights()
    known = frame["at"] <= "2013-05-31"
    edge = frame.loc[known, "at"].max() - pd.Timedelta(days=10)
    frame.loc[0, "at"] = edge  # exactly ten days before the newest: no longer among the newest ten
    project.table(frame)
    parts = run(project)
    newest = parts["test"]["at"].max()
    assert edge == newest - pd.Timedelta(days=10)
    assert (parts["validation"]["at"] == edge).any()
    assert parts["test"]["at"].min() > newest - pd.Timedelta(days=10)
    assert parts["validation"]["at"].max() <= newest - pd.Timedelta(days=10)
    assert parts["train"]["at"].max() < parts["validation"]["at"].min()
    span = parts["validation"]["at"].max() - parts["validation"]["at"].min()
    assert pd.Timedelta(days=18) < span <= pd.Timedelta(days=20)


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_label_not_known_yet_and_window(project: Project, zone: str | None) -> None:
    frame = flights()
    frame["at"] = frame["at"].dt.tz_localize(zone)
    project.table(frame)
    project.model["training"]["window_seconds"] = 60 * 86400
    parts = run(project, "--now", "2013-05-02T12:00:00Z")
    times = pd.concat([part["at"] for name, part in parts.items() if name != "evaluation"])
    times = times.dt.tz_localize("UTC") if zone is None else times.dt.tz_convert("UTC")
    assert times.max() <= pd.Timestamp("2013-05-01T12:00Z")
    assert times.min() >= pd.Timestamp("2013-03-03T12:00Z")
    assert len(times) == frame["at"].between(
        pd.Timestamp("2013-03-03T12:00Z").tz_convert(zone or "UTC").tz_localize(None).tz_localize(zone),
        pd.Timestamp("2013-05-01T12:00Z").tz_convert(zone or "UTC").tz_localize(None).tz_localize(zone),
    ).sum()  # fmt: skip


def test_label_known_at_this_very_moment_counts(project: Project) -> None:
    frame = flights()
    frame.loc[frame.index[-1], "at"] = pd.Timestamp("2013-05-31")
    project.table(frame)
    parts = run(project)
    assert max(
        part["at"].max() for name, part in parts.items() if name != "evaluation"
    ) == pd.Timestamp("2013-05-31")


def test_rows_without_label_are_left_out_and_counted(project: Project) -> None:
    frame = flights()
    frame.loc[:99, "late"] = np.nan
    project.table(frame)
    parts = run(project)
    assert project.read("out/dataset.json")["without_label"] == 100
    assert all(part["late"].notna().all() for name, part in parts.items() if name != "evaluation")


def test_columns_only_for_the_gate_stay_out_of_training(project: Project) -> None:
    project.table(flights().assign(region="north"))
    project.model["evaluation"]["columns"] = [
        {"name": "region", "type": "string", "spec": "models.delay.evaluation.slices[0]"}
    ]
    parts = run(project)
    assert "region" not in parts["test"]
    assert list(parts["evaluation"].columns) == ["region"]
    assert len(parts["evaluation"]) == len(parts["test"])


def test_csv_and_folder_of_parquet(project: Project) -> None:
    expected = run(project)["test"]
    flights().to_csv(project.folder / "data/flights.csv", index=False)
    location = project.source["environments"]["production"]
    location.update(kind="csv", path="data/flights.csv")
    pd.testing.assert_frame_equal(run(project)["test"], expected, check_dtype=False)
    half = flights()
    project.table(half[:500], "data/parts/a.parquet")
    project.table(half[500:], "data/parts/b.parquet")
    location.update(kind="parquet", path="data/parts")
    pd.testing.assert_frame_equal(run(project)["test"], expected)


def test_duckdb(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    expected = run(project)["test"]
    with duckdb.connect("data/warehouse.duckdb") as connection:
        connection.register("given", flights())
        connection.execute("CREATE SCHEMA raw")
        connection.execute('CREATE TABLE raw."flights" AS SELECT * FROM given')
    project.source["environments"]["production"] = {
        "kind": "duckdb", "table": "raw.flights", "checkpoint": "flights", "spec": "sources.flights.duckdb",
    }  # fmt: skip
    monkeypatch.setenv("MLOPS_DUCKDB_URL", "data/warehouse.duckdb")
    pd.testing.assert_frame_equal(run(project)["test"], expected, check_dtype=False)


def test_sql_database(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlalchemy

    expected = run(project)["test"]
    address = f"sqlite:///{project.folder}/warehouse.db"
    flights().to_sql("flights", sqlalchemy.create_engine(address), index=False)
    project.source["environments"]["production"] = {
        "kind": "postgres", "table": "flights", "checkpoint": "flights", "spec": "sources.flights.postgres",
    }  # fmt: skip
    # SQLite stands in for PostgreSQL; it keeps times as text, so only the reader's way is the same.
    project.model["examples"].pop("timestamp")
    project.source.pop("timestamp")
    monkeypatch.setenv("MLOPS_POSTGRES_URL", address)
    assert set(run(project)["test"]["plane"]) == set(expected["plane"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="carrier"), "column 'carrier' is not in parquet data/flights.parquet of source 'flights' (asked for by models.delay.features[0] in mlops.yaml)"),
        (lambda f: f.drop(columns="late"), "(asked for by models.delay.target in mlops.yaml)"),
        (lambda f: f.drop(columns="at"), "column 'at' is not in parquet"),
        (lambda f: f.assign(distance="far"), "column 'distance' must be float32, but it holds 'far' (asked for by models.delay.features[1] in mlops.yaml)"),
        (lambda f: f.assign(carrier=7), "column 'carrier' must be string, but it holds"),
        (lambda f: f.assign(plane=f["plane"] + 0.5), "column 'plane' must be int64, but it holds"),
        (lambda f: f.assign(late=np.nan), "column 'late' is empty in all"),
        (lambda f: f.assign(at=f["at"].astype(str)), "column 'at' of data/flights.parquet holds"),
        (lambda f: f.iloc[:0], "it has no rows at all (asked for by models.delay.training in mlops.yaml)"),
        (lambda f: f.assign(at=f["at"] + pd.Timedelta(days=900)), "its newest row is of 2015-"),
        (lambda f: f.assign(plane=1), "split is empty: there are"),
    ],
)  # fmt: skip
def test_data_that_is_not_good_enough(
    project: Project, capsys: Said, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    project.table(change(flights()))
    assert said in refused(project, capsys)


def test_missing_and_broken_files(project: Project, capsys: Said) -> None:
    path = project.folder / "data/flights.parquet"
    path.write_bytes(b"no parquet")
    assert "is not readable as parquet" in refused(project, capsys)
    path.unlink()
    assert (
        "no data: data/flights.parquet does not exist (asked for by sources.flights.parquet"
        in refused(project, capsys)
    )


def test_what_cannot_run(project: Project, capsys: Said) -> None:
    project.source["environments"]["production"] = {
        "kind": "snowflake", "table": "flights", "spec": "sources.flights.snowflake",
    }  # fmt: skip
    assert "MLOPS_SNOWFLAKE_URL is not set" in refused(project, capsys, 2)
    project.source["environments"] = {"staging": project.source["environments"]["production"]}
    assert "no environment 'production'; there are: staging" in refused(project, capsys, 2)
    del project.model["training"]
    assert "model 'delay' is not trained here" in refused(project, capsys, 2)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("snowflake", "pip install snowflake-sqlalchemy"),
        ("redshift", "pip install sqlalchemy-redshift"),
    ],
)
def test_missing_package_is_named(
    project: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch, kind: str, said: str
) -> None:
    project.source["environments"]["production"] = {
        "kind": kind,
        "table": "flights",
        "spec": "sources.flights",
    }
    driver = {"snowflake": "snowflake", "redshift": "redshift+redshift_connector"}[kind]
    monkeypatch.setenv(f"MLOPS_{kind.upper()}_URL", f"{driver}://user:word@host/db")
    assert said in refused(project, capsys, 2)


def test_unreachable_database_is_tried_within_a_bound(
    project: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.source["environments"]["production"] = {
        "kind": "postgres",
        "table": "flights",
        "spec": "sources.flights",
    }
    # A folder cannot be opened as a database: SQLAlchemy raises the OperationalError of a lost server.
    monkeypatch.setenv("MLOPS_POSTGRES_URL", f"sqlite:///{project.folder}")
    project.write()
    assert dataset.main(["--model", "delay"]) == 2
    said = capsys.readouterr()
    assert said.out.count("attempt") == 4
    assert "cannot be reached after 5 attempts" in said.err
