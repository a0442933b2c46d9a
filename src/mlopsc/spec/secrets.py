"""`secrets`: names, and where the value lives. A value never stands in a spec."""

from typing import ClassVar

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import Maybe, Name, SecretKey, SecretPath, Several


class SecretRef(Chapter):
    """A use of a secret, wherever a value must not be written down."""

    phrase: ClassVar[str] = "`{secret: NAME}`, a name from `secrets`"

    secret: Name = Field(description="A name from `secrets`.", examples=["redis"])


class Secret(Chapter):
    """One secret: where its value lives."""

    path: Maybe[SecretPath] = Field(
        default=None,
        description="Where the value lives in the secret store; without it, the secret's own name.",
        examples=["growth/redis"],
    )
    key: SecretKey = Field(
        default="value",
        description="Which key of that secret holds the value.",
        examples=["connection_string"],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )
