"""What the spec adds in GitLab's own words: `ci.jobs`, `ci.include`, and the stages they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project.conventions import decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Project

BEFORE: Final = ("build", "test")
AFTER: Final = ("deploy",)
"""The stages of a pipeline that names none: what included files take for granted.

Source: docs.gitlab.com/ci/yaml/#stages.
"""
_UNNAMED: Final = "test"  # the stage of a job that names none: docs.gitlab.com/ci/yaml/#stage
_PREDEFINED: Final = (".pre", ".post")


def jobs(project: Project) -> Iterator[tuple[str, Body]]:
    """The jobs as they are, each line traced to its own."""
    for name, job in project.ci.jobs.items():
        yield name, _as_written(job, project.ci.at("jobs", name))


def includes(project: Project) -> list[Body]:
    """What is included beside our own parts; before them, so that they cannot be overridden by it."""
    return [_as_written(inclusion.entry, inclusion.origin) for inclusion in project.ci.include]


def _as_written(value: Body, at: Path) -> Body:
    """A value of the spec, with every part of it traced to where it stands."""
    if isinstance(value, Mapping):
        value = {key: _as_written(part, (*at, key)) for key, part in value.items()}
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = [_as_written(part, (*at, position)) for position, part in enumerate(value)]
    return traced(value, at)


def stages(project: Project, ours: Sequence[str]) -> list[Body]:
    """Our stages and those that own jobs or included files are in.

    Tests come right after `check`, so that they are through before anything is trained; what GitLab
    calls `deploy` comes after our own deployment. A stage of no such name is put before ours, too.
    """
    named = _named(project)
    if project.ci.include:
        named = dict.fromkeys((*BEFORE, *AFTER), project.ci.at("include")) | named
    wanted = [stage for stage in named if stage not in (*ours, *_PREDEFINED)]
    before: list[str] = [stage for stage in BEFORE if stage in wanted]
    before += [stage for stage in wanted if stage not in (*BEFORE, *AFTER)]
    after = [stage for stage in AFTER if stage in wanted]
    order = [ours[0], *before, *ours[1:-1], *after, ours[-1]]
    return [
        traced(stage, named[stage], decision("gitlab_own_stages")) if stage in wanted else stage
        for stage in order
    ]


def _named(project: Project) -> dict[str, Path]:
    """The stages of own jobs, in their order, and what names them."""
    found: dict[str, Path] = {}
    for name, job in project.ci.jobs.items():
        at = project.ci.at("jobs", name)
        stage = job.get("stage")
        if isinstance(stage, str):
            found.setdefault(stage, (*at, "stage"))
        elif not name.startswith("."):  # it may inherit one: an empty stage is not shown
            found.setdefault(_UNNAMED, at)
    return found
