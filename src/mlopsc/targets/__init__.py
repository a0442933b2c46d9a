"""`Project` → drafts: one target system a module, all of them in one tuple.

A target is a module with a `name`, its `DECISIONS` (choices of ours that no key changes, by name, with
the reason) and `emit(project)`. It reads the project and touches nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mlopsc.targets import (
    alertmanager,
    docker,
    dvc,
    evidently,
    feast,
    gitlab,
    grafana,
    great_expectations,
    kubernetes,
    mlflow,
    programs,
    prometheus,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlopsc.artifacts.draft import Draft
    from mlopsc.project.model import Project


class Target(Protocol):
    """What a target module offers."""

    @property
    def name(self) -> str:
        """The word `--target` knows it by."""

    @property
    def DECISIONS(self) -> Mapping[str, str]:  # noqa: N802
        """Choices of ours: name → why."""

    def emit(self, project: Project) -> Iterator[Draft]:
        """The files of this system."""


TARGETS: tuple[Target, ...] = (
    gitlab,
    programs,
    kubernetes,
    docker,
    feast,
    great_expectations,
    prometheus,
    alertmanager,
    grafana,
    evidently,
    dvc,
    mlflow,
)


def drafts(project: Project) -> Iterator[tuple[str, Draft]]:
    """Every file of every target, each with the target's name."""
    for target in TARGETS:
        for draft in target.emit(project):
            yield target.name, draft
