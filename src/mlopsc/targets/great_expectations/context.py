"""great_expectations.yml: stores, data docs, and where rows are read from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project.conventions import connection_variable, decision
from mlopsc.project.expectations import checkpoint_name, validated

if TYPE_CHECKING:
    from mlopsc.project.model import Environment, Project, Source, SourceKind
    from mlopsc.targets.great_expectations.identity import Identity

_STORES: Final = {
    "expectations_store": ("ExpectationsStore", "expectations/"),
    "validation_results_store": ("ValidationResultsStore", "uncommitted/validations/"),
    "checkpoint_store": ("CheckpointStore", "checkpoints/"),
    "validation_definition_store": ("ValidationDefinitionStore", "validation_definitions/"),
}

_CONNECTIONS: Final[dict[SourceKind, tuple[str, str]]] = {
    "postgres": ("postgres", f"${{{connection_variable('postgres')}}}"),
    # Its own type takes variables for user and password alone, not for the address.
    "snowflake": ("sql", f"${{{connection_variable('snowflake')}}}"),
    "redshift": ("redshift", f"${{{connection_variable('redshift')}}}"),
    "bigquery": ("bigquery", f"${{{connection_variable('bigquery')}}}"),
    "duckdb": ("sql", f"duckdb:///${{{connection_variable('duckdb')}}}"),
}
"""Source kind → Great Expectations' datasource type and its connection string."""


def context(project: Project, identity: Identity) -> Body:
    """The file context's configuration."""
    return {
        "config_version": 4,
        "config_variables_file_path": "uncommitted/config_variables.yml",
        "plugins_directory": "plugins/",
        "stores": traced(
            {store: _store(class_, folder) for store, (class_, folder) in _STORES.items()},
            decision("great_expectations.stores"),
        ),
        "expectations_store_name": "expectations_store",
        "validation_results_store_name": "validation_results_store",
        "checkpoint_store_name": "checkpoint_store",
        "data_docs_sites": traced(
            {
                "local_site": {
                    "class_name": "SiteBuilder",
                    "store_backend": _backend("uncommitted/data_docs/local_site/"),
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                }
            },
            decision("great_expectations.stores"),
        ),
        "analytics_enabled": traced(False, decision("great_expectations.analytics")),
        "data_context_id": traced(identity.of("context", ""), decision("great_expectations.ids")),
        "fluent_datasources": _datasources(project, identity),
    }


def _store(class_: str, folder: str) -> Body:
    return {"class_name": class_, "store_backend": _backend(folder)}


def _backend(folder: str) -> Body:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder}


def _datasources(project: Project, identity: Identity) -> Body:
    made: dict[str, dict[str, Body]] = {}
    assets: dict[str, dict[str, Body]] = {}
    for environment in project.environments:
        for source in validated(environment.sources):
            own = identity.datasource(source, environment)
            made.setdefault(own, _datasource(source, own, identity))
            asset, body = _asset(source, environment, identity)
            assets.setdefault(own, {})[asset] = traced(body, source.origin)
    return {name: {**body, "assets": assets[name]} for name, body in made.items()}


def _datasource(source: Source, own: str, identity: Identity) -> dict[str, Body]:
    kind, location = source.kind, source.location or ""
    at = source.at(kind or "parquet")
    id_ = identity.of("datasource", own)
    if kind in _CONNECTIONS:
        type_, connection = _CONNECTIONS[kind]
        return {
            "type": traced(type_, source.origin),
            "id": id_,
            "connection_string": traced(connection, ("services", kind, "connection")),
        }
    scheme, bucket, _ = _address(location)
    if scheme == "gs":
        return {"type": traced("pandas_gcs", at), "id": id_, "bucket_or_name": traced(bucket, at)}
    if scheme == "s3":
        return {"type": traced("pandas_s3", at), "id": id_, "bucket": traced(bucket, at)}
    # Relative to the folder the program runs in, which is the project's.
    return {
        "type": traced("pandas_filesystem", at),
        "id": id_,
        "base_directory": traced(_folder(location), at),
    }


def _address(location: str) -> tuple[str, str, str]:
    """Scheme, bucket and path of an address; all in the path for a file of the project."""
    scheme, colon, rest = location.partition("://")
    if not colon:
        return "", "", location
    bucket, _, path = rest.partition("/")
    return scheme, bucket, path


def _folder(location: str) -> str:
    path = location.rstrip("/")
    return path if _is_folder(location) else (path.rpartition("/")[0] or ".")


def _is_folder(location: str) -> bool:
    return location.endswith("/") or "." not in location.rpartition("/")[2]


def _asset(source: Source, environment: Environment, identity: Identity) -> tuple[str, Body]:
    own = checkpoint_name(source.name, environment.name)
    batch: dict[str, Body] = {"id": identity.of("batch_definition", own)}
    kind, location = source.kind, source.location or ""
    at = source.at(kind or "")
    body: dict[str, Body] = {"type": kind, "id": identity.of("asset", own)}
    if kind not in ("parquet", "csv"):
        schema, _, table = location.rpartition(".")
        body["type"] = "table"
        body["table_name"] = traced(table, at)
        if schema:
            body["schema_name"] = traced(schema, at)
    else:
        _, bucket, path = _address(location)
        file = path.rstrip("/").rpartition("/")[2]
        pattern = rf".*\.{kind}$" if _is_folder(location) else f"{re.escape(file)}$"
        if bucket:
            prefix = "s3_prefix" if location.startswith("s3://") else "gcs_prefix"
            folder = path if _is_folder(location) else path[: len(path) - len(file)]
            # Beside the asset's own keys it would be refused; the pattern is matched behind it.
            body["connect_options"] = traced({prefix: folder}, at)
        batch["partitioner"] = {"regex": traced(pattern, at), "param_names": []}
    body["batch_definitions"] = {own: batch}
    return own, body
