"""`features`: views, joined to examples as of their timestamp and looked up by key when serving."""

from typing import Annotated

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.sources import ColumnEntry
from mlopsc.spec.words import (
    ColumnName,
    Duration,
    FieldReference,
    GitLabPath,
    Maybe,
    Name,
    PythonReference,
    Schedule,
    Several,
    Text,
)


class View(Chapter):
    """Columns of a source as features, or features that a function computes."""

    description: Maybe[Text] = Field(
        default=None,
        description="What it is about; without it, nothing is said.",
        examples=["Customers as the shop knows them."],
    )
    source: Maybe[Name] = Field(
        default=None,
        description="The source whose columns they are; its key columns are the view's entities."
        " Without it, `python` computes them.",
        examples=["customers"],
    )
    fields: Maybe[Annotated[Several[ColumnName], Field(min_length=1)]] = Field(
        default=None,
        description="Which columns of the source; without it, all but keys, labels and personal"
        " ones.",
        examples=[["total_purchases", "customer_segment"]],
    )
    ttl: Duration = Field(
        default="1d",
        description="How old a feature may be when it is used.",
        examples=["7d"],
    )
    materialize: Maybe[Schedule] = Field(
        default=None,
        description="When they go into the online store: a cron line or a duration; without it,"
        " batch only.",
        examples=["1h"],
    )
    python: Maybe[PythonReference] = Field(
        default=None,
        description="The function that computes them, the same in training and in serving; without"
        " it, they come from `source`.",
        examples=["src.features:ratios"],
    )
    inputs: Maybe[Annotated[Several[FieldReference], Field(min_length=1)]] = Field(
        default=None,
        description="What the function is given; needed with `python`.",
        examples=[["customer_features:total_purchases", "outcomes:open_tickets"]],
    )
    columns: Maybe[Annotated[dict[ColumnName, ColumnEntry], Field(min_length=1)]] = Field(
        default=None,
        description="What the function returns; needed with `python`.",
        examples=[{"tickets_per_purchase": "float32"}],
    )
    owner: Maybe[GitLabPath] = Field(
        default=None,
        description="The GitLab user or group who answers for it; without it, the project's.",
        examples=["growth/ml"],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )
