"""Sources and columns, and the entities that follow from `key`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from mlopsc.diagnostics.finding import Note, Path
from mlopsc.project.model import (
    Build,
    Column,
    Entity,
    Expectation,
    Image,
    ImageRef,
    Rows,
    Source,
    SourceKind,
    Topic,
)
from mlopsc.project.resolve.scope import Scope, Unresolvable
from mlopsc.project.units import seconds, share

if TYPE_CHECKING:
    from mlopsc.project.model import ColumnType
    from mlopsc.spec.root import Spec

KINDS: tuple[SourceKind, ...] = (
    "parquet",
    "csv",
    "duckdb",
    "postgres",
    "snowflake",
    "redshift",
    "bigquery",
    "spark",
)


def columns_of(written: dict[str, Any], at: Path) -> tuple[Column, ...]:
    """The columns of a source or of an on-demand view; `col: int64` is short for a mapping."""
    return tuple(_column(name, column, (*at, name)) for name, column in written.items())


def _column(name: str, column: Any, at: Path) -> Column:
    if isinstance(column, str):
        return Column(at, name, cast("ColumnType", column))
    known_after = column.known_after
    return Column(
        origin=at,
        name=name,
        type=column.type,
        entity=column.key,
        minimum=column.min,
        maximum=column.max,
        one_of=tuple(column.one_of or ()),
        pattern=column.pattern,
        unique=bool(column.unique),
        nulls=share(column.nulls),
        severity=column.severity,
        personal=column.personal,
        known_after=None if known_after is None else seconds(known_after),
        description=column.description,
    )


def resolve_image(scope: Scope, name: str, at: Path, images: dict[str, Image]) -> ImageRef:
    """`image: NAME` of `images`, or a full reference such as `python:3.12-slim`.

    Raises:
        Unresolvable: a bare word that no image is called.
    """
    if name in images:
        scope.used.add(("image", name))
        return ImageRef(at, images[name], None)
    if "/" in name or ":" in name:
        return ImageRef(at, None, name)
    found = scope.find("image", name, images, at)
    return ImageRef(at, found, None)


def resolve_sources(
    scope: Scope,
    spec: Spec,
    images: dict[str, Image],
    written: dict[str, tuple[str, tuple[Column, ...]]],
) -> dict[str, Source]:
    """Every source by name. `written` are those a model writes: the model, and its columns."""
    sources: dict[str, Source] = {}
    for name, source in spec.sources.items():
        try:
            sources[name] = _source(scope, name, source, spec, images, written.get(name))
        except Unresolvable:
            scope.break_("source", name)
    _refuse_build_cycles(scope, sources)
    return sources


def _source(
    scope: Scope,
    name: str,
    source: Any,
    spec: Spec,
    images: dict[str, Image],
    written: tuple[str, tuple[Column, ...]] | None,
) -> Source:
    at = scope.at("sources", name)
    kind = next((kind for kind in KINDS if getattr(source, kind) is not None), None)
    own = columns_of(source.columns, (*at, "columns"))
    return Source(
        origin=at,
        name=name,
        kind=kind,
        location=getattr(source, kind) if kind else None,
        stream=_topic(source.kafka, (*at, "kafka")),
        timestamp=source.timestamp or (SCORED_AT if written and not own else None),
        columns=own or (written[1] if written else ()),
        freshness=None if source.freshness is None else seconds(source.freshness),
        rows=_rows(scope, source, at, own),
        expectations=_expectations(source, at),
        build=_build(scope, source.build, name, (*at, "build"), spec, images),
        owner=source.owner or spec.owner,
        description=source.description,
        retention=None if source.retention is None else seconds(source.retention),
        written_by=written[0] if written else None,
    )


SCORED_AT = "scored_at"
"""The timestamp of rows that our batch program writes."""


def _topic(kafka: Any, at: Path) -> Topic | None:
    if kafka is None:
        return None
    retention = None if kafka.retention is None else seconds(kafka.retention)
    return Topic(at, kafka.topic, kafka.format, kafka.partitions, retention)


def _rows(scope: Scope, source: Any, at: Path, columns: tuple[Column, ...]) -> Rows | None:
    if source.rows is None:
        return None
    known = {column.name: column for column in columns}
    if source.timestamp:
        known[source.timestamp] = Column((*at, "timestamp"), source.timestamp, "timestamp")
    unique = tuple(source.rows.unique or ())
    scope.once(unique, (*at, "rows", "unique"), "column")
    for position, name in enumerate(unique):
        spot, listed = (*at, "rows", "unique", position), (*at, "columns")
        scope.attempt(partial(scope.column, f"source '{at[-1]}'", name, known, spot, listed))
    return Rows((*at, "rows"), source.rows.min, source.rows.max, unique)


def _expectations(source: Any, at: Path) -> tuple[Expectation, ...]:
    found = []
    for position, item in enumerate(source.expectations):
        for type_, arguments in item.items():
            settings = dict(arguments)
            here = (*at, "expectations", position, type_)
            severity_at = (*here, "severity") if "severity" in settings else here
            severity = settings.pop("severity", "critical")
            found.append(Expectation(here, type_, settings, severity, severity_at))
    return tuple(found)


def _build(
    scope: Scope, build: Any, source: str, at: Path, spec: Spec, images: dict[str, Image]
) -> Build | None:
    if build is None:
        return None
    upstream = tuple(build.from_ or ())
    scope.once(upstream, (*at, "from"), "source")
    for position, name in enumerate(upstream):
        scope.attempt(partial(scope.find, "source", name, spec.sources, (*at, "from", position)))
    return Build(
        at,
        build.command,
        scope.attempt(lambda: resolve_image(scope, build.image, (*at, "image"), images))
        if build.image
        else None,
        scope.attempt(lambda: scope.schedule(build.schedule, (*at, "schedule"), source))
        if build.schedule
        else None,
        upstream,
    )


def _refuse_build_cycles(scope: Scope, sources: dict[str, Source]) -> None:
    """N004: a source that is built from itself, through whatever chain."""
    graph = {name: source.build.sources for name, source in sources.items() if source.build}
    if not any(graph.values()):
        return
    from graphlib import CycleError, TopologicalSorter

    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1][::-1]
        else:
            return
        scope.report(
            "N004",
            f"source '{cycle[0]}' is built from itself: {' ← '.join(cycle)}",
            scope.at("sources", cycle[0], "build", "from"),
            "take one of them out of its `from`",
        )
        graph = {name: upstream for name, upstream in graph.items() if name not in cycle}


def resolve_entities(scope: Scope, sources: dict[str, Source]) -> dict[str, Entity]:
    """The entities that `key: NAME` names, and that each has one column and one type everywhere."""
    entities: dict[str, Entity] = {}
    for source in sources.values():
        if source.written_by is not None and not source.columns:
            continue
        for column in source.keys:
            if column.entity is None:
                continue
            known = entities.setdefault(
                column.entity, Entity(column.at("key"), column.entity, column.name, column.type)
            )
            if (known.column, known.type) != (column.name, column.type):
                scope.report(
                    "N005",
                    f"entity '{column.entity}' is {known.column} ({known.type}) elsewhere, and "
                    f"{column.name} ({column.type}) here",
                    column.origin,
                    "an entity has one column name and one type everywhere: features are joined by it",
                    Note("it was first named here", known.origin),
                    on_key=True,
                )
    return entities
