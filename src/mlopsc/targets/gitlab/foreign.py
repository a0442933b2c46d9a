"""What to do when the repository has a pipeline of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project import conventions
from mlopsc.targets.gitlab import rules

if TYPE_CHECKING:
    from mlopsc.project.model import Project

OWN_FILE = ".gitlab/mlops.yml"
"""Where our pipeline goes instead; `.gitlab/ci/` is for its parts."""


def foreign_pipeline_help(project: Project) -> str:
    """How our pipeline lives beside a `.gitlab-ci.yml` that is not ours, as text to copy.

    A job that triggers it, and not an `include`: GitLab takes `stages` and `workflow` from the
    including file, so ours would be lost.
    """
    file = OWN_FILE if project.ci.file == ".gitlab-ci.yml" else project.ci.file
    ours = f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"
    return (
        f"keep it, and give ours a file of its own:\n"
        f"\n"
        f"  ci:\n"
        f"    file: {file}\n"
        f"\n"
        f"then add this job to .gitlab-ci.yml (an `include` would lose our stages):\n"
        f"\n"
        f"  mlops:\n"
        f"    rules:\n"
        f'      - if: $CI_PIPELINE_SOURCE == "merge_request_event"\n'
        f'      - if: {rules.DEFAULT_BRANCH} && ($CI_PIPELINE_SOURCE == "push" || {ours})\n'
        f"    trigger:\n"
        f"      include:\n"
        f"        - local: {file}\n"
        f"      strategy: depend\n"
        f"      forward:\n"
        f"        pipeline_variables: true\n"
    )
