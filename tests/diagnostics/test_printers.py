"""What people and tools are shown."""

from __future__ import annotations

import json
import unicodedata
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlopsc.diagnostics.diagnostic import Diagnostic, PlacedNote, locate_all, rooted
from mlopsc.diagnostics.finding import Finding, Note, Place
from mlopsc.diagnostics.printers import PRINTERS, summary, text
from mlopsc.diagnostics.snippet import underlined
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml

SPEC = """\
features:
  ratios:
    fields: [total_purchases]
models:
  churn:
    features: [customer_features:total_purchase]
"""
FINDINGS = (
    Finding(
        "R100",
        "the model 'churn' has no gate",
        ("models", "churn"),
        severity="warning",
        on_key=True,
    ),
    Finding(
        "N002",
        "features view 'customer_features' has no field 'total_purchase'",
        ("models", "churn", "features", 0),
        help="did you mean 'total_purchases'?",
        notes=(
            Note("the fields are listed", ("features", "ratios", "fields")),
            Note("a view lists its fields"),
        ),
    ),
    Finding("R900", "one more line adds an endpoint", ("models",), severity="info", on_key=True),
)


@pytest.fixture(name="diagnostics")
def fixture_diagnostics() -> tuple[Diagnostic, ...]:
    return locate_all(FINDINGS, read_yaml(Source("models/churn.yaml", SPEC)))


def test_diagnostics_come_in_the_order_of_the_text(diagnostics: tuple[Diagnostic, ...]) -> None:
    assert [diagnostic.code for diagnostic in diagnostics] == ["R900", "R100", "N002"]


def test_the_same_is_said_once() -> None:
    document = read_yaml(Source("a", "a: 1\n"))
    finding = Finding("S001", "no", ("a",))
    assert len(locate_all([finding, finding], document)) == 1


def test_a_path_without_a_document_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="without a document"):
        locate_all([Finding("S001", "no", ("a",))])


def test_text_for_people(diagnostics: tuple[Diagnostic, ...]) -> None:
    assert text(diagnostics) == (
        "info[R900]: one more line adds an endpoint\n"
        "  --> models/churn.yaml:4:1\n"
        "   |\n"
        " 4 | models:\n"
        "   | ^^^^^^\n"
        "\n"
        "warning[R100]: the model 'churn' has no gate\n"
        "  --> models/churn.yaml:5:3\n"
        "   |\n"
        " 5 |   churn:\n"
        "   |   ^^^^^\n"
        "\n"
        "error[N002]: features view 'customer_features' has no field 'total_purchase'\n"
        "  --> models/churn.yaml:6:16\n"
        "   |\n"
        " 6 |     features: [customer_features:total_purchase]\n"
        "   |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "   = help: did you mean 'total_purchases'?\n"
        "   = note: the fields are listed at models/churn.yaml:3:13\n"
        "   = note: a view lists its fields\n"
    )


def test_nothing_to_say_is_said_with_nothing() -> None:
    assert text([]) == ""
    assert summary([]) == ""


def test_the_summary_counts(diagnostics: tuple[Diagnostic, ...]) -> None:
    assert summary(diagnostics) == "1 error, 1 warning, 1 hint"
    assert summary(diagnostics * 2) == "2 errors, 2 warnings, 2 hints"


def test_colour_adds_nothing_but_colour(diagnostics: tuple[Diagnostic, ...]) -> None:
    import re

    colored = text(diagnostics, color=True)
    assert "\x1b[1;31merror[N002]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == text(diagnostics)


def test_a_line_number_of_any_width_keeps_the_bars_in_one_column() -> None:
    place = Place("a", 1234, 1, 4)
    assert text([Diagnostic("Y001", "error", "no", place, "so", (), "abc")]) == (
        "error[Y001]: no\n     --> a:1234:1\n      |\n 1234 | abc\n      | ^^^\n      = help: so\n"
    )


def test_a_hostile_text_cannot_steer_the_terminal() -> None:
    place = Place("a\x1b[2J", 1, 1, 3)
    note = PlacedNote("note\n\x9b31m")
    shown = text(
        [Diagnostic("Y003", "error", "a\nb\x1b[31m", place, "\u202eright", (note,), "\x1b]0;")]
    )
    assert not set(shown) & {"\x1b", "\x9b", "\u202e", "\r"}
    assert "a\\nb\\x1b[31m" in shown


@pytest.mark.parametrize(
    ("line", "column", "end", "source", "caret"),
    [
        ("abc", 2, 3, "abc", " ^"),
        ("abc", 4, 4, "abc", "   ^"),
        ("abc", 9, 12, "abc", "   ^"),
        ("", 1, 1, "", "^"),
        ("\tabc", 2, 5, "    abc", "    ^^^"),
        ("a\tb", 2, 3, "a    b", " ^^^^"),
        ("名前: x", 5, 6, "名前: x", "      ^"),
        ("名前", 1, 3, "名前", "^^^^"),
        ("e\u0301: x", 5, 6, "e\u0301: x", "   ^"),
        ("a\x07b", 3, 4, "a\\x07b", "     ^"),
    ],
)
def test_the_caret_stands_under_its_text(
    line: str, column: int, end: int, source: str, caret: str
) -> None:
    assert underlined(line, column, end) == (source, caret)


def cells(words: str) -> int:
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in words
    )


@given(
    st.lists(
        st.sampled_from(["a", "b", " ", "名", "e\u0301", "é", "😀", "\u200d", "0"]), max_size=400
    ),
    st.integers(0, 500),
    st.integers(1, 300),
)
def test_a_long_line_is_cut_around_the_caret(parts: list[str], before: int, width: int) -> None:
    line = "".join(parts[:before]) + "#" * width + "".join(parts[before:])
    column = len("".join(parts[:before])) + 1
    source, caret = underlined(line, column, column + width)
    start = len(caret) - len(caret.lstrip(" "))
    assert cells(source) <= 113
    assert len(caret) <= 113
    position = next(index for index in range(len(source) + 1) if cells(source[:index]) >= start
                    and source[index : index + 1] == "#")  # fmt: skip
    assert cells(source[:position]) == start
    assert source[position:].startswith("#" * (len(caret) - start))


def test_a_line_of_megabytes_is_shown_at_once() -> None:
    source, caret = underlined("x" * 10_000_000 + "y" + "z" * 10_000_000, 10_000_001, 10_000_002)
    assert source[len(caret) - 1] == "y"
    assert len(source) < 120


def test_json_has_the_stated_shape(diagnostics: tuple[Diagnostic, ...]) -> None:
    report = json.loads(PRINTERS["json"](diagnostics))
    assert report["version"] == 1
    assert report["summary"] == {"error": 1, "warning": 1, "info": 1}
    assert report["diagnostics"][2] == {
        "code": "N002",
        "severity": "error",
        "message": "features view 'customer_features' has no field 'total_purchase'",
        "file": "models/churn.yaml",
        "line": 6,
        "column": 16,
        "endColumn": 48,
        "help": "did you mean 'total_purchases'?",
        "notes": [
            {
                "message": "the fields are listed",
                "file": "models/churn.yaml",
                "line": 3,
                "column": 13,
                "endColumn": 30,
            },
            {
                "message": "a view lists its fields",
                "file": None,
                "line": None,
                "column": None,
                "endColumn": None,
            },
        ],
    }
    assert json.loads(PRINTERS["json"]([]))["diagnostics"] == []


# The keys GitLab's application asks of each issue (app/validators/json_schemas/codeclimate.json),
# tightened by what its documentation asks: severities and a path without ./ or / in front.
GITLAB_ISSUES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!\\./|/)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def test_gitlab_takes_the_code_quality_report(diagnostics: tuple[Diagnostic, ...]) -> None:
    report = json.loads(PRINTERS["gitlab"](rooted(diagnostics, "ml/churn/")))
    Draft202012Validator(GITLAB_ISSUES).validate(report)
    assert [issue["severity"] for issue in report] == ["info", "minor", "major"]
    assert report[2]["location"] == {"path": "ml/churn/models/churn.yaml", "lines": {"begin": 6}}


def test_a_fingerprint_survives_a_move_and_is_its_own() -> None:
    def prints(*lines: int) -> list[str]:
        said = [
            Diagnostic("R1", "error", "no", Place("a", line, 1, 2), None, (), "x: 1")
            for line in lines
        ]
        return [issue["fingerprint"] for issue in json.loads(PRINTERS["gitlab"](said))]

    assert prints(3) == prints(30)
    assert len(set(prints(3, 4, 5))) == 3
    assert prints(3, 4) == prints(7, 9)


def test_sarif_names_rule_level_and_region(diagnostics: tuple[Diagnostic, ...]) -> None:
    log = json.loads(PRINTERS["sarif"](diagnostics))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["N002", "R100", "R900"]
    assert [result["level"] for result in run["results"]] == ["note", "warning", "error"]
    error: dict[str, Any] = run["results"][2]
    assert run["tool"]["driver"]["rules"][error["ruleIndex"]]["id"] == error["ruleId"] == "N002"
    (location,) = error["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "models/churn.yaml"},
        "region": {"startLine": 6, "startColumn": 16, "endColumn": 48},
    }
    assert error["relatedLocations"][0]["message"] == {"text": "the fields are listed"}
    assert run["columnKind"] == "unicodeCodePoints"


def test_junit_fails_for_errors_alone(diagnostics: tuple[Diagnostic, ...]) -> None:
    suites = ET.fromstring(PRINTERS["junit"](diagnostics))
    assert (suites.get("tests"), suites.get("failures")) == ("3", "1")
    failures = suites.findall(".//failure")
    assert [failure.get("type") for failure in failures] == ["N002"]
    assert "^^^^" in (failures[0].text or "")
    clean = ET.fromstring(PRINTERS["junit"]([]))
    assert (clean.get("tests"), clean.get("failures")) == ("1", "0")


@given(st.lists(st.text(), min_size=4, max_size=4), st.sampled_from(sorted(PRINTERS)))
def test_any_words_make_a_report_that_can_be_read(words: list[str], name: str) -> None:
    code, message, file, source = words
    note = PlacedNote(message, Place(file, 2, 1, 1))
    said = [Diagnostic(code, "error", message, Place(file, 1, 1, 9), source, (note,), source)]
    report = PRINTERS[name](said)
    report.encode("utf-8")
    if name == "junit":
        ET.fromstring(report)
    elif name != "text":
        json.loads(report)
