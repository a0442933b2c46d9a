"""The language's own words about its keys, from the JSON Schema."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from mlopsc.frozen import frozen
from mlopsc.resources import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path


@frozen
class Key:
    """A key of the language."""

    path: Path
    description: str
    has_default: bool
    default: object
    examples: tuple[object, ...]
    below: tuple[str, ...]


def chapters() -> tuple[str, ...]:
    """The keys of the top level, in the language's order."""
    return tuple(_schema()["properties"])


def key(path: Path) -> Key | None:
    """What the language says of the key at `path`; `*` stands for any name."""
    nodes = [_schema()]
    for step in path:
        nodes = [below for node in nodes for below in _step(node, step)]
    if not nodes or not path:
        return None
    names = dict.fromkeys(name for node in nodes for name in _opened(node))
    if not any("description" in node for node in nodes):
        nodes = [one for node in nodes for one in _variants(node)]  # a key of a partial item
    described = next((node for node in nodes if "description" in node), nodes[0])
    return Key(
        path,
        described.get("description", ""),
        any("default" in node for node in nodes),
        next((node["default"] for node in nodes if "default" in node), None),
        tuple(next((node["examples"] for node in nodes if "examples" in node), ())),
        tuple(names),
    )


def describe(path: Path) -> str | None:
    """A key's page for the terminal."""
    found = key(path)
    if found is None:
        return None
    lines = [".".join(map(str, found.path)), f"  {found.description}"]
    if found.has_default:
        lines.append(f"  default: {json.dumps(found.default)}")
    lines += [f"  example: {json.dumps(example)}" for example in found.examples]
    lines += [f"  keys: {', '.join(found.below)}"] if found.below else []
    return "\n".join(lines) + "\n"


@cache
def _schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(read_text("schemas/mlops-v1.json"))
    return made


def _variants(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node and what its references and alternatives say, the nearest first."""
    yield node
    if "$ref" in node:
        target: Any = _schema()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _variants(target)
    for alternatives in ("anyOf", "oneOf", "allOf"):
        for alternative in node.get(alternatives, ()):
            yield from _variants(alternative)


def _opened(node: dict[str, Any]) -> Iterator[str]:
    for variant in _variants(node):
        yield from variant.get("properties", ())


def _step(node: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    for variant in _variants(node):
        if isinstance(step, int) or step == "[]":
            if isinstance(variant.get("items"), dict):
                yield variant["items"]
            continue
        if step in variant.get("properties", {}):
            yield variant["properties"][step]
        elif isinstance(variant.get("additionalProperties"), dict):
            yield variant["additionalProperties"]
        elif step == "*" and "properties" in variant:
            continue
