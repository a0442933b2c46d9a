"""`mlopsc promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import Stopped, compile_at, find, show

if TYPE_CHECKING:
    from mlopsc.project.model import Project
    from mlopsc.source.compose import Composition


@click.command("promote")
@click.argument("model")
@click.argument("version")
@click.option("--env", "environment", required=True, metavar="ENV", help="Where it is to run.")
@click.option("--spec", default=".", help="The spec or its folder.")
def command(model: str, version: str, environment: str, spec: str) -> int:
    """Write into the spec that VERSION of MODEL runs in ENV. Compile and commit are yours.

    Changes that one line and keeps every comment. To roll back, `git revert` the commit.

    \b
    Example: mlopsc promote delay 14 --env production && mlopsc compile
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.diagnostics.diagnostic import locate_all
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.source.encoding import decode
    from mlopsc.workspace.edit import set_version
    from mlopsc.workspace.files import read_bytes, write_spec

    place = find(spec)
    document: Composition | None = None
    try:
        compilation = compile_at(place)
        document = compilation.document
        _check(compilation.project, model, environment)
        name = document.base.file_of(("environments", environment, "versions", model))
        text = read_bytes(place.root, name).decode()
        changed = set_version(text, environment, model, version)
        decode(name, changed.encode())
        write_spec(place.root, name, changed)
    except Rejected as rejected:
        show(locate_all(rejected.findings, document))
        return 1
    except Stopped as stopped:
        show(stopped.diagnostics)
        return 1
    same = "already " if changed == text else ""
    click.echo(f"version {version} of {model} {same}runs in {environment}; now run: mlopsc compile")
    return 0


def _check(project: Project, model: str, environment: str) -> None:
    """Refuse names the spec does not have.

    Raises:
        BadParameter: there is no such environment, or no such model in it.
    """
    there = {each.name: [one.name for one in each.models] for each in project.environments}
    if environment not in there:
        raise click.BadParameter(
            f"there is no environment '{environment}'; there are: {', '.join(there)}",
            param_hint="--env",
        )
    known = there[environment]
    if model in known:
        return
    elsewhere = [name for name, models in there.items() if model in models]
    raise click.BadParameter(
        f"model '{model}' is in {' and '.join(elsewhere)} only, not in {environment}"
        if elsewhere
        else f"there is no model '{model}'; there are: {', '.join(known)}",
        param_hint="MODEL",
    )
