"""Rules about sources, columns and views: what would make joins or checks wrong."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project.expectations import EXPECTATIONS
from mlopsc.project.model import Source
from mlopsc.project.resolve.scope import nearest
from mlopsc.project.units import duration_text
from mlopsc.rules.rule import Hit, Key, Need, missing, rule, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Column, Expectation, Model, OnDemandView, Project, View

_NUMBERS = ("int32", "int64", "float32", "float64")


@rule("R101")
def values_fit_the_type(project: Project) -> Iterator[Hit]:
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
        if column.one_of and column.type == "timestamp":
            yield (
                f"column '{column.name}' is timestamp, and `one_of` is for numbers, strings and bools",
                column.at("one_of"),
                "take `one_of` out, or change the type",
            )
            continue
        for position, value in enumerate(column.one_of):
            if not _fits(value, column):
                yield (
                    f"{spelled(value)} is no {column.type}, and column '{column.name}' is",
                    column.at("one_of", position),
                    f'write it as text: "{value}"'
                    if column.type == "string"
                    else "take it out, or change the type",
                )


def _fits(value: object, column: Column) -> bool:
    if column.type == "string":
        return isinstance(value, str)
    if column.type == "bool":
        return isinstance(value, bool)
    whole = column.type.startswith("int")
    return not isinstance(value, bool) and isinstance(value, int if whole else (int, float))


@rule("R102")
def range_is_not_empty(project: Project) -> Iterator[Hit]:
    """The smallest value that is right is not above the largest."""
    for column in _all_columns(project):
        low, high = column.minimum, column.maximum
        if low is not None and high is not None and low > high:
            yield (
                f"no value of '{column.name}' can be right: min {spelled(low)} is above max {spelled(high)}",
                column.at("min"),
                "exchange them",
            )
    for source in project.sources:
        rows = source.rows
        if rows is None or rows.minimum is None or rows.maximum is None:
            continue
        if rows.minimum > rows.maximum:
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
            written = column.origin == source.at("columns", column.name)
            if column.name == source.timestamp and written:
                yield (
                    f"'{column.name}' is the timestamp of '{source.name}' and needs no entry",
                    Key(column.origin),
                    "take it out of `columns`: its type follows from being the timestamp",
                    (Note("it is the timestamp here", source.at("timestamp")),),
                )


@rule("R104")
def rows_say_when_they_are_from(project: Project) -> Iterator[Hit]:
    """Rows that are joined, split or looked at by time say when they are from."""
    for source in project.sources:
        if source.timestamp is None:
            yield from missing(
                _asking_for_time(project, source),
                f"no column of '{source.name}' says when its rows are from",
                f"add `timestamp: COLUMN` to source '{source.name}'",
            )


def _asking_for_time(project: Project, source: Source) -> Iterator[Need]:
    if source.freshness is not None:
        yield Need(f"'{source.name}' is to be fresh", source.at("freshness"))
    for view in project.views:
        if view.source.name == source.name:
            yield Need(f"view '{view.name}' is joined as of a time", view.at("source"))
    for model in project.models:
        if model.target.source.name == source.name:
            yield from _examples_asking(model, source)
        watched = model.monitoring
        if watched is not None and watched.current.name == source.name:
            yield Need(
                f"'{model.name}' is watched on the last {duration_text(watched.window)}",
                watched.at("current"),
            )


def _examples_asking(model: Model, source: Source) -> Iterator[Need]:
    """What looks at the time of a model's examples."""
    if model.views:
        yield Need(f"'{model.name}' joins features as of each example's time", model.target.origin)
    label, training, watched = model.target.column, model.training, model.monitoring
    if label.known_after is not None:
        yield Need(f"'{label.name}' is known later", label.at("known_after"))
    if training is not None and training.split.by == "time":
        yield Need(f"the examples of '{model.name}' are split by time", training.split.at("test"))
    if training is not None and training.window is not None:
        yield Need(f"the examples of '{model.name}' are cut to a window", training.at("window"))
    if watched is not None and watched.performance and watched.current.name != source.name:
        yield Need(
            f"the labels of '{model.name}' are found by key and time", watched.at("performance")
        )


@rule("R105")
def fields_can_be_looked_up(project: Project) -> Iterator[Hit]:
    """A view offers what is known by key when a prediction is asked for."""
    for view in project.views:
        if not view.fields:
            yield (
                f"view '{view.name}' has no fields: '{view.source.name}' has no column that is not a key, "
                "known later or personal",
                view.at("source"),
                f"describe a column in source '{view.source.name}', or name some in `fields`",
            )
        for position, field in enumerate(view.fields):
            if field.known_after is not None:
                yield (
                    f"'{field.name}' is learnt later and cannot be a field of view '{view.name}'",
                    view.at("fields", position),
                    "take it out: when a prediction is asked for, nobody knows it yet",
                    (Note("it is known later", field.at("known_after")),),
                )
            elif field.entity is not None:
                yield (
                    f"'{field.name}' is a key: view '{view.name}' is looked up by it",
                    view.at("fields", position),
                    "take it out; a model that learns from it names it with its target's source: SOURCE:"
                    + field.name,
                    (Note("it is a key here", field.at("key")),),
                )


@rule("R106")
def features_can_be_joined(project: Project) -> Iterator[Hit]:
    """A model's examples carry the keys its views are looked up by."""
    for model in project.models:
        source = model.target.source
        own = {column.entity for column in source.keys}
        for view in model.views:
            lacking = next((entity for entity in view.entities if entity.name not in own), None)
            if lacking is not None:
                yield (
                    f"view '{view.name}' is looked up by {lacking.column}, and the examples in "
                    f"'{source.name}' have no such key",
                    _brought_in(model, view),
                    f"add `{lacking.column}: {{type: {lacking.type}, key: {lacking.name}}}` to source '{source.name}'",
                    (
                        Note(
                            "the examples are the rows of the target's source", model.target.origin
                        ),
                    ),
                )


def _brought_in(model: Model, view: View) -> Path:
    """The item of `features` that brings a view in, by itself or as an input of a function."""
    for feature in model.features:
        inputs = getattr(feature.owner, "inputs", ())
        if feature.owner is view or any(given.owner is view for given in inputs):
            return feature.origin
    return model.at("features")


@rule("R107", "info")
def checks_can_open_the_table(project: Project) -> Iterator[Hit]:
    """What Great Expectations cannot open has no checkpoint."""
    read = {source.name for source, _ in _read(project)}
    for source in project.sources:
        if source.stream is not None and source.kind is None and source.name not in read:
            yield (
                f"'{source.name}' is a stream alone, so nothing validates its rows",
                Key(source.at("kafka")),
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
    for kind in ("postgres", "snowflake", "redshift", "spark"):
        if kind not in project.services.connections:
            yield from missing(
                (
                    Need(f"'{source.name}' is in {kind}", source.at(kind))
                    for source in project.sources
                    if source.kind == kind
                ),
                "nothing says how to connect",
                f"add `services: {{{kind}: {{connection: {{secret: NAME}}}}}}`",
            )


@rule("R109")
def streams_have_brokers(project: Project) -> Iterator[Hit]:
    """A stream that a view reads needs the brokers' address."""
    if project.services.kafka is not None:
        return
    streams = {v.source.name: v.source for v in project.views if v.source.stream is not None}
    yield from missing(
        (
            Need(f"'{name}' is a stream that a view reads", Key(source.at("kafka")))
            for name, source in streams.items()
        ),
        "nothing says where Kafka answers",
        'add `services: {kafka: {brokers: "HOST:PORT"}}`',
    )


@rule("R110")
def rows_that_are_read_lie_somewhere(project: Project) -> Iterator[Hit]:
    """What is read or written lies in a table at rest."""
    for source in project.sources:
        if source.kind is None:
            yield from missing(
                (need for read, need in _read(project) if read.name == source.name),
                f"'{source.name}' is a stream without a table at rest",
                f"say where its rows are kept (`parquet:`, `bigquery:` …) in source '{source.name}'",
            )


def _read(project: Project) -> Iterator[tuple[Source, Need]]:
    """Each source that a program reads or writes, and who asks for that."""
    for view in project.views:
        yield view.source, Need(f"view '{view.name}' is read in training", view.at("source"))
    for model in project.models:
        name, watched = model.name, model.monitoring
        if model.training is not None or (watched is not None and watched.performance):
            yield (
                model.target.source,
                Need(f"the examples of '{name}' are read", model.target.origin),
            )
        if model.batch is not None:
            batch = model.batch
            yield batch.source, Need(f"'{name}' scores its rows", batch.at("from"))
            yield batch.destination, Need(f"'{name}' writes scores to it", batch.at("to"))
        if watched is not None:
            yield watched.current, Need(f"'{name}' is watched on its rows", watched.at("current"))
            if watched.reference is not None:
                at = watched.at("reference")
                yield watched.reference, Need(f"'{name}' is compared with its rows", at)


def _all_columns(project: Project) -> Iterator[Column]:
    """The columns that somebody described: those of a table that a model writes follow from others."""
    for source in project.sources:
        written = source.at("columns")
        yield from (c for c in source.columns if c.origin[: len(written)] == written)
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


_SEVERITIES = ("critical", "warning", "info")


@rule("R112")
def expectations_are_known(project: Project) -> Iterator[Hit]:
    """An expectation is one that Great Expectations knows, with arguments it takes."""
    for source in project.sources:
        for own in source.expectations:
            if own.type not in EXPECTATIONS:
                yield (
                    f"Great Expectations knows no '{own.type}'",
                    Key(own.origin),
                    nearest(own.type, EXPECTATIONS, "expectation"),
                )
                continue
            yield from _arguments(own)
            yield from _columns_named(own, source)


def _arguments(own: Expectation) -> Iterator[Hit]:
    required, optional = EXPECTATIONS[own.type]
    for argument in own.arguments:
        if argument not in required and argument not in optional:
            yield (
                f"'{own.type}' takes no '{argument}'",
                Key((*own.origin, argument)),
                nearest(argument, (*required, *optional), "argument"),
            )
    absent = [argument for argument in required if argument not in own.arguments]
    if absent:
        names = " and ".join(f"`{name}`" for name in absent)
        yield f"'{own.type}' needs {names}", Key(own.origin), f"add {names} to it"
    if own.severity not in _SEVERITIES:
        yield (
            f"{spelled(own.severity)} is no severity"
            if isinstance(own.severity, str | int | float)
            else "a severity is a word",
            (*own.origin, "severity"),
            f"write one of {', '.join(_SEVERITIES)}",
        )


def _columns_named(own: Expectation, source: Source) -> Iterator[Hit]:
    known = {item.name for item in source.columns} | {source.timestamp}
    named: list[tuple[Path, object]] = [
        ((*own.origin, key), own.arguments.get(key)) for key in ("column", "column_A", "column_B")
    ]
    several = own.arguments.get("column_list")
    if isinstance(several, list):
        named += [((*own.origin, "column_list", n), name) for n, name in enumerate(several)]
    for at, column in named:
        if column is not None and not isinstance(column, str):
            yield "a column is named by text", at, "write the name of one column"
        elif column is not None and source.columns and column not in known:
            yield (
                f"source '{source.name}' has no column '{column}'",
                at,
                nearest(column, [item.name for item in source.columns], "column"),
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


@rule("R114")
def patterns_are_regular_expressions(project: Project) -> Iterator[Hit]:
    """A pattern is a regular expression that Python can read."""
    for column in _all_columns(project):
        if column.pattern is None:
            continue
        try:
            re.compile(column.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield (
                f"the pattern of '{column.name}' is no regular expression: {error}",
                column.at("pattern"),
                "put a backslash before a character that is meant as itself",
            )


@rule("R115", "warning", whole=True)
def views_are_used(project: Project) -> Iterator[Hit]:
    """A view is read by a model."""
    used = {view.name for model in project.models for view in model.views}
    used |= {view.name for model in project.models for view in model.on_demand_views}
    # A function that nobody uses is said once, not again of each view it reads.
    used |= {given.owner.name for view in project.on_demand_views for given in view.inputs}
    views: tuple[View | OnDemandView, ...] = (*project.views, *project.on_demand_views)
    for view in views:
        if view.name not in used and view.fields:  # see R105
            yield (
                f"no model uses view '{view.name}'",
                Key(view.origin),
                "name it in a model's `features`, or take it out",
            )


@rule("R116")
def functions_read_what_the_model_has(project: Project) -> Iterator[Hit]:
    """A function reads views, and columns of the source its model's examples are in."""
    for model in project.models:
        for view in model.on_demand_views:
            brought = next(f.origin for f in model.features if f.owner is view)
            for given in view.inputs:
                if isinstance(given.owner, Source) and given.owner is not model.target.source:
                    yield (
                        f"'{view.name}' reads {given.owner.name}:{given.column.name}, and the examples of "
                        f"'{model.name}' are in '{model.target.source.name}'",
                        brought,
                        f"make a view of '{given.owner.name}' in `features`, and read its field instead",
                        (Note("it is read here", given.origin),),
                    )
