"""What the programs write for people and for GitLab: tables, JUnit, OpenMetrics, dotenv, JSON."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from mlops.places import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Outcome = Literal["passed", "failed", "warning", "info", "not judged"]


@dataclass(frozen=True)
class Case:
    """One thing examined: a line of the table, a test case of the JUnit report.

    `failed` decides the exit code; `warning` and `info` did not hold but are only reported;
    `not judged` could not be decided, for the reason in `note`.
    """

    name: str
    outcome: Outcome
    value: str = ""
    wanted: str = ""
    note: str = ""
    spec: str = ""


def outcome_of(severity: str, *, holds: bool) -> Outcome:
    """What a bound or an expectation of this severity comes to."""
    if holds:
        return "passed"
    return "warning" if severity == "warning" else "info" if severity == "info" else "failed"


def as_data(cases: Sequence[Case]) -> list[dict[str, str]]:
    """The cases for a JSON report."""
    return [
        {
            "what": case.name,
            "outcome": case.outcome,
            "found": case.value,
            "wanted": case.wanted,
            "note": case.note,
            "spec": case.spec,
        }
        for case in cases
    ]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in plain text, columns as wide as their longest cell."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    for number, line in enumerate(lines):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
        if number == 0:
            print("  ".join("-" * width for width in widths))


def print_cases(cases: Sequence[Case]) -> None:
    """All cases as a table, in the order in which they were examined."""
    rows = [
        (
            case.outcome,
            case.name,
            case.value,
            case.wanted,
            " ".join(filter(None, (case.note, _asking(case)))),
        )
        for case in cases
    ]
    print_table(("outcome", "what", "found", "wanted", "note, spec line"), rows)


def _asking(case: Case) -> str:
    return named(case.spec) if case.spec else ""


def write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """A JUnit report; what was not judged is skipped, a warning is a passed case with output."""
    root = ET.Element(
        "testsuite",
        name=_xml(suite),
        tests=str(len(cases)),
        failures=str(sum(case.outcome == "failed" for case in cases)),
        errors="0",
        skipped=str(sum(case.outcome == "not judged" for case in cases)),
    )
    for case in cases:
        element = ET.SubElement(root, "testcase", name=_xml(case.name), classname=_xml(suite))
        text = _xml(
            f"found {case.value or 'nothing'}, wanted {case.wanted or 'nothing'}. {case.note} {_asking(case)}"
        )
        if case.outcome == "failed":
            ET.SubElement(element, "failure", message=text).text = text
        elif case.outcome == "not judged":
            ET.SubElement(element, "skipped", message=text)
        elif case.outcome != "passed":
            ET.SubElement(element, "system-out").text = f"{case.outcome}: {text}"
    suites = ET.Element("testsuites")
    suites.append(root)
    document = ET.ElementTree(suites)
    ET.indent(document)
    with replaced(path) as temporary:
        document.write(temporary, encoding="utf-8", xml_declaration=True)


def _xml(text: str) -> str:
    """Data may hold control characters, which no XML 1.0 document can."""
    return "".join(sign if sign >= " " or sign in "\t\n" else "�" for sign in text)


def write_openmetrics(
    path: Path, name: str, samples: Sequence[tuple[Mapping[str, str], float]]
) -> None:
    """Gauges in the OpenMetrics text format, which GitLab's metrics report reads."""
    lines = [f"# TYPE {name} gauge"]
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inner}}} {value!r}")
    _write(path, "\n".join([*lines, "# EOF", ""]))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write_dotenv(path: Path, values: Mapping[str, str]) -> None:
    """Variables for the jobs that follow, in the form of GitLab's dotenv report."""
    _write(path, "".join(f"{key}={value}\n" for key, value in values.items()))


def write_json(path: Path, data: object) -> None:
    """Data that another program reads."""
    _write(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of `path` when all went well, and leaves it if not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def number(value: float) -> str:
    """A figure for people: six significant digits, without noise at the end."""
    return f"{value:.6g}"
