"""How drift is measured: Evidently's methods, what their scores mean, and which columns are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.project import conventions

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model

# Evidently's documentation: https://docs.evidentlyai.com/metrics/customize_data_drift
NUMERIC_METHODS: Final = frozenset(
    {
        "ks",
        "wasserstein",
        "t_test",
        "anderson",
        "mannw",
        "cramer_von_mises",
        "ed",
        "es",
        "empirical_mmd",
    }
)
CATEGORICAL_METHODS: Final = frozenset({"chisquare", "z", "g_test", "fisher_exact", "TVD"})
P_VALUE_METHODS: Final = frozenset(
    {
        "ks", "t_test", "anderson", "mannw", "cramer_von_mises", "es", "empirical_mmd",
        "chisquare", "z", "g_test", "fisher_exact", "TVD",
    }
)  # fmt: skip
"""Methods whose score is a p-value: small means drift. The others are distances: large means drift."""

USUAL_METHOD: Final = "psi"
"""It knows numbers and categories alike, and does not call every difference significant that a large
sample can show, as a test with a p-value would."""

MIN_ROWS: Final = 500
"""Rows a drift score needs on each side. With ten bins, PSI of two samples of one distribution is about
(bins - 1) * (1/n + 1/m) on average: 0.036 at 500 rows each, well below 0.1, and 0.18 at 100, which
would pass for drift. Source: Yurdakul, "Statistical Properties of Population Stability Index", 2018."""


def usual_threshold(method: str) -> float:
    """Where a score counts as drift, by custom: 0.2 for PSI, 5 % for p-values, 0.1 for distances."""
    if method == "psi":
        return 0.2
    return 0.05 if method in P_VALUE_METHODS else 0.1


def predictions_of(model: Model) -> str:
    """Where the monitor has predictions from.

    `logged`: in today's rows. `scored`: by asking the version that runs. `none`: from nowhere.
    """
    monitoring = model.monitoring
    if monitoring is None:
        return "none"
    if any(column.name == model.prediction for column in monitoring.current.columns):
        return "logged"
    return "scored" if monitoring.performance else "none"


REPORTED_TASKS: Final = frozenset({"classification", "regression", "forecasting"})
"""Tasks that Evidently has a performance report for."""


def reports_of(model: Model) -> tuple[str, ...]:
    """The paths of a model's Evidently reports: those that are made, and no other."""
    monitoring, made = model.monitoring, []
    if monitoring is not None and monitoring.drift is not None:
        made.append(conventions.drift_report(model.name))
    if monitoring is not None and monitoring.performance and model.task in REPORTED_TASKS:
        made.append(conventions.performance_report(model.name))
    return tuple(made)


def watched_columns(model: Model) -> dict[str, Path]:
    """Each column whose drift is measured, and the spec path that brings it in.

    The features, and the prediction where there is one: it drifts when the features that matter do.
    Personal columns are left out: scores and reports do not carry them.
    """
    columns = {f.name: f.origin for f in model.features if not f.column.personal}
    if predictions_of(model) != "none" and model.task != "ranking":
        columns[model.prediction] = model.at("prediction")
    return columns
