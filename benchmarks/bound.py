"""The least a program in Python does to get from the spec to the same files: a bound to compare with.

    python bound.py (copied|written) PROJECT PATTERN OUT

It reads the project's files with PyYAML's C reader and validates them with pydantic-core against mlopsc's own
schema. It keeps no places and no causes, resolves and checks nothing, and compares with nothing that is there
already. PATTERN holds what `pattern_of` made of the files of a project of one model; each of its files becomes
one of each model by putting another name in the place of the name.

- `copied`: the text of each file, its name replaced, is written. No program that knows anything is faster.
- `written`: the data of each YAML and JSON file, its name replaced, goes through mlopsc's writers: what
  it costs to make the same text of data.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = "000"
"""The number in the names of the one model of the pattern: as digits nothing else of it contains."""


def pattern_of(compiled: Path) -> bytes:
    """The files of a compiled project of one model: path, text, and its data where it is YAML or JSON."""
    import yaml

    files = []
    for path in sorted(compiled.rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        data: Any = None
        if path.suffix == ".json":
            data = json.loads(text)
        elif path.suffix in {".yml", ".yaml"}:
            data = yaml.load(text, yaml.CSafeLoader)
        files.append((str(path.relative_to(compiled)), text, data))
    return pickle.dumps(files)


def read(project: Path) -> int:
    """Read and validate the project; the number of its models."""
    import yaml
    from pydantic_core import SchemaValidator

    from mlopsc.spec._schema import SCHEMA

    spec: dict[str, Any] = {}
    for path in [project / "mlops.yaml", *sorted((project / "models").glob("*.yaml"))]:
        with path.open("rb") as file:
            for key, value in yaml.load(file, yaml.CSafeLoader).items():
                if isinstance(value, dict):
                    spec.setdefault(key, {}).update(value)
                else:
                    spec[key] = value
    SchemaValidator(SCHEMA).validate_python(spec)
    return len(spec["models"])


def copies(pattern: bytes, models: int, *, written: bool) -> Iterator[tuple[str, str]]:
    """Path and text of every file of a project of so many models."""
    for path, text, data in pickle.loads(pattern):
        if f"_{NUMBER}" not in path and f"-{NUMBER}" not in path:
            yield path, text
            continue
        for model in range(models):
            number = f"{model:03}"
            named = path.replace(NUMBER, number)
            if not written or data is None:
                yield named, text.replace(NUMBER, number)
            else:
                yield named, _text(named, _renamed(data, number))


def _renamed(data: Any, number: str) -> Any:
    if type(data) is str:
        return data.replace(NUMBER, number)
    if type(data) is dict:
        return {key.replace(NUMBER, number): _renamed(value, number) for key, value in data.items()}
    if type(data) is list:
        return [_renamed(value, number) for value in data]
    return data


def _text(path: str, data: Any) -> str:
    from mlopsc.artifacts.draft import JsonDraft, YamlDraft
    from mlopsc.artifacts.json_writer import write_json
    from mlopsc.artifacts.render import HEADER
    from mlopsc.artifacts.yaml_writer import write_yaml

    if path.endswith(".json"):
        return write_json(JsonDraft(path, (), data))[0]
    return write_yaml(YamlDraft(path, (), data), [HEADER])[0]


def write(out: str, files: Iterator[tuple[str, str]]) -> None:
    """Write the files, each under another name first."""
    made = set()
    for path, text in files:
        folder = os.path.dirname(path)  # noqa: PTH120 (pathlib would be a part of what is measured)
        if folder not in made:
            os.makedirs(f"{out}/{folder}", exist_ok=True)  # noqa: PTH103
            made.add(folder)
        name = f"{out}/{path}"
        with open(name + ".new", "wb") as file:  # noqa: PTH123
            file.write(text.encode())
        os.rename(name + ".new", name)  # noqa: PTH104


def main() -> None:
    """See above."""
    gc.disable()
    how, project, pattern, out = sys.argv[1:5]
    models = read(Path(project))
    write(out, copies(Path(pattern).read_bytes(), models, written=how == "written"))


if __name__ == "__main__":
    main()
