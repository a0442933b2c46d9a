"""`mlopsc fmt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import find, placed, show, spec_argument

if TYPE_CHECKING:
    from mlopsc.diagnostics.diagnostic import Diagnostic
    from mlopsc.source.document import Source
    from mlopsc.source.files import Files


@click.command("fmt")
@spec_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is not in form.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def command(spec: str, check: bool, diff: bool) -> int:
    """Bring SPEC and the files it includes into the one form: a matter of taste, settled.

    The chapters come into the language's order, blocks are indented by two columns, texts have the quotes
    that need less, lines end without white space. Comments, blank lines, braces and what people align
    stay as they are, and so does what the spec says.

    \b
    Example: mlopsc fmt --check
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.diagnostics.diagnostic import locate_all
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.editing.form import formed
    from mlopsc.review.keys import chapters
    from mlopsc.workspace.files import write_spec
    from mlopsc.workspace.folder import Folder

    place = find(spec)
    folder = Folder(place.root)
    found: list[Diagnostic] = []
    changed = 0
    try:
        sources = _sources(place.name, folder)
        for source in sources:
            try:
                text = formed(source, chapters())
            except Rejected as rejected:
                found += locate_all(rejected.findings, texts={source.name: source.text})
                continue
            if text.encode() == folder.read(source.name):
                continue
            changed += 1
            if diff:
                click.echo(_difference(source, text), nl=False)
            elif check:
                click.echo(f"{source.name} is not in form; run: mlopsc fmt", err=True)
            else:
                write_spec(place.root, source.name, text)
                click.echo(f"brought {source.name} into form")
    except Rejected as rejected:
        found += placed(rejected.findings)
    show(found)
    same = len(sources) - changed if not found else 0
    if not found and not diff:
        then = "; now run: mlopsc compile" if changed and not check else ""
        click.echo(f"{changed} {'to change' if check else 'changed'}, {same} in form{then}")
    return 1 if found or (changed and (check or diff)) else 0


def _sources(name: str, files: Files) -> list[Source]:
    """The spec and the files it includes, as far as they can be found: `check` says what is wrong.

    Raises:
        Rejected: the spec itself cannot be read.
    """
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.source.document import Source
    from mlopsc.source.encoding import decode
    from mlopsc.source.include import gather
    from mlopsc.spec.merging import MERGING

    texts: dict[str, str] = {}
    spec = decode(name, files.read(name))
    try:
        gather(spec, files, MERGING, texts)
    except Rejected:
        texts.setdefault(spec.name, spec.text)
    return [Source(each, text) for each, text in texts.items()]


def _difference(source: Source, text: str) -> str:
    from difflib import unified_diff

    return "".join(
        unified_diff(
            source.text.splitlines(keepends=True),
            text.splitlines(keepends=True),
            source.name,
            f"{source.name} in form",
        )
    )
