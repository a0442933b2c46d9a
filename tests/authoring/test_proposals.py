"""What a column's values suggest, and what they do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopsc.authoring.facts import ColumnFacts
from mlopsc.authoring.proposals import _round_up, looks_personal, null_bound, propose
from mlopsc.authoring.words import column_problem, is_name, name_from, number
from mlopsc.source.scalars import core_value


def facts(type_: Any, values: list[Any] | None = None, name: str = "a", **more: Any) -> ColumnFacts:
    numbers = values and not isinstance(values[0], str | bool)
    ends = {"low": min(values), "high": max(values)} if numbers and values else {}
    found = None if values is None else tuple(sorted(values))
    return ColumnFacts(name, type_, values=found, **{**ends, **more})


@pytest.mark.parametrize(
    ("column", "rows", "keys"),
    [
        (facts("string", ["b", "a"]), 100, {"one_of": "[a, b]"}),
        (facts("string", ["no", "9E", "x, y"]), 100, {"one_of": '["9E", "no", "x, y"]'}),
        (facts("string", ["b", "a"]), 39, {}),  # more than 5 % of the rows
        (facts("string", [f"v{n}" for n in range(21)]), 9999, {}),
        (facts("string", ["a", "b" * 41]), 100, {}),
        (facts("string", ["a", "b\x00"]), 100, {}),
        (facts("int64", [1, 4, 9]), 100, {"one_of": "[1, 4, 9]"}),
        (facts("int64", [0, 1]), 100, {"one_of": "[0, 1]"}),
        (facts("int64", list(range(24))), 100, {"min": "0", "max": "23"}),
        (facts("int64", [1, *range(5, 24)]), 1000, {"min": "1", "max": "23"}),
        (facts("int64", list(range(1, 13))), 1000, {"min": "1", "max": "12"}),
        (facts("int64", None, low=17, high=4983), 1000, {"min": "0"}),
        (facts("float32", None, low=17.5, high=4983.0), 1000, {"min": "0"}),
        (facts("float64", None, low=0.01, high=1.0), 1000, {"min": "0", "max": "1"}),
        (facts("float64", None, low=-9.5, high=-1.0), 1000, {"max": "0"}),
        (facts("float64", None, low=-43.0, high=1301.0), 1000, {"min": "-50", "max": "2000"}),
        (facts("float64", None, low=-1e-7, high=2e-7), 1000, {"min": "-2.0e-07", "max": "3.0e-07"}),
        (facts("int64", None, low=-5, high=2**60), 1000, {}),  # more digits than a float keeps
        (facts("float64"), 1000, {}),
        (facts("bool", [False, True]), 1000, {}),
        (facts("timestamp"), 1000, {}),
        (facts("int64", None, "customer_id", low=1, high=9), 10, {"key": "customer"}),
        (facts("string", None, "orderId"), 10, {"key": "order"}),
        (facts("int64", None, "id", low=1, high=9), 10, {"key": "id"}),
        (facts("string", None, "code", unique=True), 100, {"key": "code"}),
        (facts("string", None, "code", unique=True), 99, {}),  # chance
        (facts("string", None, "code", unique=True, null_share=0.1), 500, {}),
        (facts("float64", None, "x", unique=True, low=1.0, high=2.0), 500, {"min": "0"}),
        (facts("string", None, "email"), 500, {"personal": "true"}),
        (facts("string", ["f", "m"], "gender"), 500, {"personal": "true"}),
        (facts("string", ["ito@example.com"], "contact"), 500, {"personal": "true"}),
        (facts("string", None, "iban", unique=True), 500, {"key": "iban", "personal": "true"}),
        (facts("string", ["x"]), 500, {}),
    ],
)  # fmt: skip
def test_proposals(column: ColumnFacts, rows: int, keys: dict[str, str]) -> None:
    assert propose(column, rows).keys == keys


def test_no_value_about_a_person_is_shown() -> None:
    column = facts("string", ["ito@example.com"], "user_email")
    assert propose(column, 500).remarks == ("about a person?",)
    assert propose(facts("int64", [1931, 2001], "birth_year"), 500).remarks == ("about a person?",)


@pytest.mark.parametrize(
    "name",
    [
        *("email", "customer_name", "firstName", "name", "birth_date", "phone_no", "homeAddress"),
        *("SSN", "iban", "last_name", "dob"),
    ],
)
def test_names_about_people(name: str) -> None:
    assert looks_personal(name)


@pytest.mark.parametrize(
    "name", ["carrier_name", "product_name", "distance", "filename", "addressable", "sextant"]
)
def test_names_not_about_people(name: str) -> None:
    assert not looks_personal(name)


@pytest.mark.parametrize(
    ("share", "bound"), [(0.0001, 0.001), (0.028, 0.05), (0.04, 0.05), (0.045, 0.1), (0.95, 1.0)]
)
def test_bounds_on_missing_values_leave_room(share: float, bound: float) -> None:
    assert null_bound(share) == bound


@given(st.floats(min_value=5e-324, max_value=1e300))
def test_a_round_number_is_above(value: float) -> None:
    above = _round_up(value)
    assert value < above <= 2.01 * value or value < 1e-320  # there floats are coarse


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_read_back(value: float) -> None:
    assert core_value(number(value))[0] == value
    assert "e" not in number(value) or "." in number(value)


@given(st.text())
def test_any_text_makes_a_name(text: str) -> None:
    assert is_name(name_from(text, "other"))


@given(st.text(max_size=80))
def test_a_column_name_is_taken_or_the_reason_is_known(name: str) -> None:
    plain = name.isascii() and name.isidentifier() and not name.startswith("_") and len(name) < 64
    assert (column_problem(name) is None) == plain
