"""Prints what the proof finds: `python -m attribution examples/churn --target kubernetes`."""

from __future__ import annotations

import argparse
from pathlib import Path as File
from typing import TYPE_CHECKING

from attribution.proof import Line, Proof, Verdict
from attribution.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attribution.leaves import Leaf

SHOWN = 12
"""Lines of one kind that are printed a leaf, unless all are asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="attribution", description=__doc__)
    parser.add_argument("examples", nargs="+", metavar="FOLDER")
    parser.add_argument("--target", default="", help="only lines of this target")
    parser.add_argument("--leaf", default="", help="only leaves whose path begins so")
    parser.add_argument("--totals", action="store_true", help="no lines")
    parser.add_argument("--missed", action="store_true", help="only lines not attributed")
    parser.add_argument("--all", action="store_true", help="every line, not the first dozen a leaf")
    options = parser.parse_args()
    overall = Totals()
    for folder in options.examples:
        totals = Totals()
        proof = Proof((File(folder) / "mlops.yaml").read_text("utf-8"))
        for verdict in proof.verdicts(lambda leaf: _wanted(leaf, options.leaf)):
            totals.add(verdict)
            overall.add(verdict)
            if not options.totals:
                _show(verdict, options)
        print(f"{folder}\n{totals}")
    if len(options.examples) > 1:
        print(f"together\n{overall}")


def _wanted(leaf: Leaf, prefix: str) -> bool:
    return any(".".join(map(str, path)).startswith(prefix) for path in leaf.paths)


def _show(verdict: Verdict, options: argparse.Namespace) -> None:
    missed = [line for line in verdict.missed if options.target in ("", line.target)]
    idle = [line for line in verdict.idle if options.target in ("", line.target)]
    if options.missed:
        idle = []
    if not (missed or idle):
        return
    leaf = verdict.leaf
    print(f"{leaf.name} = {leaf.value!r} -> {', '.join(map(repr, verdict.values))}")
    limit = None if options.all else SHOWN
    _lines("changes, and is not attributed", missed, limit)
    _lines("attributed, and never changes", idle, limit)


def _lines(title: str, lines: Iterable[Line], limit: int | None) -> None:
    distinct = list({(line.path, line.text, line.new): line for line in lines}.values())
    for line in distinct[:limit]:
        where = f"{line.path}:{line.number}"
        value = f"  [{line.value!r}{', new' if line.new else ''}]" if line.value is not None else ""
        print(f"  {title}: {where}{value}\n      {line.text.strip()[:150]}")
        print(f"      <- {'; '.join('.'.join(map(str, cause)) for cause in line.causes)}")
    if limit is not None and len(distinct) > limit:
        print(f"  {title}: and {len(distinct) - limit} more")


main()
