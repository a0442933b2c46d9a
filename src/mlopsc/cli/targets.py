"""`mlopsc targets`."""

from __future__ import annotations

import click


@click.command("targets")
@click.option("--installed", is_flag=True, help="Also those that installed packages offer.")
def command(installed: bool) -> int:
    """List the systems mlopsc compiles to, by the word that `--target` takes.

    Those of packages are made where a spec asks for them, in `targets`.

    \b
    Example: mlopsc targets
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.targets import TARGETS

    told = {target.name: (target.__doc__ or "").strip().splitlines()[0] for target in TARGETS}
    if installed:
        from mlopsc.extending.installed import offered

        told |= {
            name: f'a spec asks for it with {{package: {package}, version: "{version}"}}'
            for name, package, version in offered()
            if name not in told
        }
    width = max(map(len, told))
    for name, title in told.items():
        click.echo(f"{name:{width}}  {title}")
    return 0
