"""Where a spec path stands: its file and line, when the spec lies where the program runs.

The facts name what asked for them by path (`models.delay.target`). Lines move with every edit above
them, so they are looked up only when something is said, in mlops.yaml and the files it includes. In a
pod there is no spec, and a project may do without PyYAML; the path alone is said then. What an
environment overrides or a default adds is shown where the item stands.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

SPEC = Path("mlops.yaml")
"""Jobs start in the project's folder."""


def named(spec: str) -> str:
    """The path as the end of a sentence says it: `models.delay.target in mlops.yaml:66`."""
    found = place_of(spec)
    return f"{spec} in {SPEC}" if found is None else f"{spec} in {found[0]}:{found[1]}"


def place_of(spec: str) -> tuple[str, int] | None:
    """File and line of a path, or of what is written nearest above it; None when nobody can tell."""
    best = (len(spec), 0)
    where = SPEC
    item = spec.split(".")[1] if "." in spec else spec
    for file in _files():
        root = _read(file) if file == SPEC or item in _text(file) else None
        if root is not None and (found := _nearest(root, spec, 0))[0] < best[0]:
            best, where = found, file
    return (str(where), best[1]) if best[0] < len(spec) else None


def _files() -> list[Path]:
    """mlops.yaml and all it includes, in the order they are read; none where there is no spec."""
    found: list[Path] = []
    waiting = [SPEC]
    while waiting:
        file = waiting.pop(0)
        if file in found or not file.is_file():
            continue
        found.append(file)
        if "include" in _text(file):
            waiting += _included(_read(file))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read(file: Path) -> Any:
    try:
        return _root(file.absolute(), file.stat().st_mtime_ns)
    except OSError:
        return None


def _included(root: Any) -> list[Path]:
    if root is None or root.id != "mapping":
        return []
    for key, value in root.value:
        if key.id == "scalar" and key.value == "include" and value.id == "sequence":
            names = [one.value for one in value.value if one.id == "scalar"]
            patterns = [name for name in names if name and not name.startswith("/")]
            return [file for pattern in patterns for file in sorted(Path().glob(pattern))]
    return []


@cache
def _root(path: Path, _written: int) -> Any:
    """The file as PyYAML's nodes, which know their lines; None when it is none or cannot be read."""
    try:
        import yaml
    except ModuleNotFoundError:
        return None
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return None


def _nearest(node: Any, rest: str, line: int) -> tuple[int, int]:
    """How much of `rest` is not written below `node`, and the line of the last part that is."""
    found = (len(rest), line)
    if node.id == "mapping":
        for key, value in node.value:
            name = str(key.value) if key.id == "scalar" else ""
            if name == "<<":
                merged = value.value if value.id == "sequence" else [value]
                found = min([found, *(_nearest(one, rest, line) for one in merged)], key=_left)
            elif rest == name or rest.startswith((f"{name}.", f"{name}[")):
                below = rest[len(name) :].removeprefix(".")
                # What is written here counts before what is merged from elsewhere.
                own = _nearest(value, below, key.start_mark.line + 1)
                found = min(own, found, key=_left)
    elif node.id == "sequence" and (item := re.match(r"\[(\d+)\]\.?", rest)):
        position = int(item[1])
        if position < len(node.value):
            one = node.value[position]
            found = _nearest(one, rest[item.end() :], one.start_mark.line + 1)
    return found


def _left(found: tuple[int, int]) -> int:
    return found[0]
