"""`mlopsc fmt`: one form, the same data, and nothing lost that a person wrote."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from editing.layouts import Layouts
from mlopsc.cli.main import run
from mlopsc.compiler import Refused, compile_spec
from mlopsc.diagnostics.finding import Rejected
from mlopsc.editing.form import formed
from mlopsc.review.keys import chapters
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml
from specs import as_blocks, specs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted(ROOT.glob("examples/*/mlops.yaml"))
CASES = sorted((ROOT / "tests" / "editing" / "form").glob("*.yaml"))

LONG = int(os.environ.get("MLOPSC_DRAWS", "0"))

Capture = pytest.CaptureFixture[str]


def form(text: str) -> str:
    return formed(Source("mlops.yaml", text), chapters())


def comments(text: str) -> list[str]:
    """Comments of a line of their own."""
    return sorted(line.strip() for line in re.split("\r\n|\r|\n", text) if line.strip()[:1] == "#")


# --- what is brought into form -------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_the_examples_are_in_form(example: Path) -> None:
    text = example.read_bytes().decode()
    assert form(text) == text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_case_comes_into_the_form_beside_it(case: Path) -> None:
    text = case.read_bytes().decode()
    expected = case.with_suffix(".out").read_bytes().decode()
    assert form(text) == expected
    assert form(expected) == expected
    assert comments(text) == comments(expected)


def test_there_are_cases_and_none_is_left_behind() -> None:
    folder = ROOT / "tests" / "editing" / "form"
    assert CASES
    assert {case.stem for case in CASES} == {out.stem for out in folder.glob("*.out")}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("project: 'a'\n", 'project: "a"\n'),
        ("project: 'it''s'\n", 'project: "it\'s"\n'),
        ('project: "say \\"a\\""\n', "project: 'say \"a\"'\n"),
        ("project: 'C:\\x'\n", "project: 'C:\\x'\n"),
        ('project: "C:\\\\x"\n', "project: 'C:\\x'\n"),
        ('project: "tab\\t"\n', 'project: "tab\\t"\n'),
        ('project: "\\u00e9"\n', 'project: "\\u00e9"\n'),
        ('"project": a\n', '"project": a\n'),
        ("project: {'a': 'b', c: ['d']}\n", 'project: {"a": "b", c: ["d"]}\n'),
        ("project: 'a\n  b'\n", "project: 'a\n  b'\n"),
        ("project: no\n", "project: no\n"),
        ("project: 'no'\n", 'project: "no"\n'),
    ],
)
def test_quotes_are_the_shorter_ones_and_stay_quotes(written: str, wanted: str) -> None:
    assert form(written) == wanted


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("project: a", "project: a\n"),
        ("project: a\n\n\n", "project: a\n"),
        ("project: a  \t\n", "project: a\n"),
        ("project: a # b \n", "project: a # b\n"),
        ("project: a\r\nowner: b\r\n", "project: a\r\nowner: b\r\n"),
        ("project: a\r\nowner: b\n", "project: a\nowner: b\n"),
        ("project: a\rowner: b\r", "project: a\nowner: b\n"),
        ("project: |\n  a  \n  b\n\n\n", "project: |\n  a  \n  b\n\n\n"),
        ("project: |+\n  a\n\n", "project: |+\n  a\n\n"),
        ("project: |\n  a", "project: |\n  a"),
        ("---\nowner: b\nproject: a\n...\n", "---\nproject: a\nowner: b\n...\n"),
        ("{owner: b, project: a}\n", "{owner: b, project: a}\n"),
    ],
)
def test_ends_of_lines_and_of_the_file(written: str, wanted: str) -> None:
    assert form(written) == wanted
    assert form(wanted) == wanted


def test_an_alias_stays_behind_its_anchor() -> None:
    text = "models: &m\n  a: {target: b}\nsources: *m\nproject: c\n"
    assert form(text) == "project: c\nmodels: &m\n  a: {target: b}\nsources: *m\n"


def test_what_the_reader_refuses_is_refused_in_its_words() -> None:
    with pytest.raises(Rejected) as refused:
        form("project: [\n")
    assert [finding.code for finding in refused.value.findings] == ["Y015"]


# --- what holds of every spec ----------------------------------------------------------------------


@st.composite
def written(draw: Callable[..., Any]) -> str:
    """A spec as many hands would write it."""
    spec = draw(specs())
    order = draw(st.permutations(list(spec)))
    text = as_blocks(
        {key: spec[key] for key in order},
        comments=draw(st.booleans()),
        quote=draw(st.sampled_from(["double", "single", "few"])),
        indent=draw(st.integers(1, 5)),
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if draw(st.booleans()):
        text = re.sub(r"\n( *)- (?=\S)", lambda m: f"\n{m[1]}-   ", text)
    return text


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(text=written())
def test_the_form_of_any_spec_says_the_same_and_stays(text: str) -> None:
    made = form(text)
    assert form(made) == made
    before, after = read_yaml(Source("a", text)), read_yaml(Source("a", made))
    assert after.data == before.data
    assert [key for key in after.data if key in chapters()] == [
        key for key in chapters() if key in after.data
    ]
    assert comments(made) == comments(text)
    assert not re.search(r"[ \t]\r?\n", made)
    assert all((len(line) - len(line.lstrip())) % 2 == 0 for line in made.splitlines())


def test_no_layout_loses_a_comment_or_a_value() -> None:
    """`MLOPSC_DRAWS=20000` lays out that many others."""
    read = 0
    for seed in range(LONG or 800):
        text = Layouts(seed).text(chapters())
        try:
            before = read_yaml(Source("a", text))
        except Rejected:
            continue  # a key twice, an alias that means nothing: not every draw is YAML
        read += 1
        made = form(text)
        assert form(made) == made, text
        assert repr(sorted(read_yaml(Source("a", made)).data.items())) == repr(
            sorted(before.data.items())
        ), text
        assert comments(made) == comments(text), text
    assert read > 0.8 * (LONG or 800)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_chapters_in_any_order_compile_to_the_same_files(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    data = read_yaml(Source("mlops.yaml", text)).data
    mixed = as_blocks(dict(sorted(data.items())), comments=True, quote="single", indent=3)

    def files(spec: str) -> dict[str, str]:
        try:
            return {f.path: f.text for f in compile_spec(Source("mlops.yaml", spec)).artifacts()}
        except Refused as refused:
            raise AssertionError(refused.diagnostics) from refused

    assert files(form(mixed)) == files(text)


# --- the command -----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mlops.yaml").write_bytes(
        b"\xef\xbb\xbfproject: 'a'\ninclude: [models/*.yaml]\napiVersion: mlopsc/v1\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "b.yaml").write_text("models:\n    b:\n        target: c\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fmt_writes_the_spec_and_what_it_includes(project: Path, capsys: Capture) -> None:
    assert run(["fmt"]) == 0
    assert (project / "mlops.yaml").read_bytes() == (
        b'apiVersion: mlopsc/v1\nproject: "a"\ninclude: [models/*.yaml]\n'
    )
    assert (project / "models" / "b.yaml").read_text() == "models:\n  b:\n    target: c\n"
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "brought mlops.yaml into form",
        "brought models/b.yaml into form",
        "2 changed, 0 in form; now run: mlopsc compile",
    ]
    assert run(["fmt"]) == 0
    assert capsys.readouterr().out == "0 changed, 2 in form\n"


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_check_and_diff_write_nothing(option: str, project: Path, capsys: Capture) -> None:
    before = (project / "mlops.yaml").read_bytes()
    assert run(["fmt", option]) == 1
    told = capsys.readouterr()
    assert "models/b.yaml" in told.out + told.err
    assert (project / "mlops.yaml").read_bytes() == before
    assert run(["fmt"]) == 0
    assert run(["fmt", option]) == 0


def test_one_file_that_is_no_yaml_does_not_keep_the_others(project: Path, capsys: Capture) -> None:
    (project / "models" / "b.yaml").write_text("models: [\n")
    assert run(["fmt"]) == 1
    assert "error[Y015]" in capsys.readouterr().err
    assert (project / "mlops.yaml").read_text().startswith("apiVersion")


def test_a_spec_that_is_not_there(tmp_path: Path, capsys: Capture) -> None:
    assert run(["fmt", str(tmp_path)]) == 1
    assert "error[W001]" in capsys.readouterr().err
