"""`mlopsc check`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import (
    Stopped,
    compile_at,
    find,
    jobs_option,
    placed,
    show,
    spec_argument,
)

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
@click.option(
    "--rehash",
    is_flag=True,
    help="Read every file, also those that have not changed since the last check by their times and size.",
)
@jobs_option
def command(spec: str, format_: str, rehash: bool, jobs: int) -> int:
    """Say what is wrong with SPEC, and whether the committed files are what it compiles to.

    Also names the next rung: what one more line would add. Writes nothing. Exit 0 clean, 1 findings.

    \b
    Example: mlopsc check --format gitlab > gl-code-quality-report.json
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.cli.remembering import CLEAN, remember_clean, report
    from mlopsc.cli.selection import select
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.diagnostics.printers import summary
    from mlopsc.workspace.lock import read_lock
    from mlopsc.workspace.plan import make_plan
    from mlopsc.workspace.stale import stale

    begun = time.time_ns()
    place = find(spec)
    fix = "mlopsc compile" if spec == "." else f"mlopsc compile {spec}"
    found: tuple[Diagnostic, ...]
    try:
        compilation = compile_at(place)
        artifacts, _ = select(compilation, None, None, jobs)
        lock = read_lock(place.root)
        inputs = compilation.inputs.read_so_far
        plan = make_plan(artifacts, place.root, lock, inputs, command=fix)
        standing = placed(stale(plan, fix), compilation.project)
        if not standing:
            remember_clean(place, begun, compilation, plan, format_)
        found = (*compilation.diagnostics, *standing)
    except Stopped as stopped:
        found = stopped.diagnostics
    except Rejected as rejected:
        found = placed(rejected.findings)
    if format_ == "text":
        show(found)
        click.echo(summary(found) or CLEAN)
    else:
        click.echo(report(found, format_, place.root), nl=False)
    return 1 if any(diagnostic.severity == "error" for diagnostic in found) else 0
