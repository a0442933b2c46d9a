"""`mlopsc why`."""

from __future__ import annotations

import click

from mlopsc.cli.project import Stopped, compile_at, find, path_in, show, spec_above


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
    place = find(spec or spec_above(file))
    try:
        compilation = compile_at(place)
    except Stopped as stopped:
        show(stopped.diagnostics)
        return 1
    path = path_in(place, file)
    answer = explain(compilation, path, int(number))
    if answer is None:
        click.echo(f"{path} is not a file this spec compiles to", err=True)
        return 1
    click.echo(answer, nl=False)
    return 0
