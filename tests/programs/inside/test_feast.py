"""Joins through a real Feast on local files: as of each row's time, every row, in its place."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlops import dataset, joins, materialize, network

from conftest import Project, flights

Said = pytest.CaptureFixture[str]

CONFIG = """\
project: flights
registry: ${FEAST_REGISTRY}
provider: local
offline_store: {type: file}
online_store: {type: sqlite, path: '${FEAST_ONLINE_STORE_CONNECTION}'}
entity_key_serialization_version: 3
"""
WEATHER = {
    "format": 1, "project": "flights", "source": "weather", "spec": "sources.weather", "timestamp": "hour",
    "columns": [
        {"name": "origin", "type": "string", "spec": "sources.weather.columns.origin"},
        {"name": "temp", "type": "float32", "spec": "sources.weather.columns.temp"},
    ],
    "models": ["delay"],
    "environments": {"production": {"kind": "parquet", "path": "data/weather.parquet", "spec": "sources.weather.parquet"}},
}  # fmt: skip
PLANES = {
    "format": 1, "project": "flights", "source": "planes", "spec": "sources.planes", "timestamp": "since",
    "columns": [
        {"name": "plane", "type": "int64", "spec": "sources.planes.columns.plane"},
        {"name": "seats", "type": "int64", "spec": "sources.planes.columns.seats"},
    ],
    "models": ["delay"],
    "environments": {"production": {"kind": "parquet", "path": "data/planes.parquet", "spec": "sources.planes.parquet"}},
}  # fmt: skip


def weather() -> pd.DataFrame:
    """Every third hour at two airports, so that the newest row is usually an older one."""
    hours = pd.date_range("2013-01-01", "2013-06-01", freq="3h", tz="UTC")
    frames = [
        pd.DataFrame(
            {
                "origin": origin,
                "hour": hours,
                "temp": np.arange(len(hours), dtype="float32") + shift,
            }
        )
        for origin, shift in (("JFK", 0), ("LGA", 100_000))
    ]
    return pd.concat(frames, ignore_index=True)


def planes() -> pd.DataFrame:
    """Each plane is refitted once."""
    numbers = np.arange(200)
    first = pd.DataFrame(
        {"plane": numbers, "since": pd.Timestamp("2012-12-31", tz="UTC"), "seats": numbers + 100}
    )
    second = pd.DataFrame(
        {"plane": numbers, "since": pd.Timestamp("2013-03-01", tz="UTC"), "seats": numbers + 1000}
    )
    return pd.concat([first, second], ignore_index=True)


def per_seat(inputs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"per_seat": inputs["distance"] / inputs["seats"]})


PER_SEAT = inspect.getsource(per_seat)  # Feast keeps the text of a function, and runs that


def definitions(*, online: bool = True) -> list[Any]:
    from datetime import timedelta

    from feast import (
        Entity,
        FeatureService,
        FeatureView,
        Field,
        FileSource,
        RequestSource,
        ValueType,
    )
    from feast.on_demand_feature_view import OnDemandFeatureView
    from feast.transformation.pandas_transformation import PandasTransformation
    from feast.types import Float32, Float64, Int64, String

    origin = Entity(name="airport", join_keys=["origin"], value_type=ValueType.STRING)
    plane = Entity(name="plane", join_keys=["plane"], value_type=ValueType.INT64)
    sky = FeatureView(
        name="sky", entities=[origin], ttl=timedelta(days=1), online=online,
        schema=[Field(name="origin", dtype=String), Field(name="temp", dtype=Float32)],
        source=FileSource(name="weather", path=str(Path("data/weather.parquet").absolute()), timestamp_field="hour"),
    )  # fmt: skip
    fit = FeatureView(
        name="fit", entities=[plane], ttl=timedelta(days=3650), online=online,
        schema=[Field(name="plane", dtype=Int64), Field(name="seats", dtype=Int64)],
        source=FileSource(name="planes", path=str(Path("data/planes.parquet").absolute()), timestamp_field="since"),
    )  # fmt: skip
    request = RequestSource(name="asked", schema=[Field(name="distance", dtype=Float64)])

    ratio = OnDemandFeatureView(
        name="ratio", sources=[fit, request], schema=[Field(name="per_seat", dtype=Float64)],
        feature_transformation=PandasTransformation(per_seat, PER_SEAT), mode="pandas",
    )  # fmt: skip
    service = FeatureService(name="delay", features=[sky[["temp"]], fit[["seats"]], ratio])
    return [origin, plane, sky, fit, request, ratio, service]


@pytest.fixture
def joined(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Flights that look up the weather at their airport, their plane's seats, and a ratio of both sides."""
    monkeypatch.setenv("FEAST_REGISTRY", str(project.folder / "registry.db"))
    monkeypatch.setenv("FEAST_ONLINE_STORE_CONNECTION", str(project.folder / "online.db"))
    rng = np.random.default_rng(5)
    project.table(flights().assign(origin=rng.choice(["JFK", "LGA"], 1000)))
    project.table(weather(), "data/weather.parquet")
    project.table(planes(), "data/planes.parquet")
    project.put("mlops/sources/weather.json", WEATHER)
    project.put("mlops/sources/planes.json", PLANES)
    project.model["examples"]["keys"].append(
        {"name": "origin", "type": "string", "spec": "sources.flights.columns.origin"}
    )
    project.model["features"] |= {
        "joined": [
            {"name": "temp", "type": "float32", "spec": "models.delay.features[2]"},
            {"name": "seats", "type": "int64", "spec": "models.delay.features[3]"},
            {"name": "per_seat", "type": "float64", "spec": "models.delay.features[4]"},
        ],
        "service": "delay",
        "repository": "feature_repo",
        "views": [
            {
                "name": "sky",
                "source": "weather",
                "keys": ["origin"],
                "materialize": True,
                "spec": "features.sky",
            },
            {
                "name": "fit",
                "source": "planes",
                "keys": ["plane"],
                "materialize": False,
                "spec": "features.fit",
            },
        ],
        "request": ["distance"],
    }
    (project.folder / "feature_repo").mkdir()
    (project.folder / "feature_repo/feature_store.yaml").write_text(CONFIG)
    from feast import FeatureStore

    FeatureStore(repo_path="feature_repo").apply(definitions())
    project.write()
    return project


def expected(frame: pd.DataFrame) -> pd.DataFrame:
    """The same join by pandas alone."""
    frame = frame.assign(
        _at=frame["at"].astype("datetime64[ns]").dt.tz_localize("UTC"), _row=range(len(frame))
    ).sort_values("_at")
    sky = weather().rename(columns={"hour": "_at"}).sort_values("_at")
    frame = pd.merge_asof(frame, sky, on="_at", by="origin", tolerance=pd.Timedelta(days=1))
    fit = (
        planes()
        .rename(columns={"since": "_at"})
        .sort_values("_at")
        .astype({"_at": "datetime64[ns, UTC]"})
    )
    frame = pd.merge_asof(frame, fit, on="_at", by="plane")
    frame["per_seat"] = frame["distance"].astype("float64") / frame["seats"]
    return frame.sort_values("_row").reset_index(drop=True)


def all_rows(project: Project) -> pd.DataFrame:
    parts = [
        pd.read_parquet(project.folder / f"out/{name}.parquet")
        for name in ("train", "validation", "test")
    ]
    return pd.concat(parts, ignore_index=True)


def test_every_example_gets_what_was_known_then(joined: Project) -> None:
    assert dataset.main(["--model", "delay", "--data", "out"]) == 0
    found = all_rows(joined)
    assert list(found.columns) == [
        "plane", "origin", "at", "carrier", "distance", "temp", "seats", "per_seat", "late",
    ]  # fmt: skip
    right = expected(found[["plane", "origin", "at", "distance"]])
    assert len(found) == (flights()["at"] <= "2013-05-31").sum()
    for name in ("temp", "seats", "per_seat"):
        np.testing.assert_allclose(
            found[name].to_numpy("float64"), right[name].to_numpy("float64"), rtol=1e-6
        )
    assert found["seats"].dtype == "int64"
    assert set(found["seats"] > 999) == {True, False}  # both fittings occur: the time matters


def test_rows_of_one_time_and_key_all_survive(joined: Project) -> None:
    """Feast's file store drops rows that agree in time and in the keys joined so far."""
    frame = flights(300).assign(at=pd.Timestamp("2013-02-01 01:30"), origin="JFK")
    found = joins.join(frame, "at", _features(joined))
    assert len(found) == 300
    np.testing.assert_allclose(found["per_seat"], expected(frame)["per_seat"], rtol=1e-6)


def test_a_value_out_of_its_ttl_takes_no_other_value_along(joined: Project) -> None:
    """Feast's file store drops a row whose key has feature rows, but none within the ttl."""
    frame = flights(50).assign(at=pd.Timestamp("2013-06-03"), origin="JFK")
    found = joins.join(frame, "at", _features(joined))
    assert found["temp"].isna().all()
    assert found["seats"].notna().all()
    edge = joins.join(frame.assign(at=pd.Timestamp("2013-06-02")), "at", _features(joined))
    assert edge["temp"].notna().all()  # exactly a day old: the ttl counts in


def test_files_and_stores_are_joined_alike(joined: Project) -> None:
    """Feast's own retrieval, on rows that its file store does not lose."""
    frame = flights(400).assign(origin="LGA").drop_duplicates("at").reset_index(drop=True)
    asked = frame[["origin", "plane", "distance"]].assign(
        event_timestamp=frame["at"].dt.tz_localize("UTC")
    )
    store = joins.open_store("feature_repo")
    service = store.get_feature_service("delay")
    by_feast = joins._from_store(store, service, asked, ["origin", "plane"])
    by_us = joins._from_files(store, service, asked)
    columns = ["temp", "seats", "per_seat"]
    pd.testing.assert_frame_equal(by_us[columns], by_feast[columns], check_dtype=False, rtol=1e-6)
    twice = pd.concat([asked, asked.iloc[::-1]])
    again = joins._from_store(store, service, twice, ["origin", "plane"])
    assert list(again.index) == list(twice.index)
    once = by_feast["seats"].to_numpy()
    np.testing.assert_array_equal(again["seats"].to_numpy(), np.concatenate([once, once[::-1]]))


def test_keys_without_features_are_empty_and_a_broken_join_is_refused(
    joined: Project, capsys: Said
) -> None:
    frame = pd.read_parquet(joined.folder / "data/flights.parquet")
    joined.table(frame.assign(origin=frame["origin"].where(frame["plane"] % 2 == 0, "EWR")))
    assert dataset.main(["--model", "delay", "--data", "out"]) == 0
    found = all_rows(joined)
    assert found.loc[found["origin"] == "EWR", "temp"].isna().all()
    assert found.loc[found["origin"] != "EWR", "temp"].notna().all()
    joined.table(frame.assign(origin="EWR"))
    assert dataset.main(["--model", "delay", "--data", "out"]) == 1
    assert "feature 'temp' is empty in all" in capsys.readouterr().err


def test_cut_wires(joined: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    joined.model["features"]["service"] = "dealy"
    joined.write()
    assert dataset.main(["--model", "delay", "--data", "out"]) == 2
    assert (
        "Feast does not know the feature service 'dealy': run `feast apply` first"
        in capsys.readouterr().err
    )
    joined.model["features"]["service"] = "delay"
    joined.model["features"]["joined"].append(
        {"name": "wind", "type": "float32", "spec": "models.delay.features[5]"}
    )
    joined.write()
    assert dataset.main(["--model", "delay", "--data", "out"]) == 2
    assert (
        "does not give 'wind': run `feast apply` again (asked for by models.delay.features[5]"
        in capsys.readouterr().err
    )
    monkeypatch.delenv("FEAST_REGISTRY")
    assert dataset.main(["--model", "delay", "--data", "out"]) == 2
    assert "needs the environment variable FEAST_REGISTRY" in capsys.readouterr().err
    (joined.folder / "feature_repo/feature_store.yaml").unlink()
    assert dataset.main(["--model", "delay", "--data", "out"]) == 2
    assert "feature_store.yaml is missing: compile the project" in capsys.readouterr().err


def test_materialize_makes_values_answerable_online(joined: Project, capsys: Said) -> None:
    assert materialize.main(["--model", "delay", "--now", "2013-05-31T23:59:00"]) == 0
    assert (
        "sky: materialized from 2013-05-30T23:59:00+00:00 to 2013-05-31T23:59:00+00:00"
        in capsys.readouterr().out
    )
    store = joins.open_store("feature_repo")
    answer = store.get_online_features(
        features=["sky:temp"], entity_rows=[{"origin": "JFK"}]
    ).to_dict()
    assert answer["temp"] == [
        weather().query("origin == 'JFK' and hour <= '2013-05-31T23:59Z'")["temp"].iloc[-1]
    ]
    capsys.readouterr()
    assert materialize.main(["--model", "delay", "--now", "2013-06-01T06:00:00"]) == 0
    assert "sky: materialized from 2013-05-31T23:59:00+00:00 to" in capsys.readouterr().out
    assert materialize.main(["--model", "delay", "--now", "2013-06-01"]) == 0
    assert "sky: up to 2013-06-01T06:00:00+00:00 already" in capsys.readouterr().out
    assert materialize.main(["--view", "fit", "--now", "2013-06-01"]) == 0


def test_only_materializing_needs_the_online_store(
    joined: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FEAST_ONLINE_STORE_CONNECTION")
    assert dataset.main(["--model", "delay", "--data", "out"]) == 0
    assert materialize.main(["--view", "sky"]) == 2
    said = capsys.readouterr().err
    assert "needs the environment variable FEAST_ONLINE_STORE_CONNECTION" in said


def test_materialize_refusals(joined: Project, capsys: Said) -> None:
    assert materialize.main(["--view", "skies"]) == 2
    assert (
        "Feast does not know the view skies: run `feast apply` first; it knows: fit, sky"
        in capsys.readouterr().err
    )
    assert materialize.main([]) == 2
    assert "say either --view or --model" in capsys.readouterr().err
    joined.model["features"]["views"][0]["materialize"] = False
    joined.write()
    assert materialize.main(["--model", "delay"]) == 2
    assert "no view of model 'delay' has 'materialize' in mlops.yaml" in capsys.readouterr().err
    assert materialize.main(["--model", "delay", "--check", "mlops/models/delay.json"]) == 0


def test_a_view_that_is_not_looked_up_online_is_not_materialized(
    joined: Project, capsys: Said
) -> None:
    joins.open_store("feature_repo", online=True).apply(definitions(online=False))
    assert materialize.main(["--view", "sky"]) == 2
    said = capsys.readouterr().err
    assert "the view sky is not looked up online: write `materialize: 1h`" in said
    assert "below features.sky in mlops.yaml" in said
    assert "Traceback" not in said


def _features(project: Project) -> Any:
    from mlops.facts import read_model

    return read_model(project.folder / "mlops", "delay").features


# --- stores that are away ------------------------------------------------------------------------


def configured(project: Project, **settings: object) -> None:
    import yaml

    config = project.folder / "feature_repo/feature_store.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | settings))


@pytest.mark.parametrize("url", ["free_port_url", "silent_url"])
def test_an_online_store_that_is_away_or_never_answers(
    joined: Project,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    url: str,
) -> None:
    monkeypatch.setattr(network, "ATTEMPTS", 2)
    host = request.getfixturevalue(url).removeprefix("http://")
    monkeypatch.setattr(joins, "TIMEOUT_SECONDS", 1)
    online = f"{host},password=secret"
    configured(joined, online_store={"type": "redis", "connection_string": online})
    assert materialize.main(["--view", "sky"]) == 2
    said = capsys.readouterr()
    wanted = f"view 'sky', Feast's online store redis {host} cannot be reached after 2 attempts: "
    assert f"could not run: {wanted}" in said.err
    assert "secret" not in said.out + said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("url", ["free_port_url", "silent_url"])
def test_a_registry_that_is_away_or_never_answers(
    joined: Project,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    url: str,
) -> None:
    monkeypatch.setattr(network, "ATTEMPTS", 2)
    host = request.getfixturevalue(url).removeprefix("http://")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    address = f"postgresql+psycopg://ada:secret@{host}/feast"
    configured(joined, registry={"registry_type": "sql", "path": address})
    assert dataset.main(["--model", "delay"]) == 2
    said = capsys.readouterr()
    assert (
        f"could not run: Feast's registry {host} cannot be reached after 2 attempts: " in said.err
    )
    assert "secret" not in said.out + said.err
    assert "Traceback" not in said.err


def test_feature_rows_far_away(
    joined: Project, capsys: Said, monkeypatch: pytest.MonkeyPatch, free_port_url: str
) -> None:
    monkeypatch.setattr(network, "ATTEMPTS", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", free_port_url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    history = joins._history

    def far(view: Any, keys: list[str], columns: list[str], repository: Path) -> pd.DataFrame:
        view.batch_source.file_options.uri = "s3://bucket/weather.parquet"
        return history(view, keys, columns, repository)

    monkeypatch.setattr(joins, "_history", far)
    assert dataset.main(["--model", "delay"]) == 2
    wanted = "s3://bucket/weather.parquet cannot be reached after 2 attempts"
    assert wanted in capsys.readouterr().err
