"""The pages of docs/rules are tests: what a page shows is what happens.

`MLOPSC_GOLDEN=1` writes the diagnostics of the pages and of tests/cases anew.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mlopsc.rules
from composing import SPEC, InMemory
from mlopsc.compiler import Refused, compile_spec
from mlopsc.diagnostics.lines import split_lines
from mlopsc.diagnostics.printers import text
from mlopsc.project.resolve.codes import TITLES as NAMES
from mlopsc.review.codes import CODES
from mlopsc.rules import RULES
from mlopsc.rules.rule import Rule
from mlopsc.source.document import Source
from mlopsc.source.files import Inputs

if TYPE_CHECKING:
    from mlopsc.diagnostics.diagnostic import Diagnostic

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "rules"
CASES = sorted((ROOT / "tests" / "cases").glob("*.yaml"))
GOLDEN = os.environ.get("MLOPSC_GOLDEN") == "1"
COMPOSING = sorted(c for c in CODES if c >= "Y030")
SHOWN = sorted(c for c in CODES if c[0] in "SNRA" and not c.startswith(("A1", "A2"))) + COMPOSING
"""Codes whose pages hold a whole spec; W codes and those of YAML have tests of their own."""

_FENCED = re.compile(r"```(yaml|text)(?: (\S+))?\n(.*?\n)```\n", re.DOTALL)
"""A block; one of a file that the spec includes carries its name."""


def diagnostics(spec: str | dict[str, str]) -> tuple[Diagnostic, ...]:
    """What is said of a spec, or of one with the files it includes."""
    files = {SPEC: spec} if isinstance(spec, str) else spec
    inputs = Inputs(InMemory(files))
    try:
        return compile_spec(Source(SPEC, files[SPEC]), inputs).diagnostics
    except Refused as refused:
        return refused.diagnostics


@cache
def page(code: str) -> str:
    return (PAGES / f"{code}.md").read_text(encoding="utf-8")


def shown(code: str) -> tuple[dict[str, str], str, dict[str, str]]:
    """The spec that fails with its files, what is said of it, and the spec that does not fail."""
    blocks = _FENCED.findall(page(code))
    kinds = [kind for kind, _, _ in blocks]
    assert kinds.count("text") == 1
    middle = kinds.index("text")
    fails, works = (
        {name or SPEC: content for _, name, content in half}
        for half in (blocks[:middle], blocks[middle + 1 :])
    )
    return fails, blocks[middle][2], works


# --- codes, titles and pages --------------------------------------------------------------------


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_begins_with_the_title(code: str) -> None:
    assert page(code).startswith(f"# {code}: {CODES[code]}\n\n## What\n")
    assert "\n## Why\n" in page(code)


@pytest.mark.parametrize("code", CODES)
def test_a_title_is_a_heading(code: str) -> None:
    title = CODES[code]
    assert title
    assert title.splitlines() == [title]
    assert not title.endswith(".")
    assert title[0].isupper() or title[0] in "`m"  # `max_worse`, mlops.lock


def test_every_rule_of_every_family_is_looked_for() -> None:
    modules = [
        importlib.import_module(f"mlopsc.rules.{module.name}")
        for module in pkgutil.iter_modules(mlopsc.rules.__path__)
    ]
    written = [r for module in modules for r in vars(module).values() if isinstance(r, Rule)]
    assert sorted(r.code for r in written) == sorted(r.code for r in RULES)


def test_every_code_in_the_sources_is_known() -> None:
    mentioned = {
        code
        for path in (ROOT / "src").rglob("*.py")
        for code in re.findall(r"""["']([YSNRAW]\d{3})["']""", path.read_text(encoding="utf-8"))
    }
    assert mentioned == set(CODES)


def test_every_code_of_names_is_used() -> None:
    resolving = (ROOT / "src" / "mlopsc" / "project" / "resolve").glob("*.py")
    used = {
        code
        for path in resolving
        if path.name != "codes.py"
        for code in re.findall(r'"(N\d{3})"', path.read_text(encoding="utf-8"))
    }
    assert used == set(NAMES)


# --- pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", SHOWN)
def test_the_example_fails_as_the_page_says(code: str) -> None:
    fails, said, _ = shown(code)
    found = diagnostics(fails)
    own = [diagnostic for diagnostic in found if diagnostic.code == code]
    others = [d for d in found if d.code != code and d.severity != "info"]
    assert own, f"the example does not give {code}"
    assert not others, "one mistake causes another finding:\n" + text(others)
    if GOLDEN:
        written = page(code).replace(f"```text\n{said}", f"```text\n{text(own)}", 1)
        (PAGES / f"{code}.md").write_text(written, encoding="utf-8")
        page.cache_clear()
    assert text(own) == shown(code)[1]


@pytest.mark.parametrize("code", SHOWN)
def test_what_to_write_instead_works(code: str) -> None:
    works = shown(code)[2]
    left = [d for d in diagnostics(works) if d.code == code or d.severity != "info"]
    assert not left, text(left)


# --- cases ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_case_is_answered_in_the_words_beside_it(case: Path) -> None:
    found = diagnostics(case.read_bytes().decode())
    expected = case.with_suffix(".out")
    if GOLDEN:
        expected.write_text(text(found), encoding="utf-8")
    assert text(found) == expected.read_text(encoding="utf-8")
    places = [(d.place.line, d.place.column) for d in found]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.stem.startswith("one-")], ids=lambda case: case.stem
)
def test_one_mistake_is_one_finding(case: Path) -> None:
    found = diagnostics(case.read_text(encoding="utf-8"))
    assert len([d for d in found if d.severity != "info"]) == 1


def test_there_are_cases_and_none_is_left_behind() -> None:
    assert CASES
    assert {c.stem for c in CASES} == {o.stem for o in (ROOT / "tests" / "cases").glob("*.out")}


# --- what holds of every diagnostic ------------------------------------------------------------------


def check_style(diagnostic: Diagnostic, spec: str | dict[str, str]) -> None:
    """In its place, with a way out, in the style of the others."""
    files = {SPEC: spec} if isinstance(spec, str) else spec
    place = diagnostic.place
    lines = split_lines(files[place.file])
    assert 1 <= place.line <= len(lines)
    assert 1 <= place.column <= len(lines[place.line - 1]) + 1
    assert place.column <= place.end  # equal where there is nothing, behind a colon
    assert diagnostic.message
    assert not diagnostic.message.endswith((".", "!", ":"))
    # A shape's message says what would be right: "must be a duration such as `30s`".
    assert diagnostic.help or " must " in diagnostic.message
    assert not (diagnostic.help or "").endswith((".", "!", ":"))
    for note in diagnostic.notes:
        assert note.message
        assert not note.message.endswith(".")
        there = split_lines(files[note.place.file]) if note.place else []
        assert note.place is None or note.place.line <= len(there)


@pytest.mark.parametrize("code", SHOWN)
def test_the_diagnostics_of_a_page_have_place_and_style(code: str) -> None:
    for spec in (shown(code)[0], shown(code)[2]):
        for diagnostic in diagnostics(spec):
            check_style(diagnostic, spec)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_diagnostics_of_a_case_have_place_and_style(case: Path) -> None:
    spec = case.read_bytes().decode()
    found = diagnostics(spec)
    assert found
    for diagnostic in found:
        check_style(diagnostic, spec)


WHOLE = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/*/mlops.yaml"))]


@pytest.mark.parametrize("spec", WHOLE, ids=lambda spec: re.findall("project: (.*)", spec)[0])
def test_whatever_line_is_missing_is_answered(spec: str) -> None:
    """A finding or a project, never an accident; each finding in its place."""
    lines = spec.splitlines(keepends=True)
    for number in range(len(lines)):
        without = "".join(lines[:number] + lines[number + 1 :])
        for diagnostic in diagnostics(without):
            check_style(diagnostic, without)


_ENTRY = re.compile(
    r"(?:, )?\b[a-z_0-9]+: (?:\{[^{}]*\}|\[[^\[\]]*\]|\"[^\"]*\"|[^\s,{}\[\]]+)(?:, )?"
)


@pytest.mark.parametrize("spec", WHOLE, ids=lambda spec: re.findall("project: (.*)", spec)[0])
def test_whatever_entry_is_missing_is_answered(spec: str) -> None:
    """The same for each `key: value` within a line."""
    for found in _ENTRY.finditer(spec):
        before, after = found.group().startswith(", "), found.group().endswith(", ")
        without = spec[: found.start()] + (", " if before and after else "") + spec[found.end() :]
        for diagnostic in diagnostics(without):
            check_style(diagnostic, without)
