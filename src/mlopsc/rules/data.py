"""Rules about sources, columns and views: what would make joins or checks wrong."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project.expectations import EXPECTATIONS
from mlopsc.project.resolve.scope import nearest
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Column, Project

_NUMBERS = ("int32", "int64", "float32", "float64")


@rule("R101")
def range_on_numbers_alone(project: Project) -> Iterator[Hit]:
    """A range, a pattern and a list of values fit the column's type."""
    for column in _all_columns(project):
        if column.type not in _NUMBERS:
            for key, limit in (("min", column.minimum), ("max", column.maximum)):
                if limit is not None:
                    yield (
                        f"column '{column.name}' is {column.type}, and `{key}` is for numbers",
                        column.at(key),
                        f"take `{key}` out, or make the type one of {', '.join(_NUMBERS)}",
                    )
        if column.pattern is not None and column.type != "string":
            yield (
                f"column '{column.name}' is {column.type}, and `pattern` is for strings",
                column.at("pattern"),
                "take `pattern` out, or make the type string",
            )
        for position, value in enumerate(column.one_of):
            if not _fits(value, column):
                yield (
                    f"{value!r} is no {column.type}, and column '{column.name}' is",
                    column.at("one_of", position),
                    "every value of `one_of` is of the column's type",
                )


def _fits(value: object, column: Column) -> bool:
    if column.type == "string":
        return isinstance(value, str)
    if column.type == "bool":
        return isinstance(value, bool)
    if column.type == "timestamp":
        return False
    whole = column.type.startswith("int")
    return not isinstance(value, bool) and isinstance(value, int if whole else (int, float))


@rule("R102")
def range_is_not_empty(project: Project) -> Iterator[Hit]:
    """The smallest value that is right is not above the largest."""
    for column in _all_columns(project):
        if (
            column.minimum is not None
            and column.maximum is not None
            and column.minimum > column.maximum
        ):
            yield (
                f"no value of '{column.name}' can be right: min {column.minimum:g} is above max {column.maximum:g}",
                column.at("min"),
                "exchange them",
            )
    for source in project.sources:
        rows = source.rows
        if (
            rows
            and rows.minimum is not None
            and rows.maximum is not None
            and rows.minimum > rows.maximum
        ):
            yield (
                f"no number of rows can be right: min {rows.minimum} is above max {rows.maximum}",
                rows.at("min"),
                "exchange them",
            )


@rule("R103")
def timestamp_has_no_entry(project: Project) -> Iterator[Hit]:
    """The timestamp is a column without an entry of its own."""
    for source in project.sources:
        for column in source.columns:
            if column.name == source.timestamp and source.written_by is None:
                yield (
                    f"'{column.name}' is the timestamp of '{source.name}' and needs no entry",
                    column.origin,
                    "take it out of `columns`: its type follows from being the timestamp",
                    (Note("it is the timestamp here", source.at("timestamp")),),
                )


@rule("R104")
def freshness_needs_a_timestamp(project: Project) -> Iterator[Hit]:
    """Data can only be late if rows say when they are from."""
    for source in project.sources:
        if source.freshness is not None and source.timestamp is None:
            yield (
                f"'{source.name}' is to be fresh, and no column says when its rows are from",
                source.at("freshness"),
                "add `timestamp: COLUMN` to the source",
            )


@rule("R105")
def views_join_in_time(project: Project) -> Iterator[Hit]:
    """A view is joined as of each example's time, so its source says when its rows are from."""
    for view in project.views:
        if view.source.timestamp is None:
            yield (
                f"view '{view.name}' reads '{view.source.name}', whose rows do not say when they are from",
                view.at("source"),
                f"add `timestamp: COLUMN` to source '{view.source.name}': without it the join would look into the future",
            )
        if view.source.kind is None:
            yield (
                f"view '{view.name}' reads '{view.source.name}', which has no table at rest",
                view.at("source"),
                "say where its rows lie, too (`parquet:`, `bigquery:` …): training reads them from there",
            )
        for field in view.fields:
            if field.known_after is not None:
                yield (
                    f"'{field.name}' is learnt later and cannot be a field of view '{view.name}'",
                    view.at("fields"),
                    "take it out: when a prediction is asked for, nobody knows it yet",
                    (Note("it is known later", field.at("known_after")),),
                )


@rule("R106")
def features_can_be_joined(project: Project) -> Iterator[Hit]:
    """A model's examples carry the keys and the time its views are joined by."""
    for model in project.models:
        source = model.target.source
        own = {column.entity for column in source.keys}
        for view in model.views:
            missing = [entity for entity in view.entities if entity.name not in own]
            if missing:
                entity = missing[0]
                yield (
                    f"view '{view.name}' is looked up by {entity.column}, and the examples in "
                    f"'{source.name}' have no such key",
                    model.at("features"),
                    f"add `{entity.column}: {{type: {entity.type}, key: {entity.name}}}` to source '{source.name}'",
                    (
                        Note(
                            "the examples are the rows of the target's source", model.target.origin
                        ),
                    ),
                )
        if model.views and source.timestamp is None:
            yield (
                f"model '{model.name}' joins views, and its examples in '{source.name}' do not say when they are from",
                model.target.origin,
                f"add `timestamp: COLUMN` to source '{source.name}'",
            )


@rule("R107", "info")
def stream_alone_has_no_checkpoint(project: Project) -> Iterator[Hit]:
    """A stream is validated at its table at rest; without one there is no checkpoint."""
    for source in project.sources:
        if source.stream is not None and source.kind is None:
            yield (
                f"'{source.name}' is a stream alone, so nothing validates its rows",
                source.at("kafka"),
                "say where the same rows are kept (`parquet:`, `bigquery:` …)",
            )
        if source.kind == "spark":
            yield (
                f"'{source.name}' is a Spark table, which Great Expectations cannot open by itself",
                source.at("spark"),
                "check it where it is built, or keep a copy in another kind of table",
            )


@rule("R108")
def connections_are_known(project: Project) -> Iterator[Hit]:
    """A database that needs a connection string gets it from a secret."""
    for source in project.sources:
        if (
            source.kind in ("postgres", "snowflake", "redshift")
            and source.kind not in project.services.connections
        ):
            yield (
                f"'{source.name}' is in {source.kind}, and nothing says how to connect",
                source.at(source.kind),
                f"add `services: {{{source.kind}: {{connection: {{secret: NAME}}}}}}`",
            )


@rule("R109")
def streams_have_brokers(project: Project) -> Iterator[Hit]:
    """A stream that a view reads needs the brokers' address."""
    for view in project.views:
        if view.source.stream is not None and project.services.kafka is None:
            yield (
                f"'{view.source.name}' is a stream, and nothing says where Kafka answers",
                view.source.at("kafka"),
                'add `services: {kafka: {brokers: "HOST:PORT"}}`',
            )


@rule("R110")
def rows_have_columns(project: Project) -> Iterator[Hit]:
    """A source that is read describes its columns."""
    read = {model.target.source.name: model.target.origin for model in project.models}
    read |= {view.source.name: view.at("source") for view in project.views}
    for source in project.sources:
        if source.name in read and not source.columns:
            yield (
                f"source '{source.name}' describes no columns",
                source.origin,
                "add `columns:`: names and types of what is read from it",
                (Note("it is read here", read[source.name]),),
            )


def _all_columns(project: Project) -> Iterator[Column]:
    for source in project.sources:
        if source.written_by is None:
            yield from source.columns
    for view in project.on_demand_views:
        yield from view.fields


_FEAST_READS = ("parquet", "bigquery", "snowflake", "redshift", "postgres", "spark")


@rule("R111")
def one_offline_store(project: Project) -> Iterator[Hit]:
    """Feast reads all views of a project from one offline store."""
    first = None
    for view in project.views:
        kind = view.source.kind
        if kind is None:
            continue
        if kind not in _FEAST_READS:
            yield (
                f"view '{view.name}' reads '{view.source.name}', and Feast reads no {kind}",
                view.at("source"),
                f"keep the rows in one of {', '.join(_FEAST_READS)}",
                (Note("the source stands here", view.source.at(kind)),),
            )
            continue
        first = first or view
        if kind != first.source.kind:
            yield (
                f"view '{view.name}' is in {kind} and '{first.name}' in {first.source.kind}: a project has one offline store",
                view.at("source"),
                "keep the sources of all views in one kind of store",
                (Note("the other one stands here", first.at("source")),),
            )


@rule("R113")
def functions_can_be_imported(project: Project) -> Iterator[Hit]:
    """The user's function is imported by its name, so no part of it is a word of Python's own."""
    for view in project.on_demand_views:
        for part in (*view.module.split("."), view.function):
            if iskeyword(part):
                yield (
                    f"nothing can be imported as '{view.module}:{view.function}': '{part}' is a word of Python's",
                    view.at("python"),
                    "rename the module or the function",
                )


@rule("R112")
def expectations_are_known(project: Project) -> Iterator[Hit]:
    """An expectation is one that Great Expectations knows, with arguments it takes."""
    for source in project.sources:
        for own in source.expectations:
            if own.type not in EXPECTATIONS:
                yield (
                    f"Great Expectations knows no '{own.type}'",
                    own.origin,
                    nearest(own.type, EXPECTATIONS, "expectation"),
                )
                continue
            required, optional = EXPECTATIONS[own.type]
            for argument in own.arguments:
                if argument not in required and argument not in optional:
                    yield (
                        f"'{own.type}' takes no '{argument}'",
                        (*own.origin, argument),
                        nearest(argument, (*required, *optional), "argument"),
                    )
            missing = [argument for argument in required if argument not in own.arguments]
            if missing:
                yield f"'{own.type}' needs '{missing[0]}'", own.origin, f"add `{missing[0]}:` to it"
            column = own.arguments.get("column")
            known = {item.name for item in source.columns} | {source.timestamp}
            if isinstance(column, str) and source.columns and column not in known:
                yield (
                    f"source '{source.name}' has no column '{column}'",
                    (*own.origin, "column"),
                    nearest(column, [item.name for item in source.columns], "column"),
                )
