"""`patches`: the way out. Anything generated can be changed, kept apart and reviewed."""

from typing import Any

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import Maybe, ProjectPath


class Patch(Chapter):
    """A change to a generated file, or a file of your own beside them."""

    artifact: Maybe[ProjectPath] = Field(
        default=None,
        description="The generated file to change; without it, `create` names a new one.",
        examples=["k8s/production/churn/deployment.yaml"],
    )
    merge: Maybe[dict[str, Any]] = Field(
        default=None,
        description="What is laid over it: maps merge, lists replace, null removes; needed with"
        " `artifact`.",
        examples=[{"spec": {"template": {"spec": {"priorityClassName": "high"}}}}],
    )
    create: Maybe[ProjectPath] = Field(
        default=None,
        description="A file to add; without it, `artifact` names one to change.",
        examples=["k8s/production/churn/explainer.yaml"],
    )
    from_: Maybe[ProjectPath] = Field(
        alias="from",
        default=None,
        description="Where its text is; needed with `create`.",
        examples=["deploy/explainer.yaml"],
    )
