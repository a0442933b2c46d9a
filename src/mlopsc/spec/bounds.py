"""Bounds: what a number must keep to. One shape for metrics, drift, business measures and rules."""

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.vocabulary import Severity
from mlopsc.spec.words import Hold, Level, Maybe, Query, Text


class Bound(Chapter):
    """What a number must keep to. `groups.MISPLACED` says which keys mean nothing where."""

    min: Maybe[Level] = Field(
        default=None, description="At least this much; without it, no least.", examples=[0.85]
    )
    max: Maybe[Level] = Field(
        default=None, description="At most this much; without it, no most.", examples=["30%", 0.4]
    )
    max_worse: Maybe[Level] = Field(
        default=None,
        description="At most this much worse than the version in production, in the metric's own"
        " unit; without it, they are not compared.",
        examples=[0.01],
    )
    for_: Hold = Field(
        alias="for",
        default="0s",
        description="How long it must be broken before the alert.",
        examples=["10m"],
    )


class GateBound(Bound):
    """A bound that a version must keep to before it may be promoted."""

    severity: Severity = Field(
        default="critical",
        description="critical fails the gate, warning is reported, info is listed.",
        examples=["warning"],
    )


class AlertBound(Bound):
    """A bound that is watched while a model runs; an alert when it is broken."""

    severity: Severity = Field(
        default="warning",
        description="Which route of `alerts` the alert takes.",
        examples=["critical"],
    )


class QueryBound(AlertBound):
    """A bound on a PromQL expression of your own."""

    query: Query = Field(
        description="The PromQL expression; it gives one number, or one a label set.",
        examples=["sum(retained_revenue_total)"],
    )
    description: Maybe[Text] = Field(
        default=None,
        description="What the number is, for the person who gets the alert; without it, the name"
        " stands for it.",
        examples=["Revenue of customers who were offered to stay."],
    )
