"""`mlopsc upgrade`."""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import find, placed, show, spec_argument

if TYPE_CHECKING:
    from mlopsc.cli.project import Place
    from mlopsc.editing.upgrade import Upgraded
    from mlopsc.source.document import Source
    from mlopsc.workspace.change import Plan


@click.command("upgrade")
@spec_argument
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if there is something to do.")
def command(spec: str, yes: bool, check: bool) -> int:
    """Bring SPEC into this version of the language, so that it means what it meant.

    Shows first what changes in the spec and in the files it compiles to. Comments and all that does not
    have to change stay as they are.

    \b
    Example: mlopsc upgrade && mlopsc compile
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.diagnostics.diagnostic import locate_all
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.editing.upgrade import upgraded
    from mlopsc.source.encoding import decode
    from mlopsc.spec.versions import API_VERSION
    from mlopsc.workspace.files import read_bytes, write_spec

    place = find(spec)
    source: Source | None = None
    try:
        data = read_bytes(place.root, place.name)
        source = decode(place.name, data)
        done = upgraded(source)
        if done is None:
            return _nothing_to_do(source)
        _show_spec(source, done)
        clean = _show_files(place, done)
        if check or not _agreed(place, yes=yes):
            click.echo("nothing is written", err=True)
            return 1
        mark = "\ufeff" if data.startswith(BOM_UTF8) else ""
        write_spec(place.root, place.name, mark + done.text)
    except Rejected as rejected:
        texts = {source.name: source.text} if source else {}
        show(locate_all(rejected.findings, texts=texts))
        return 1
    click.echo(f"{place.name} is in {API_VERSION}; now run: mlopsc compile")
    return 0 if clean else 1


def _nothing_to_do(source: Source) -> int:
    from mlopsc.editing.upgrade import version_of
    from mlopsc.source.yaml import read_yaml
    from mlopsc.spec.versions import API_VERSION, OLDER_VERSIONS

    version = version_of(read_yaml(source))
    if version == API_VERSION:
        click.echo(f"{source.name} is in {API_VERSION} already")
        return 0
    said = "no apiVersion" if version is None else f"apiVersion {version!r}"
    known = ", ".join(OLDER_VERSIONS)
    click.echo(f"{source.name} has {said}; upgrade comes from: {known}", err=True)
    return 1


def _show_spec(source: Source, done: Upgraded) -> None:
    from difflib import unified_diff

    lines = unified_diff(
        source.text.splitlines(keepends=True),
        done.text.splitlines(keepends=True),
        source.name,
        f"{source.name} upgraded",
    )
    click.echo("".join(lines))
    for place, message in done.told:
        click.echo(f"{place.file}:{place.line}:{place.column}: {message}")


def _show_files(place: Place, done: Upgraded) -> bool:
    """Say what happens to the generated files; whether the upgraded spec compiles."""
    from mlopsc.compiler import Refused, compile_spec
    from mlopsc.diagnostics.finding import Rejected
    from mlopsc.source.document import Source
    from mlopsc.source.files import Inputs
    from mlopsc.workspace.folder import Folder
    from mlopsc.workspace.lock import read_lock
    from mlopsc.workspace.plan import make_plan

    inputs = Inputs(Folder(place.root))
    inputs.read_so_far[place.name] = done.text.encode()
    try:
        compilation = compile_spec(Source(place.name, done.text), inputs)
        plan = make_plan(
            compilation.artifacts(), place.root, read_lock(place.root), inputs.read_so_far
        )
    except Refused as refused:
        click.echo("\nthe upgraded spec does not compile yet:", err=True)
        show([one for one in refused.diagnostics if one.severity == "error"])
        return False
    except Rejected as rejected:
        show(placed(rejected.findings))
        return False
    click.echo("\nthe files it compiles to, beside what is there:")
    for kind in ("create", "update", "delete"):
        for change in plan.of(kind):
            click.echo(f"{kind:7} {change.path}")
    click.echo(f"{len(plan.of('keep'))} unchanged\n")
    _show_changes(place, plan)
    show(placed(plan.findings, compilation.project))
    return True


MOST_LINES = 200
"""Of the differences in generated files; more are for `git diff`, once they are compiled."""


def _show_changes(place: Place, plan: Plan) -> None:
    """What changes in the files that are there and stay."""
    from difflib import unified_diff

    from mlopsc.workspace.files import read_bytes

    shown = 0
    for change in plan.of("update"):
        new = b"" if change.content is None else change.content.read()
        texts = [
            each.decode("utf-8", "replace") for each in (read_bytes(place.root, change.path), new)
        ]
        old_lines, new_lines = (text.splitlines(keepends=True) for text in texts)
        lines = list(unified_diff(old_lines, new_lines, change.path, f"{change.path} upgraded"))
        click.echo("".join(lines[: MOST_LINES - shown]))
        shown += len(lines)
        if shown >= MOST_LINES:
            click.echo("… and more: `git diff` shows all of it after mlopsc compile\n")
            return


def _agreed(place: Place, *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        click.echo("to write without being asked: mlopsc upgrade --yes", err=True)
        return False
    return click.confirm(f"write {place.name}?")
