"""`governance`: who agrees to a version, and what it may be used for."""

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.vocabulary import LawfulBasis, Risk
from mlopsc.spec.words import CountFromZero, Maybe, Several, Text


class Use(Chapter):
    """What a model is for."""

    for_: Several[Text] = Field(
        alias="for",
        default=(),
        description="What it is meant for.",
        examples=[["ranking of retention offers"]],
    )
    not_for: Several[Text] = Field(
        default=(), description="What it must not be used for.", examples=[["credit decisions"]]
    )


class Governance(Chapter):
    """The rules a model stands under."""

    risk: Risk = Field(
        default="minimal",
        description="How much harm it can do; decides which rules are errors.",
        examples=["high"],
    )
    approvals: CountFromZero = Field(
        default=0,
        description="How many people must agree to a version before production.",
        examples=[2],
    )
    lawful_basis: Maybe[LawfulBasis] = Field(
        default=None,
        description="The lawful basis (GDPR, article 6) for personal data as features; without"
        " it, no personal column may be one.",
        examples=["legitimate_interest"],
    )
    use: Use = Field(
        default={},
        validate_default=True,
        description="What it is for, and what not.",
        examples=[{"for": ["ranking of retention offers"], "not_for": ["credit decisions"]}],
    )
