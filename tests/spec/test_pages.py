"""The pages of the language: a page a chapter, tables in step, examples that parse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlopsc.spec.pages import PAGES, filled
from mlopsc.spec.root import Spec
from mlopsc.spec.shape import chapter_keys
from spec.documents import SMALLEST, document, said

FOLDER = Path(__file__).parents[2] / "docs" / "language"
FILES = sorted(FOLDER.glob("*.md"))
COMPOSITION = "composition.md"
"""The page of what is laid on what: it has no keys of its own."""


def test_every_chapter_has_a_page() -> None:
    assert {path.name for path in FILES} == {"README.md", COMPOSITION, *PAGES.values()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_table_is_in_step(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ("<!-- keys: " in text) == (path.name != COMPOSITION)
    assert text == filled(text), "run `python -m mlopsc.spec.pages`"


def test_the_first_page_lists_every_key_of_the_root() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{key}` |" in text for key in chapter_keys(Spec))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (FOLDER / target).is_file(), target


def examples() -> list[tuple[str, str]]:
    found = []
    for path in FILES:
        # tests/test_language_pages.py compiles what stands below `## Example`.
        text = re.sub(r"(?ms)^## Example.*?(?=^## |\Z)", "", path.read_text("utf-8"))
        blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        found += [(path.name, block) for block in blocks]
    return found


@pytest.mark.parametrize(("name", "block"), examples())
def test_its_examples_are_of_the_language(name: str, block: str) -> None:
    """A block is a whole spec, chapters of one, or the page's own chapter of a model."""
    first = block.split(":", 1)[0]
    if first == "apiVersion":
        assert said(block) == []
    elif first in chapter_keys(Spec):
        rest = set(document(block).data)
        base = re.sub(r"(?ms)^(\w+):.*?(?=^\w|\Z)",
                      lambda m: "" if m[1] in rest else m[0], SMALLEST)  # fmt: skip
        assert said(f"{base}{block}") == []
    else:
        indented = "".join(f"    {line}\n" for line in block.splitlines())
        assert said(SMALLEST + indented) == []
