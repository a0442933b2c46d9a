"""Reads Evidently's report configs with the loader of its command line."""

from __future__ import annotations

import json
from pathlib import Path

from evidently.cli.report import ReportConfig
from serve import Refusals, reason, serve

KEYS = frozenset(ReportConfig.__fields__)


def read(root: Path, paths: list[str]) -> Refusals:
    return [(path, message) for path in paths if (message := _refusal(root / path))]


def _refusal(file: Path) -> str | None:
    try:
        data = json.loads(file.read_text("utf-8"))
        if not isinstance(data, dict):
            return "a report config is a JSON object"
        unknown = sorted(data.keys() - KEYS)
        if unknown:  # the loader would drop them
            return f"Evidently's ReportConfig has no {', '.join(unknown)}"
        report = ReportConfig.load(str(file)).to_report()
    except Exception as error:  # whatever the tool raises is its refusal
        return reason(error)
    if len(report.metrics) != len(data.get("metrics", ())):
        return "not every metric became part of the report"
    return _dropped(data, report)


def _dropped(data: dict, report) -> str | None:
    """Say which keys of a metric its class ignored: pydantic takes unknown ones without a word."""
    for number, (written, metric) in enumerate(zip(data["metrics"], report.metrics, strict=True)):
        unknown = sorted(written.keys() - type(metric).__fields__.keys() - {"type"})
        if unknown:
            return f"metrics.{number}: {written['type']} has no {', '.join(unknown)}"
    return None


if __name__ == "__main__":
    serve(read)
