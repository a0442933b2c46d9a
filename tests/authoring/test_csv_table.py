"""A CSV file's facts: what pyarrow, which the programs read with, will see in it too."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.csv as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authoring.specs import of_csv
from mlopsc.authoring import csv_table
from mlopsc.authoring.csv_table import MISSING
from mlopsc.authoring.refusal import UnusableError

CASES = [
    (["7", "-3"], "int64"),
    (["007"], "int64"),
    ([" 1", "2 "], "int64"),
    (["0x1F"], "int64"),
    (["NA", "1"], "int64"),
    (["+5"], "float64"),
    (["1", "1.5"], "float64"),
    (["1e5", ".5", "1."], "float64"),
    (["99999999999999999999"], "float64"),
    (["1_0"], "string"),
    (["1", "x"], "string"),
    (["true", "FALSE"], "bool"),
    (["true", "1"], "bool"),
    (["1", "0", "2"], "int64"),
    (["tRue"], "string"),
    (["2013-01-01 05:00"], "timestamp"),
    (["2013-01-01T05:00:00Z", "2013-06-01 05:00:00+02:00"], "timestamp"),
    (["2013-01-01", "2013-01-01 05:00:00"], "timestamp"),
    (["2013-01-01 05:00:00.123456789"], "timestamp"),
    (["2013-01-01T05:00:00Z", "2013-01-01T05:00:00"], "string"),
    (["2013-02-30"], "string"),
    (["2013-1-1"], "string"),
    (["24:00"], "string"),
    (["2013-01-01"], None),
    (["22:22", "01:00:59"], None),
    (["", "NA"], None),
]
OURS = {
    pa.int64(): "int64", pa.float64(): "float64", pa.string(): "string", pa.bool_(): "bool",
}  # fmt: skip


def arrow_type(values: list[str]) -> str | None:
    """What pyarrow takes a column for, in the language's words."""
    text = "a,b\n" + "".join(f"{value},z\n" for value in values)
    type_ = pc.read_csv(io.BytesIO(text.encode())).schema.field("a").type
    return "timestamp" if pa.types.is_timestamp(type_) else OURS.get(type_)


@pytest.mark.parametrize(("values", "type_"), CASES)
def test_a_column_has_the_type_pyarrow_gives_it(values: list[str], type_: str | None) -> None:
    text = "a,b\n" + "".join(f"{value},z\n" for value in values)
    assert of_csv(text).columns[0].type == type_ == arrow_type(values)


def test_missing_values_are_pyarrows() -> None:
    assert frozenset(pc.ConvertOptions().null_values) == MISSING


texts = st.one_of(
    st.integers(-(2**66), 2**66).map(str),
    st.floats(allow_nan=False).map(repr),
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(str),  # noqa: DTZ001
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(str),  # noqa: DTZ001
    st.dates(date(1970, 1, 1), date(2200, 1, 1)).map(str),
    st.sampled_from(sorted(MISSING)),
    st.sampled_from(["true", "0", "1", "07", "1e3", "-.5", "+1", "12:30", "5.", "inf", "0x0f"]),
    # Times with parts of seconds reach from 1678 to 2261 in pyarrow; ours have no such bound.
    st.text("0123456789-+:.eETZx ", max_size=12).filter(
        lambda text: not re.match(r"(?!19|20|21)\d{4}-", text)
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
def test_any_column_has_the_type_pyarrow_gives_it(values: list[str]) -> None:
    text = "a,b\n" + "".join(f"{value},z\n" for value in values)
    assert of_csv(text).columns[0].type == arrow_type(values)


def test_facts_of_numbers() -> None:
    [price, rest] = of_csv("price,rest\n1.5,x\n-2,y\nNA,x\n1.5,x\n").columns
    assert (price.low, price.high, price.null_share, price.unique) == (-2, 1.5, 0.25, False)
    assert price.values == (-2, 1.5)
    assert rest.values == ("x", "y")


def test_facts_over_many_stretches_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "_STRETCH", 7)
    rows = "".join(f"{n},{n % 3},{'' if n == 50 else n / 2}\n" for n in range(100))
    [id_, three, half] = of_csv(f"id,three,half\n{rows}").columns
    assert id_.unique
    assert (id_.low, id_.high) == (0, 99)
    assert three.values == (0, 1, 2)
    assert not three.unique
    assert (half.type, half.null_share) == ("float64", 0.01)


def test_more_rows_than_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MOST_ROWS", 10)
    table = of_csv("a\n" + "1\n" * 10 + "2.5\n")
    assert (table.rows, table.whole, table.columns[0].type) == (10, False, "int64")


def test_leading_zeros_are_remarked() -> None:
    assert "leading zeros" in (of_csv("zip,x\n01234,1\n99999,2\n").columns[0].remark or "")


@pytest.mark.parametrize(
    ("delimiter", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")]
)
def test_other_separators_are_read_and_remarked(delimiter: str, word: str) -> None:
    table = of_csv(f"a{delimiter}b\n1,5{delimiter}2\n1,6{delimiter}3\n")
    assert [column.name for column in table.columns] == ["a", "b"]
    assert word in (table.remark or "")


def test_quotes_line_ends_empty_lines_and_a_byte_order_mark() -> None:
    table = of_csv(b'\xef\xbb\xbfname,n\r\n"a,""b\nc",1\r\n\r\n"",2\r\n')
    assert [column.name for column in table.columns] == ["name", "n"]
    assert table.rows == 2
    assert table.columns[0].values == ('a,"b\nc',)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b\n\n\n", "a header and no rows"),
        (b"1,2\n3,4\n", "has no header"),
        (b"2013-01-01,x\n2013-01-02,y\n", "has no header"),
        (b"a,NA\nb,1\n", "has no header"),
        (b",\n1,2\n", "has no header"),
        (b"a,b,a\n1,2,3\n", "two columns called 'a'"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 fields, the header has 2"),
        (b"a,b\n\xff\xfe,2\n", "is not UTF-8"),
        (b"stra\xdfe,b\n1,2\n", "is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"\x00\x01\x02\x03" * 100, "zero bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(1, 256)) * 9, "is not UTF-8"),
        (b'a,b\n"' + b"x" * 200_000 + b'",2\n', "field larger than"),
        (b"a,b\n" + b"x" * 5_000_000, "a line of 4,000,000 characters"),
        (b",".join(b"c%d" % n for n in range(5_001)) + b"\n" + b"1," * 5_000 + b"1\n", "5,001"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(data: bytes, message: str) -> None:
    with pytest.raises(UnusableError, match=message) as caught:
        of_csv(data)
    assert caught.value.help
    assert "\n" not in caught.value.message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_described_or_refused(data: bytes) -> None:
    with suppress(UnusableError):
        assert of_csv(data).rows
