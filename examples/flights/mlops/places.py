"""Where a spec path stands: its line in mlops.yaml, when that lies where the program runs.

The facts name what asked for them by path (`models.delay.target`). Lines move with every edit above
them, so they are looked up only when something is said. In a pod there is no mlops.yaml, and a
project may do without PyYAML; the path alone is said then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

SPEC = Path("mlops.yaml")
"""Jobs start in the project's folder."""


def named(spec: str) -> str:
    """The path as the end of a sentence says it: `models.delay.target in mlops.yaml:66`."""
    line = line_of(spec)
    return f"{spec} in {SPEC}" if line is None else f"{spec} in {SPEC}:{line}"


def line_of(spec: str) -> int | None:
    """The line of a path, or of what is written nearest above it; None when nobody can tell."""
    try:
        written = SPEC.stat().st_mtime_ns
    except OSError:
        return None
    root = _root(SPEC.absolute(), written)
    if root is None:
        return None
    left, line = _nearest(root, spec, 0)
    return line if left < len(spec) else None


@lru_cache(maxsize=1)
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
