"""A Parquet file's facts: from its schema, its statistics, its rows."""

from __future__ import annotations

import builtins
import io
import math
import os
import random
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authoring.specs import of_parquet
from mlopsc.authoring import apart, parquet_table
from mlopsc.authoring.apart import describe_parquet_apart
from mlopsc.authoring.parquet_table import describe_parquet
from mlopsc.authoring.refusal import UnusableError

if TYPE_CHECKING:
    from pathlib import Path

    from mlopsc.authoring.facts import ColumnFacts


def parquet(table: pa.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def column(values: list[Any], type_: pa.DataType | None = None, **options: Any) -> ColumnFacts:
    return of_parquet(parquet(pa.table({"a": pa.array(values, type_)}), **options)).columns[0]


@pytest.mark.parametrize(
    ("values", "type_", "ours"),
    [
        ([1], pa.int8(), "int32"),
        ([1], pa.int16(), "int32"),
        ([1], pa.uint16(), "int32"),
        ([1], pa.int32(), "int32"),
        ([1], pa.uint32(), "int64"),
        ([1], pa.int64(), "int64"),
        ([2**63 - 1], pa.uint64(), "int64"),
        ([2**63], pa.uint64(), None),
        ([1.5], pa.float16(), "float32"),
        ([1.5], pa.float32(), "float32"),
        ([1.5], pa.float64(), "float64"),
        (["x"], pa.string(), "string"),
        (["x"], pa.large_string(), "string"),
        (["x"], pa.dictionary(pa.int8(), pa.string()), "string"),
        ([True], pa.bool_(), "bool"),
        ([datetime(2020, 1, 1)], pa.timestamp("ms"), "timestamp"),  # noqa: DTZ001
        ([datetime(2020, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC"), "timestamp"),
        ([date(2020, 1, 1)], pa.date32(), None),
        ([time(1)], pa.time64("us"), None),
        ([timedelta(1)], pa.duration("s"), None),
        ([Decimal("1.5")], pa.decimal128(5, 2), None),
        ([b"x"], pa.binary(), None),
        ([b"xx"], pa.binary(2), None),
        ([[1]], pa.list_(pa.int64()), None),
        ([{"x": 1}], pa.struct([("x", pa.int64())]), None),
        ([None], pa.null(), None),
        ([None], pa.int64(), None),
    ],
)
def test_types(values: list[Any], type_: pa.DataType, ours: str | None) -> None:
    found = column(values, type_)
    assert found.type == ours
    assert bool(found.reason) == (ours is None)


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("group", [1, 3, 100])
def test_facts_with_and_without_statistics(statistics: bool, group: int) -> None:
    options = {"write_statistics": statistics, "row_group_size": group}
    found = column([3, None, -5, 3, 7], pa.int32(), **options)
    assert (found.low, found.high, found.null_share) == (-5, 7, 0.2)
    assert found.values == (-5, 3, 7)
    assert not found.unique
    assert column(["b", "a", None], **options).values == ("a", "b")
    assert column(["b", "a", None], **options).unique


@pytest.mark.parametrize("statistics", [True, False])
def test_not_a_number_is_missing_and_infinity_is_no_bound(statistics: bool) -> None:
    found = column([1.0, math.nan, None, 2.0], write_statistics=statistics)
    assert (found.low, found.high, found.null_share) == (1.0, 2.0, 0.5)
    endless = column([1.0, math.inf], write_statistics=statistics)
    assert (endless.low, endless.high) == (None, None)
    assert "infinite" in (endless.remark or "")
    assert column([math.nan, math.nan], write_statistics=statistics).reason == "no row has a value"


def test_only_the_first_rows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_table, "MOST_ROWS", 10)
    table = of_parquet(parquet(pa.table({"a": [*range(10), 10**6]}), row_group_size=4))
    assert (table.rows, table.whole) == (10, False)
    assert table.columns[0].high == 10**6  # statistics speak of the whole file
    assert table.columns[0].values == tuple(range(10))


def test_names_the_language_does_not_take() -> None:
    table = pa.table({"air.time": [1], "a b": [1], "ok": [1], "": [1], "x" * 64: [1], "ä": [1]})
    found = of_parquet(parquet(table))
    assert [c.name for c in found.columns if c.type] == ["ok"]
    assert all(c.reason for c in found.columns if not c.type)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cannot be read as Parquet"),
        (b"PAR1", "cannot be read as Parquet"),
        (b"a,b\n1,2\n" * 9, "cannot be read as Parquet"),
        (b"PAR1" + b"\x07" * 500 + b"PAR1", "cannot be read as Parquet"),
        (parquet(pa.table({"a": [1] * 9}))[:-9], "cannot be read as Parquet"),
        (parquet(pa.table({"a": pa.array([], pa.int64())})), "has no rows"),
        (parquet(pa.table({})), "has no columns"),
        (parquet(pa.table([[1], [2]], names=["a", "a"])), "two columns called 'a'"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(UnusableError, match=message) as caught:
        of_parquet(data)
    assert caught.value.help


def damaged(seed: int) -> bytes:
    """A small file with up to six bytes changed; the seeds below are all kinds of outcome."""
    dice = random.Random(seed)
    data = bytearray(parquet(pa.table({"a": [1, 2, None], "b": ["x", "y", "x"]})))
    for _ in range(dice.randint(1, 6)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("seed", [1, 2, 3, 71, 276])  # of the last two, pyarrow 26 aborts
def test_a_damaged_file_is_described_or_refused(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(damaged(seed))
    with suppress(UnusableError):
        table = describe_parquet_apart(str(path), "rows.parquet", "rows.parquet")
        assert len(table.columns) == 2


def _abort(*_: str) -> None:
    """What C++ does when an exception leaves a function that may not throw."""
    os.abort()


def test_a_reader_that_ends_is_no_end_of_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_describe", _abort)
    monkeypatch.setattr(apart, "_be_quiet", None)
    with pytest.raises(UnusableError, match=r"rows.parquet cannot be read as Parquet: .* ends"):
        describe_parquet_apart(str(tmp_path / "x"), "rows.parquet", "rows.parquet")


def test_what_is_read_apart_is_what_is_read_here(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(parquet(pa.table({"a": [1, 2, None], "b": ["x", "y", "x"]})))
    with path.open("rb") as stream:
        here = describe_parquet(stream, "rows", "rows")
    assert describe_parquet_apart(str(path), "rows", "rows") == here


def test_without_pyarrow_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UnusableError, match="pyarrow") as caught:
        of_parquet(b"")
    assert "pip install 'mlopsc[init]'" in caught.value.help
