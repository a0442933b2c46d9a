"""The record every stage speaks in: a finding, at a path of the spec or at a place in a text."""

from __future__ import annotations

from typing import Literal

from mlopsc.frozen import frozen

Path = tuple[str | int, ...]
"""Where a value stands in a spec, as keys and list positions: `("models", "churn", "target")`."""

Severity = Literal["error", "warning", "info"]
"""error: nothing is written. warning: it works, and will hurt. info: the next rung, worth knowing."""


@frozen
class Place:
    """A stretch of one line in a file; line and column count from 1, `end` is exclusive.

    `file` is the path as the project knows it: relative to the spec's folder, with `/`.
    """

    file: str
    line: int
    column: int
    end: int


@frozen
class Note:
    """A second place or thought that belongs to a finding: where the other definition stands."""

    message: str
    at: Path | Place | None = None
    on_key: bool = False


@frozen
class Finding:
    """One thing that is wrong, at a path (or, while there is no tree yet, at a place).

    Attributes:
        code: stable identifier with a page of its own, such as `N002`.
        message: what is wrong, in the user's words, in one line.
        at: the spec path it is about; the nearest existing node is shown if it is not written.
            An artifact or work-tree finding without a spec line uses a `Place`.
        help: what would be right.
        notes: further places that explain it.
        severity: see `Severity`.
        on_key: point at the key instead of at its value.
    """

    code: str
    message: str
    at: Path | Place
    help: str | None = None
    notes: tuple[Note, ...] = ()
    severity: Severity = "error"
    on_key: bool = False


class Rejected(Exception):
    """A stage cannot hand over a sound value: the user's mistakes, all of them at once."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings


def sound(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, none of which is an error.

    Raises:
        Rejected: one of them is; with all of them.
    """
    if any(finding.severity == "error" for finding in findings):
        raise Rejected(findings)
    return findings
