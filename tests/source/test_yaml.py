"""What accepted text means: YAML 1.2 scalars, places, anchors, merges; and that size is bounded."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlopsc.diagnostics.finding import Place, Rejected
from mlopsc.diagnostics.lines import split_lines
from mlopsc.source.document import Document, Source
from mlopsc.source.yaml import MAX_BYTES, MAX_DEPTH, read_yaml

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/mlops.yaml"))


def read(text: str) -> Document:
    return read_yaml(Source("mlops.yaml", text))


def codes(text: str) -> list[str]:
    with pytest.raises(Rejected) as caught:
        read(text)
    return [finding.code for finding in caught.value.findings]


def paths(data: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    if isinstance(data, dict):
        children = data.items()
    elif isinstance(data, list):
        children = enumerate(data)
    else:
        return {path}
    return {path}.union(*(paths(child, (*path, step)) for step, child in children))


def shown(document: Document, *path: str | int, on_key: bool = False) -> str:
    """The text at a path's place."""
    place = document.keys[path] if on_key else document.values[path]
    return split_lines(document.texts[place.file])[place.line - 1][place.column - 1 : place.end - 1]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nUll", "nUll"),
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRue", "tRue"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("n", "n"),
        ("0", 0), ("-0", 0), ("+12", 12), ("017", 17), ("0o17", 15), ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("0b11", "0b11"), ("1_000", "1_000"), ("22:22", "22:22"), ("1:30:00", "1:30:00"),
        ("12e5", 12e5), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("1.10", 1.1),
        ("1.0e-05", 1e-05), ("+.5e+1", 5.0), ("1.2.3", "1.2.3"), (".", "."), ("e5", "e5"),
        ("0o8", "0o8"),
        ("2024-01-01", "2024-01-01"), ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("=", "="), ("500m", "500m"), ("16Gi", "16Gi"), ("30%", "30%"), ("7d", "7d"), ("-", None),
        ("- x", None), ("nan", "nan"), ("inf", "inf"), ("0 3 * * 1", "0 3 * * 1"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_a_plain_scalar_follows_the_core_schema(written: str, value: object) -> None:
    if written.startswith("-") and value is None:
        assert codes(f"a: {written}\n") == ["Y011"]
        return
    data = read(f"a: {written}\n").data["a"]
    assert data == value
    assert type(data) is type(value)


@pytest.mark.parametrize("word", ["null", "true", "12", "1.5", ".inf", "0x1F", "~", "1e999", "<<"])
def test_quotes_make_text(word: str) -> None:
    assert read(f"a: '{word}'\nb: \"{word}\"\n").data == {"a": word, "b": word}


def test_block_text_is_text() -> None:
    assert read("a: |\n  12\nb: >-\n  true\n").data == {"a": "12\n", "b": "true"}


def test_raw_keeps_what_the_value_does_not_say() -> None:
    document = read('a: 1.10\nb: 0x1F\nc: 12\nd: 1.5\ne: True\nf: "1.10"\ng: ~\nh: null\ni: 017\n')
    assert document.raw == {
        ("a",): "1.10",
        ("b",): "0x1F",
        ("e",): "True",
        ("g",): "~",
        ("i",): "017",
    }


def test_places_of_scalars_keys_and_collections() -> None:
    document = read(
        "project: flights   # a comment\n"
        "models:\n"
        "  delay:\n"
        "    features: [carrier, 'distance', {a: b}]\n"
        "    metrics:\n"
        "    - name: mae\n"
        "    empty:\n"
        "    text: |  # block\n"
        "      words\n"
        "    long: one\n"
        "      two\n"
        "    open: [a,\n"
        "      b]\n"
    )
    model = ("models", "delay")
    assert shown(document, "project") == "flights"
    assert shown(document, "project", on_key=True) == "project"
    assert shown(document, *model, "features") == "[carrier, 'distance', {a: b}]"
    assert shown(document, *model, "features", 1) == "'distance'"
    assert shown(document, *model, "features", 2, "a") == "b"
    assert shown(document, *model, "metrics") == "- name: mae"
    assert shown(document, *model, "metrics", 0, "name", on_key=True) == "name"
    assert shown(document, *model, "text") == "|"
    assert shown(document, *model, "long") == "one"
    assert shown(document, *model, "open") == "[a,"
    assert shown(document, *model) == "features: [carrier, 'distance', {a: b}]"
    assert document.values[()] == Place("mlops.yaml", 1, 1, 17)
    assert document.values[(*model, "empty")] == Place("mlops.yaml", 7, 11, 11)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_move_places(end: str) -> None:
    document = read(end.join(["a: 1", "", "b:", "  c: [x,", "    y]", "d: 2", ""]))
    assert document.data == {"a": 1, "b": {"c": ["x", "y"]}, "d": 2}
    assert document.values["b", "c", 1] == Place("mlops.yaml", 5, 5, 6)
    assert document.keys[("d",)] == Place("mlops.yaml", 6, 1, 2)


def test_columns_count_characters() -> None:
    document = read("名前: {😀: 'é'}\n")
    assert document.values["名前", "😀"] == Place("mlops.yaml", 1, 9, 12)


def test_an_alias_stands_at_its_anchor() -> None:
    document = read("a: &x {b: [1, 0x10]}\nc: {d: *x}\n")
    assert document.data["c"] == {"d": {"b": [1, 16]}}
    assert document.values["c", "d", "b", 1] == document.values["a", "b", 1]
    assert document.keys["c", "d", "b"] == document.keys["a", "b"]
    assert document.keys["c", "d"].line == 2
    assert document.raw["c", "d", "b", 1] == "0x10"


def test_merges_explicit_keys_win_then_earlier_sources() -> None:
    document = read(
        "one: &one {a: 1, b: 1, c: {x: 1}}\n"
        "two: &two {b: 2, c: 2, d: 2}\n"
        "all:\n"
        "  first: 0\n"
        "  <<: [*one, {e: 3, a: 3}, *two]\n"
        "  a: 4\n"
    )
    merged = document.data["all"]
    assert merged == {"first": 0, "b": 1, "c": {"x": 1}, "e": 3, "d": 2, "a": 4}
    assert isinstance(merged, dict)
    assert list(merged) == ["first", "b", "c", "e", "d", "a"]
    assert document.keys["all", "b"].line == 1
    assert document.values["all", "c", "x"] == document.values["one", "c", "x"]
    assert shown(document, "all", "e") == "3"
    assert document.values["all", "a"].line == 6


def test_merges_of_merges() -> None:
    document = read("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: {<<: *a}}\n")
    assert document.data["c"] == {"x": 1, "y": 2, "z": {"x": 1}}
    assert document.values["c", "z", "x"] == document.values["a", "x"]
    assert paths(document.data) == set(document.values)


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert read("a: {'<<': 1}\n").data == {"a": {"<<": 1}}


def test_an_anchor_can_be_named_again() -> None:
    assert read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n").data == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_every_path_of_an_example_has_its_place(example: Path) -> None:
    document = read(example.read_text(encoding="utf-8"))
    assert paths(document.data) == set(document.values)
    assert set(document.keys) == {path for path in paths(document.data) if path and path[-1] != 0
                                  and isinstance(path[-1], str)}  # fmt: skip
    for path in document.keys:
        assert shown(document, *path, on_key=True).strip("\"'") == path[-1]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "? [" * 100_000,
     "".join(" " * depth + "a:\n" for depth in range(3000)), "a: &a " + "[" * 50_000],
    ids=["lists", "mappings", "items", "keys", "lists as keys", "blocks", "anchored"],
)  # fmt: skip
def test_nesting_is_refused_before_it_costs(text: str) -> None:
    assert codes(text) in (["Y026"], ["Y021", "Y026"])


def test_nesting_is_allowed_up_to_the_limit() -> None:
    depth = MAX_DEPTH - 1  # below the top mapping
    assert read("a: " + "[" * depth + "]" * depth).values[("a", *(0,) * (depth - 1))]
    assert codes("a: " + "[" * (depth + 1) + "]" * (depth + 1)) == ["Y026"]


def test_long_lines_and_large_texts_are_read() -> None:
    words = "word " * (MAX_BYTES // 10)
    assert read(f"a: {words}\nb: '{words}'\n").data["b"] == words


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = read(text)
    except Rejected as rejected:
        lines = split_lines(text)
        for finding in rejected.findings:
            assert isinstance(finding.at, Place)
            assert 1 <= finding.at.line <= len(lines)
            assert 1 <= finding.at.column <= len(lines[finding.at.line - 1]) + 1
    else:
        assert paths(document.data) == set(document.values)


FRAGMENTS = st.sampled_from(
    ["a", "b", "key", ": ", ":", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "'", '"',
     "1", "&a ", "*a", "<<: ", "# c\n", "|", ">", "|-\n", "? ", "!t ", "%", "@", "\t", "\\", "---\n",
     "0x1",
     "...\n", "1.5", "~", "null", "\r\n", " ", "é", "名", "😀", "\\u00e9", ".inf"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_anything_that_looks_like_yaml_is_read_or_refused(text: str) -> None:
    try:
        document = read(text)
    except Rejected as rejected:
        lines = split_lines(text)
        for finding in rejected.findings:
            assert isinstance(finding.at, Place)
            assert 1 <= finding.at.line <= len(lines)
            assert 1 <= finding.at.column <= len(lines[finding.at.line - 1]) + 1
            assert finding.help
    else:
        assert paths(document.data) == set(document.values)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(string.printable, max_size=20)
)
TREES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4),
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abcdef", min_size=1), TREES, max_size=5), st.booleans())
def test_what_pyyaml_writes_in_quotes_is_read(data: dict[str, Any], flow: bool) -> None:
    keys_and_text_quoted = yaml.safe_dump(
        data, default_style='"', default_flow_style=flow, sort_keys=False, width=10_000
    )
    # default_style quotes numbers too, with a tag before them that says what they are
    untagged = re.sub(r'!!(?:null|bool|int) "([^"]*)"', r"\1", keys_and_text_quoted)
    assert read(untagged if data else "{}").data == data


def test_data_without_the_c_parser_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: [1, 0x10, 'q']}\nc:\n  <<: *x\n  d: |\n    text\n"
    with_c = read(text)
    monkeypatch.setattr("mlopsc.source.yaml._Parser", yaml.SafeLoader)
    without = read(text)
    assert (without.data, without.values, without.keys, without.raw) == (
        with_c.data, with_c.values, with_c.keys, with_c.raw,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [("a: [1\nb: 2\nc: 3\n", "Y015"), ("a: 'x\n", "Y014"), ("a: 1\n b: 2\n", "Y011"),
     ("a: @x\n", "Y016"),
     ("a:\n\t- b\n", "Y010"), ("a b\nc: d\n", "Y012"), ("a: b: c\n", "Y013"),
     ('a: "x" y\n', "Y018"),
     ('a: "\\q"\n', "Y017"), ("- a\nb: c\n", "Y011"), ("a: *\n", "Y016"), ("a: |x\n", "Y019")],
)  # fmt: skip
def test_errors_without_the_c_parser_have_the_same_codes(
    monkeypatch: pytest.MonkeyPatch, text: str, code: str
) -> None:
    assert codes(text) == [code]
    monkeypatch.setattr("mlopsc.source.yaml._Parser", yaml.SafeLoader)
    assert codes(text) == [code]
