"""`mlopsc compile`."""

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
from mlopsc.diagnostics.finding import Rejected
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.project.model import Project
    from mlopsc.source.files import Files
    from mlopsc.workspace.change import Plan


@click.command("compile")
@spec_argument
@click.option("--env", "environment", metavar="ENV", help="Only the files of one environment.")
@click.option("--target", metavar="TARGET", help="Only the files of one system (`mlopsc targets`).")
@click.option("--output", metavar="DIR", help="Write there instead of beside the spec.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@jobs_option
@click.option("--watch", "watched", is_flag=True, help="Compile again whenever a file is saved.")
def command(
    spec: str,
    environment: str | None,
    target: str | None,
    output: str | None,
    dry_run: bool,
    jobs: int,
    watched: bool,
) -> int:
    """Write the files that SPEC (a file, or the folder of mlops.yaml) describes.

    Only files mlopsc made are changed or removed; a second compile changes nothing. With --watch it goes on
    until Ctrl-C, and ends with the exit code of the last compile.

    \b
    Example: mlopsc compile --dry-run
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    asked = _Asked(spec, environment, target, output, dry_run, jobs)
    if not watched:
        return _compile(asked)
    from mlopsc.cli.watch import watch

    return watch(find(spec), lambda files, known: _compile(asked, files, incremental=known))


@frozen
class _Asked:
    """The options of one compile."""

    spec: str
    environment: str | None
    target: str | None
    output: str | None
    dry_run: bool
    jobs: int


def _compile(asked: _Asked, files: Files | None = None, *, incremental: bool = True) -> int:
    """Compile once and say what came of it; the exit code."""
    from mlopsc.cli.changed import compile_change, keep_compile
    from mlopsc.cli.remembering import remember_clean
    from mlopsc.cli.selection import select
    from mlopsc.workspace.apply import apply
    from mlopsc.workspace.lock import read_lock
    from mlopsc.workspace.plan import make_plan

    begun = time.time_ns()
    spec, environment, target = asked.spec, asked.environment, asked.target
    output, dry_run = asked.output, asked.dry_run
    place = find(spec)
    project: Project | None = None
    whole = not (dry_run or environment or target or output)
    try:
        change = compile_change(place, apply) if whole and incremental else None
        if change is not None:
            plan, diagnostics = change
            show([one for one in diagnostics if one.severity == "warning"])
            _report(plan, dry_run=False)
            return 0
        compilation = compile_at(place, files)
        project = compilation.project
        artifacts, partial = select(compilation, environment, target, asked.jobs)
        root = output or place.root
        plan = make_plan(
            artifacts,
            root,
            read_lock(root),
            compilation.inputs.read_so_far,
            partial=partial,
            command=f"mlopsc compile {spec}" if spec != "." else "mlopsc compile",
        )
        if not dry_run:
            apply(plan, root)
    except Rejected as rejected:
        show(placed(rejected.findings, project))
        return 1
    except Stopped as stopped:
        show(stopped.diagnostics)
        return 1
    warnings = [one for one in compilation.diagnostics if one.severity == "warning"]
    show([*warnings, *placed(plan.findings, project)])
    _report(plan, dry_run=dry_run)
    if whole:
        remember_clean(place, begun, compilation, plan)
        keep_compile(place, compilation)
    return 1 if any(finding.severity == "error" for finding in plan.findings) else 0


_VERBS = {"create": "created", "update": "updated", "delete": "deleted"}


def _report(plan: Plan, *, dry_run: bool) -> None:
    counts = []
    for kind, verb in _VERBS.items():
        changes = plan.of(kind)  # type: ignore[arg-type]
        if changes:
            counts.append(f"{len(changes)} {verb if not dry_run else f'to {kind}'}")
        if dry_run:
            for change in changes:
                click.echo(f"{kind:7} {change.path}")
    kept = len(plan.after.files) - len(plan.of("create", "update"))
    click.echo(", ".join([*counts, f"{kept} unchanged"]))
