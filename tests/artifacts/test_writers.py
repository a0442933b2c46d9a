"""What is written is read back, by YAML 1.1 and 1.2 readers, and every line has a cause."""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from artifacts.hostile import HOSTILE
from mlopsc.artifacts.draft import Artifact, CopyDraft, JsonDraft, Traced, YamlDraft, traced
from mlopsc.artifacts.render import HEADER, render
from mlopsc.artifacts.trace import causes_of, lines_by_path
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml

SAFE_12 = YAML(typ="safe", pure=True)
SAFE_12.version = (1, 2)

TEXT = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(" \n\t:#-'\"\\|>&*!%@{}[],?ab1é", max_size=12),
    st.from_regex(r"[-+0-9_.eExXoObB:,]{1,8}", fullmatch=True),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXT)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=15,
)
ORIGINS = st.lists(
    st.sampled_from(["models", "churn", "slo", "target"]), min_size=1, max_size=3
).map(tuple)
TRACED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(TEXT, inner, max_size=3),
        st.builds(traced, inner, ORIGINS),
    ),
    max_leaves=12,
)


def yaml_text(body: Any) -> str:
    return render(YamlDraft("a.yaml", ("models",), body), "test").text


def json_text(body: Any) -> str:
    return render(JsonDraft("a.json", ("models",), body), "test").text


def bare(body: Any) -> Any:
    if isinstance(body, Traced):
        return bare(body.body)
    if isinstance(body, Mapping):
        return {key: bare(value) for key, value in body.items()}
    if isinstance(body, Sequence) and not isinstance(body, str):
        return [bare(item) for item in body]
    return body


def same(left: Any, right: Any) -> bool:
    """Equal, types included: 1 is not 1.0 and not true."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def reads_back(body: Any) -> None:
    written = yaml_text(body)
    assert same(yaml.load(written, yaml.CSafeLoader), body), "libyaml, YAML 1.1"
    assert same(yaml.safe_load(written), body), "PyYAML, YAML 1.1"
    assert same(SAFE_12.load(written), body), "ruamel, YAML 1.2"
    assert same(read_yaml(Source("a", yaml_text({"body": body}))).data["body"], body), "our own"


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_string_is_read_back_everywhere(text: str) -> None:
    reads_back({"value": text, "list": [text, [text]], text: {text: [{text: text}]}})
    assert json.loads(json_text({text: [text]})) == {text: [text]}


@settings(max_examples=400)
@given(BODIES)
def test_yaml_reads_back(body: Any) -> None:
    reads_back(body)


@given(FLOATS)
@example(1e-05)
@example(1e16)
@example(1e22)
@example(5e-324)
@example(1.7976931348623157e308)
@example(-0.0)
@example(123456789.123)
def test_a_float_is_the_same_float(value: float) -> None:
    for read in (yaml.safe_load, SAFE_12.load):
        back = read(yaml_text([value]))[0]
        assert type(back) is float
        assert back.hex() == value.hex()


@given(BODIES)
def test_json_reads_back(body: Any) -> None:
    assert same(json.loads(json_text(body)), body)


@given(st.recursive(LEAVES.filter(lambda leaf: not isinstance(leaf, str)) | st.text("aé\n\"\\ 名"),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner)))  # fmt: skip
def test_json_looks_as_the_standard_library_writes_it(body: Any) -> None:
    assert json_text(body) == json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def test_the_look_of_yaml() -> None:
    body = {
        "apiVersion": "apps/v1",
        "metadata": {"name": "churn", "labels": {}},
        "spec": {
            "args": ["--port=8080", "-v", 8080, "8080", True, "true", None],
            "containers": [{"name": "server", "env": [], "ports": [{"containerPort": 8080}]}],
            "script": "set -e\npython train.py\n",
            "matrix": [[1, 2], [], [[3]]],
            "cpu": "500m",
            "memory": "16Gi",
            "every": "30s",
            "cron": "0 3 * * 1",
            "version": "1.10",
            "quote": 'say "no"',
            "both": 'it\'s "so"',
            "template": "{{ $labels.model }}",
            "rate": 1e-05,
        },
    }
    assert yaml_text(body) == (
        f"# {HEADER}\n"
        "apiVersion: apps/v1\n"
        "metadata:\n"
        "  name: churn\n"
        "  labels: {}\n"
        "spec:\n"
        "  args:\n"
        "  - --port=8080\n"
        "  - -v\n"
        "  - 8080\n"
        '  - "8080"\n'
        "  - true\n"
        '  - "true"\n'
        "  - null\n"
        "  containers:\n"
        "  - name: server\n"
        "    env: []\n"
        "    ports:\n"
        "    - containerPort: 8080\n"
        "  script: |\n"
        "    set -e\n"
        "    python train.py\n"
        "  matrix:\n"
        "  - - 1\n"
        "    - 2\n"
        "  - []\n"
        "  - - - 3\n"
        "  cpu: 500m\n"
        "  memory: 16Gi\n"
        "  every: 30s\n"
        "  cron: 0 3 * * 1\n"
        '  version: "1.10"\n'
        '  quote: say "no"\n'
        '  both: it\'s "so"\n'
        '  template: "{{ $labels.model }}"\n'
        "  rate: 1.0e-05\n"
    )


@pytest.mark.parametrize(
    "word", ["0_x1", "1_e5", "e5", "1,000", "0o17", "22:22", "1.2.3", "=", "y", "NaN"]
)
def test_what_readers_of_other_languages_take_for_something_else_is_quoted(word: str) -> None:
    # Go: underscores anywhere in a number; Node in 1.1 mode: e5; Ruby: 1,000; 1.1 at large: the rest.
    assert yaml_text({word: [word]}).endswith(f'"{word}":\n- "{word}"\n')


def test_shared_parts_are_written_out_and_nothing_is_folded() -> None:
    shared = {"a": ["word " * 100]}
    written = yaml_text({"one": shared, "two": shared})
    assert "&" not in written
    assert "*" not in written
    assert len(written.splitlines()) == 7


def test_a_long_key_is_read_back() -> None:
    key = "k" * 3000
    for value in (
        "text",
        "a\nb\n",
        [],
        {},
        [1, {"x": 2}],
        {"x": {"y": 1}},
        None,
        traced({"x": 1}, ("a",)),
    ):
        reads = bare(value)
        assert yaml.safe_load(yaml_text({key: value, "z": 1})) == {key: reads, "z": 1}
        assert SAFE_12.load(yaml_text([{key: value, "z": 1}])) == [{key: reads, "z": 1}]
        assert read_yaml(Source("a", yaml_text({"a": {key: value}}))).data == {"a": {key: reads}}


class Word(str, enum.Enum):  # noqa: UP042 - its str() is not its value, unlike StrEnum's
    YES = "yes"


class Names(enum.StrEnum):
    ON = "on"


def test_other_types_of_plain_data_are_plain_data() -> None:
    body = {Names.ON: Word.YES, "t": (1, (2,)), "m": types.MappingProxyType({"a": ()}), "f": True}
    expected = {"on": "yes", "t": [1, [2]], "m": {"a": []}, "f": True}
    assert yaml.safe_load(yaml_text(body)) == expected
    assert json.loads(json_text(body)) == expected


@pytest.mark.parametrize("write", [yaml_text, json_text])
@pytest.mark.parametrize("body", [object(), {1: 2}, {"a": b"bytes"}, [{1, 2}], {None: 1}])
def test_what_is_no_plain_data_is_a_mistake_of_ours(write: Any, body: Any) -> None:
    with pytest.raises(TypeError):
        write(body)


@pytest.mark.parametrize("write", [yaml_text, json_text])
@pytest.mark.parametrize(
    "body", ["\ud800", {"a": "x\udfff\n"}, {"\ud83d": 1}, [float("nan")], -float("inf")]
)
def test_what_no_file_can_hold_is_refused(write: Any, body: Any) -> None:
    with pytest.raises(ValueError, match=r"cannot be written|not a number"):
        write(body)


@pytest.mark.parametrize("draft", [YamlDraft, JsonDraft])
@given(body=TRACED)
def test_every_line_has_a_cause_and_inner_ones_lie_in_outer_ones(draft: Any, body: Any) -> None:
    artifact = render(draft("a", ("whole",), body), "test")
    last = artifact.text.count("\n")
    assert artifact.text.endswith("\n")
    assert artifact.causes[0].first == 1
    assert artifact.causes[0].last == last
    for line in range(1, last + 1):
        assert causes_of(artifact, line)
    assert causes_of(artifact, last + 1) == ()
    for number, inner in enumerate(artifact.causes):
        assert 1 <= inner.first <= inner.last <= last
        for outer in artifact.causes[:number]:  # nested or apart, never crossing
            assert (
                inner.last < outer.first
                or outer.last < inner.first
                or (outer.first <= inner.first and inner.last <= outer.last)
            )


@given(TRACED)
def test_causes_cost_nothing_in_the_text(body: Any) -> None:
    assert yaml_text(body) == yaml_text(bare(body))
    assert json_text(body) == json_text(bare(body))


RULE = traced({"alert": "X", "for": traced("10m", ("for",))}, ("rule", 0))
BODY = {
    "groups": traced(
        [
            {
                "name": "a",
                "rules": [traced({"alert": "X", "for": traced("10m", ("for",))}, ("rule", 0)), "y"],
            }
        ],
        ("groups",),
    ),
    "text": traced("a\nb\n", ("text",)),
    "twice": traced(traced({}, ("inner",)), ("outer",)),
}


def answers(artifact: Artifact) -> list[tuple[str, tuple[Any, ...]]]:
    lines = artifact.text.splitlines()
    return [(line.strip(), *causes_of(artifact, number)) for number, line in enumerate(lines, 1)]


def test_yaml_lines_know_their_cause() -> None:
    assert answers(render(YamlDraft("a", ("spec",), BODY, "For readers.\n\nTwo."), "t")) == [
        (f"# {HEADER}", ("spec",)),
        ("# For readers.", ("spec",)),
        ("#", ("spec",)),
        ("# Two.", ("spec",)),
        ("groups:", ("groups",)),
        ("- name: a", ("groups",)),
        ("rules:", ("groups",)),
        ("- alert: X", ("rule", 0)),
        ("for: 10m", ("for",)),
        ('- "y"', ("groups",)),
        ("text: |", ("text",)),
        ("a", ("text",)),
        ("b", ("text",)),
        ("twice: {}", ("inner",)),
    ]


def test_json_lines_know_their_cause() -> None:
    assert answers(render(JsonDraft("a", ("spec",), BODY), "t")) == [
        ("{", ("spec",)),
        ('"groups": [', ("groups",)),
        ("{", ("groups",)),
        ('"name": "a",', ("groups",)),
        ('"rules": [', ("groups",)),
        ("{", ("rule", 0)),
        ('"alert": "X",', ("rule", 0)),
        ('"for": "10m"', ("for",)),
        ("},", ("rule", 0)),
        ('"y"', ("groups",)),
        ("]", ("groups",)),
        ("}", ("groups",)),
        ("],", ("groups",)),
        ('"text": "a\\nb\\n",', ("text",)),
        ('"twice": {}', ("inner",)),
        ("}", ("spec",)),
    ]


def test_a_path_knows_its_lines() -> None:
    artifact = render(YamlDraft("a", ("spec",), BODY), "t")
    lines = lines_by_path(artifact)
    assert lines["for",] == {6}
    assert lines["rule", 0] == {5, 6}, "what makes a block decides every line of it"
    assert lines["spec",] == set(range(1, artifact.text.count("\n") + 1))
    assert ("nothing",) not in lines


def test_a_file_follows_from_more_than_one_path() -> None:
    for draft in (
        YamlDraft("a", ("spec",), BODY, because=(("platform", "ci"),)),
        JsonDraft("a", ("spec",), BODY, because=(("platform", "ci"),)),
        CopyDraft("a", ("spec",), "programs/gate.py", because=(("platform", "ci"),)),
    ):
        artifact = render(draft, "t")
        lines = lines_by_path(artifact)
        assert (
            lines["platform", "ci"]
            == lines["spec",]
            == set(range(1, artifact.text.count("\n") + 1))
        )
        assert causes_of(artifact, 1) == (("spec",), ("platform", "ci"))


def test_a_line_keeps_its_causes_beside_what_it_mentions() -> None:
    body = {"a": traced('x{project="churn"}', ("a",)), "b": 1, "c": {"project": "churn"}}
    mentions = (('project="churn"', ("project",)), ("project: ", ("project",)))
    artifact = render(YamlDraft("a", ("spec",), body, mentions=mentions), "t")
    assert [causes_of(artifact, line) for line in range(2, 6)] == [
        (("a",), ("project",)),
        (("spec",),),
        (("spec",),),
        (("spec",), ("project",)),
    ]
    assert lines_by_path(artifact)["project",] == {2, 5}


@pytest.mark.parametrize(
    "body", ["text", "a\nb\n", None, [], {}, 1, 1.5, ["a"], traced("x", ("a",))]
)
def test_any_body_can_be_a_whole_file(body: Any) -> None:
    assert yaml.safe_load(yaml_text(body)) == bare(body)
    assert json.loads(json_text(body)) == bare(body)
