"""`--env` and `--target`: a part of what a spec compiles to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlopsc.project.conventions import environment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Artifact
    from mlopsc.compiler import Compilation


def select(
    compilation: Compilation, environment: str | None, target: str | None, jobs: int = 1
) -> tuple[Iterator[Artifact], bool]:
    """The artifacts asked for, and whether that is only a part of them; made by so many processes.

    Raises:
        click.BadParameter: there is no such environment or target.
    """
    names = tuple(each.name for each in compilation.project.environments)
    targets = tuple(each.name for each in compilation.extended.targets)
    _known(environment, names, "environment", "--env")
    _known(target, targets, "target", "--target")

    def wanted(path: str, of: str) -> bool:
        return target in (None, of) and environment in (None, environment_of(path, names))

    partial = environment is not None or target is not None
    if jobs == 1:
        return compilation.artifacts(wanted, causes=False), partial
    from mlopsc.cli.jobs import artifacts

    return artifacts(compilation, wanted, jobs), partial


def _known(name: str | None, names: tuple[str, ...], what: str, option: str) -> None:
    if name is not None and name not in names:
        raise click.BadParameter(
            f"there is no {what} '{name}'; there are: {', '.join(names)}", param_hint=option
        )
