"""What the tests of first specs share: whether a spec passes, and the spec with its proposals taken."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from mlopsc.authoring.csv_table import describe_csv
from mlopsc.authoring.parquet_table import describe_parquet
from mlopsc.diagnostics.diagnostic import locate_all
from mlopsc.diagnostics.finding import Rejected
from mlopsc.diagnostics.printers import text
from mlopsc.project.resolve import resolve
from mlopsc.rules import check
from mlopsc.source.compose import compose
from mlopsc.source.document import Document, Source
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.merging import MERGING
from mlopsc.spec.parse import parse_spec

if TYPE_CHECKING:
    from mlopsc.authoring.facts import TableFacts
    from mlopsc.project.model import Project


def accepted(spec: str) -> Project:
    """What `spec` means; fails the test, with what `check` would print, if it has an error."""
    document: Document | None = None
    try:
        document = read_yaml(Source("mlops.yaml", spec))
        project = resolve(compose(document, MERGING).map(parse_spec))
        errors = tuple(finding for finding in check(project) if finding.severity == "error")
        if errors:
            raise Rejected(errors)
    except Rejected as rejected:
        shown = text(locate_all(rejected.findings, document, {"mlops.yaml": spec}))
        raise AssertionError(f"{shown}\n{spec}") from None
    return project


_ENTRY = re.compile(r'^(      "?\w+"?: )[^#\n]*?  # (?:.*?: )?(\{type: .*\})$', re.MULTILINE)
_BELOW = re.compile(r'^(      "?\w+"?: )[^#\n]*?  # [^\n]*:\n((?: {12,}# [^\n]*\n)+)', re.MULTILINE)


def with_proposals(spec: str) -> str:
    """The spec as it is when a person takes every proposal, by putting it in the type's place."""

    def joined(match: re.Match[str]) -> str:
        lines = [line.strip().removeprefix("#").strip() for line in match[2].splitlines()]
        return f"{match[1]}{' '.join(lines)}\n"

    return _ENTRY.sub(r"\1\2", _BELOW.sub(joined, spec))


def of_csv(text: str | bytes) -> TableFacts:
    data = text.encode() if isinstance(text, str) else text
    return describe_csv(io.BytesIO(data), "rows.csv", "data/rows.csv")


def of_parquet(data: bytes) -> TableFacts:
    return describe_parquet(io.BytesIO(data), "rows.parquet", "data/rows.parquet")
