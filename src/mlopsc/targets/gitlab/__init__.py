"""GitLab: the pipeline, what its API is to be told, and who owns what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.targets.gitlab import codeowners, schedules, workflow
from mlopsc.targets.gitlab.decisions import DECISIONS
from mlopsc.targets.gitlab.foreign import foreign_pipeline_help

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Draft
    from mlopsc.project.model import Project

__all__ = ["DECISIONS", "emit", "foreign_pipeline_help", "name"]

name: Final = "gitlab"


def emit(project: Project) -> Iterator[Draft]:
    """The files that GitLab reads, and the one its API is told."""
    yield from workflow.emit(project)
    yield from schedules.emit(project)
    yield from codeowners.emit(project)
