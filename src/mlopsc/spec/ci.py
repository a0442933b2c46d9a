"""`ci`: how the pipelines fit into what is there."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.secrets import SecretRef
from mlopsc.spec.words import Maybe, Phrase, ProjectPath, Several, Text

Include: TypeAlias = Annotated[
    Text | dict[Text, Any] | Several[Any],
    Phrase("a path or an address, a mapping that says where one file is, or a list of these"),
]
"""GitLab's `include`: docs.gitlab.com/ci/yaml/#include. Rule R511 looks at the entries."""


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
    jobs: dict[Text, dict[Text, Any]] = Field(
        default={},
        description="Jobs of your own in GitLab's words, added as they are. A stage that is not ours comes"
        " before the data checks.",
        examples=[{"unit_tests": {"stage": "test", "script": ["pytest -q"]}}],
    )
    include: Include = Field(
        default=(),
        description="Pipeline files of your own or of others, in the words of GitLab's `include`.",
        examples=[[{"local": "ci/unit-tests.yml"}]],
    )
