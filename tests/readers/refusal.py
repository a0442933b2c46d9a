"""What a reader says against a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Refusal:
    """A file that a reader does not accept.

    Attributes:
        path: the file, relative to the project, with ``/``.
        reader: the reader's name.
        message: what the tool said.
    """

    path: str
    reader: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reader}: {self.message}"
