"""A source's suite: what its columns, its table and the user's own expectations ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Traced, traced
from mlopsc.project.conventions import decision, spec_text
from mlopsc.project.expectations import FRESHNESS_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Column, ColumnType, Source
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

    def __init__(self, source: Source, name: str, identity: Identity) -> None:
        self.source = source
        self.name = name
        self._identity = identity
        self._seen: dict[str, int] = {}
        self.expectations: list[Traced] = []

    def expect(
        self, type_: str, arguments: dict[str, Body], severity: Body, spec: Path, *because: Path
    ) -> None:
        """Add one.

        Args:
            type_: what Great Expectations calls it.
            arguments: its own.
            severity: how bad a failure is.
            spec: the spec path a failure names.
            because: what it is there for, where that is not the value at `spec`.
        """
        about = arguments.get("column", "")
        named = about.origins if isinstance(about, Traced) else ()
        column = about.body if isinstance(about, Traced) else about
        key = f"{self.name}/{type_}/{column}"
        number = self._seen[key] = self._seen.get(key, 0) + 1
        self.expectations.append(
            traced(
                {
                    "id": self._identity.of("expectation", f"{key}/{number}", *named),
                    "type": type_,
                    "kwargs": arguments,
                    "severity": severity,
                    "meta": {"spec": spec_text(spec)},
                },
                *(because or (spec,)),
            )
        )


def suite(source: Source, name: str, identity: Identity) -> Body:
    """The suite of a source, called `name`."""
    made = Suite(source, name, identity)
    _table(made)
    if source.timestamp is not None:
        _timestamp(made, source.timestamp)
    for column in source.columns:
        _column(made, column)
    for own in source.expectations:
        arguments = {key: _plain(value, own.at(key)) for key, value in own.arguments.items()}
        severity = traced(own.severity, own.severity_at)
        made.expect(own.type, arguments, severity, own.origin)
    return {
        **identity.named("suite", name),
        "notes": traced(source.description, source.at("description")),
        "meta": {},
        "expectations": [*made.expectations],
    }


def judged(source: Source) -> object:
    """All that a suite holds and environments may differ in.

    How old the newest row may be is no part of it: that is a parameter of the run.
    """
    rows = source.rows
    limits = (rows.minimum, rows.maximum) if rows is not None else (None, None)
    return (*limits, source.freshness is None)


def _plain(value: object, at: Path) -> Body:
    """A value of the user's, as data the JSON writer takes; parse let nothing else in."""
    if isinstance(value, dict):
        return traced({key: _plain(item, (*at, key)) for key, item in value.items()}, at)
    if isinstance(value, list):
        return traced([_plain(item, (*at, place)) for place, item in enumerate(value)], at)
    return traced(value, at)  # type: ignore[arg-type]


def _table(made: Suite) -> None:
    source, rows = made.source, made.source.rows
    limits: dict[str, Body] = {
        "min_value": traced(1, source.at("rows"), decision("great_expectations.not_empty"))
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
        source.at("rows"),
        decision("great_expectations.not_empty"),
    )
    if rows is None or not rows.unique:
        return
    at = rows.at("unique")
    names: list[Body] = [traced(name, (*at, place)) for place, name in enumerate(rows.unique)]
    if len(names) > 1:
        made.expect(
            "expect_compound_columns_to_be_unique",
            {"column_list": names},
            "critical",
            at,
            rows.origin,
        )
    else:
        made.expect(
            "expect_column_values_to_be_unique", {"column": names[0]}, "critical", at, rows.origin
        )


def _timestamp(made: Suite, column: str) -> None:
    source = made.source
    at = source.at("timestamp")
    named: dict[str, Body] = {"column": traced(column, at)}
    why = decision("great_expectations.timestamp")
    made.expect("expect_column_to_exist", named, "critical", at, source.origin)
    made.expect("expect_column_values_to_not_be_null", named, "critical", at, source.origin, why)
    if source.freshness is not None:
        made.expect(
            "expect_column_max_to_be_between",
            {**named, "min_value": {"$PARAMETER": FRESHNESS_PARAMETER}},
            "critical",
            source.at("freshness"),
            source.origin,
        )


def _column(made: Suite, column: Column) -> None:
    at = column.origin
    named: dict[str, Body] = {"column": column.name}
    severity = traced(column.severity, column.at("severity"))
    exists = decision("great_expectations.exists")
    made.expect("expect_column_to_exist", named, "critical", at, at, exists)
    if made.source.kind == "parquet" and column.type != "timestamp":
        why = decision("great_expectations.types")
        typed = (column.at("type"), why)
        types: list[Body] = [traced(type_, *typed) for type_ in _PANDAS_TYPES[column.type]]
        if column.type.startswith("int") and column.nulls:
            # Whole numbers with gaps are floats in pandas.
            types.append(traced("float64", *typed, column.at("nulls")))
        made.expect(
            "expect_column_values_to_be_in_type_list",
            {**named, "type_list": types},
            "critical",
            column.at("type"),
            at,
            why,
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
            severity,
            column.at("nulls"),
            at,
        )
    for type_, arguments, spec, because in _values(column):
        made.expect(type_, {**named, **arguments}, severity, spec, because)


def _values(column: Column) -> Iterator[tuple[str, dict[str, Body], Path, Path]]:
    """What must hold of the values that are there: type, arguments, what to name, what it is for."""
    limits: dict[str, Body] = {}
    for key, argument, value in (
        ("max", "max_value", column.maximum),
        ("min", "min_value", column.minimum),
    ):
        if value is not None:
            at = column.at(key)
            limits = {argument: traced(value, at), **limits}
    if limits:
        yield "expect_column_values_to_be_between", limits, at, column.origin
    if column.one_of:
        at = column.at("one_of")
        words: list[Body] = [traced(word, (*at, place)) for place, word in enumerate(column.one_of)]
        yield "expect_column_values_to_be_in_set", {"value_set": words}, at, column.origin
    if column.pattern is not None:
        at = column.at("pattern")
        regex = traced(column.pattern, at)
        yield "expect_column_values_to_match_regex", {"regex": regex}, at, column.origin
    if column.unique:
        at = column.at("unique")
        yield "expect_column_values_to_be_unique", {}, at, at
