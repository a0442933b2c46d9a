"""What commands share: the spec argument, reading it, and showing diagnostics."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from mlopsc.diagnostics.diagnostic import Diagnostic, locate_all
from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.frozen import frozen
from mlopsc.project.conventions import SPEC_FILE

if TYPE_CHECKING:
    from mlopsc.compiler import Compilation
    from mlopsc.project.model import Project

F = TypeVar("F", bound=Callable[..., object])

spec_argument = click.argument("spec", default=".", type=click.Path())


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
    if os.path.isdir(spec):  # noqa: PTH112 - pathlib costs more than the whole look
        return Place(spec, SPEC_FILE)
    root, name = os.path.split(spec)
    return Place(root or ".", name)


def compile_at(place: Place) -> tuple[Compilation, bytes]:
    """Compile the spec there; also its bytes, which the lock remembers.

    Raises:
        Stopped: it cannot be read, or it is wrong.
    """
    from mlopsc.compiler import Refused, compile_spec
    from mlopsc.source.encoding import decode
    from mlopsc.workspace.files import read_bytes

    try:
        data = read_bytes(place.root, place.name)
        source = decode(place.name, data)
    except Rejected as rejected:
        raise Stopped(locate_all(rejected.findings)) from None
    try:
        return compile_spec(source), data
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
        color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        click.echo(printers.text(diagnostics, color=color), err=True, color=color)
        return
    click.echo(printers.PRINTERS[format_](diagnostics), nl=False)
