"""`mlopsc check`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import Stopped, compile_at, find, placed, show, spec_argument

if TYPE_CHECKING:
    from mlopsc.diagnostics.diagnostic import Diagnostic

FORMATS = ("text", "json", "gitlab", "sarif", "junit")


@click.command("check")
@spec_argument
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="text for people, the others for tools.",
)
def command(spec: str, format_: str) -> int:
    """Say what is wrong with SPEC, and whether the committed files are what it compiles to.

    Also names the next rung: what one more line would add. Writes nothing. Exit 0 clean, 1 findings.

    \b
    Example: mlopsc check --format gitlab > gl-code-quality-report.json
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.diagnostics.diagnostic import rooted
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.diagnostics.printers import summary
    from mlopsc.workspace.lock import read_lock
    from mlopsc.workspace.plan import make_plan
    from mlopsc.workspace.stale import stale

    place = find(spec)
    fix = "mlopsc compile" if spec == "." else f"mlopsc compile {spec}"
    found: tuple[Diagnostic, ...]
    try:
        compilation, data = compile_at(place)
        lock = read_lock(place.root)
        plan = make_plan(compilation.artifacts(), place.root, lock, {place.name: data}, command=fix)
        found = (*compilation.diagnostics, *placed(stale(plan, fix), compilation.project))
    except Stopped as stopped:
        found = stopped.diagnostics
    except Rejected as rejected:
        found = placed(rejected.findings)
    # A merge request shows a report's files by their path from where it was made: the repository's root.
    above = "" if os.path.isabs(place.root) else os.path.normpath(place.root)  # noqa: PTH117
    show(found if format_ == "text" else rooted(found, above), format_)
    if format_ == "text":
        click.echo(summary(found) or "clean")
    return 1 if any(diagnostic.severity == "error" for diagnostic in found) else 0
