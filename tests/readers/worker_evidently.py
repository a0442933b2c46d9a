"""Reads Evidently's report configs with the loader of its command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evidently.cli.report import ReportConfig
from serve import Refusals, reason, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(root: Path, paths: list[str]) -> Refusals:
    return [(path, message) for path in paths if (message := _refusal(root / path))]


def _refusal(file: Path) -> str | None:
    try:
        written = json.loads(file.read_text("utf-8"))
        config = ReportConfig.load(str(file))
        report = config.to_report()
        kept = json.loads(config.json())
    except Exception as error:  # whatever the tool raises is its refusal
        return reason(error)
    if len(report.metrics) != len(written.get("metrics", ())):
        return "not every metric became part of the report"
    return next(_lost(written, kept, ""), None)


def _lost(written: object, kept: object, where: str) -> Iterator[str]:
    """Yield what the loader did not keep: it drops keys it does not know without a word."""
    if isinstance(written, dict) and isinstance(kept, dict):
        for key, value in written.items():
            if key in kept:
                yield from _lost(value, kept[key], f"{where}.{key}")
            else:
                yield f"{where or 'the config'}: Evidently has no {key}"
    elif isinstance(written, list) and isinstance(kept, list) and len(written) == len(kept):
        for number, (value, other) in enumerate(zip(written, kept, strict=True)):
            yield from _lost(value, other, f"{where}.{number}")
    elif written != kept:
        yield f"{where}: Evidently read {written!r} as {kept!r}"


if __name__ == "__main__":
    serve(read)
