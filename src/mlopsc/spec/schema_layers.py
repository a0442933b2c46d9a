"""What composing adds to the schema: text with `${…}` in the place of any value, and partial items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mlopsc.spec.merging import MERGING

if TYPE_CHECKING:
    from collections.abc import Iterable

Node: TypeAlias = dict[str, Any]

FILLED: Final = "Filled"
FILLED_PATTERN: Final = "\\$\\{"
PART: Final = "Part"
"""What the name of a definition ends with that is another one, none of whose keys has to be there."""

_LITERAL: Final = frozenset({"apiVersion", "project", "include", "defaults"})
"""Keys of the top level in which nothing is filled in, or which hold partial items."""
_SAID: Final = frozenset({"description", "default", "examples"})
_NULL: Final[Node] = {"type": "null"}


def allow_filled(schema: Node) -> None:
    """Accept a text with `${…}` wherever a number, truth value, word or pattern is asked for."""
    definitions: dict[str, Node] = schema["$defs"]
    for name, node in schema["properties"].items():
        if name not in _LITERAL:
            _fill(node)
    for node in definitions.values():
        _fill(node)
    definitions[FILLED] = {
        "description": "A text with something to fill in: `${var.NAME}`, `${env.name}`, `${project}` or"
        " `${model}`.",
        "type": "string",
        "pattern": FILLED_PATTERN,
    }


def allow_included_files(schema: Node) -> None:
    """Ask for the keys at the top of a spec where one of them is: a file that is included has none."""
    needed = schema.pop("required")
    schema["if"] = {"anyOf": [{"required": [key]} for key in needed]}
    schema["then"] = {"required": needed}


def _fill(node: Node) -> None:
    kind = node.get("type")
    if "anyOf" in node:
        _fill_choice(node)
    elif "enum" in node or (kind == "string" and "maxLength" in node):
        said = {key: value for key, value in node.items() if key in _SAID}
        exact = {key: value for key, value in node.items() if key not in _SAID}
        node.clear()
        node.update(said, anyOf=[exact, {"$ref": f"#/$defs/{FILLED}"}])
    elif kind in ("integer", "number", "boolean"):
        # What is said of numbers binds numbers alone, and a pattern binds texts alone.
        node.update(type=[kind, "string"], pattern=FILLED_PATTERN)
    elif kind == "string" and "pattern" in node:
        node["pattern"] += f"|{FILLED_PATTERN}"
    for below in _below(node):
        _fill(below)


def _fill_choice(node: Node) -> None:
    scalars = [one for one in node["anyOf"] if one.get("type") not in ("object", "array", None)]
    for one in node["anyOf"]:
        if one not in scalars:
            _fill(one)
    free = any(one["type"] == "string" and not {"pattern", "enum"} & set(one) for one in scalars)
    if scalars and not free:
        node["anyOf"].append({"$ref": f"#/$defs/{FILLED}"})


def _below(node: Node) -> Iterable[Node]:
    yield from node.get("properties", {}).values()
    for key in ("additionalProperties", "items"):
        if isinstance(node.get(key), dict):
            yield node[key]


def allow_parts(schema: Node) -> None:
    """Describe the partial items of `defaults`, and the partial spec of `overrides`.

    A partial mapping has the keys of the whole one, none of them needed, and null takes one away. What
    a key holds is said once, where the whole mapping is described.
    """
    parts = _Parts(schema)
    chapters = schema["properties"]["defaults"]["propertyNames"]["anyOf"][0]["enum"]
    defaults = schema["properties"]["defaults"]
    defaults["properties"] = {
        chapter: parts.item(schema["properties"][chapter], f"#/properties/{chapter}")
        for chapter in chapters
    }
    defaults["additionalProperties"] = False
    del defaults["propertyNames"]
    whole = {key: one for key, one in schema["properties"].items() if key not in MERGING.control}
    overrides = schema["$defs"]["Environment"]["properties"]["overrides"]
    overrides |= parts.mapping(whole, "#/properties")
    schema["$defs"] |= parts.made


class _Parts:
    """Definitions with nothing needed in them, made as they are asked for."""

    def __init__(self, schema: Node) -> None:
        self.made: dict[str, Node] = {}
        self._definitions: dict[str, Node] = schema["$defs"]

    def item(self, chapter: Node, pointer: str) -> Node:
        """The partial form of a chapter's entries."""
        return self._partial(chapter["additionalProperties"], f"{pointer}/additionalProperties")

    def mapping(self, properties: dict[str, Node], pointer: str) -> Node:
        """A mapping with some of these keys; `pointer` is where they are described."""
        return {
            "type": "object",
            "properties": {
                key: _or_null(self._partial(node, f"{pointer}/{key}"))
                for key, node in properties.items()
            },
            "additionalProperties": False,
            "patternProperties": {"^x-": True},
        }

    def _partial(self, node: Node, pointer: str) -> Node:
        if "$ref" in node:
            return self._reference(node["$ref"].rsplit("/", 1)[1])
        if "anyOf" in node:
            branches = [
                self._partial(one, f"{pointer}/anyOf/{position}")
                for position, one in enumerate(node["anyOf"])
            ]
            as_it_is = [{"$ref": f"{pointer}/anyOf/{n}"} for n in range(len(branches))]
            changed = any(
                branch not in (same, one)
                for branch, same, one in zip(branches, as_it_is, node["anyOf"], strict=True)
            )
            return {"anyOf": branches} if changed else {"$ref": pointer}
        if node.get("type") == "object" and isinstance(node.get("additionalProperties"), dict):
            below = self._partial(node["additionalProperties"], f"{pointer}/additionalProperties")
            return {
                **{key: node[key] for key in ("type", "propertyNames", "patternProperties")},
                "additionalProperties": _or_null(below),
            }
        return {"$ref": pointer}

    def _reference(self, name: str) -> Node:
        definition = self._definitions[name]
        if "properties" not in definition:
            return {"$ref": f"#/$defs/{name}"}
        part = f"{name}{PART}"
        if part not in self.made:
            self.made[part] = {}  # stands while it is made: definitions may lead back to themselves
            self.made[part] = {
                "description": definition["description"],
                **self.mapping(definition["properties"], f"#/$defs/{name}/properties"),
            }
        return {"$ref": f"#/$defs/{part}"}


def _or_null(node: Node) -> Node:
    if set(node) == {"anyOf"}:
        return {"anyOf": [*node["anyOf"], _NULL]}
    return {"anyOf": [node, _NULL]}
