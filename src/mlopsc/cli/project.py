"""What commands share: the spec argument, reading it, and showing diagnostics."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from mlopsc.cli.unchanged import SPEC_FILE, colored, folder_and_name
from mlopsc.diagnostics.diagnostic import Diagnostic, locate_all
from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.compiler import Compilation
    from mlopsc.project.model import Project
    from mlopsc.source.files import Files

F = TypeVar("F", bound=Callable[..., object])

spec_argument = click.argument("spec", default=".", type=click.Path())
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that make the files of a large project.",
)


class Stopped(Exception):
    """The user's mistakes, placed: a command shows them and ends with 1."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(f"{len(diagnostics)} diagnostics")
        self.diagnostics = tuple(diagnostics)


@frozen
class Place:
    """Where a project is: its folder, and the spec's name in it."""

    root: str
    name: str


def find(spec: str) -> Place:
    """A spec file, or the folder that holds `mlops.yaml`."""
    return Place(*folder_and_name(spec))


def spec_above(file: str) -> str:
    """The nearest folder above `file` that holds a spec; the current one if none does."""
    folder = os.path.dirname(os.path.realpath(file))  # noqa: PTH120
    while not os.path.exists(os.path.join(folder, SPEC_FILE)):  # noqa: PTH110, PTH118
        above = os.path.dirname(folder)  # noqa: PTH120
        if above == folder:
            return "."
        folder = above
    return folder


def path_in(place: Place, file: str) -> str:
    """The path of `file` as the project at `place` knows it: relative to its folder, with `/`."""
    relative = os.path.relpath(os.path.realpath(file), os.path.realpath(place.root))
    return relative.replace(os.sep, "/")


def compile_at(place: Place, files: Files | None = None) -> Compilation:
    """Compile the spec there; `files` is asked for what it names, in the place of the project's folder.

    Raises:
        Stopped: it cannot be read, or it is wrong.
    """
    from mlopsc.compiler import Refused, compile_spec
    from mlopsc.source.encoding import decode
    from mlopsc.source.files import Inputs
    from mlopsc.workspace.folder import Folder

    inputs = Inputs(files or Folder(place.root))
    try:
        source = decode(place.name, inputs.read(place.name))
    except Rejected as rejected:
        raise Stopped(locate_all(rejected.findings)) from None
    try:
        return compile_spec(source, inputs)
    except Refused as refused:
        raise Stopped(refused.diagnostics) from None


FOREIGN = "W021"


def placed(findings: Iterable[Finding], project: Project | None = None) -> tuple[Diagnostic, ...]:
    """Findings about files, which have their places already.

    A pipeline of the repository's own is the one foreign file there is more to say about than to
    move it away, and only the project knows what.
    """
    return locate_all(
        finding if project is None else _advised(finding, project) for finding in findings
    )


def _advised(finding: Finding, project: Project) -> Finding:
    from mlopsc.targets.gitlab import foreign_pipeline_help

    if finding.code == FOREIGN and getattr(finding.at, "file", "") == project.ci.file:
        return replace(finding, help=foreign_pipeline_help(project))
    return finding


def show(diagnostics: Sequence[Diagnostic], format_: str = "text") -> None:
    """Print diagnostics: text for people to stderr, reports for tools to stdout."""
    if format_ == "text" and not diagnostics:
        return
    from mlopsc.diagnostics import printers

    if format_ == "text":
        color = colored()
        click.echo(printers.text(diagnostics, color=color), err=True, color=color)
        return
    click.echo(printers.PRINTERS[format_](diagnostics), nl=False)
