"""Reads a copy of a Great Expectations folder with its own file context; nothing in it may move.

Data sources are built, so the places for secrets need values: none is ever connected to.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import great_expectations as gx
import yaml
from serve import Refusals, reason, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

# A connection string each class of data source accepts; the names of the classes are GX's own.
CONNECTION = {
    "sqlite": "sqlite:///nowhere.db",
    "postgres": "postgresql+psycopg2://user:word@host:5432/base",
    "redshift": "redshift+psycopg2://user:word@host:5439/base?sslmode=prefer",
    "snowflake": "snowflake://user:word@account/base/schema?warehouse=w&role=r",
    "bigquery": "bigquery://project/dataset",
    "databricks_sql": ("databricks://token:word@host:443?http_path=/sql/1&catalog=c&schema=s"),
    "sql": "duckdb:///nowhere.db",
}
CONFIG = "great_expectations.yml"
PLACE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
# What a context writes beside its configuration; both are ignored by git.
OWN_TRACES = ("uncommitted", ".ge_store_backend_id", ".gitignore")


def read(root: Path, paths: list[str]) -> Refusals:
    folders = sorted({path.partition("/")[0] for path in paths})
    return [
        refusal
        for folder in folders
        for refusal in _folder(root, folder, [p for p in paths if p.startswith(f"{folder}/")])
    ]


def _folder(root: Path, folder: str, paths: list[str]) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        for path in paths:
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, project / path)
        os.chdir(project)
        before = _content(project / folder)
        yield from _loaded(project, folder, paths)
        after = _content(project / folder)
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield f"{folder}/{name}", "reading the folder wrote this file"


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not set(file.relative_to(folder).parts) & set(OWN_TRACES)
    }


def _loaded(project: Path, folder: str, paths: list[str]) -> Iterator[tuple[str, str]]:
    config = f"{folder}/{CONFIG}"
    if config not in paths:
        yield paths[0], f"no {CONFIG} in {folder}/"
        return
    try:
        _fill_places(yaml.safe_load((project / config).read_text("utf-8")))
        context = gx.get_context(mode="file", context_root_dir=str(project / folder))
        sources = context.data_sources.all()
    except Exception as error:  # whatever the tool raises is its refusal
        yield config, reason(error)
        return
    written = yaml.safe_load((project / config).read_text("utf-8"))
    for lost in sorted(set(written.get("fluent_datasources", {})) - set(sources)):
        yield config, f"the data source '{lost}' was not loaded"
    stores = {
        "expectations": context.suites,
        "validation_definitions": context.validation_definitions,
        "checkpoints": context.checkpoints,
    }
    for path in paths:
        kind = path.split("/")[1]
        if path != config and kind not in stores and Path(path).name != ".gitignore":
            yield path, f"no store of the context reads {kind}"
        elif path.endswith(".json") and kind in stores:
            message = _refusal(stores[kind], kind, project / path)
            if message:
                yield path, message
            else:
                identities = _identities(project / folder, written)
                for name, was, is_ in _references(project / path, identities):
                    yield path, f"{name} has the id {is_}, not {was}"


def _fill_places(config: dict) -> None:
    """Give each environment variable the configuration names a value of the right form."""
    for name in PLACE.findall(json.dumps(config)):
        os.environ[name] = "value"
    for source in config.get("fluent_datasources", {}).values():
        whole = PLACE.fullmatch(str(source.get("connection_string", "")))
        if whole and source.get("type") in CONNECTION:
            os.environ[whole[1]] = CONNECTION[source["type"]]


def _refusal(store, kind: str, file: Path) -> str | None:
    try:
        written = json.loads(file.read_text("utf-8"))
        if written["name"] != file.stem:
            return f"named '{written['name']}' inside: the context looks for it by its file's name"
        loaded = store.get(written["name"])
        if str(loaded.id) != written["id"]:
            return f"its id was read as {loaded.id}"
        if kind == "expectations":
            return _suite(written, loaded)
        if kind == "validation_definitions":
            loaded.data.data_asset  # noqa: B018  followed to the asset, which raises when dangling
            loaded.suite.expectations  # noqa: B018
        elif len(loaded.validation_definitions) != len(written["validation_definitions"]):
            return "not every validation definition was loaded"
    except Exception as error:  # whatever the tool raises is its refusal
        return reason(error)
    return None


def _identities(folder: Path, config: dict) -> dict[tuple[str, ...], str]:
    """Map what can be referred to, by kind and names, to its id."""
    found: dict[tuple[str, ...], str] = {}
    for source_name, source in config.get("fluent_datasources", {}).items():
        found["datasource", source_name] = source["id"]
        for asset_name, asset in source.get("assets", {}).items():
            found["asset", source_name, asset_name] = asset["id"]
            for batch_name, batch in asset.get("batch_definitions", {}).items():
                found["batch_definition", source_name, asset_name, batch_name] = batch["id"]
    for kind in ("expectations", "validation_definitions"):
        for file in (folder / kind).glob("*.json"):
            data = json.loads(file.read_text("utf-8"))
            found[kind, data["name"]] = data["id"]
    return found


def _references(
    file: Path, identities: dict[tuple[str, ...], str]
) -> Iterator[tuple[str, str, str | None]]:
    """Yield references whose id is another's: a context follows names and never compares ids."""
    data = json.loads(file.read_text("utf-8"))
    pairs = [
        (("validation_definitions", each["name"]), each["id"])
        for each in data.get("validation_definitions", ())
    ]
    if "suite" in data:
        pairs.append((("expectations", data["suite"]["name"]), data["suite"]["id"]))
        names: tuple[str, ...] = ()
        for part in ("datasource", "asset", "batch_definition"):
            names += (data["data"][part]["name"],)
            pairs.append(((part, *names), data["data"][part]["id"]))
    for key, written in pairs:
        if identities.get(key) != written:
            yield " ".join(key), written, identities.get(key)


def _suite(written: dict, loaded) -> str | None:
    if len(loaded.expectations) != len(written["expectations"]):
        return f"{len(loaded.expectations)} of {len(written['expectations'])} expectations loaded"
    for number, (was, is_) in enumerate(
        zip(written["expectations"], loaded.expectations, strict=True)
    ):
        configuration = is_.configuration
        lost = sorted(was["kwargs"].keys() - configuration.kwargs.keys())
        if lost:
            return f"expectations.{number}: {was['type']} takes no {', '.join(lost)}"
        if "severity" in was and was["severity"] != configuration.severity:
            return f"expectations.{number}: its severity was read as {configuration.severity}"
    return None


if __name__ == "__main__":
    serve(read, isolated=True)
