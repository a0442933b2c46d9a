"""`mlopsc why`."""

from __future__ import annotations

import os

import click

from mlopsc.cli.project import Stopped, compile_at, find, show


@click.command("why")
@click.argument("where", metavar="FILE:LINE")
@click.option("--spec", default=None, help="The spec or its folder; found above FILE without it.")
def command(where: str, spec: str | None) -> int:
    """Say which line of the spec, or which default of ours, decides a generated line.

    \b
    Example: mlopsc why k8s/production/delay/deployment.yaml:41
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.review.why import explain

    file, _, number = where.rpartition(":")
    if not file or not number.isdigit():
        raise click.BadParameter(
            "write FILE:LINE, such as .gitlab-ci.yml:12", param_hint="FILE:LINE"
        )
    place = find(spec or _above(file))
    try:
        compilation, _ = compile_at(place)
    except Stopped as stopped:
        show(stopped.diagnostics)
        return 1
    path = os.path.relpath(os.path.realpath(file), os.path.realpath(place.root)).replace(
        os.sep, "/"
    )
    answer = explain(compilation, path, int(number))
    if answer is None:
        click.echo(f"{path} is not a file this spec compiles to", err=True)
        return 1
    click.echo(answer, nl=False)
    return 0


def _above(file: str) -> str:
    """The nearest folder above `file` that holds a spec; the current one if none does."""
    from mlopsc.project.conventions import SPEC_FILE

    folder = os.path.dirname(os.path.realpath(file))  # noqa: PTH120
    while not os.path.exists(os.path.join(folder, SPEC_FILE)):  # noqa: PTH110, PTH118
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return "."
        folder = above
    return folder
