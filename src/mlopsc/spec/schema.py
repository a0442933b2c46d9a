"""The language as JSON Schema, for editors: as tight as the models and the tables beside them."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mlopsc.spec.groups import BESIDE, MISPLACED, ONE_OF, SOME_OF, Beside, OneOf, SomeOf
from mlopsc.spec.parse import FREE_KEY
from mlopsc.spec.root import Spec
from mlopsc.spec.schema_layers import allow_filled, allow_included_files, allow_parts

if TYPE_CHECKING:
    from mlopsc.spec.patterns import Pattern

Node: TypeAlias = dict[str, Any]

ID: Final = "https://mlopsc.dev/schemas/mlops-v1.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_WIDTH: Final = 110
_FREE: Final = f"^{FREE_KEY}"
_DEFINITION: Final = re.compile(r"#/\$defs/([^/]+)")


def json_schema() -> Node:
    """The schema of `mlops.yaml`, draft 2020-12."""
    schema = Spec.model_json_schema()
    definitions: dict[str, Node] = schema.pop("$defs")
    schema = {"$defs": definitions, **schema}
    _describe(schema, definitions)
    _one_form_of_maps(schema)
    _narrow(schema)
    rows: tuple[OneOf | SomeOf | Beside, ...] = (*ONE_OF, *SOME_OF, *BESIDE)
    for row in rows:
        holder = _at(schema, row.path)
        rule = _rule(row)
        if rule not in holder.setdefault("allOf", []):
            holder["allOf"].append(rule)
    _finish(schema)
    allow_filled(schema)
    allow_parts(schema)
    allow_included_files(schema)
    used = _references(schema)
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "mlops.yaml",
        **{key: value for key, value in schema.items() if key != "$defs"},
        "$defs": {name: definitions[name] for name in sorted(used)},
    }


def text() -> str:
    """The schema as it stands in `schemas/mlops-v1.json`."""
    return _written(json_schema(), "") + "\n"


def _written(node: Any, indent: str) -> str:
    """JSON in which what fits on a line stands on one."""
    flat = json.dumps(node, ensure_ascii=False)
    if not isinstance(node, (dict, list)) or len(indent) + len(flat) <= _WIDTH:
        return flat
    inner = indent + "  "
    if isinstance(node, list):
        lines = [_written(item, inner) for item in node]
        return f"[\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}]"
    lines = [
        f"{json.dumps(key, ensure_ascii=False)}: {_written(value, inner)}"
        for key, value in node.items()
    ]
    return f"{{\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}}}"


def entries(node: Node, schema: Node) -> list[Node]:
    """A node's own forms, references followed: itself, or the branches of a choice."""
    node = _followed(node, schema)
    branches = node.get("anyOf", [])
    return [_followed(branch, schema) for branch in branches] if branches else [node]


def _at(schema: Node, path: Pattern) -> Node:
    """The definition that describes the mappings at `path`."""
    node = schema
    for step in path:
        node = _followed(_below(node, step, schema), schema)
    return next((n for n in entries(node, schema) if "properties" in n), node)


def _below(node: Node, step: str, schema: Node) -> Node:
    for form in entries(node, schema):
        if step in form.get("properties", {}):
            found: Node = form["properties"][step]
            return found
        for key in ("additionalProperties", "items"):
            if step == "*" and isinstance(form.get(key), dict):
                return form[key]  # type: ignore[no-any-return]
    raise KeyError(step)


def _followed(node: Node, schema: Node) -> Node:
    while "$ref" in node:
        found: Any = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[int(step)] if isinstance(found, list) else found[step]
        node = found
    return node


# --- the tables as schema ------------------------------------------------------------------------


def _rule(row: OneOf | SomeOf | Beside) -> Node:
    """A row of a table as a condition on the mapping it is about."""
    if isinstance(row, Beside):
        condition: Node = {"required": [row.key]}
        if row.value is not None:
            condition["properties"] = {row.key: {"const": row.value}}
        then: Node = {"required": list(row.needs)} if row.needs else {}
        if row.refuses:
            then["properties"] = dict.fromkeys(row.refuses, False)
        return {"if": condition, "then": then}
    branches: list[Node] = [{"required": [member]} for member in row.members]
    if isinstance(row, SomeOf):
        return {"anyOf": branches}
    if row.unless:
        spared = [{"required": [key]} for key in row.unless]
        branches = [*branches, {"anyOf": spared, "not": {"anyOf": list(branches)}}]
    return {"oneOf": branches}


def _narrow(schema: Node) -> None:
    """Take the keys that mean nothing at a place out of the definition used there."""
    dropped: dict[Pattern, set[str]] = {}
    for row in MISPLACED:
        dropped.setdefault(row.path[:-1], set()).add(row.path[-1])
    for path, keys in dropped.items():
        reference = _reference_at(schema, path)
        name = reference["$ref"].rsplit("/", 1)[1]
        narrow = f"{name}Without{''.join(sorted(key.title() for key in keys))}"
        if narrow not in schema["$defs"]:
            definition = deepcopy(schema["$defs"][name])
            for key in keys:
                del definition["properties"][key]
            schema["$defs"][narrow] = definition
        reference["$ref"] = f"#/$defs/{narrow}"
    for name in {reference.split("Without")[0] for reference in _references(schema)}:
        _shorten(schema, name)


def _shorten(schema: Node, name: str) -> None:
    """Give a narrowed definition the name of the whole one where that is used nowhere."""
    used = _references(schema)
    narrow = [other for other in used if other.startswith(f"{name}Without")]
    if name in used or len(narrow) != 1:
        if len(narrow) == 1:
            _rename(schema, narrow[0], f"Narrow{name}")
        return
    _rename(schema, narrow[0], name)


def _rename(schema: Node, old: str, new: str) -> None:
    schema["$defs"][new] = schema["$defs"].pop(old)
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            if node.get("$ref") == f"#/$defs/{old}":
                node["$ref"] = f"#/$defs/{new}"
            waiting += node.values()


def _reference_at(schema: Node, path: Pattern) -> Node:
    """The node that refers to the definition of the mappings at `path`."""
    node = schema
    for step in path:
        node = _below(node, step, schema)
    return node if "$ref" in node else next(b for b in node["anyOf"] if "$ref" in b)


# --- what holds everywhere -----------------------------------------------------------------------


def _describe(node: Any, definitions: dict[str, Node]) -> None:
    """Say of every key what it is; pydantic leaves it out where its chapter says the same."""
    if isinstance(node, list):
        for item in node:
            _describe(item, definitions)
    if not isinstance(node, dict):
        return
    for key in node.get("properties", {}).values():
        if "$ref" in key and "description" not in key:
            key["description"] = definitions[key["$ref"].rsplit("/", 1)[1]]["description"]
    for value in node.values():
        _describe(value, definitions)


def _one_form_of_maps(node: Any) -> None:
    """Say of every map what its names are and what its entries are, each in a word of its own.

    pydantic puts the pattern of the names before the entries, and so lets other names be anything.
    """
    if isinstance(node, list):
        for item in node:
            _one_form_of_maps(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key not in ("default", "examples"):
            _one_form_of_maps(value)
    patterns = node.get("patternProperties")
    if isinstance(patterns, dict) and node.get("type") == "object":
        ((pattern, entry),) = patterns.items()
        del node["patternProperties"]
        node["propertyNames"] = {"pattern": pattern} | node.get("propertyNames", {})
        node["additionalProperties"] = entry


def _finish(node: Any) -> None:
    """`x-…` keys anywhere; no titles that repeat the key; no default that cannot be written."""
    if isinstance(node, list):
        for item in node:
            _finish(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key not in ("default", "examples"):
            _finish(value)
    if node.get("type") == "object":
        node["patternProperties"] = {_FREE: True}
        if "propertyNames" in node:
            node["propertyNames"] = {"anyOf": [node["propertyNames"], {"pattern": _FREE}]}
    if isinstance(node.get("title"), str):
        del node["title"]
    if "default" in node and node["default"] is None:
        del node["default"]


def _references(schema: Node) -> set[str]:
    """The names of all definitions in use."""
    used: set[str] = set()
    waiting: list[Any] = [{key: value for key, value in schema.items() if key != "$defs"}]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            found = _DEFINITION.match(str(node.get("$ref", "")))
            name = found[1] if found else ""
            if name and name not in used:
                used.add(name)
                waiting.append(schema["$defs"][name])
            waiting += [value for key, value in node.items() if key not in ("default", "examples")]
    return used


if __name__ == "__main__":
    from pathlib import Path

    Path("schemas/mlops-v1.json").write_text(text(), encoding="utf-8")
