"""Text drafts: Jinja's settings, literals safe for any string, causes that leave no trace."""

from __future__ import annotations

import ast
import shlex
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hatch_build
from mlopsc import resources
from mlopsc.artifacts.draft import Artifact, CopyDraft, TextDraft
from mlopsc.artifacts.literals import (
    markdown,
    one_line,
    python_literal,
    shell_word,
    toml_value,
)
from mlopsc.artifacts.render import HEADER, render
from mlopsc.artifacts.templates import compiled_folder, template_environment
from mlopsc.artifacts.trace import causes_of

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(name="templates")
def fixture_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(resources, "ROOT", str(tmp_path))
    template_environment.cache_clear()
    yield tmp_path / "templates"
    template_environment.cache_clear()


def rendered(templates: Path, template: str, **context: Any) -> Artifact:
    (templates / "a.j2").write_text(template, encoding="utf-8", newline="")
    template_environment.cache_clear()
    return render(TextDraft("a.py", ("whole",), "a.j2", context), "test")


def answers(artifact: Artifact) -> list[tuple[str, Any]]:
    lines = artifact.text.splitlines()
    return [(line, causes_of(artifact, number)) for number, line in enumerate(lines, 1)]


def test_a_template_is_rendered_with_header_and_facts(templates: Path) -> None:
    artifact = rendered(
        templates,
        "# {{ header }}\n{% for name in names %}\n    {% if name %}\n{{ name }} = {{ name | py }}\n"
        "    {% endif %}\n{% endfor %}\nend\n",
        names=["a", "b"],
    )
    assert artifact.text == f'# {HEADER}\na = "a"\nb = "b"\nend\n'
    assert artifact.path == "a.py"
    assert artifact.target == "test"


def test_a_name_the_context_lacks_is_a_mistake_of_ours(templates: Path) -> None:
    with pytest.raises(jinja2.UndefinedError):
        rendered(templates, "{{ nobody }}\n")


def test_a_missing_template_is_a_mistake_of_ours(templates: Path) -> None:
    assert templates.is_dir()
    with pytest.raises(FileNotFoundError):
        render(TextDraft("a", (), "missing.j2"), "test")


def test_lines_name_their_causes(templates: Path) -> None:
    artifact = rendered(
        templates,
        "one{{ cause(('a',)) }}\n"
        "{{ cause_from(('b', 0)) }}\n"
        "two\n"
        "three  {{ cause(('c',), ('d',)) }}\n"
        "four\n"
        "{{ cause_to() }}\n"
        "\n"
        "{{ cause_from(('e',)) }}five\n"
        "six{{ cause_to() }}\n"
        "seven\n",
    )
    assert answers(artifact) == [
        ("one", (("a",),)),
        ("two", (("b", 0),)),
        ("three", (("c",), ("d",))),
        ("four", (("b", 0),)),
        ("", (("whole",),)),
        ("five", (("e",),)),
        ("six", (("e",),)),
        ("seven", (("whole",),)),
    ]


def test_causes_can_be_nested(templates: Path) -> None:
    artifact = rendered(
        templates,
        "{{ cause_from(('a',)) }}\n{{ cause_from(('b',)) }}\none\n{{ cause_to() }}\n"
        "two\n{{ cause_to() }}\nend",
    )
    assert answers(artifact) == [("one", (("b",),)), ("two", (("a",),)), ("end", (("whole",),))]


@pytest.mark.parametrize(
    "template", ["{{ cause_from(('a',)) }}\n", "{{ cause() }}\n", "{{ cause_to() }}\n"]
)
def test_a_cause_that_does_not_close_or_names_nothing_is_refused(
    templates: Path, template: str
) -> None:
    with pytest.raises((ValueError, IndexError)):
        rendered(templates, template)


@pytest.mark.parametrize("text", ["\0abc:0\0", "a\0b", "\0" + "0" * 16 + ":0\0", "\0001"])
def test_text_of_a_spec_cannot_look_like_a_cause(templates: Path, text: str) -> None:
    with pytest.raises(ValueError, match="zero character"):
        rendered(templates, "{{ text }}{{ cause(('a',)) }}\n", text=text)
    quoted = rendered(templates, "x = {{ text | py }}{{ cause(('a',)) }}\n", text=text)
    assert ast.literal_eval(quoted.text.removeprefix("x = ")) == text
    assert causes_of(quoted, 1) == (("a",),)


def test_half_a_surrogate_pair_is_refused(templates: Path) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        rendered(templates, "{{ text }}\n", text="\ud800")


def test_templates_of_a_spec_do_not_run(templates: Path) -> None:
    artifact = rendered(templates, "{{ text }}\n", text="{{ 7 * 7 }}{% raise %}")
    assert artifact.text == "{{ 7 * 7 }}{% raise %}\n"


def test_a_copied_file_is_the_same_bytes(templates: Path) -> None:
    content = "#!/usr/bin/env python\nprint('{{ not jinja }}')  # é\n"
    (templates / "p.py").write_text(content, encoding="utf-8", newline="")
    artifact = render(CopyDraft("mlops/p.py", ("project",), "p.py"), "programs")
    assert artifact.text == content
    assert [causes_of(artifact, line) for line in (1, 2, 3)] == [
        (("project",),),
        (("project",),),
        (),
    ]


@pytest.mark.parametrize("name", ["../schemas/x", "a/../../x", "/etc/passwd", "a//b", ""])
def test_a_resource_is_named_inside_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="resource"):
        resources.read_text(name)


PYTHON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.tuples(inner, inner),
        st.dictionaries(TEXT, inner, max_size=3),
    ),
)


@given(PYTHON)
def test_a_python_literal_is_its_value(value: Any) -> None:
    literal = python_literal(value)
    assert "\n" not in literal
    assert ast.literal_eval(literal) == value


def test_python_literals_look_as_black_writes_them() -> None:
    assert python_literal("it's") == '"it\'s"'
    assert python_literal('say "no"') == "'say \"no\"'"
    assert python_literal(["a", 1, True, None, 0.1, ("x",)]) == '["a", 1, True, None, 0.1, ("x",)]'
    assert python_literal({"a": {"b"}}) == '{"a": {"b"}}'
    assert python_literal("é名\u202e\x00\U000e0001") == '"é名\\u202e\\u0000\\U000e0001"'
    with pytest.raises(TypeError):
        python_literal(object())
    with pytest.raises(ValueError, match="number"):
        python_literal(float("nan"))


TOML = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), FLOATS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
)


@given(TOML)
def test_a_toml_value_is_its_value(value: Any) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}\n") == {"x": value}


@given(TEXT.filter(lambda text: "\0" not in text))
def test_a_shell_word_is_one_word(text: str) -> None:
    assert shlex.split(shell_word(text)) == [text]


@settings(max_examples=20, deadline=None)
@given(TEXT.filter(lambda text: "\0" not in text))
def test_a_shell_reads_its_word(text: str) -> None:
    script = f"printf %s {shell_word(text)}"
    ran = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert ran.stdout.decode("utf-8") == text


@given(TEXT)
def test_a_comment_stays_on_its_line(text: str) -> None:
    assert len(f"# {one_line(text)}x".splitlines()) == 1
    assert len(f"# {markdown(text)}x".splitlines()) == 1


def test_markdown_is_only_text() -> None:
    assert markdown("a | *b* [c](d)\n# <e>") == "a \\| \\*b\\* \\[c\\]\\(d\\) \\# \\<e\\>"


def test_a_wheel_renders_from_its_compiled_templates(templates: Path) -> None:
    (templates / "greeting.txt.j2").write_text("{% include 'name.j2' %}!\n", encoding="utf-8")
    (templates / "name.j2").write_text("hello {{ name | sh }}", encoding="utf-8")
    compiled = templates.parent / compiled_folder()
    compiled.mkdir(parents=True)
    hatch_build.compile_templates(templates, compiled)
    for source in templates.iterdir():
        source.unlink()
    template_environment.cache_clear()
    draft = TextDraft("greeting.txt", ("project",), "greeting.txt.j2", {"name": "a b"})
    assert render(draft, "test").text == "hello 'a b'!\n"
