"""Documents for the tests of the spec room: from text, and from data that need not be YAML."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.source.document import Document, Source
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.parse import parse_spec

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.spec.root import Spec

EXAMPLES = sorted(FilePath(__file__).parents[2].glob("examples/*/mlops.yaml"))

SMALLEST = """\
apiVersion: mlopsc/v1
project: flights
sources:
  flights:
    parquet: data/flights.parquet
    timestamp: time_hour
    columns:
      carrier: string
      distance: {type: float32, min: 0}
      arr_delay: {type: float32, nulls: 5%, known_after: 1d}
models:
  delay:
    task: regression
    target: flights:arr_delay
    features: [flights:carrier, flights:distance]
    training: {command: python src/train.py}
    evaluation: {metrics: {mae: {max: 30}}}
"""

FULL = (FilePath(__file__).parent / "full.yaml").read_text(encoding="utf-8")
"""The language at full stretch: every key once, also those of later releases."""


def document(text: str) -> Document:
    """The document of a YAML text."""
    return read_yaml(Source("mlops.yaml", text))


def parsed(text: str) -> Spec:
    """The spec of a YAML text."""
    return parse_spec(document(text))


def findings(text: str) -> tuple[Finding, ...]:
    """What is wrong with a YAML text; empty if nothing is."""
    try:
        parsed(text)
    except Rejected as rejected:
        return rejected.findings
    return ()


def said(text: str) -> list[tuple[str, str]]:
    """Code and dotted path of all findings, in their order."""
    return [(finding.code, dotted(finding.at)) for finding in findings(text)]


def only(text: str) -> Finding:
    """The one thing that is wrong with a text."""
    (finding,) = findings(text)
    return finding


def dotted(path: Any) -> str:
    return ".".join(str(step) for step in path)


def document_of(data: dict[str, Any]) -> Document:
    """A document of any plain data, a line a node."""
    values: dict[Path, Place] = {}
    keys: dict[Path, Place] = {}

    def take(node: Any, path: Path) -> None:
        values[path] = Place("mlops.yaml", len(values) + 1, 1, 2)
        if isinstance(node, dict):
            for key, value in node.items():
                keys[(*path, key)] = Place("mlops.yaml", len(values) + 1, 1, 2)
                take(value, (*path, key))
        elif isinstance(node, list):
            for position, item in enumerate(node):
                take(item, (*path, position))

    take(data, ())
    return Document(data, values, keys, {}, {"mlops.yaml": ""})
