"""Reads a Feast repository by applying a copy of it to a registry and stores in a temporary folder.

First the settings are read as they stand, with the classes of the stores they name; then the stores
are replaced by local ones, so that no cloud is asked. The data behind the sources is not looked at
(``feast apply --skip-source-validation``).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

# Each fork would import these again.
from feast.infra.offline_stores import bigquery, dask, redshift, snowflake  # noqa: F401
from feast.infra.online_stores import redis, sqlite  # noqa: F401
from feast.repo_config import RepoConfig, load_repo_config
from feast.repo_operations import apply_total
from serve import Refusals, reason, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = "feature_store.yaml"
# Its class imports pyspark, half a gigabyte; a store of this kind has no other settings here.
NEEDS_SPARK = {"type": "spark"}
PLACE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
KEYS = {field.alias or name for name, field in RepoConfig.model_fields.items()} | {
    "online_store", "offline_store", "registry", "batch_engine", "auth", "feature_server",
}  # fmt: skip


def read(root: Path, paths: list[str]) -> Refusals:
    """Refuse what ``feast apply`` refuses."""
    configs = [path for path in paths if Path(path).name == CONFIG]
    refusals = [refusal for config in configs for refusal in _repository(root, config)]
    folders = {str(Path(config).parent) for config in configs}
    stray = [path for path in paths if str(Path(path).parent) not in folders]
    return refusals + [(path, f"no {CONFIG} beside it") for path in stray]


def _repository(root: Path, config: str) -> Iterator[tuple[str, str]]:
    folder = Path(config).parent
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary).resolve()
        for entry in root.iterdir():  # a user's own functions are imported from the project
            if entry.name != folder.parts[0] and not entry.name.startswith("."):
                (project / entry.name).symlink_to(entry.resolve())
        shutil.copytree(root / folder, project / folder)
        refused = _settings(project / config)
        if refused:
            yield config, refused
            return
        _settle_here(project / config, project)
        refused = _apply(project / folder)
        if refused:
            yield str(folder / "definitions.py"), refused


def _settings(file: Path) -> str | None:
    """Read the settings as they are, with the classes of the stores they name."""
    text = file.read_text("utf-8")
    for name in PLACE.findall(text):
        os.environ[name] = _example(name)
    try:
        data = yaml.safe_load(text)
        unknown = sorted(data.keys() - KEYS)  # Feast keeps them without a word
        if unknown:
            return f"Feast has no {', '.join(unknown)}"
        settings = load_repo_config(file.parent, file)
        if data["offline_store"] != NEEDS_SPARK:
            assert settings.offline_store
        assert settings.online_store
        assert settings.registry
    except Exception as error:  # whatever the tool raises is its refusal
        return reason(error)
    return None


def _example(name: str) -> str:
    word = name.lower()
    if "staging" in word:
        return "s3://bucket/prefix"
    return "5432" if "port" in word else "value"


def _settle_here(file: Path, project: Path) -> None:
    """Write settings with this machine's stores: applying must not look for a cloud."""
    data = yaml.safe_load(file.read_text("utf-8")) | {
        "provider": "local",
        "registry": str(project / "registry.db"),
        "offline_store": {"type": "file"},
        "online_store": {"type": "sqlite", "path": str(project / "online.db")},
    }
    file.write_text(yaml.safe_dump(data), "utf-8")


def _apply(repository: Path) -> str | None:
    os.chdir(repository)
    sys.path.insert(0, "")  # as Feast's command line does
    try:
        settings = load_repo_config(repository, repository / CONFIG)
        apply_total(settings, repository, skip_source_validation=True)
    except (Exception, SystemExit) as error:
        return f"feast apply: {reason(error)}"
    return None


if __name__ == "__main__":
    serve(read, isolated=True)
