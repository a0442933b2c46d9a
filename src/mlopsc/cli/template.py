"""`mlopsc template`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import find, placed, show

if TYPE_CHECKING:
    from mlopsc.cli.project import Place


@click.command("template")
@click.argument("name", required=False)
@click.option(
    "--take", metavar="DIR", help="Write a copy to change, and one to compare with, there."
)
@click.option("--diff", is_flag=True, help="What changed in ours since the project took its copy.")
@click.option("--spec", default=".", help="The spec or its folder.")
def command(name: str | None, take: str | None, diff: bool, spec: str) -> int:
    """Print one of our templates, for a project to put its own in its place; or list them.

    \b
    Example: mlopsc template docker/job.Dockerfile.j2 --take templates
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.extending.own_templates import our_template, template_names

    if name is None:
        click.echo("\n".join(template_names()))
        return 0
    ours = our_template(name)
    if ours is None:
        from mlopsc.source.suggest import closest

        near = closest(name, template_names())
        raise click.BadParameter(
            f"there is no template '{name}'; " + (f"did you mean '{near}'?" if near else _LISTED),
            param_hint="NAME",
        )
    try:
        if take is not None:
            return _take(find(spec), name, ours, take)
        if diff:
            return _show_difference(find(spec), name, ours)
    except Rejected as rejected:
        show(placed(rejected.findings))
        return 1
    click.echo(ours, nl=False)
    return 0


_LISTED = "`mlopsc template` lists them"


def _take(place: Place, name: str, ours: str, folder: str) -> int:
    """Write two copies, both new, and say what the spec needs to name them."""
    inside = os.path.normpath(folder).replace(os.sep, "/")
    if inside.startswith(("/", "..")):
        raise click.BadParameter("name a folder inside the project", param_hint="--take")
    file = name.rpartition("/")[2]
    prefix = "" if inside == "." else f"{inside}/"
    copies = {"file": f"{prefix}{file}", "base": f"{prefix}base/{file}"}
    paths = {key: os.path.join(place.root, copy) for key, copy in copies.items()}  # noqa: PTH118
    for key, path in paths.items():
        if os.path.lexists(path):
            click.echo(f"{copies[key]} exists: nothing is written over", err=True)
            return 1
    for path in paths.values():
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "x", encoding="utf-8", newline="\n") as copy:  # noqa: PTH123
            copy.write(ours)
    click.echo(
        f"change {copies['file']}, leave {copies['base']} as it is, and write into {place.name}:"
    )
    click.echo(f"\ntemplates:\n  {name}: {{file: {copies['file']}, base: {copies['base']}}}")
    return 0


def _show_difference(place: Place, name: str, ours: str) -> int:
    from difflib import unified_diff

    from mlopsc.cli.project import Stopped, compile_at
    from mlopsc.source.encoding import decode
    from mlopsc.workspace.files import read_bytes

    try:
        templates = compile_at(place).project.templates
    except Stopped as stopped:
        show(stopped.diagnostics)
        return 1
    taken = next((each for each in templates if each.name == name), None)
    if taken is None:
        raise click.BadParameter(
            f"the project has no template of its own in place of '{name}'", param_hint="NAME"
        )
    base = decode(taken.base, read_bytes(place.root, taken.base)).text.replace("\r\n", "\n")
    lines = unified_diff(
        base.splitlines(keepends=True), ours.splitlines(keepends=True), taken.base, name
    )
    click.echo("".join(lines), nl=False)
    return 0
