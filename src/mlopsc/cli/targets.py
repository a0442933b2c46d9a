"""`mlopsc targets`."""

from __future__ import annotations

import click


@click.command("targets")
def command() -> int:
    """List the systems mlopsc compiles to, by the word that `--target` takes.

    \b
    Example: mlopsc targets
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.targets import TARGETS

    width = max(len(target.name) for target in TARGETS)
    for target in TARGETS:
        title = (target.__doc__ or "").strip().splitlines()[0]
        click.echo(f"{target.name:{width}}  {title}")
    return 0
