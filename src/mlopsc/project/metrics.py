"""The metrics the gate computes by itself, by task, and which way each is better.

The programs hold the computations (`mlops/metrics.py` in a project); a test compares the two tables.
A metric that is not here is one of the user's own, read from metrics.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlopsc.project.model import Task

HIGHER: Final = True
LOWER: Final = False
NEITHER: Final = None

_CLASSIFICATION: Final[dict[str, bool | None]] = {
    "accuracy": HIGHER,
    "balanced_accuracy": HIGHER,
    "precision": HIGHER,
    "recall": HIGHER,
    "f1": HIGHER,
    "mcc": HIGHER,
    "auc": HIGHER,
    "average_precision": HIGHER,
    "log_loss": LOWER,
    "brier": LOWER,
    "selection_rate": NEITHER,
    "true_positive_rate": HIGHER,
    "false_positive_rate": LOWER,
}
_REGRESSION: Final[dict[str, bool | None]] = {
    "mae": LOWER,
    "mse": LOWER,
    "rmse": LOWER,
    "median_ae": LOWER,
    "max_error": LOWER,
    "mape": LOWER,
    "smape": LOWER,
    "wape": LOWER,
    "r2": HIGHER,
    "mean_error": NEITHER,
}
METRICS: Final[dict[Task, dict[str, bool | None]]] = {
    "classification": _CLASSIFICATION,
    "regression": _REGRESSION,
    "forecasting": _REGRESSION,
    "ranking": {"mrr": HIGHER},
    "custom": {},
}
"""Metric names by task, with the direction that is better."""

ALIASES: Final = {
    "roc_auc": "auc",
    "average_precision_score": "average_precision",
    "brier_score": "brier",
}
"""Other names in use for the same thing."""

_LISTS: Final = ("ndcg", "map", "precision", "recall")
"""Metrics of ranked lists, written `NAME_at_K`."""


def known(task: Task, name: str) -> bool:
    """Whether the gate computes `name` itself for a model of this task."""
    if ALIASES.get(name, name) in METRICS[task]:
        return True
    stem, _, depth = name.rpartition("_at_")
    return task == "ranking" and stem in _LISTS and depth.isdigit() and depth[0] != "0"


def tasks_of(name: str) -> tuple[Task, ...]:
    """The tasks that know a metric of this name."""
    return tuple(task for task in METRICS if known(task, name))


_FAIRNESS_RATES: Final = ("demographic_parity", "equal_opportunity", "equalized_odds")


def fairness_known(task: Task, name: str) -> bool:
    """Whether `name` compares groups: `METRIC_difference` or `METRIC_ratio` of something known."""
    stem, _, kind = name.rpartition("_")
    if kind not in ("difference", "ratio"):
        return False
    return known(task, stem) or (task == "classification" and stem in _FAIRNESS_RATES)
