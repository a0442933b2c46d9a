"""The JSON Schema: in step, tight, and enough for an editor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from mlopsc.spec.schema import json_schema, text
from spec.documents import EXAMPLES, FULL, SMALLEST, document
from spec.test_parse import MISTAKES

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMITTED = Path(__file__).parents[2] / "schemas" / "mlops-v1.json"
SCHEMA = json.loads(COMMITTED.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def properties(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every property: where it stands, its schema, and whether it is required."""
    if isinstance(node, list):
        for item in node:
            yield from properties(item, where)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("default", "examples", "allOf"):
            continue
        if key == "properties":
            for name, schema in value.items():
                yield f"{where}.{name}", schema, name in node.get("required", ())
        yield from properties(value, f"{where}/{key}")


PROPERTIES = list(properties(SCHEMA))


def test_the_committed_schema_is_in_step() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(), "run `python -m mlopsc.spec.schema`"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "https://mlopsc.dev/schemas/mlops-v1.json"


def test_making_it_twice_gives_the_same() -> None:
    assert json_schema() == json_schema()


@pytest.mark.parametrize(("where", "schema", "required"), PROPERTIES, ids=lambda v: str(v)[:60])
def test_every_key_has_a_description_a_default_and_an_example(
    where: str, schema: dict[str, Any], required: bool
) -> None:
    assert re.match(r"[A-Z`a-z].*[.]$", schema["description"], re.DOTALL)
    assert schema["examples"]
    stated = "default" in schema
    said = re.search(r"[Ww]ithout (it|any)|needed (with|by)", schema["description"])
    assert required or stated or said, f"{where} does not say what its absence means"


@pytest.mark.parametrize(("where", "schema", "required"), PROPERTIES, ids=lambda v: str(v)[:60])
def test_every_example_and_default_is_valid(
    where: str, schema: dict[str, Any], required: bool
) -> None:
    alone = Draft202012Validator({"$defs": SCHEMA["$defs"], **schema})
    for value in [*schema["examples"], *([schema["default"]] if "default" in schema else [])]:
        if "$ref" in schema or "#/$defs" not in json.dumps(schema):
            alone.validate(value)


def test_the_full_language_and_the_smallest_spec_are_valid() -> None:
    VALIDATOR.validate(document(FULL).data)
    VALIDATOR.validate(document(SMALLEST).data)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_is_valid(path: Path) -> None:
    VALIDATOR.validate(document(path.read_text(encoding="utf-8")).data)


@pytest.mark.parametrize(
    ("old", "new", "code", "at", "words"), [m for m in MISTAKES if m[2] not in ("S010",)]
)
def test_an_editor_sees_the_same_mistakes(
    old: str, new: str, code: str, at: str, words: str
) -> None:
    assert not VALIDATOR.is_valid(document(SMALLEST.replace(old, new, 1)).data)


def test_free_keys_are_allowed_everywhere() -> None:
    def with_free_keys(node: Any) -> Any:
        if isinstance(node, dict):
            return {"x-free": [1, None], **{k: with_free_keys(v) for k, v in node.items()}}
        return [with_free_keys(item) for item in node] if isinstance(node, list) else node

    data = with_free_keys(document(SMALLEST).data)
    VALIDATOR.validate(data)


def test_patterns_are_those_every_engine_knows() -> None:
    """No look-around, no class shorthands but \\s, no escape that JavaScript's `u` flag refuses."""

    def patterns(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "pattern" and isinstance(value, str):
                    yield value
                else:
                    yield from patterns(value)
        elif isinstance(node, list):
            for item in node:
                yield from patterns(item)

    found = set(patterns(SCHEMA))
    assert len(found) > 40
    for pattern in found:
        plain = pattern.replace("\\\\", "")
        assert not re.search(r"\(\?[=!<]|\\[^sxt.*^$+?(){}|/\[\]]", plain), pattern
        assert pattern.startswith("^")
