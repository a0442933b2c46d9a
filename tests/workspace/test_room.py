"""The room itself: each code has a page, and what costs start-up time stays out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlopsc.workspace.codes import TITLES

PROJECT = Path(__file__).parents[2]
ROOM = PROJECT / "src/mlopsc/workspace"
PAGES = PROJECT / "docs/rules"


@pytest.mark.parametrize("code", TITLES)
def test_each_code_has_a_page(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text()
    assert page.startswith(f"# {code}: {TITLES[code]}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["What", "Why", "What to do"]


def test_each_page_has_a_code() -> None:
    assert {page.stem for page in PAGES.glob("W*.md")} == set(TITLES)


def test_each_code_is_used_and_no_other() -> None:
    used = {
        code
        for module in ROOM.parent.rglob("*.py")  # adopting, too, is about files
        if module.name != "codes.py"
        for code in re.findall(r'"(W\d{3})"', module.read_text())
    }
    assert used == set(TITLES)


def test_compiling_loads_nothing_heavy() -> None:
    program = """
import sys
import mlopsc.artifacts.draft, mlopsc.source.document, hashlib
before = set(sys.modules)
from mlopsc.workspace import apply, files, lock, plan, stale
print(*sorted(set(sys.modules) - before))
"""
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys\nsys.path[:0] = {sys.path!r}{program}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert loaded
    others = {name for name in loaded if not name.startswith("mlopsc.")}
    assert others <= {"errno"}  # built into the interpreter
