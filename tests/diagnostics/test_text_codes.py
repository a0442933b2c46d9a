"""Each Y code has a page, and what the page shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlopsc.diagnostics.codes import TEXT_CODES
from mlopsc.diagnostics.finding import Rejected
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml

DOCS = Path(__file__).parents[2] / "docs"
WITHOUT_EXAMPLE = {"Y001", "Y002", "Y004"}  # about bytes, not text
COMPOSING = {code for code in TEXT_CODES if code >= "Y030"}  # whole specs: tests/test_codes.py


@pytest.mark.parametrize("code", sorted(TEXT_CODES))
def test_a_code_has_its_page(code: str) -> None:
    page = (DOCS / TEXT_CODES[code].page).read_text(encoding="utf-8")
    assert page.startswith(f"# {code}: {TEXT_CODES[code].title}\n\n## What\n")
    assert "\n## Why\n" in page


@pytest.mark.parametrize("code", sorted(set(TEXT_CODES) - WITHOUT_EXAMPLE - COMPOSING))
def test_the_example_fails_and_the_other_does_not(code: str) -> None:
    page = (DOCS / TEXT_CODES[code].page).read_text(encoding="utf-8")
    fails, works = re.findall(r"```yaml\n(.*?\n)```", page, re.DOTALL)
    with pytest.raises(Rejected) as caught:
        read_yaml(Source("mlops.yaml", fails))
    assert {finding.code for finding in caught.value.findings} == {code}
    assert read_yaml(Source("mlops.yaml", works)).data


def test_no_page_is_left_behind() -> None:
    assert {page.stem for page in (DOCS / "rules").glob("Y*.md")} == set(TEXT_CODES)
