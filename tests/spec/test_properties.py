"""Whatever stands in a document, parse gives a spec or says what is wrong at a place in it."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlopsc.diagnostics.finding import Rejected
from mlopsc.spec.parse import parse_spec
from mlopsc.spec.schema import json_schema
from spec.documents import FULL, SMALLEST, document, document_of

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding, Path
    from mlopsc.source.document import Document
    from mlopsc.spec.root import Spec

EDITOR = Draft202012Validator(json_schema())
BASES = [document(FULL).data, document(SMALLEST).data]

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["Column", "str", "int", "[key]", "SecretRef", "name", "x-a", "${x}", "../x"]),
    st.sampled_from(["replica", "type", "schedules", "metrics", "${", "a:b", "1d", "30%", "int64"]),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, st.just(10**400), st.just("")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def nodes(data: Any, path: Path = ()) -> list[Path]:
    found = [path]
    if isinstance(data, dict):
        for key, value in data.items():
            found += nodes(value, (*path, key))
    elif isinstance(data, list):
        for position, item in enumerate(data):
            found += nodes(item, (*path, position))
    return found


def holder(data: Any, path: Path) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


def mutate(data: dict[str, Any], draw: st.DrawFn) -> None:
    path = draw(st.sampled_from([p for p in nodes(data) if p] or [()]))
    if not path:
        return
    where, step = holder(data, path), path[-1]
    change = draw(st.sampled_from(["delete", "rename", "replace", "add"]))
    if change == "replace" or isinstance(where, list):
        where[step] = draw(values)
    elif change == "delete":
        del where[step]
    elif change == "rename":
        where[draw(texts)] = where.pop(step)
    else:
        where[draw(texts)] = draw(values)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    data = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 4))):
        mutate(data, draw)
    return data


def answer(whole: Document) -> Spec | tuple[Finding, ...]:
    """The spec, or the findings instead of it."""
    try:
        return parse_spec(whole)
    except Rejected as rejected:
        return rejected.findings


@settings(deadline=None, max_examples=400)
@given(mutated())
def test_a_spec_or_findings_with_a_place(data: dict[str, Any]) -> None:
    whole = document_of(data)
    found = answer(whole)
    if not isinstance(found, tuple):
        return
    assert found
    places = []
    for finding in found:
        assert whole.has(finding.at)  # type: ignore[arg-type]
        assert "\n" not in finding.message
        assert len(finding.message) < 1000
        places.append(whole.place(finding.at, on_key=finding.on_key))  # type: ignore[arg-type]
    assert places == sorted(places, key=lambda place: (place.line, place.column))
    assert len({finding.at for finding in found}) == len(found)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(texts, values, max_size=5))
def test_a_mapping_that_names_no_version_is_refused(data: dict[str, Any]) -> None:
    assert isinstance(answer(document_of(data)), tuple)


@settings(deadline=None, max_examples=100)
@given(mutated())
def test_the_same_document_gives_the_same_answer(data: dict[str, Any]) -> None:
    assert repr(answer(document_of(data))) == repr(answer(document_of(copy.deepcopy(data))))


def unlike_json(node: Any) -> bool:
    """Whether data holds what JSON Schema sees otherwise: 1.0 is an integer, infinity a number, and
    `$` of Python's engine also stands before a line end."""
    if isinstance(node, float):
        return not math.isfinite(node) or node.is_integer()
    if isinstance(node, dict):
        return any(unlike_json(key) or unlike_json(value) for key, value in node.items())
    if isinstance(node, list):
        return any(unlike_json(item) for item in node)
    return isinstance(node, str) and node.endswith("\n")


@settings(deadline=None, max_examples=200)
@given(mutated())
def test_an_editor_sees_what_parse_sees(data: dict[str, Any]) -> None:
    if unlike_json(data) or not {"apiVersion", "project"} & set(data):
        return  # to an editor, a file without both is one that is included
    found = answer(document_of(data))
    unbuilt = isinstance(found, tuple) and {finding.code for finding in found} <= {"S010"}
    # Below a key that is not built, parse says nothing more; the editor still knows its shape.
    if not isinstance(found, tuple):
        assert EDITOR.is_valid(data)
    elif not unbuilt:
        assert not EDITOR.is_valid(data)
