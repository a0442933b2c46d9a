"""Reads ``dvc.yaml`` and ``params.yaml`` as DVC does: schema, stages, parameters and graph."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from dvc.dependency import ParamsDependency
from dvc.repo import Repo
from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
from serve import Refusals, reason, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


def read(root: Path, paths: list[str]) -> Refusals:
    pipelines = [path for path in paths if Path(path).name == "dvc.yaml"]
    refusals = [refusal for path in pipelines for refusal in _pipeline(root, path)]
    for path in paths:
        if Path(path).name == "params.yaml":
            refusals += [(path, message) for message in _parameters(root / path)]
    return refusals


def _parameters(file: Path) -> Iterator[str]:
    try:
        data = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        yield f"not YAML: {error}"
        return
    if not isinstance(data, dict):
        yield "parameters are a mapping"


def _pipeline(root: Path, path: str) -> Iterator[tuple[str, str]]:
    folder = (root / path).parent
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("dvc.yaml", "params.yaml"):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, Path(temporary) / name)
        os.chdir(temporary)
        try:
            COMPILED_MULTI_STAGE_SCHEMA(yaml.safe_load(Path("dvc.yaml").read_text("utf-8")))
            with Repo.init(".", no_scm=True) as repo:
                repo.index.check_graph()
                for stage in repo.index.stages:
                    for dependency in stage.deps:
                        if isinstance(dependency, ParamsDependency):
                            dependency.get_hash()  # refuses a parameter the file does not have
        except Exception as error:  # whatever the tool raises is its refusal
            cause = error.__cause__
            yield path, reason(error) + (f": {reason(cause)}" if cause else "")
        os.chdir("/")


if __name__ == "__main__":
    serve(read)
