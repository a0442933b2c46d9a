"""`ci`: how the pipelines fit into what is there."""

from typing import Any, Literal

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.secrets import SecretRef
from mlopsc.spec.words import Maybe, ProjectPath, Several, Text


class Ci(Chapter):
    """How the pipelines fit into what is there."""

    tags: dict[Literal["default", "gpu"], Several[Text]] = Field(
        default={},
        description="Tags of the runners: of every job, and of jobs that ask for a GPU.",
        examples=[{"default": ["docker"], "gpu": ["gpu"]}],
    )
    trigger: Maybe[SecretRef] = Field(
        default=None,
        description="The pipeline trigger token with which `respond: retrain` starts a pipeline;"
        " without it, it cannot.",
        examples=[{"secret": "trigger"}],
    )
    file: ProjectPath = Field(
        default=".gitlab-ci.yml",
        description="The pipeline's file; another path where the repository has its own.",
        examples=[".gitlab/mlops.yml"],
    )
    jobs: dict[str, dict[str, Any]] = Field(
        default={},
        description="Jobs of your own in GitLab's words, added as they are.",
        examples=[{"unit_tests": {"stage": "test", "script": ["pytest -q"]}}],
    )
