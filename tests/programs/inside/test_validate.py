"""validate.py with a real Great Expectations context: severities, and data that is missing, empty or late."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import yaml
from mlops import network, validate

from conftest import Project, Server, declared, exposed, flights

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Said = pytest.CaptureFixture[str]
SUITE: list[dict[str, Any]] = [
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 100}, "severity": "critical"},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "plane"}, "severity": "critical"},
    {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "carrier", "value_set": ["AA", "B6", "UA"]}, "severity": "critical"},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "distance", "min_value": 0}, "severity": "warning"},
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "distance", "max_value": 1e6}, "severity": "info"},
    {"type": "expect_column_max_to_be_between", "kwargs": {"column": "at", "min_value": {"$PARAMETER": "freshness_after"}}, "severity": "critical"},
]  # fmt: skip


def number(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def context(project: Project, suite: list[dict[str, Any]]) -> None:
    """The files of a file context, as they would be generated."""

    def store(kind: str, folder: str) -> dict[str, Any]:
        return {
            "class_name": kind,
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": folder,
            },
        }

    batch = {
        "id": number("batch"),
        "partitioner": {"regex": r"flights\.parquet$", "param_names": []},
    }
    asset = {"type": "parquet", "id": number("asset"), "batch_definitions": {"all": batch}}
    config = {
        "config_version": 4,
        "config_variables_file_path": "uncommitted/config_variables.yml",
        "plugins_directory": "plugins/",
        "stores": {
            "expectations_store": store("ExpectationsStore", "expectations/"),
            "validation_results_store": store("ValidationResultsStore", "uncommitted/validations/"),
            "checkpoint_store": store("CheckpointStore", "checkpoints/"),
            "validation_definition_store": store(
                "ValidationDefinitionStore", "validation_definitions/"
            ),
        },
        "expectations_store_name": "expectations_store",
        "validation_results_store_name": "validation_results_store",
        "checkpoint_store_name": "checkpoint_store",
        "data_docs_sites": {
            "local_site": {
                **store("SiteBuilder", "uncommitted/data_docs/local_site/"),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        },
        "analytics_enabled": False,
        "data_context_id": number("context"),
        "fluent_datasources": {
            "files": {
                "type": "pandas_filesystem",
                "id": number("files"),
                "base_directory": "data",
                "assets": {"flights": asset},
            }
        },
    }
    (project.folder / "gx").mkdir(exist_ok=True)
    (project.folder / "gx/great_expectations.yml").write_text(yaml.safe_dump(config))
    expectations = [{"id": number(f"{n}"), "meta": {}, **one} for n, one in enumerate(suite)]
    project.put("gx/expectations/flights.json", {
        "name": "flights", "id": number("suite"), "notes": None, "expectations": expectations,
        "meta": {"great_expectations_version": "1.24.1"},
    })  # fmt: skip
    project.put("gx/validation_definitions/flights.json", {
        "name": "flights", "id": number("definition"), "suite": {"name": "flights", "id": number("suite")},
        "data": {"datasource": {"name": "files", "id": number("files")}, "asset": {"name": "flights", "id": number("asset")},
                 "batch_definition": {"name": "all", "id": number("batch")}},
    })  # fmt: skip
    project.put("gx/checkpoints/flights.json", {
        "name": "flights", "id": number("checkpoint"), "actions": [], "result_format": "SUMMARY",
        "validation_definitions": [{"name": "flights", "id": number("definition")}],
    })  # fmt: skip


@pytest.fixture
def checked(project: Project) -> Project:
    project.source["freshness"] = {
        "parameter": "freshness_after",
        "seconds": 5 * 86400,
        "spec": "sources.flights.freshness",
    }
    project.write()
    context(project, SUITE)
    return project


def run(project: Project, frame: pd.DataFrame, code: int, *argv: str) -> dict[str, str]:
    project.table(frame)
    assert validate.main(["--source", "flights", *argv]) == code
    return {
        case["what"]: case["outcome"]
        for case in project.read("build/validate/validate.json")["flights"]["cases"]
    }


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_good_data(checked: Project, capsys: Said, zone: str | None) -> None:
    frame = flights()
    found = run(checked, frame.assign(at=frame["at"].dt.tz_localize(zone)), 0)
    assert len(found) == len(SUITE)
    assert set(found.values()) == {"passed"}
    assert "passed: flights" in capsys.readouterr().out
    assert (checked.folder / "build/validate/data_docs/index.html").is_file()
    assert (
        ET.parse(checked.folder / "build/validate/junit.xml").getroot()[0].attrib["failures"] == "0"
    )


def test_running_does_not_touch_the_generated_files(checked: Project) -> None:
    kept = [path for path in (checked.folder / "gx").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in kept}
    run(checked, flights(), 0)
    assert {path: path.read_bytes() for path in kept} == before


def test_critical_fails_and_the_table_says_what_and_where(checked: Project, capsys: Said) -> None:
    frame = flights()
    frame.loc[:9, "carrier"] = "ZZ"
    found = run(checked, frame, 1)
    assert [what for what, outcome in found.items() if outcome != "passed"] == [
        "flights.carrier: values to be in set"
    ]
    out = capsys.readouterr().out
    assert "10 rows (1 %), such as ZZ" in out
    assert "sources.flights.columns.carrier" in out
    assert "failed: flights" in out
    suite = ET.parse(checked.folder / "build/validate/junit.xml").getroot()[0]
    assert suite.attrib["failures"] == "1"


def test_warning_is_reported_and_passes(checked: Project) -> None:
    frame = flights()
    frame.loc[:9, "distance"] = -1
    assert run(checked, frame, 0)["flights.distance: values to be between"] == "warning"


def test_info_is_listed(checked: Project) -> None:
    assert (
        run(checked, flights().assign(distance=np.float32(1e7)), 0)[
            "flights.distance: mean to be between"
        ]
        == "info"
    )


def test_late_data(checked: Project, capsys: Said) -> None:
    assert run(checked, flights(), 1, "--now", "2013-06-10")["flights: data is late"] == "failed"
    out = capsys.readouterr().out
    assert "2013-05-30T" in out
    assert "min_value 2013-06-05T00:00:00" in out
    assert "sources.flights.freshness" in out


def test_empty_data(checked: Project) -> None:
    assert run(checked, flights().iloc[:0], 1) == {"flights: data is empty": "failed"}


def test_missing_data(checked: Project, capsys: Said) -> None:
    (checked.folder / "data/flights.parquet").unlink()
    assert validate.main(["--source", "flights"]) == 1
    assert "flights: data is missing" in capsys.readouterr().out


def test_missing_column_is_said(checked: Project, capsys: Said) -> None:
    found = run(checked, flights().drop(columns="carrier"), 1)
    assert found["flights.carrier: values to be in set"] == "failed"
    assert 'The column "carrier" in BatchData does not exist' in capsys.readouterr().out


def test_all_sources_of_a_model(checked: Project) -> None:
    assert validate.main(["--model", "delay"]) == 0
    assert list(checked.read("build/validate/validate.json")) == ["flights"]


def test_stream_without_a_table_is_not_checked(checked: Project, capsys: Said) -> None:
    del checked.source["environments"]["production"]["checkpoint"]
    checked.write()
    assert validate.main(["--source", "flights"]) == 0
    assert "flights: nothing to check, it has no table at rest" in capsys.readouterr().out


def test_cut_wires(checked: Project, capsys: Said) -> None:
    assert validate.main(["--source", "flights", "--gx", "gone"]) == 2
    assert "gone/great_expectations.yml is missing" in capsys.readouterr().err
    (checked.folder / "gx/checkpoints/flights.json").unlink()
    assert validate.main(["--source", "flights"]) == 2
    assert "checkpoint 'flights' of source 'flights' is not there" in capsys.readouterr().err
    (checked.folder / "gx/great_expectations.yml").write_text("stores: [")
    assert validate.main(["--source", "flights"]) == 2
    assert "Great Expectations cannot read it" in capsys.readouterr().err
    assert validate.main(["--source", "flights", "--model", "delay"]) == 2


@pytest.mark.parametrize(("carrier", "code", "value"), [("AA", 0, "1.0"), ("ZZ", 1, "0.0")])
def test_push_once_for_each_model(
    checked: Project, serve: Callable[..., Server], carrier: str, code: int, value: str
) -> None:
    gateway = serve(lambda *_: (200, None, {}))
    checked.source["models"] = ["delay", "cancel"]
    checked.write()
    run(checked, flights().assign(carrier=carrier), code, "--pushgateway", gateway.url)
    assert [(method, path) for method, path, _ in gateway.requests] == [
        (
            "PUT",
            f"/metrics/job/mlops_validate/environment/production/model/{model}/project/flights/source/flights",
        )
        for model in ("delay", "cancel")
    ]
    assert f"mlops_data_check_success {value}\n" in gateway.requests[0][2]


def test_unreachable_gateway_cannot_run(checked: Project, capsys: Said, free_port_url: str) -> None:
    assert validate.main(["--source", "flights", "--pushgateway", free_port_url]) == 2
    assert "cannot be reached after 5 attempts" in capsys.readouterr().err


def test_it_pushes_what_is_declared(checked: Project, pushgateway: str) -> None:
    run(checked, flights(), 0, "--pushgateway", pushgateway)
    assert exposed(pushgateway, "validate.py") == declared("validate.py")


@pytest.mark.parametrize("url", ["free_port_url", "silent_url"])
def test_a_database_that_is_away_or_never_answers(
    checked: Project,
    capsys: Said,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    url: str,
) -> None:
    """Great Expectations connects by itself, and wraps what the driver says."""
    monkeypatch.setattr(network, "ATTEMPTS", 2)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    host = request.getfixturevalue(url).removeprefix("http://")
    monkeypatch.setenv("MLOPS_POSTGRES_URL", f"postgresql+psycopg://ada:secret@{host}/shop")
    config = checked.folder / "gx/great_expectations.yml"
    data = yaml.safe_load(config.read_text())
    batch = data["fluent_datasources"]["files"]["assets"]["flights"]["batch_definitions"]["all"]
    asset = {
        "type": "table", "id": number("asset"), "table_name": "flights", "schema_name": "public",
        "batch_definitions": {"all": {"id": batch["id"], "partitioner": None}},
    }  # fmt: skip
    data["fluent_datasources"]["files"] = {
        "type": "postgres", "id": number("files"), "connection_string": "${MLOPS_POSTGRES_URL}",
        "assets": {"flights": asset},
    }  # fmt: skip
    config.write_text(yaml.safe_dump(data))
    checked.source["environments"]["production"] = {
        "kind": "postgres", "table": "public.flights", "checkpoint": "flights", "spec": "sources.flights.postgres",
    }  # fmt: skip
    checked.write()
    assert validate.main(["--source", "flights"]) == 2
    said = capsys.readouterr()
    wanted = (
        f"source 'flights', postgres public.flights at {host} cannot be reached after 2 attempts"
    )
    assert f"could not run: {wanted}" in said.err
    assert "Traceback" not in said.err
    assert "secret" not in said.out + said.err


def test_a_database_that_goes_away_in_between_is_no_bad_data() -> None:
    """An expectation that could not be computed counts only while the database answers."""
    missing = {"raised_exception": True, "exception_message": "no such column", "raised": True}
    uncomputed = SimpleNamespace(exception_info=missing)
    result = SimpleNamespace(run_results={"run": SimpleNamespace(results=[uncomputed])})
    asked: list[bool] = []

    def connect(*, test_assets: bool) -> None:
        asked.append(test_assets)
        if len(asked) == 1:
            raise ConnectionError("connection refused")

    data = SimpleNamespace(
        data_asset=SimpleNamespace(datasource=SimpleNamespace(test_connection=connect))
    )
    checkpoint = SimpleNamespace(
        run=lambda expectation_parameters: result,
        validation_definitions=[SimpleNamespace(data=data)],
    )
    with pytest.raises(ConnectionError):
        validate._results(checkpoint, {}, database=True)
    assert validate._results(checkpoint, {}, database=True) is result
    assert validate._results(checkpoint, {}, database=False) is result
    assert asked == [False, False]
