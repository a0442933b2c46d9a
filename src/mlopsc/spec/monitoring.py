"""`monitoring`: what is looked at while a model runs, and what follows from it."""

from typing import Annotated

from pydantic import Field

from mlopsc.spec.bounds import AlertBound, QueryBound
from mlopsc.spec.chapter import Chapter
from mlopsc.spec.training import Resources
from mlopsc.spec.vocabulary import DriftMethod, Response
from mlopsc.spec.words import Duration, Maybe, Name, Phrase, Schedule


class Drift(Chapter):
    """When a column counts as drifted, and how many may."""

    method: DriftMethod = Field(
        default="psi",
        description="How a column's drift is measured: one of Evidently's methods.",
        examples=["wasserstein"],
    )
    threshold: Maybe[Annotated[float, Field(ge=0), Phrase("a number, 0 or more")]] = Field(
        default=None,
        description="Where a column's score counts as drifted; without it, 0.2 for psi, 0.05 for"
        " p-values and 0.1 for distances.",
        examples=[0.2],
    )
    share: AlertBound = Field(
        default={"max": 0.5},
        validate_default=True,
        description="How many of the columns may have drifted.",
        examples=[{"max": "30%"}],
    )


class Respond(Chapter):
    """What follows when something is wrong."""

    drift: Response = Field(
        default="alert", description="When too many columns drifted.", examples=["retrain"]
    )
    performance: Response = Field(
        default="alert", description="When a performance bound is broken.", examples=["retrain"]
    )
    slo: Response = Field(
        default="alert", description="When the error budget burns.", examples=["rollback"]
    )


class Monitoring(Chapter):
    """What is looked at while a model runs."""

    schedule: Schedule = Field(
        default="1d", description="When: a cron line or a duration.", examples=["1h"]
    )
    current: Maybe[Name] = Field(
        default=None,
        description="The source of today's rows; without it, the one `serving.log` writes.",
        examples=["churn_log"],
    )
    reference: Name = Field(
        default="training",
        description="What they are compared with: `training`, kept with the version that runs, or"
        " a source.",
        examples=["training"],
    )
    window: Duration = Field(
        default="1d", description="How many rows are looked at each time.", examples=["7d"]
    )
    drift: Maybe[Drift] = Field(
        default={},
        validate_default=True,
        description="When the rows themselves have changed.",
        examples=[{"method": "psi", "threshold": 0.2, "share": {"max": "30%"}}],
    )
    performance: dict[Name, AlertBound] = Field(
        default={},
        description="Bounds by metric, looked at once the labels are known.",
        examples=[{"auc": {"min": 0.8}}],
    )
    business: dict[Name, QueryBound] = Field(
        default={},
        description="Bounds on numbers of your own in Prometheus.",
        examples=[{"retained_revenue": {"query": "sum(retained_revenue_total)", "min": 10000}}],
    )
    respond: Respond = Field(
        default={},
        validate_default=True,
        description="What follows when something is wrong: alert, retrain or rollback.",
        examples=[{"drift": "retrain"}],
    )
    cooldown: Maybe[Duration] = Field(
        default=None,
        description="The least time between two responses; `retrain` needs it, without it there"
        " is none.",
        examples=["7d"],
    )
    resources: Resources = Field(
        default={},
        validate_default=True,
        description="What the job gets.",
        examples=[{"cpu": 1, "memory": "4Gi"}],
    )
