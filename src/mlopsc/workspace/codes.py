"""The W codes: what can be wrong with files. Each has a page of its own, docs/rules/CODE.md."""

from __future__ import annotations

from typing import Final

from mlopsc.diagnostics.finding import Finding, Place, Severity

TITLES: Final[dict[str, str]] = {
    "W001": "The file does not exist",
    "W002": "The file cannot be read",
    "W003": "Not a regular file",
    "W004": "The file is too large",
    "W005": "The file lies outside the project",
    "W006": "The file's name cannot be used",
    "W010": "mlops.lock is damaged or in conflict",
    "W020": "A generated file was edited by hand",
    "W021": "A file that mlopsc did not make is in the way",
    "W022": "A file no longer generated was edited by hand",
    "W023": "A file stands where a folder should be",
    "W024": "A folder stands where a file should be",
    "W025": "A symbolic link stands in the path of a generated file",
    "W026": "A pipe, socket or device stands where a file should be",
    "W027": "A folder cannot be written to",
    "W028": "A temporary file is in the way",
    "W030": "A generated file is missing",
    "W031": "A generated file is out of date",
    "W032": "A file is no longer generated",
    "W033": "mlops.lock is out of date",
    "W040": "The disk is full",
    "W041": "Writing is not permitted",
    "W042": "The storage failed",
    "W043": "Another compile is at work",
    "W044": "A file changed while it was being compiled",
    "W050": "The version cannot be written into the spec",
    "W051": "An edit cannot be adopted",
    "W052": "The patch cannot be written into the spec",
}


def about(code: str, path: str, message: str, help_: str, severity: Severity = "error") -> Finding:
    """A finding about the file at `path` as a whole: it points at the file's first line."""
    return Finding(code, message, Place(path, 1, 1, 1), help_, severity=severity)
