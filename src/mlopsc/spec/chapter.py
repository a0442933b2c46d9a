"""What every part of a spec has in common: it is closed, frozen, and coerces nothing."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Chapter(BaseModel):
    """A mapping of the spec whose keys are known.

    No model below has a validator: what pydantic-core can check by itself can be written ahead as a
    literal (see `ahead`) and read by editors as JSON Schema. All else is a table in `groups`
    or a rule.
    """

    phrase: ClassVar[str] = "a mapping"
    """What it has to be, for a person; completes "must be …"."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=False
    )
