"""`evaluation`: the gate, on the test split. No version is promoted without it."""

from pydantic import Field

from mlopsc.spec.bounds import GateBound
from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import ColumnName, Name, Several


class Evaluation(Chapter):
    """What a version must show before it may be promoted."""

    metrics: dict[Name, GateBound] = Field(
        default={},
        description="Bounds by metric.",
        examples=[{"auc": {"min": 0.85, "max_worse": 0.01}}],
    )
    slices: Several[ColumnName] = Field(
        default=(),
        description="Columns in each of whose groups the bounds must hold too.",
        examples=[["customer_segment"]],
    )
    fairness: dict[ColumnName, dict[Name, GateBound]] = Field(
        default={},
        description="Bounds on differences between a column's groups; it need not be a feature.",
        examples=[{"customer_segment": {"demographic_parity_difference": {"max": 0.1}}}],
    )
