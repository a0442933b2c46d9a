"""`mlopsc show`."""

from __future__ import annotations

import os
import sys
from functools import partial

import click

from mlopsc.cli.project import Stopped, compile_at, find, show


@click.command("show")
@click.argument("path", default="")
@click.option(
    "--env", "environment", default=None, help="The environment; the last one without it."
)
@click.option(
    "--format", "format_", type=click.Choice(["yaml", "json"]), default="yaml", help="How to print."
)
@click.option("--spec", default=".", help="The spec, or the folder that holds mlops.yaml.")
def command(path: str, environment: str | None, format_: str, spec: str) -> int:
    """Print what a spec says after all layers are merged, and where each value comes from.

    PATH is a key, such as models.churn.serving; without it, the whole spec is shown.

    \b
    Example: mlopsc show models.churn.serving --env production
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.review import shown

    try:
        compilation = compile_at(find(spec))
    except Stopped as stopped:
        show(stopped.diagnostics)
        return 1
    documents = compilation.document
    names = list(documents.environments)
    if environment is not None and environment not in names:
        raise click.BadParameter(
            f"there is no environment '{environment}'; there are: {', '.join(names)}",
            param_hint="--env",
        )
    document = documents.environments[environment] if environment else documents.base
    data = shown.resolved(document)
    found = shown.find(data, path)
    if isinstance(found, str):
        raise click.BadParameter(found, param_hint="PATH")
    at, node = found
    if not at:
        node = shown.chapters(data)
    if format_ == "json":
        click.echo(shown.as_json(document, at, node), nl=False)
        return 0
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    faint = partial(click.style, dim=True) if color else str
    click.echo(shown.as_yaml(document, at, node, faint), nl=False, color=color)
    return 0
