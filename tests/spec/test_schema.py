"""The JSON Schema: in step, tight, and enough for an editor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from mlopsc.spec.schema import json_schema, text
from mlopsc.spec.schema_layers import FILLED_PATTERN, PART
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
        if key in ("default", "examples", "allOf") or key.endswith(PART):
            continue
        if key == "properties":
            for name, schema in value.items():
                needed = node.get("required") or node.get("then", {}).get("required", ())
                yield f"{where}.{name}", schema, name in needed
        if key not in ("overrides", "defaults"):
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
        assert pattern.startswith("^") or pattern == FILLED_PATTERN


# --- what is composed -----------------------------------------------------------------------------

LAYERS = """
apiVersion: mlopsc/v1
project: shop
include: [models/*.yaml]
variables: {bucket: gs://shop, n: 2, yes: true}
defaults:
  models:
    owner: ${var.owner}
    serving: {replicas: {min: 2}, resources: {cpu: "${var.n}"}, env: {A: null}}
    training: {framework: "${var.framework}"}
  sources: {timestamp: at, columns: {id: string, total: {min: 0}, c: null}}
  environments: {deploy: manual, variables: {n: 3}}
services: {mlflow: {url: "${var.mlflow}"}}
environments:
  staging: {namespace: "${project}-staging", variables: {n: 1}}
  production:
    overrides:
      services: {mlflow: null, prometheus: {url: http://p}}
      sources: {orders: {parquet: "${var.bucket}/x", rows: {min: 10}, freshness: null}}
      models: {buy: {serving: {replicas: {min: "${var.n}"}, clients: [a, "${env.name}"]}, only: null}}
      alerts: {rules: {lag: {max: 4}}, routes: {critical: null}}
sources:
  orders:
    parquet: ${var.bucket}/orders
    timestamp: ${var.at}
    freshness: ${var.fresh}
    rows: {min: "${var.n}"}
    columns:
      id: {type: "${var.type}", unique: "${var.yes}"}
      total: {type: float64, min: "${var.n}", nulls: "${var.share}", severity: "${var.severity}"}
      other: ${var.type}
models:
  buy:
    target: ${var.target}
    features: ["${var.source}:total"]
    task: ${var.task}
    training: {command: "x ${model}", seed: "${var.seed}", schedule: "${var.schedule}"}
    evaluation: {metrics: {auc: {min: "${var.least}"}}}
"""


def test_what_is_filled_in_may_stand_for_any_value() -> None:
    VALIDATOR.validate(document(LAYERS).data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{min: "${var.n}"}\n    columns', "{min: many}\n    columns"),
        ('unique: "${var.yes}"', "unique: maybe"),
        ('severity: "${var.severity}"', "severity: dire"),
        ("task: ${var.task}", "task: guessing"),
        ('seed: "${var.seed}"', "seed: $SEED"),
        ("freshness: ${var.fresh}", "freshness: soon"),
        ("include: [models/*.yaml]", "include: [../models]"),
        ("project: shop", "project: ${var.name}"),
        # a wrong key or value in a default or an override
        ("owner: ${var.owner}", "ownr: x"),
        ("replicas: {min: 2}", "replicas: {mn: 2}"),
        ("replicas: {min: 2}", "replicas: {min: few}"),
        ("replicas: {min: 2}", "replicas: 2"),
        ("total: {min: 0}", "total: {minimum: 0}"),
        ("total: {min: 0}", "total: {type: float}"),
        ("environments: {deploy: manual", "environments: {deploy: later"),
        ("  sources: {timestamp", "  source: {timestamp"),
        ("prometheus: {url: http://p}", "promotheus: {url: http://p}"),
        ("prometheus: {url: http://p}", "prometheus: {url: p}"),
        ("rows: {min: 10}", "rows: {minimum: 10}"),
        ("clients: [a,", "clients: [A,"),
        ("rules: {lag: {max: 4}}", "rules: {lag: {maximum: 4}}"),
        ("      services: {mlflow: null", "      project: other\n      services: {mlflow: null"),
        ("      services: {mlflow: null", "      variables: {a: 1}\n      services: {mlflow: null"),
    ],
)
def test_what_is_wrong_in_a_layer_is_refused(old: str, new: str) -> None:
    assert LAYERS.count(old) == 1
    assert not VALIDATOR.is_valid(document(LAYERS.replace(old, new)).data)


def test_an_included_file_needs_no_keys_of_the_top_and_a_spec_needs_both() -> None:
    VALIDATOR.validate(
        {"models": {"a": {"target": "b:c", "features": ["b:d"], "artifact": "gs://m"}}}
    )
    assert not VALIDATOR.is_valid({"models": {"a": {"features": ["b:d"]}}})
    assert not VALIDATOR.is_valid({"apiVersion": "mlopsc/v1"})
    assert not VALIDATOR.is_valid({"project": "shop"})


def test_partial_items_need_nothing_and_whole_ones_what_they_did() -> None:
    empty = {"apiVersion": "mlopsc/v1", "project": "a"}
    items = ("images", "sources", "features", "models", "endpoints", "environments")
    VALIDATOR.validate(empty | {"defaults": {chapter: {} for chapter in items}})
    for chapter in ("images", "sources", "features", "models"):
        assert not VALIDATOR.is_valid(empty | {chapter: {"a": {}}})
        over = {"environments": {"production": {"overrides": {chapter: {"a": {}}}}}}
        VALIDATOR.validate(empty | over)


def test_completion_finds_the_description_of_every_key_of_a_partial_item() -> None:
    """An editor follows the reference of a partial item's key to where it is described."""

    def described(node: dict[str, Any]) -> bool:
        if "$ref" in node:
            target: Any = SCHEMA
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[int(step)] if isinstance(target, list) else target[step]
            return described(target)
        below = node.get("anyOf", [])
        return "description" in node or any(described(one) for one in below)

    parts = {name: one for name, one in SCHEMA["$defs"].items() if name.endswith(PART)}
    assert len(parts) > 40
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, node in part["properties"].items()
        if not described(node) and not any("type" in one for one in node["anyOf"])
    ]
    assert not silent


def test_it_stays_lean() -> None:
    """An editor reads it at every start; it held 176 kB before it knew of partial items."""
    assert len(text()) < 220_000
