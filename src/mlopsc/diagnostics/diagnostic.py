"""Findings with their places looked up: what a printer needs to speak to a person or a tool."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from mlopsc.diagnostics.finding import Finding, Note, Path, Place, Severity
from mlopsc.diagnostics.lines import split_lines
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Located(Protocol):
    """What `locate` asks of a document: the place of a path, and the texts places point into."""

    @property
    def texts(self) -> Mapping[str, str]:
        """File name → text."""

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """The place of `path` or of the nearest node above it."""

    def notes(self, path: Path) -> Iterable[Note]:
        """How the value at `path` came to be: what it overrides, what was filled in."""


@frozen
class PlacedNote:
    """A note; with a place it reads as one sentence: `MESSAGE at FILE:LINE:COLUMN`."""

    message: str
    place: Place | None = None


@frozen
class Diagnostic:
    """A finding as it is shown. `source` is the line at `place`; None if its text is unknown."""

    code: str
    severity: Severity
    message: str
    place: Place
    help: str | None = None
    notes: tuple[PlacedNote, ...] = ()
    source: str | None = None


def locate(
    finding: Finding, document: Located | None = None, texts: Mapping[str, str] | None = None
) -> Diagnostic:
    """`finding` at its place. A finding at a `Place` needs no document; `texts` adds files to show.

    Raises:
        ValueError: for a finding at a path without a document to look it up in.
    """
    return _Locator(document, texts).diagnostic(finding)


def locate_all(
    findings: Iterable[Finding],
    document: Located | None = None,
    texts: Mapping[str, str] | None = None,
) -> tuple[Diagnostic, ...]:
    """All `findings` at their places, by file, line, column and code, each said once."""
    locator = _Locator(document, texts)
    diagnostics = dict.fromkeys(locator.diagnostic(finding) for finding in findings)
    return tuple(sorted(diagnostics, key=order))


class Refused(Exception):
    """The spec is wrong; `diagnostics` say all that the first stage to object had to say."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(f"{len(diagnostics)} diagnostics")
        self.diagnostics = diagnostics


def rooted(diagnostics: Iterable[Diagnostic], folder: str) -> tuple[Diagnostic, ...]:
    """The same, with files named from `folder`'s parent: reports speak of the repository's root."""
    prefix = folder.strip("/")
    if prefix in ("", "."):
        return tuple(diagnostics)

    def moved(place: Place) -> Place:
        return replace(place, file=f"{prefix}/{place.file}")

    return tuple(
        replace(
            diagnostic,
            place=moved(diagnostic.place),
            notes=tuple(
                replace(note, place=moved(note.place)) if note.place else note
                for note in diagnostic.notes
            ),
        )
        for diagnostic in diagnostics
    )


def order(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    """What diagnostics are sorted by: file, line, column, code."""
    place = diagnostic.place
    return place.file, place.line, place.column, diagnostic.code, diagnostic.message


class _Locator:
    """Looks places up, splitting each text into lines once."""

    def __init__(self, document: Located | None, texts: Mapping[str, str] | None) -> None:
        self._document = document
        self._texts = {**(document.texts if document else {}), **(texts or {})}
        self._lines: dict[str, list[str]] = {}

    def diagnostic(self, finding: Finding) -> Diagnostic:
        place = self._place(finding.at, on_key=finding.on_key)
        notes = tuple(
            PlacedNote(
                note.message,
                None if note.at is None else self._place(note.at, on_key=note.on_key),
            )
            for note in (*finding.notes, *self._origins(finding.at))
        )
        return Diagnostic(
            finding.code,
            finding.severity,
            finding.message,
            place,
            finding.help,
            notes,
            self._source(place),
        )

    def _place(self, at: Path | Place, *, on_key: bool) -> Place:
        if isinstance(at, Place):
            return at
        if self._document is None:
            raise ValueError(f"the path {at!r} cannot be placed without a document")
        return self._document.place(at, on_key=on_key)

    def _origins(self, at: Path | Place) -> Iterable[Note]:
        if self._document is None or isinstance(at, Place):
            return ()
        return self._document.notes(at)

    def _source(self, place: Place) -> str | None:
        if place.file not in self._texts:
            return None
        if place.file not in self._lines:
            self._lines[place.file] = split_lines(self._texts[place.file])
        lines = self._lines[place.file]
        return lines[place.line - 1] if place.line <= len(lines) else ""
