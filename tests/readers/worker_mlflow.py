"""Reads ``MLproject`` files with MLflow's loader, and fills each entry point's command in.

MLflow's loader takes unknown keys without a word, so they are refused here (keys: MLflow's
documentation, "MLflow Projects").
"""

from __future__ import annotations

import string
import tempfile
from typing import TYPE_CHECKING

import yaml
from mlflow.projects._project_spec import load_project
from serve import Refusals, reason, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = {"name", "entry_points", "python_env", "conda_env", "docker_env", "databricks_spark_job"}
ENTRY_KEYS = {"parameters", "command"}
PARAMETER_TYPES = {"string", "float", "path", "uri"}


def read(root: Path, paths: list[str]) -> Refusals:
    return [(path, message) for path in paths for message in _messages(root / path)]


def _messages(file: Path) -> Iterator[str]:
    try:
        data = yaml.safe_load(file.read_text("utf-8"))
        if not isinstance(data, dict) or not data.get("entry_points"):
            yield "a project has entry points"
            return
        yield from (f"MLproject has no {key}" for key in sorted(data.keys() - KEYS))
        project = load_project(str(file.parent))
        for name in data["entry_points"]:
            yield from _entry_point(name, data["entry_points"][name], project)
    except Exception as error:  # whatever the tool raises is its refusal
        yield reason(error)


def _entry_point(name: str, written: dict, project) -> Iterator[str]:
    yield from (f"{name}: no key {key}" for key in sorted(written.keys() - ENTRY_KEYS))
    entry = project.get_entry_point(name)
    if not isinstance(entry.command, str):
        yield f"{name}: a command is a text"
        return
    unknown = {p.type for p in entry.parameters.values()} - PARAMETER_TYPES
    yield from (f"{name}: no parameter has the type {each}" for each in sorted(unknown))
    named = {field for _, field, _, _ in string.Formatter().parse(entry.command) if field}
    yield from (
        f"{name}: the command names no parameter '{p}'" for p in named - set(entry.parameters)
    )
    if not named - set(entry.parameters) and not unknown:
        without = {p: "1" for p, spec in entry.parameters.items() if spec.default is None}
        with tempfile.TemporaryDirectory() as storage:
            entry.compute_command(without, storage)


if __name__ == "__main__":
    serve(read)
