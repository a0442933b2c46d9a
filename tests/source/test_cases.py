"""Every text of cases/ is refused in the words beside it; `MLOPSC_GOLDEN=1` rewrites them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from mlopsc.diagnostics.codes import TEXT_CODES
from mlopsc.diagnostics.diagnostic import locate_all
from mlopsc.diagnostics.finding import Place, Rejected
from mlopsc.diagnostics.lines import split_lines
from mlopsc.diagnostics.printers import text
from mlopsc.source.yaml import decode, read_yaml

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
JARGON = re.compile(
    r"while (?:scanning|parsing)|simple key|block (?:mapping|node)|flow |token", re.I
)


def refused(case: Path) -> tuple[Rejected, str]:
    source = decode("mlops.yaml", case.read_bytes())
    with pytest.raises(Rejected) as caught:
        read_yaml(source)
    return caught.value, source.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_broken_text_is_explained(case: Path) -> None:
    rejected, source = refused(case)
    said = text(locate_all(rejected.findings, texts={"mlops.yaml": source}))
    golden = case.with_suffix(".out")
    if os.environ.get("MLOPSC_GOLDEN"):
        golden.write_text(said, encoding="utf-8", newline="")
    assert said == golden.read_bytes().decode("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_each_finding_has_its_code_a_place_in_the_text_and_a_way_out(case: Path) -> None:
    rejected, source = refused(case)
    lines = split_lines(source)
    named = re.match(r"Y\d+", case.stem)
    if named:
        assert {finding.code for finding in rejected.findings} == {named.group()}
    for finding in rejected.findings:
        assert finding.code in TEXT_CODES
        assert finding.help
        assert not JARGON.search(f"{finding.message} {finding.help}")
        assert isinstance(finding.at, Place)
        line = lines[finding.at.line - 1]
        assert 1 <= finding.at.column <= len(line) + 1
        assert finding.at.column <= finding.at.end <= len(line) + 2


def test_every_code_of_the_parser_has_a_case() -> None:
    bytes_alone = {"Y001", "Y002", "Y004"}  # test_encoding.py
    composing = {
        code for code in TEXT_CODES if code >= "Y030"
    }  # pages of docs/rules, test_codes.py
    named = {case.stem[:4] for case in CASES}
    assert set(TEXT_CODES) - bytes_alone - composing <= named
