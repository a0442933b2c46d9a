"""`endpoints`: one address over several models."""

from typing import Annotated

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import HttpHeader, Maybe, Name, Several, Share


class Flag(Chapter):
    """A header the caller sets to be answered by another model."""

    header: HttpHeader = Field(description="The header's name.", examples=["x-churn-light"])
    to: Name = Field(description="The model that answers then.", examples=["churn_light"])


class Endpoint(Chapter):
    """One address over several models."""

    split: Annotated[dict[Name, Share], Field(min_length=1)] = Field(
        description="Which model answers which share of the requests.",
        examples=[{"churn_light": "50%", "churn_tree": "50%"}],
    )
    mirror: dict[Name, Share] = Field(
        default={},
        description="Models that get a copy of a share of the requests; their answers are logged,"
        " not returned.",
        examples=[{"churn_light": "5%"}],
    )
    flag: Maybe[Flag] = Field(
        default=None,
        description="A header that chooses a model; without it, none does.",
        examples=[{"header": "x-churn-light", "to": "churn_light"}],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )
