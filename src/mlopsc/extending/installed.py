"""Targets of installed packages, found by the entry point group `mlopsc.targets`.

A package is looked at because the spec names it, never because it happens to be there; and the spec
names the version, so that two machines make the same files or one of them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts.draft import CopyDraft, JsonDraft, TextDraft, YamlDraft
from mlopsc.artifacts.render import render
from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.extending.failure import PackageFailed
from mlopsc.frozen import frozen
from mlopsc.source.suggest import closest
from mlopsc.spec.vocabulary import PROJECT_PATH
from mlopsc.targets import TARGETS, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

    from mlopsc.artifacts.draft import Draft
    from mlopsc.project.model import Extension, Project

GROUP: Final = "mlopsc.targets"
_PATH: Final = re.compile(PROJECT_PATH)
_KINDS: Final = (YamlDraft, JsonDraft, TextDraft, CopyDraft)


def installed(extension: Extension) -> Target:
    """The target that `extension` asks for.

    Raises:
        Rejected: A201 to A203, A205: it is not there, or not this version of it.
        PackageFailed: it cannot be imported, or is no target.
    """
    if extension.name in {target.name for target in TARGETS}:
        raise _rejected(
            extension,
            "A205",
            f"'{extension.name}' is one of our targets",
            "name a target of the package; ours are there without being asked for",
        )
    point = _entry_point(extension)
    try:
        module = point.load()
    except (Exception, SystemExit) as error:
        raise _failed(extension, f"the target '{extension.name}' cannot be imported") from error
    _check_shape(extension, module)
    return _Installed(extension, module)


def offered() -> tuple[tuple[str, str, str], ...]:
    """Every target that an installed package offers: its name, the package, the package's version."""
    from importlib.metadata import entry_points

    return tuple(
        sorted(
            (point.name, point.dist.name, point.dist.version)
            for point in entry_points(group=GROUP)
            if point.dist is not None
        )
    )


@frozen
class _Installed:
    """A package's target; what it raises, and what it makes that cannot be, is the package's failure."""

    extension: Extension
    module: Any

    @property
    def name(self) -> str:
        return self.extension.name

    @property
    def DECISIONS(self) -> Mapping[str, str]:  # noqa: N802
        decisions: Mapping[str, str] = self.module.DECISIONS
        return decisions

    def emit(self, project: Project) -> Iterator[Draft]:
        try:
            for draft in self.module.emit(project):
                _check_draft(draft)
                render(
                    draft, self.name
                )  # what cannot be written is found while it is known whose it is
                yield draft
        except (Exception, SystemExit) as error:
            raise _failed(self.extension, f"the target '{self.name}' failed") from error


def _entry_point(extension: Extension) -> EntryPoint:
    from importlib.metadata import PackageNotFoundError, distribution

    package, wanted = extension.package, extension.version
    install = f"pip install {package}=={wanted}"
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise _rejected(
            extension,
            "A201",
            f"the package '{package}' is not installed where mlopsc runs",
            f"run: {install}",
            "package",
        ) from None
    if found.version != wanted:
        raise _rejected(
            extension,
            "A202",
            f"version {found.version} of '{package}' is installed",
            f'run: {install}; or write version: "{found.version}" and see what changes',
            "version",
        )
    points = {point.name: point for point in found.entry_points if point.group == GROUP}
    if extension.name not in points:
        near = closest(extension.name, points)
        raise _rejected(
            extension,
            "A203",
            f"'{package}' has no target '{extension.name}'",
            f"did you mean '{near}'?"
            if near
            else f"it has: {', '.join(sorted(points))}"
            if points
            else f"it has none: nothing in its entry point group `{GROUP}`",
        )
    return points[extension.name]


def _check_shape(extension: Extension, module: Any) -> None:
    decisions = getattr(module, "DECISIONS", None)
    if getattr(module, "name", None) != extension.name:
        raise _failed(extension, f"the target '{extension.name}' calls itself something else")
    if not isinstance(decisions, Mapping) or not callable(getattr(module, "emit", None)):
        raise _failed(extension, f"'{extension.name}' lacks `DECISIONS` or `emit`: it is no target")


def _check_draft(draft: object) -> None:
    if not isinstance(draft, _KINDS):
        raise TypeError(f"{draft!r} is no draft")
    if not isinstance(draft.path, str) or not _PATH.match(draft.path) or draft.path.endswith("/"):
        raise ValueError(f"{draft.path!r} is no path inside a project")
    if not isinstance(draft.origin, tuple):
        raise TypeError(f"the origin {draft.origin!r} of {draft.path} is no spec path")


def _rejected(
    extension: Extension, code: str, message: str, help_: str, key: str | None = None
) -> Rejected:
    at = extension.origin if key is None else extension.at(key)
    return Rejected((Finding(code, message, at, help_, on_key=key is None),))


def _failed(extension: Extension, message: str) -> PackageFailed:
    return PackageFailed(extension.package, extension.version, message)
