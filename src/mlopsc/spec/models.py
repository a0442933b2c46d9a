"""`models`: what is predicted from what, how it is trained, judged, served and watched."""

from typing import Annotated

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.evaluation import Evaluation
from mlopsc.spec.governance import Governance
from mlopsc.spec.monitoring import Monitoring
from mlopsc.spec.platform import ModelPlatform
from mlopsc.spec.serving import Batch, Serving
from mlopsc.spec.training import Training
from mlopsc.spec.vocabulary import Task
from mlopsc.spec.words import (
    ColumnName,
    FieldReference,
    Files,
    GitLabPath,
    Maybe,
    Name,
    Reference,
    Several,
    Text,
    WebAddress,
)


class Model(Chapter):
    """A model: trained here, or brought as an artifact."""

    description: Maybe[Text] = Field(
        default=None,
        description="What it predicts and for whom; without it, nothing is said.",
        examples=["Which customers will leave within 30 days."],
    )
    owner: Maybe[GitLabPath] = Field(
        default=None,
        description="The GitLab user or group who answers for it; without it, the project's.",
        examples=["growth/ml"],
    )
    platform: ModelPlatform = Field(
        default={},
        validate_default=True,
        description="Where it goes another way than the project.",
        examples=[{"serving": "kserve"}],
    )
    task: Maybe[Task] = Field(
        default=None,
        description="The kind of question; without it, it follows from the target's type.",
        examples=["classification"],
    )
    target: FieldReference = Field(
        description="What it predicts, as `source:column`; that source's rows are the examples.",
        examples=["outcomes:churned"],
    )
    features: Annotated[Several[Reference], Field(min_length=1)] = Field(
        description="What it predicts from: views, `view:field`, and columns of the target's source"
        " (those come in the request).",
        examples=[["customer_features", "outcomes:open_tickets"]],
    )
    prediction: ColumnName = Field(
        default="prediction",
        description="The column of its answers in logs, reports and scores.",
        examples=["churn_probability"],
    )
    training: Maybe[Training] = Field(
        default=None,
        description="How it is trained here; without it, `artifact` says where it lies.",
        examples=[{"command": "python src/train.py"}],
    )
    artifact: Maybe[Files] = Field(
        default=None,
        description="Where a model that is not trained here lies; without it, it is trained here.",
        examples=["gs://acme-models/churn-light"],
    )
    evaluation: Maybe[Evaluation] = Field(
        default=None,
        description="The gate; without it, no version is promoted.",
        examples=[{"metrics": {"auc": {"min": 0.85}}}],
    )
    serving: Maybe[Serving] = Field(
        default=None,
        description="An address that answers; without it, there is none.",
        examples=[{}],
    )
    batch: Maybe[Batch] = Field(
        default=None,
        description="A table scored on a schedule; without it, there is none.",
        examples=[{"from": "customers", "to": "churn_scores", "schedule": "0 5 * * *"}],
    )
    monitoring: Maybe[Monitoring] = Field(
        default=None,
        description="What is looked at while it runs; without it, nothing is.",
        examples=[{"schedule": "1h", "current": "churn_log"}],
    )
    governance: Governance = Field(
        default={},
        validate_default=True,
        description="Who agrees to a version, and what it may be used for.",
        examples=[{"risk": "high", "approvals": 2}],
    )
    runbook: Maybe[WebAddress] = Field(
        default=None,
        description="A page of yours for the person who gets an alert; without it, the generated"
        " one.",
        examples=["https://wiki.example.com/churn"],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )
