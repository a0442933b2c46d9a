"""From a generated file's line to the spec's line, as ``mlopsc why`` answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.project.conventions import SPEC_FILE
from mlopsc.review.why import explain
from mlopsc.source.document import Source

if TYPE_CHECKING:
    from pathlib import Path


class Origins:
    """Where the lines of one project's files come from; the spec may change in between."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._compiled: tuple[str, Compilation | None] | None = None

    def spec_line(self, file: str, line: int) -> str | None:
        """``mlops.yaml:88``; None for a file or a line that no line of the spec decides."""
        compilation = self._compilation()
        answer = explain(compilation, file, line) if compilation is not None else None
        # "from FILE:LINE:COLUMN" of what is written; "below FILE:LINE" where a default would stand.
        found = re.search(
            r"^(?:from|  it would stand below) (\S+?:\d+)", answer or "", re.MULTILINE
        )
        return found[1] if found else None

    def _compilation(self) -> Compilation | None:
        text = (self._project / SPEC_FILE).read_text("utf-8")
        if self._compiled is None or self._compiled[0] != text:
            self._compiled = (text, _compiled(text, self._project))
        return self._compiled[1]


def _compiled(text: str, project: Path) -> Compilation | None:
    try:
        return compile_spec(Source(SPEC_FILE, text))
    except Refused:
        return None  # a spec that a stage breaks on purpose decides nothing
