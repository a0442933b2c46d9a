"""Diagnostics as text for people and as reports for tools; each printer makes one text of them all.

Sources of the formats: GitLab docs "Code Quality report format" and "Unit test reports"; OASIS
SARIF 2.1.0. Nothing here prints: who calls decides where the text goes and whether in colour.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mlopsc import __version__
from mlopsc.diagnostics.diagnostic import Diagnostic, PlacedNote
from mlopsc.diagnostics.snippet import shown, underlined

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Place, Severity

Printer: TypeAlias = Callable[[Sequence[Diagnostic]], str]

_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_BLUE: Final = "\x1b[1;34m"
_COLORS: Final[Mapping[Severity, str]] = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "info": "\x1b[1;36m",
}


def text(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> str:
    """Each diagnostic with its line and a caret, an empty line between two; empty without any."""
    return joined(each(diagnostics, color=color))


def each(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> list[str]:
    """The text of each diagnostic, for `joined`."""
    return list(map(_Paint(color).diagnostic, diagnostics))


def joined(texts: Sequence[str]) -> str:
    """The texts of several diagnostics, an empty line between two."""
    return "\n".join(texts)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """How many there are: `2 errors, 1 warning`; empty if there is none."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    plural = {"error": "errors", "warning": "warnings", "info": "hints"}
    single = {"error": "error", "warning": "warning", "info": "hint"}
    return ", ".join(
        f"{counts[severity]} {(single if counts[severity] == 1 else plural)[severity]}"
        for severity in _COLORS
        if counts[severity]
    )


class _Paint:
    """The look of one diagnostic; without colour the same text, nothing more."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def diagnostic(self, diagnostic: Diagnostic) -> str:
        place = diagnostic.place
        number = str(place.line)
        margin = " " * (len(number) + 1)
        color = _COLORS[diagnostic.severity]
        head = self._in(color, f"{diagnostic.severity}[{diagnostic.code}]")
        lines = [
            head + self._in(_BOLD, f": {shown(diagnostic.message)}"),
            f"{margin}{self._in(_BLUE, '-->')} {shown(_spot(place))}",
        ]
        if diagnostic.source is not None and diagnostic.source.strip():
            source, caret = underlined(diagnostic.source, place.column, place.end)
            bar = self._in(_BLUE, "|")
            lines += [
                f"{margin} {bar}",
                f" {self._in(_BLUE, number)} {bar} {source}".rstrip(),
                f"{margin} {bar} {self._in(color, caret, after_spaces=True)}",
            ]
        if diagnostic.help is not None:
            # Help may be a text to copy; its further lines are indented below its first.
            first, *more = diagnostic.help.rstrip("\n").split("\n")
            lines.append(self._remark(margin, "help", first))
            lines += [f"{margin}   {shown(line)}".rstrip() for line in more]
        lines += [self._remark(margin, "note", _sentence(note)) for note in diagnostic.notes]
        return "\n".join(lines) + "\n"

    def _remark(self, margin: str, kind: str, words: str) -> str:
        return f"{margin} {self._in(_BLUE, '=')} {self._in(_BOLD, kind + ':')} {shown(words)}"

    def _in(self, color: str, words: str, *, after_spaces: bool = False) -> str:
        if not self._color:
            return words
        bare = words.lstrip(" ") if after_spaces else words
        return f"{' ' * (len(words) - len(bare))}{color}{bare}{_RESET}"


def _spot(place: Place) -> str:
    return f"{place.file}:{place.line}:{place.column}"


def _sentence(note: PlacedNote) -> str:
    return note.message if note.place is None else f"{note.message} at {_spot(note.place)}"


def json_report(diagnostics: Sequence[Diagnostic]) -> str:
    """`{"version": 1, "summary": {…}, "diagnostics": […]}`, the shape editors and scripts rely on.

    A diagnostic has `code`, `severity`, `message`, `file`, `line`, `column`, `endColumn`, `help`
    (string or null) and `notes`, each with `message` and, or null, `file`, `line`, `column`,
    `endColumn`. Lines and columns count from 1 in Unicode characters, `endColumn` is exclusive.
    Keys may be added under version 1; none is renamed, removed or given another meaning.
    """
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    report = {
        "version": 1,
        "summary": {severity: counts[severity] for severity in _COLORS},
        "diagnostics": [
            {
                "code": diagnostic.code,
                "severity": diagnostic.severity,
                "message": diagnostic.message,
                **_spread(diagnostic.place),
                "help": diagnostic.help,
                "notes": [
                    {"message": note.message, **_spread(note.place)} for note in diagnostic.notes
                ],
            }
            for diagnostic in diagnostics
        ],
    }
    return _dumped(report)


def _spread(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"file": None, "line": None, "column": None, "endColumn": None}
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "endColumn": place.end,
    }


def _dumped(report: Any) -> str:
    # ASCII: a message may quote half a surrogate pair, which no UTF-8 stream takes.
    return json.dumps(report, indent=2) + "\n"


def gitlab(diagnostics: Sequence[Diagnostic]) -> str:
    """GitLab's Code Quality report: shown in the merge request's widget and diff."""
    severities = {"error": "major", "warning": "minor", "info": "info"}
    fingerprints = _fingerprints(diagnostics)
    return _dumped(
        [
            {
                "description": _described(diagnostic),
                "check_name": diagnostic.code,
                "fingerprint": fingerprint,
                "severity": severities[diagnostic.severity],
                "location": {
                    "path": diagnostic.place.file,
                    "lines": {"begin": diagnostic.place.line},
                },
            }
            for diagnostic, fingerprint in zip(diagnostics, fingerprints, strict=True)
        ]
    )


def _described(diagnostic: Diagnostic) -> str:
    return diagnostic.message + (f" ({diagnostic.help})" if diagnostic.help else "")


def _fingerprints(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """One for each, unique, and the same while its line of text stays, wherever that moves."""
    import hashlib

    seen: Counter[tuple[str, ...]] = Counter()
    fingerprints: list[str] = []
    for diagnostic in diagnostics:
        source = (diagnostic.source or "").strip()
        identity = (diagnostic.code, diagnostic.place.file, diagnostic.message, source)
        parts = (*identity, str(seen[identity]))
        seen[identity] += 1
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace"))
        fingerprints.append(digest.hexdigest())
    return fingerprints


_SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """A SARIF 2.1.0 log with one run."""
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    index = {code: position for position, code in enumerate(codes)}
    rules = [{"id": code, "help": {"text": f"mlopsc explain {code}"}} for code in codes]
    results = [
        _sarif_result(diagnostic, index[diagnostic.code], fingerprint)
        for diagnostic, fingerprint in zip(diagnostics, _fingerprints(diagnostics), strict=True)
    ]
    driver = {"name": "mlopsc", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = (
        "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    )
    return _dumped({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _sarif_result(diagnostic: Diagnostic, rule: int, fingerprint: str) -> dict[str, Any]:
    levels = {"error": "error", "warning": "warning", "info": "note"}
    related = [
        {**_sarif_location(note.place), "message": {"text": note.message}}
        for note in diagnostic.notes
        if note.place is not None
    ]
    result = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": levels[diagnostic.severity],
        "message": {"text": _described(diagnostic)},
        "locations": [_sarif_location(diagnostic.place)],
        "partialFingerprints": {"mlopsc/v1": fingerprint},
    }
    return {**result, "relatedLocations": related} if related else result


def _sarif_location(place: Place) -> dict[str, Any]:
    from urllib.parse import quote

    region = {"startLine": place.line, "startColumn": place.column, "endColumn": place.end}
    uri = quote(place.file.encode("utf-8", "backslashreplace"), safe="/")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def junit(diagnostics: Sequence[Diagnostic]) -> str:
    """A JUnit report: errors fail, warnings and hints pass with their text; clean is one pass."""
    failures = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    cases = [_junit_case(diagnostic) for diagnostic in diagnostics]
    if not cases:
        cases = ['    <testcase classname="mlopsc" name="check"/>']
    totals = f'tests="{len(cases)}" failures="{failures}" errors="0"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="mlopsc" {totals}>',
            f'  <testsuite name="mlopsc check" {totals}>',
            *cases,
            "  </testsuite>",
            "</testsuites>",
            "",
        ]
    )


def _junit_case(diagnostic: Diagnostic) -> str:
    place = diagnostic.place
    name = f"{diagnostic.code} at {_spot(place)}"
    body = _xml(text([diagnostic]).rstrip("\n"))
    inner = (
        f'<failure type="{_xml(diagnostic.code)}" message="{_xml(shown(diagnostic.message))}">'
        f"{body}</failure>"
        if diagnostic.severity == "error"
        else f"<system-out>{body}</system-out>"
    )
    case = f'classname="{_xml(shown(place.file))}" name="{_xml(shown(name))}"'
    position = f'file="{_xml(shown(place.file))}" line="{place.line}"'
    return f"    <testcase {case} {position}>{inner}</testcase>"


_NOT_XML: Final = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""A pattern that only a report in XML pays for."""


def _xml(words: str) -> str:
    escaped = (
        words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
    return re.sub(_NOT_XML, "\ufffd", escaped)


PRINTERS: Final[Mapping[str, Printer]] = {
    "text": text,
    "json": json_report,
    "gitlab": gitlab,
    "sarif": sarif,
    "junit": junit,
}
"""What `--format` chooses from."""
