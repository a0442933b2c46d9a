"""Reads a Feast repository by applying it, on a copy, to a registry and stores in a temporary folder.

The variables that ``feature_store.yaml`` names are given local values, so that no cloud is asked;
the data behind the sources is not looked at (``--skip-source-validation``).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from feast.repo_config import RepoConfig, load_repo_config
from feast.repo_operations import apply_total
from feast.infra.offline_stores import dask  # noqa: F401  imported by every apply otherwise
from feast.infra.online_stores import sqlite  # noqa: F401
from serve import Refusals, reason, serve

CONFIG = "feature_store.yaml"
PLACE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
KEYS = {field.alias or name for name, field in RepoConfig.model_fields.items()} | {
    "online_store", "offline_store", "registry", "batch_engine", "auth", "feature_server",
}  # fmt: skip


def read(root: Path, paths: list[str], environment: dict[str, str] | None = None) -> Refusals:
    """Refuse what ``feast apply`` refuses; *environment* adds to or overrides the local values."""
    configs = [path for path in paths if Path(path).name == CONFIG]
    refusals = [
        refusal
        for config in configs
        for refusal in _repository(root, config, environment or {})
    ]
    folders = {str(Path(config).parent) for config in configs}
    stray = [path for path in paths if str(Path(path).parent) not in folders]
    return refusals + [(path, f"no {CONFIG} beside it") for path in stray]


def _repository(root: Path, config: str, environment: dict[str, str]) -> Iterator[tuple[str, str]]:
    folder = Path(config).parent
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        for entry in root.iterdir():  # a user's own functions are imported from the project
            if entry.name != folder.parts[0] and not entry.name.startswith("."):
                (project / entry.name).symlink_to(entry.resolve())
        shutil.copytree(root / folder, project / folder)
        message = _unknown_keys(project / config) or _apply(project, folder, environment)
        if message:
            yield message[0] or config, message[1]


def _unknown_keys(file: Path) -> tuple[None, str] | None:
    try:
        data = yaml.safe_load(file.read_text("utf-8"))
    except yaml.YAMLError as error:
        return None, f"not YAML: {error}"
    if not isinstance(data, dict):
        return None, "a feature store's settings are a mapping"
    unknown = sorted(data.keys() - KEYS)  # Feast keeps them without a word
    return (None, f"Feast has no {', '.join(unknown)}") if unknown else None


def _apply(project: Path, folder: Path, environment: dict[str, str]) -> tuple[str | None, str] | None:
    repository = project / folder
    text = (repository / CONFIG).read_text("utf-8")
    for name in PLACE.findall(text):
        os.environ[name] = environment.get(name) or _local(name, project)
    os.chdir(repository)
    sys.path[:0] = ["", str(project)]
    try:
        settings = load_repo_config(repository, repository / CONFIG)
    except Exception as error:  # whatever the tool raises is its refusal
        return None, reason(error)
    try:
        apply_total(settings, repository, skip_source_validation=True)
    except (Exception, SystemExit) as error:
        definitions = sorted(repository.glob("*.py"))
        at_fault = str(folder / definitions[0].name) if definitions else None
        return at_fault, f"feast apply: {reason(error)}"
    return None


def _local(name: str, project: Path) -> str:
    """Return a value for the variable *name* that keeps everything on this machine."""
    word = name.lower()
    for part, value in (
        ("registry", str(project / "registry.db")),
        ("offline", "file"),
        ("path", str(project / "online.db")),
        ("connection", str(project / "online.db")),
        ("online", "sqlite"),
        ("provider", "local"),
        ("project", "local"),
    ):
        if part in word:
            return value
    return "local"


if __name__ == "__main__":
    serve(read, isolated=True)
