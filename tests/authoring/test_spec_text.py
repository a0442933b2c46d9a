"""The text of a first spec: what it says, and that every table gives one that passes `check`."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authoring.specs import accepted, of_csv, of_parquet, with_proposals
from mlopsc.authoring.choices import Choices, likely_task, time_columns
from mlopsc.authoring.csv_table import describe_csv
from mlopsc.authoring.facts import ColumnFacts, TableFacts
from mlopsc.authoring.proposals import propose
from mlopsc.authoring.refusal import UnusableError
from mlopsc.authoring.spec_text import spec_text

GOLDEN = Path(__file__).parent / "flights"


def flights() -> TableFacts:
    with (GOLDEN / "flights.csv").open("rb") as stream:
        return describe_csv(stream, "flights.csv", "data/flights.csv")


def test_the_flights_give_the_committed_spec() -> None:
    choices = Choices("flights", "arr_delay", "regression", "time_hour")
    assert spec_text(flights(), choices) == (GOLDEN / "mlops.yaml").read_text("utf-8")


def test_the_committed_spec_passes_with_and_without_its_proposals() -> None:
    text = (GOLDEN / "mlops.yaml").read_text("utf-8")
    project = accepted(text)
    assert {column.name for column in project.sources[0].columns if column.one_of} == set()
    taken = {column.name: column for column in accepted(with_proposals(text)).sources[0].columns}
    assert taken["origin"].one_of == ("EWR", "JFK", "LGA")
    assert (taken["month"].minimum, taken["month"].maximum) == (1, 12)
    assert taken["flight_id"].entity == "flight"
    assert taken["pilot_email"].personal
    assert taken["arr_delay"].known_after == 24 * 60 * 60


def test_what_is_no_feature_is_named_with_the_reason() -> None:
    text = spec_text(flights(), Choices("flights", "arr_delay", "regression", "time_hour"))
    project = accepted(text)
    features = {feature.name for feature in project.models[0].features}
    assert features.isdisjoint({"year", "flight_id", "pilot_email", "time_hour", "arr_delay"})
    for reason in ("year (always the same)", "flight_id (identifies rows)", "pilot_email (about a"):
        assert reason in text


def test_keys_are_in_effect() -> None:
    choices = Choices("flights", "arr_delay", "regression", "time_hour", {"origin": "airport"})
    project = accepted(spec_text(flights(), choices))
    assert [(entity.name, entity.column) for entity in project.entities] == [("airport", "origin")]
    assert "origin" not in {feature.name for feature in project.models[0].features}


def test_without_a_timestamp_the_candidates_are_named() -> None:
    text = spec_text(flights(), Choices("flights", "arr_delay", "regression"))
    assert "# timestamp: time_hour" in text
    assert "known_after" not in text  # it needs one
    accepted(with_proposals(text))


@pytest.mark.parametrize("task", ["classification", "regression", "forecasting", "ranking"])
def test_every_task_has_a_gate(task: Any) -> None:
    choices = Choices("flights", "arr_delay", task, "time_hour", {"origin": "airport"})
    assert accepted(spec_text(flights(), choices)).models[0].evaluation is not None


def test_a_custom_task_is_told_how_to_add_a_gate() -> None:
    text = spec_text(flights(), Choices("flights", "arr_delay", "custom"))
    assert accepted(text).models[0].evaluation is None
    assert "# evaluation:" in text


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (Choices("Flights", "arr_delay", "regression"), "no name for a project"),
        (Choices("flights", "arr_dely", "regression"), "no column 'arr_dely'"),
        (Choices("flights", "time_hour", "regression"), "holds times"),
        (Choices("flights", "air time", "regression"), "cannot be the target"),
        (Choices("flights", "carrier", "regression"), "predicts numbers"),
        (Choices("flights", "arr_delay", "guessing"), "no task"),  # type: ignore[arg-type]
        (Choices("flights", "arr_delay", "ranking"), "one list"),
        (Choices("flights", "arr_delay", "forecasting"), "when rows are from"),
        (Choices("flights", "arr_delay", "regression", "carrier"), "cannot be the timestamp"),
        (Choices("flights", "arr_delay", "regression", "tme_hour"), "no column"),
        (Choices("f", "arr_delay", "regression", None, {"arr_delay": "x"}), "cannot be a key"),
        (Choices("f", "arr_delay", "regression", None, {"carrier": "X"}), "name for an entity"),
        (Choices("f", "arr_delay", "regression", None, {"time_hour": "x"}), "cannot be a key"),
        (
            Choices("f", "arr_delay", "regression", None, {"carrier": "x", "origin": "x"}),
            "same entity",
        ),
        (Choices("f", "arr_delay", "regression", command="a\nb"), "one line"),
        (Choices("f", "arr_delay", "regression", command=" "), "one line"),
    ],
)
def test_answers_that_do_not_fit_are_refused(choices: Choices, message: str) -> None:
    with pytest.raises(UnusableError, match=message) as caught:
        spec_text(flights(), choices)
    assert caught.value.help


def test_nothing_to_predict_from_is_refused() -> None:
    table = of_csv("y,id,day\n1,7,2020-01-01\n2,8,2020-01-02\n")
    with pytest.raises(UnusableError, match=r"no column is left to predict 'y' from \(id: ident"):
        spec_text(table, Choices("p", "y", "regression"))


@pytest.mark.parametrize(
    "command", ["make train", 'python "my script.py" --x={1,2}', "a: b # c", "yes", "[x]", "é 'x'"]
)
def test_any_command_survives(command: str) -> None:
    text = spec_text(flights(), Choices("p", "arr_delay", "regression", command=command))
    training = accepted(text).models[0].training
    assert training is not None
    assert training.command == command


def test_words_of_yaml_as_names() -> None:
    table = of_csv("null,yes,no,true,nan,on,prediction\n1.5,a,b,c,d,e,3\n2.5,f,g,h,i,j,4\n")
    for target in ("null", "yes", "true"):
        text = spec_text(table, Choices("null", target, likely_task(table.column(target))))  # type: ignore[arg-type]
        project = accepted(text)
        assert project.name == "null"
        assert project.models[0].target.column.name == target
        assert project.models[0].prediction == "predicted"


def test_a_table_that_has_no_file_yet() -> None:
    columns = (
        ColumnFacts("y", "bool"),
        ColumnFacts("customer_id", "int64"),
        ColumnFacts("x", "string"),
    )
    text = spec_text(
        TableFacts("parquet", "data/p.parquet", columns), Choices("p", "y", "classification")
    )
    assert [f.name for f in accepted(text).models[0].features] == ["x"]
    accepted(with_proposals(text))


def test_a_thousand_columns() -> None:
    header = ",".join(f"c{n}" for n in range(1000))
    rows = "\n".join(",".join(str(n * row % 977 / 8) for n in range(1000)) for row in range(50))
    text = spec_text(of_csv(f"{header}\n{rows}\n"), Choices("wide", "c1", "regression"))
    assert len(accepted(text).models[0].features) == 997  # not the target; c0 and c977 are always 0
    accepted(with_proposals(text))


# --- any table ---------------------------------------------------------------------------------

names = st.one_of(
    st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True),
    st.sampled_from(
        ["null", "Yes", "id", "customer_id", "customer_key", "email", "prediction", "y"]
    ),
    st.text(min_size=1, max_size=6),
)
words = st.sampled_from(
    ["red", "no", "1e5", "x: y", "a # b", '"q"', "it's", "New  York", "é", "\t", "]"]
)
series = {
    "int64": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "float64": st.floats(allow_infinity=True, allow_nan=True) | st.floats(-5, 5),
    "string": words | st.text(max_size=5),
    "bool": st.booleans(),
    "timestamp": st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "date": st.dates(),
    "list": st.lists(st.integers(-5, 5), max_size=2),
}
arrow = {
    "int64": pa.int64(), "float64": pa.float64(), "string": pa.string(), "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"), "date": pa.date32(), "list": pa.list_(pa.int64()),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> dict[str, tuple[str, list[Any]]]:
    """Columns by name, each of a kind: few different values or many, missing ones among them."""
    count = draw(st.sampled_from([1, 2, 25, 120]))
    columns = {}
    for name in draw(st.lists(names, min_size=1, max_size=6, unique=True)):
        kind = draw(st.sampled_from(list(series)))
        pool = draw(st.lists(series[kind] | st.none(), min_size=1, max_size=8))
        unique = kind == "int64" and draw(st.booleans())
        columns[name] = (
            kind,
            list(range(count)) if unique else [pool[n % len(pool)] for n in range(count)],
        )
    return columns


def spec_of(table: TableFacts, draw: Any) -> str | None:
    """A spec of the table for answers drawn among those that fit; None if none can be made."""
    targets = [column for column in table.columns if column.type not in (None, "timestamp")]
    if not targets:
        return None
    target = draw(st.sampled_from(targets))
    timestamp = draw(st.sampled_from([None, *time_columns(table)]))
    keys = {
        column.name: f"entity_{at}"
        for at, column in enumerate(table.columns)
        if column.type in ("string", "int64") and column is not target and draw(st.booleans())
    }
    choices = Choices("p", target.name, likely_task(target), timestamp, keys)
    with suppress(UnusableError):  # only if no column is left to predict from
        return spec_text(table, choices)
    proposals = {c.name: propose(c, table.rows or 0) for c in table.columns if c.type is not None}
    left = {name for name, proposal in proposals.items() if proposal.no_feature is None}
    assert left <= {target.name, timestamp, *keys}
    return None


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.data())
def test_any_parquet_table_gives_a_spec_that_passes(columns: Any, data: st.DataObject) -> None:
    stream = io.BytesIO()
    arrays = {name: pa.array(values, arrow[kind]) for name, (kind, values) in columns.items()}
    pq.write_table(pa.table(arrays), stream)
    text = spec_of(of_parquet(stream.getvalue()), data.draw)
    if text is not None:
        accepted(text)
        accepted(with_proposals(text))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.data())
def test_any_csv_table_gives_a_spec_that_passes(columns: Any, data: st.DataObject) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(zip(*(values for _, values in columns.values()), strict=True))
    try:
        table = of_csv(stream.getvalue().encode("utf-8", "replace"))
    except UnusableError:
        return  # a name like 7 or 2020-01-01: test_csv_table has the reasons
    text = spec_of(table, data.draw)
    if text is not None:
        accepted(text)
        accepted(with_proposals(text))
