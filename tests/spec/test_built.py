"""Nothing of the language is silently left out: each key is compiled or refused."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from mlopsc.spec import codes
from mlopsc.spec.built import BUILT, NOT_BUILT, NotBuilt
from mlopsc.spec.groups import MISPLACED
from mlopsc.spec.patterns import matches
from mlopsc.spec.schema import entries, json_schema
from spec.documents import SMALLEST, findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.spec.patterns import Pattern
    from mlopsc.spec.schema import Node

SCHEMA = json_schema()


LAYERS = (("defaults",), ("environments", "*", "overrides"))
"""Keys that hold parts of other chapters, whose keys are counted there."""


def leaves(node: Node, path: Pattern = ()) -> Iterator[Pattern]:
    """The paths of all keys of the JSON Schema that hold no further known keys of their own."""
    if path in LAYERS:
        yield path
        return
    found = False
    for form in entries(node, SCHEMA):
        below = dict(form.get("properties", {}))
        for key in ("additionalProperties", "items"):
            if isinstance(form.get(key), dict):
                below["*"] = form[key]
        if "properties" in form or any(keyed(inner) for inner in below.values()):
            found = True
            for key, inner in below.items():
                yield from leaves(inner, (*path, key))
    if not found and path:
        yield path


def keyed(node: Node) -> bool:
    """Whether known keys stand anywhere below."""
    for form in entries(node, SCHEMA):
        if "properties" in form:
            return True
        for key in ("additionalProperties", "items"):
            if isinstance(form.get(key), dict) and keyed(form[key]):
                return True
    return False


LEAVES = sorted(set(leaves(SCHEMA)))
REFUSED = [row.path for row in NOT_BUILT if not row.works]


def test_the_walk_sees_the_whole_language() -> None:
    assert len(LEAVES) > 250
    assert ("models", "*", "serving", "metrics", "buckets") in LEAVES
    assert ("sources", "*", "columns", "*", "known_after") in LEAVES


@pytest.mark.parametrize("leaf", LEAVES, ids=".".join)
def test_each_key_is_built_or_refused_and_not_both(leaf: Pattern) -> None:
    refused = any(matches(pattern, leaf) for pattern in REFUSED)
    assert refused is (leaf not in BUILT)


def test_what_is_built_is_in_the_language() -> None:
    assert [path for path in BUILT if path not in LEAVES] == []
    assert len(BUILT) == len(set(BUILT))


@pytest.mark.parametrize("row", NOT_BUILT, ids=lambda row: ".".join(row.path))
def test_what_is_refused_is_in_the_language(row: NotBuilt) -> None:
    if not row.works:
        assert any(matches(row.path, leaf) for leaf in LEAVES)
    else:
        assert row.path in BUILT


def test_what_means_nothing_is_neither() -> None:
    assert not {row.path for row in MISPLACED} & set(BUILT)


def test_no_two_rows_refuse_the_same() -> None:
    for one, other in product(NOT_BUILT, NOT_BUILT):
        assert one is other or not matches(one.path, other.path)


def sample(path: Pattern) -> str:
    """A spec in which the key at `path` has some value, in YAML's flow style."""
    body = "null"
    for step in reversed(path[1:]):
        body = f"{{{'thing' if step == '*' else step}: {body}}}"
    lines = [line for line in SMALLEST.splitlines() if not line.startswith(f"{path[0]}:")]
    if path[0] in ("sources", "models"):
        lines = lines[:2]
    return "\n".join([*lines, f"{path[0]}: {body}", ""])


@pytest.mark.parametrize("path", REFUSED, ids=".".join)
def test_a_refused_key_is_refused_wherever_it_stands_and_says_what_works(path: Pattern) -> None:
    at = tuple("thing" if step == "*" else step for step in path)
    found = {finding.at: finding for finding in findings(sample(path))}
    assert found[at].code == codes.NOT_BUILT
    assert found[at].help
    assert found[at].on_key
