"""`mlopsc explain`."""

from __future__ import annotations

import re

import click

_CODE = re.compile(r"[YSNRAW]\d{3}", re.IGNORECASE)


@click.command("explain")
@click.argument("what", metavar="CODE|KEY")
def command(what: str) -> int:
    """Explain a code such as N002, or a key such as models.*.serving.slo.

    \b
    Example: mlopsc explain R304
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.resources import read_text
    from mlopsc.review.keys import describe

    if _CODE.fullmatch(what):
        try:
            page = read_text(f"docs/rules/{what.upper()}.md")
        except FileNotFoundError:
            click.echo(f"there is no code {what.upper()}", err=True)
            return 1
        click.echo(page, nl=False)
        return 0
    description = describe(tuple(what.strip(".").split(".")))
    if description is None:
        click.echo(
            f"the language has no key '{what}'; write it with dots, as models.*.serving.slo",
            err=True,
        )
        return 1
    click.echo(description, nl=False)
    return 0
