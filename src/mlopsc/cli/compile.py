"""`mlopsc compile`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import Stopped, compile_at, find, placed, show, spec_argument
from mlopsc.diagnostics.finding import Rejected

if TYPE_CHECKING:
    from mlopsc.project.model import Project
    from mlopsc.workspace.change import Plan


@click.command("compile")
@spec_argument
@click.option("--env", "environment", metavar="ENV", help="Only the files of one environment.")
@click.option("--target", metavar="TARGET", help="Only the files of one system (`mlopsc targets`).")
@click.option("--output", metavar="DIR", help="Write there instead of beside the spec.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def command(
    spec: str, environment: str | None, target: str | None, output: str | None, dry_run: bool
) -> int:
    """Write the files that SPEC (a file, or the folder of mlops.yaml) describes.

    Only files mlopsc made are changed or removed; a second compile changes nothing.

    \b
    Example: mlopsc compile --dry-run
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.cli.selection import select
    from mlopsc.workspace.apply import apply
    from mlopsc.workspace.lock import read_lock
    from mlopsc.workspace.plan import make_plan

    place = find(spec)
    project: Project | None = None
    try:
        compilation, data = compile_at(place)
        project = compilation.project
        artifacts, partial = select(compilation, environment, target)
        root = output or place.root
        plan = make_plan(
            artifacts,
            root,
            read_lock(root),
            {place.name: data},
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
    kept = len(plan.of("keep"))
    click.echo(", ".join([*counts, f"{kept} unchanged"]))
