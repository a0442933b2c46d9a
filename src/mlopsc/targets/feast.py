"""Feast: the feature repository, as a person would write it, and the store it is applied to."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts.draft import Body, CopyDraft, Draft, TextDraft, YamlDraft, traced
from mlopsc.project.conventions import (
    FEAST_ONLINE_VARIABLE,
    FEAST_REGISTRY_VARIABLE,
    FEATURE_REPO,
    decision,
)
from mlopsc.project.model import (
    Column,
    ColumnType,
    Entity,
    Model,
    OnDemandView,
    Project,
    Source,
    SourceKind,
    View,
)
from mlopsc.project.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlopsc.diagnostics.finding import Path

name: Final = "feast"

DECISIONS: Final = {
    "feast.provider": "`local` runs Feast inside our jobs; the stores below decide where data is",
    "feast.key_version": "entity keys are written in Feast's third format, the only one that 0.67 still writes",
    "feast.addresses": "addresses come from the environment, so that one file serves a laptop and a cluster",
    "feast.offline_store": "training reads features where the sources of the views are",
    "feast.import": "the user's functions are imported from the project's root, in every job alike",
}

_TYPES: Final[dict[ColumnType, str]] = {
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "string": "String",
    "bool": "Bool",
    "timestamp": "UnixTimestamp",
}
_VALUE_TYPES: Final[dict[ColumnType, str]] = {
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "string": "STRING",
    "bool": "BOOL",
    "timestamp": "UNIX_TIMESTAMP",
}
# Spark's names, which JsonFormat's schema is written in; and Avro's.
_JSON_TYPES: Final[dict[ColumnType, str]] = {
    "int32": "integer",
    "int64": "bigint",
    "float32": "float",
    "float64": "double",
    "string": "string",
    "bool": "boolean",
    "timestamp": "timestamp",
}
_AVRO_TYPES: Final[dict[ColumnType, Any]] = {
    "int32": "int",
    "int64": "long",
    "float32": "float",
    "float64": "double",
    "string": "string",
    "bool": "boolean",
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
}

# How a kind of source is called in Feast, and where it is imported from.
_SOURCE_CLASSES: Final[dict[SourceKind, tuple[str, str]]] = {
    "parquet": ("FileSource", "feast"),
    "bigquery": ("BigQuerySource", "feast"),
    "snowflake": ("SnowflakeSource", "feast"),
    "redshift": ("RedshiftSource", "feast"),
    "postgres": (
        "PostgreSQLSource",
        "feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source",
    ),
    "spark": ("SparkSource", "feast.infra.offline_stores.contrib.spark_offline_store.spark_source"),
}

_OFFLINE_STORES: Final[dict[SourceKind, dict[str, Body]]] = {
    "parquet": {"type": "file"},
    "bigquery": {"type": "bigquery", "dataset": "${FEAST_BIGQUERY_DATASET}"},
    "snowflake": {
        "type": "snowflake.offline",
        "account": "${FEAST_SNOWFLAKE_ACCOUNT}",
        "user": "${FEAST_SNOWFLAKE_USER}",
        "password": "${FEAST_SNOWFLAKE_PASSWORD}",
        "role": "${FEAST_SNOWFLAKE_ROLE}",
        "warehouse": "${FEAST_SNOWFLAKE_WAREHOUSE}",
        "database": "${FEAST_SNOWFLAKE_DATABASE}",
    },
    "redshift": {
        "type": "redshift",
        "region": "${FEAST_REDSHIFT_REGION}",
        "workgroup": "${FEAST_REDSHIFT_WORKGROUP}",
        "database": "${FEAST_REDSHIFT_DATABASE}",
        "s3_staging_location": "${FEAST_REDSHIFT_STAGING}",
        "iam_role": "${FEAST_REDSHIFT_IAM_ROLE}",
    },
    "postgres": {
        "type": "postgres",
        "host": "${FEAST_POSTGRES_HOST}",
        "database": "${FEAST_POSTGRES_DATABASE}",
        "user": "${FEAST_POSTGRES_USER}",
        "password": "${FEAST_POSTGRES_PASSWORD}",
    },
    "spark": {"type": "spark"},
}


def emit(project: Project) -> Iterator[Draft]:
    """The feature repository; nothing for a project without views."""
    if not project.views and not project.on_demand_views:
        return
    yield TextDraft(
        f"{FEATURE_REPO}/definitions.py",
        ("features",),
        "feast/definitions.py.j2",
        _definitions(project),
    )
    yield YamlDraft(f"{FEATURE_REPO}/feature_store.yaml", ("services", "feast"), _store(project))
    yield CopyDraft(f"{FEATURE_REPO}/.feastignore", ("features",), "feast/feastignore")


# --- definitions.py ----------------------------------------------------------------------------

_IMPORTED: Final = frozenset(["sys", "pd", "timedelta", "inputs", "Path", "on_demand_feature_view"])
"""Lower-case names the file itself needs; Feast's classes are capitalized, and no name of a spec is."""

Variables = dict[tuple[str, str], str]
"""What (kind, name) is called in the file."""


def _variables(project: Project) -> Variables:
    """A Python name for each object: its own, with `_` and its kind behind it where that is taken.

    Names of a spec may be Python's own (`class`, `sys`), and an entity may be called as a view is.
    """
    views: tuple[View | OnDemandView, ...] = (*project.views, *project.on_demand_views)
    wanted = [("view", view.name) for view in views]
    read = dict.fromkeys(view.source.name for view in project.views)
    wanted += [("source", source) for source in read]
    wanted += [("entity", entity.name) for entity in project.entities]
    taken: dict[str, tuple[str, str]] = {}
    for kind, own in wanted:
        free = own not in taken and own not in _IMPORTED and not iskeyword(own)
        taken[own if free else _free(f"{own}_{kind}", taken)] = (kind, own)
    for kind, names in (
        ("table", read),
        ("request", dict.fromkeys(source.name for source in project.sources)),
        ("features", dict.fromkeys(model.name for model in project.models)),
        ("compute", dict.fromkeys(view.name for view in project.on_demand_views)),
    ):
        for own in names:
            text = f"compute_{own}" if kind == "compute" else f"{own}_{kind}"
            taken[_free(text, taken)] = (kind, own)
    return {key: variable for variable, key in taken.items()}


def _free(variable: str, taken: Mapping[str, object]) -> str:
    while variable in taken:
        variable += "_"
    return variable


def _definitions(project: Project) -> dict[str, object]:
    variables = _variables(project)
    sources = {view.source.name: view.source for view in project.views}
    views = [_view(view, variables) for view in project.views]
    on_demand = [_on_demand(view, variables) for view in project.on_demand_views]
    requests = _requests(project, variables)
    entities = {entity.name: entity for view in project.views for entity in view.entities}
    services = [_service(model, variables) for model in project.models if model.uses_feature_store]
    tables = [_table(source, variables) for source in sources.values()]
    return {
        "project": project,
        "entities": [_entity(entity, variables) for entity in entities.values()],
        "sources": tables,
        "streams": [
            _stream(project, source, variables) for source in sources.values() if source.stream
        ],
        "views": views,
        "requests": requests,
        "on_demand": on_demand,
        "services": services,
        "imports": _imports(project, list(sources.values()), bool(requests), bool(services)),
        "has_avro": any(
            source.stream and source.stream.format == "avro" for source in sources.values()
        ),
        "feast_types": sorted(
            {
                field["type"]
                for group in (*views, *on_demand, *requests)
                for field in group["fields"]
            }
        ),
        "import_decision": decision("feast.import"),
    }


def _imports(
    project: Project, sources: list[Source], requests: bool, services: bool
) -> dict[str, object]:
    """What definitions.py imports, and from where: nothing it does not use."""
    feast = {"Field"}
    if project.views:
        feast |= {"Entity", "FeatureView", "ValueType"}
    if requests:
        feast.add("RequestSource")
    if services:
        feast.add("FeatureService")
    others: dict[str, str] = {}
    formats = set()
    for source in sources:
        if source.kind is None:
            continue
        class_, module = _SOURCE_CLASSES[source.kind]
        if module == "feast":
            feast.add(class_)
        else:
            others[module] = class_
        if source.stream:
            feast.add("KafkaSource")
            formats.add("AvroFormat" if source.stream.format == "avro" else "JsonFormat")
    return {
        "feast": sorted(feast),
        "formats": sorted(formats),
        "others": sorted(others.items()),
        "functions": sorted({(view.module, view.function) for view in project.on_demand_views}),
    }


def _entity(entity: Entity, variables: Variables) -> dict[str, object]:
    return {
        "entity": entity,
        "variable": variables["entity", entity.name],
        "value_type": _VALUE_TYPES[entity.type],
    }


def _table(source: Source, variables: Variables) -> dict[str, object]:
    """The batch source of a table, as keyword arguments in the order a person reads them."""
    kind, location = source.kind, source.location or ""
    if kind is None:
        raise ValueError(f"rule R105 lets no view read '{source.name}', which has no table")
    class_ = _SOURCE_CLASSES[kind][0]
    if kind == "parquet":
        # Feast reads relative paths from the feature repository, one folder below the project.
        where = {"path": location if "://" in location else f"../{location}"}
    elif kind in {"snowflake", "redshift"}:
        parts = location.split(".")
        keys = ("database", "schema", "table")[-len(parts) :]
        where = dict(zip(keys, parts, strict=True))
    else:
        where = {"table": location}
    return {
        "source": source,
        "variable": variables["table" if source.stream else "source", source.name],
        "class": class_,
        "where": where,
        "at": source.at(kind),
    }


def _stream(project: Project, source: Source, variables: Variables) -> dict[str, object]:
    stream = source.stream
    if stream is None or project.services.kafka is None:
        raise ValueError(
            f"rule R109 lets no view read the stream of '{source.name}' without brokers"
        )
    columns = [*((column.name, column.type) for column in source.columns)]
    if source.timestamp:
        columns.append((source.timestamp, "timestamp"))
    avro = json_ = None
    if stream.format == "avro":
        avro = [{"name": column, "type": _AVRO_TYPES[kind]} for column, kind in columns]
    else:
        json_ = ", ".join(f"{column} {_JSON_TYPES[kind]}" for column, kind in columns)
    return {
        "source": source,
        "stream": stream,
        "variable": variables["source", source.name],
        "table": variables["table", source.name],
        "brokers": project.services.kafka.brokers,
        "brokers_at": project.services.kafka.at("brokers"),
        "avro": avro,
        "json": json_,
    }


def _fields(columns: list[Column]) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "type": _TYPES[column.type],
            "description": column.description,
            "personal": column.personal,
            "at": column.origin,
        }
        for column in columns
    ]


def _view(view: View, variables: Variables) -> dict[str, Any]:
    keys = [view.source.column(entity.column) for entity in view.entities]
    inside = {column.name for column in keys}
    return {
        "view": view,
        "variable": variables["view", view.name],
        "entities": [variables["entity", entity.name] for entity in view.entities],
        # The join key belongs into the schema: without it Feast asks the source for its type, which
        # needs the warehouse's credentials at apply time.
        "fields": _fields([*keys, *(field for field in view.fields if field.name not in inside)]),
        "ttl": _timedelta(view.ttl),
        "source": variables["source", view.source.name],
        "online": view.materialize is not None,
    }


def _timedelta(length: int) -> str:
    for unit, size in (("days", DAY), ("hours", HOUR), ("minutes", MINUTE)):
        if length % size == 0:
            return f"timedelta({unit}={length // size})"
    return f"timedelta(seconds={length})"


def _requests(project: Project, variables: Variables) -> list[dict[str, Any]]:
    """One request source a source whose own columns on-demand views read."""
    wanted: dict[str, dict[str, Column]] = {}
    for view in project.on_demand_views:
        for ref in view.inputs:
            if isinstance(ref.owner, Source):
                wanted.setdefault(ref.owner.name, {})[ref.column.name] = ref.column
    return [
        {
            "variable": variables["request", source],
            "name": f"{source}_request",
            "source": source,
            "fields": _fields(list(columns.values())),
            "at": ("sources", source),
        }
        for source, columns in wanted.items()
    ]


def _on_demand(view: OnDemandView, variables: Variables) -> dict[str, Any]:
    inputs = dict.fromkeys(
        variables["request" if isinstance(ref.owner, Source) else "view", ref.owner.name]
        for ref in view.inputs
    )
    return {
        "view": view,
        "variable": variables["view", view.name],
        "inputs": list(inputs),
        "function": view.function,
        "alias": variables["compute", view.name],
        "fields": _fields(list(view.fields)),
    }


def _service(model: Model, variables: Variables) -> dict[str, Any]:
    """The model's features by view: whole views by name, parts of one as a list of fields."""
    parts: list[dict[str, Any]] = []
    views: tuple[View | OnDemandView, ...] = (*model.views, *model.on_demand_views)
    for view in views:
        taken = [feature.name for feature in model.features if feature.owner is view]
        if not taken:
            continue  # only read by an on-demand view, which brings it along
        whole = [column.name for column in view.fields] == taken
        parts.append({"view": variables["view", view.name], "fields": None if whole else taken})
    return {"model": model, "variable": variables["features", model.name], "parts": parts}


# --- feature_store.yaml ------------------------------------------------------------------------


def _store(project: Project) -> Body:
    at: Path = ("services", "feast")
    feast = project.services.feast
    kinds = [view.source.kind for view in project.views if view.source.kind]
    offline = _OFFLINE_STORES[kinds[0] if kinds else "parquet"]
    where = project.views[0].source.origin if project.views else at
    online: dict[str, Body] = {"type": "sqlite", "path": f"${{{FEAST_ONLINE_VARIABLE}}}"}
    if feast is not None and feast.online_store == "redis":
        online = {"type": "redis", "connection_string": f"${{{FEAST_ONLINE_VARIABLE}}}"}
    return {
        "project": traced(project.name, ("project",)),
        "registry": traced(
            f"${{{FEAST_REGISTRY_VARIABLE}}}", (*at, "registry"), decision("feast.addresses")
        ),
        "provider": traced("local", decision("feast.provider")),
        "offline_store": traced(offline, where, decision("feast.offline_store")),
        "online_store": traced(online, (*at, "online_store"), (*at, "connection")),
        "entity_key_serialization_version": traced(3, decision("feast.key_version")),
    }
