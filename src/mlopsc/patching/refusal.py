"""A patch that cannot be applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Finding

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Note, Path


class Unfitting(Exception):
    """A patch does not go onto a file; `finding` says why. The file's other patches still count."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def unfitting(
    code: str, message: str, at: Path, help_: str, *notes: Note, on_key: bool = False
) -> Unfitting:
    """The exception for one finding at a spec path."""
    return Unfitting(Finding(code, message, at, help_, notes, on_key=on_key))
