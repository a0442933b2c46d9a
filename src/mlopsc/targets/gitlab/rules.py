"""When a job runs: GitLab reads rules from the top and stops at the first that fits.

Who starts a run names what it is for: MLOPS_MODEL one model, MLOPS_TASK one task of it, and where
it matters MLOPS_ENVIRONMENT one environment. A run that names nothing is a merge request or a push,
and changed files decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions, pipelines
from mlopsc.targets.gitlab import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlopsc.diagnostics.finding import Path

Rule = dict[str, Body]
Changes: TypeAlias = "Mapping[str, tuple[Path, ...]]"
"""Patterns of files, each with what of the spec names it."""


def together(*parts: Changes) -> dict[str, tuple[Path, ...]]:
    """Each pattern once, with what names it wherever it is named: what two name goes with neither."""
    found: dict[str, tuple[Path, ...]] = {}
    for part in parts:
        for pattern, named in part.items():
            before = found.get(pattern, named)
            found[pattern] = tuple(path for path in before if path in named)
    return found


TRAIN: Final = pipelines.TRAIN
DEPLOY: Final = "deploy"
ROLLBACK: Final = "rollback"
MONITOR: Final = pipelines.MONITOR
BATCH: Final = pipelines.BATCH
MATERIALIZE: Final = pipelines.MATERIALIZE
BUILD: Final = pipelines.BUILD

MERGE_REQUEST: Final = "$CI_MERGE_REQUEST_ID"
"""Set in merge request pipelines and in the child pipelines they start."""
DEFAULT_BRANCH: Final = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
_PUSHED: Final = r"$CI_PIPELINE_SOURCE =~ /^(push|parent_pipeline)$/"
"""`parent_pipeline`: started by a trigger job of the repository's own pipeline, which passes its
changed files on."""
PUSH: Final = f"{DEFAULT_BRANCH} && {_PUSHED}"


def rule(condition: str, **settings: Body) -> Rule:
    """One rule."""
    return {"if": condition, **settings}


def changed(condition: str, files: Changes, **settings: Body) -> list[Rule]:
    """The rules for a change of any of `files`: one, unless there are more than a rule may have."""
    each = [traced(pattern, *named) if named else pattern for pattern, named in files.items()]
    return [
        {"if": condition, "changes": each[first : first + limits.CHANGES], **settings}
        for first in range(0, len(each), limits.CHANGES)
    ]


def never(condition: str) -> Rule:
    """What leaves the job out."""
    return rule(condition, when="never")


def is_(variable: str, value: str) -> str:
    """Whether a variable has that value; names of the spec need no escape."""
    return f'${variable} == "{value}"'


def named(model: str, task: str, environment: str | None = None) -> str:
    """The condition of a run started for one task of one model, and one environment."""
    parts = [is_(conventions.MODEL_VARIABLE, model), is_(conventions.TASK_VARIABLE, task)]
    if environment is not None:
        parts.append(is_(conventions.ENVIRONMENT_VARIABLE, environment))
    return " && ".join(parts)


def only_for(model: str, tasks: Iterable[str], environment: str | None = None) -> list[Rule]:
    """What leaves the job out of runs for something else."""
    other = " && ".join(
        [
            f"${conventions.TASK_VARIABLE}",
            *(f'${conventions.TASK_VARIABLE} != "{task}"' for task in tasks),
        ]
    )
    found = [never(_other(conventions.MODEL_VARIABLE, model)), never(other)]
    if environment is not None:
        found.append(never(_other(conventions.ENVIRONMENT_VARIABLE, environment)))
    return found


def _other(variable: str, value: str) -> str:
    return f'${variable} && ${variable} != "{value}"'
