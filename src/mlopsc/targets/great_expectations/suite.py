"""A source's suite: what its columns, its table and the user's own expectations ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Traced, traced
from mlopsc.project.conventions import decision, spec_text
from mlopsc.project.expectations import FRESHNESS_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Column, ColumnType, Severity, Source
    from mlopsc.targets.great_expectations.identity import Identity

_SMALL_INTEGERS: Final = ("int8", "int16", "int32", "uint8", "uint16")
_PANDAS_TYPES: Final[dict[ColumnType, tuple[str, ...]]] = {
    "int32": (*_SMALL_INTEGERS, "Int32"),
    "int64": (*_SMALL_INTEGERS, "int64", "uint32", "Int64"),
    "float32": ("float32", "float64"),
    "float64": ("float64",),
    "bool": ("bool", "boolean"),
    "string": ("str", "string"),
    "timestamp": ("datetime64", "datetime64[ns]", "datetime64[us]", "Timestamp"),
}
"""How pandas calls a column of each type when it reads parquet. CSV has no types, and each database has
names of its own; there the programs check the types of what they read.
"""


class Suite:
    """The expectations of one source, in order, with ids that stay when others come and go."""

    def __init__(self, source: Source, identity: Identity) -> None:
        self.source = source
        self._identity = identity
        self._seen: dict[str, int] = {}
        self.expectations: list[Traced] = []

    def expect(
        self, type_: str, arguments: dict[str, Body], severity: Severity, *origins: Path
    ) -> None:
        """Add one; `origins[0]` is the spec path a failure names."""
        about = arguments.get("column", "")
        about = about.body if isinstance(about, Traced) else about
        key = f"{self.source.name}/{type_}/{about}"
        number = self._seen[key] = self._seen.get(key, 0) + 1
        self.expectations.append(
            traced(
                {
                    "id": self._identity.of("expectation", f"{key}/{number}"),
                    "type": type_,
                    "kwargs": arguments,
                    "severity": severity,
                    "meta": {"spec": spec_text(origins[0])},
                },
                *origins,
            )
        )


def suite(source: Source, identity: Identity) -> Body:
    """The suite of a source."""
    made = Suite(source, identity)
    _table(made)
    if source.timestamp is not None:
        _timestamp(made, source.timestamp)
    for column in source.columns:
        _column(made, column)
    for own in source.expectations:
        arguments: dict[str, Body] = {key: _plain(value) for key, value in own.arguments.items()}
        made.expect(own.type, arguments, own.severity, own.origin)
    return {
        **identity.named("suite", source.name),
        "notes": None
        if source.description is None
        else traced(source.description, source.at("description")),
        "meta": {},
        "expectations": [*made.expectations],
    }


def _plain(value: object) -> Body:
    """A value of the user's, as data the JSON writer takes; parse let nothing else in."""
    return value  # type: ignore[return-value]


def _table(made: Suite) -> None:
    source, rows = made.source, made.source.rows
    limits: dict[str, Body] = {
        "min_value": 1
        if rows is None or rows.minimum is None
        else traced(rows.minimum, rows.at("min"))
    }
    if rows is not None and rows.maximum is not None:
        limits["max_value"] = traced(rows.maximum, rows.at("max"))
    made.expect(
        "expect_table_row_count_to_be_between",
        limits,
        "critical",
        source.at("rows"),
        decision("great_expectations.not_empty"),
    )
    if rows is not None and len(rows.unique) > 1:
        made.expect(
            "expect_compound_columns_to_be_unique",
            {"column_list": list(rows.unique)},
            "critical",
            rows.at("unique"),
        )
    elif rows is not None and rows.unique:
        made.expect(
            "expect_column_values_to_be_unique",
            {"column": rows.unique[0]},
            "critical",
            rows.at("unique"),
        )


def _timestamp(made: Suite, column: str) -> None:
    at = made.source.at("timestamp")
    why = decision("great_expectations.timestamp")
    made.expect("expect_column_to_exist", {"column": column}, "critical", at)
    made.expect("expect_column_values_to_not_be_null", {"column": column}, "critical", at, why)
    if made.source.freshness is not None:
        made.expect(
            "expect_column_max_to_be_between",
            {"column": column, "min_value": {"$PARAMETER": FRESHNESS_PARAMETER}},
            "critical",
            made.source.at("freshness"),
        )


def _column(made: Suite, column: Column) -> None:
    at = column.origin
    named: dict[str, Body] = {"column": column.name}
    exists = decision("great_expectations.exists")
    made.expect("expect_column_to_exist", named, "critical", at, exists)
    if made.source.kind == "parquet" and column.type != "timestamp":
        types: list[Body] = list(_PANDAS_TYPES[column.type])
        if column.type.startswith("int") and column.nulls:
            types.append("float64")  # whole numbers with gaps are floats in pandas
        made.expect(
            "expect_column_values_to_be_in_type_list",
            {**named, "type_list": types},
            "critical",
            column.at("type"),
            decision("great_expectations.types"),
        )
    # A label that is learnt later is missing in every recent row; how many that are depends on the
    # day, so only rows whose label must be known could be judged. The dataset program does that.
    if column.known_after is None or column.nulls:
        share: dict[str, Body] = (
            {"mostly": traced(round(1 - column.nulls, 12), column.at("nulls"))}
            if column.nulls
            else {}
        )
        made.expect(
            "expect_column_values_to_not_be_null",
            {**named, **share},
            column.severity,
            column.at("nulls"),
            column.origin,
        )
    for type_, arguments, path in _values(column):
        made.expect(type_, {**named, **arguments}, column.severity, *path)


def _values(column: Column) -> Iterator[tuple[str, dict[str, Body], tuple[Path, ...]]]:
    """What must hold of the values that are there."""
    limits: dict[str, Body] = {}
    paths = []
    for key, argument, value in (
        ("min", "min_value", column.minimum),
        ("max", "max_value", column.maximum),
    ):
        if value is not None:
            limits[argument] = traced(value, column.at(key))
            paths.append(column.at(key))
    if limits:
        yield "expect_column_values_to_be_between", limits, tuple(paths)
    if column.one_of:
        yield (
            "expect_column_values_to_be_in_set",
            {"value_set": list(column.one_of)},
            (column.at("one_of"),),
        )
    if column.pattern is not None:
        yield (
            "expect_column_values_to_match_regex",
            {"regex": column.pattern},
            (column.at("pattern"),),
        )
    if column.unique:
        yield "expect_column_values_to_be_unique", {}, (column.at("unique"),)
