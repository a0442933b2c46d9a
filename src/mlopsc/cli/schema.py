"""`mlopsc schema`."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of the language, for editors and other tools.

    \b
    Example: mlopsc schema > mlops.schema.json
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.resources import read_text

    click.echo(read_text("schemas/mlops-v1.json"), nl=False)
    return 0
