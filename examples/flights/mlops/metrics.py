"""What the name of a metric means: one table for the gate and the monitor.

Values are computed by scikit-learn where it has the metric. `docs/targets/programs.md` of mlopsc
lists the names; any other name is looked up in metrics.json.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlops.outcome import CannotRun, Failed, missing_package

try:
    from sklearn import metrics as sk
except ModuleNotFoundError:
    raise missing_package("scikit-learn", "computing metrics") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlops.facts import Task

DECISION_THRESHOLD = 0.5
"""A probability from here on is a yes: the usual choice, and the one scikit-learn's classifiers make."""


class Undefined(Exception):
    """The metric has no value on these rows; the message says why."""


@dataclass(frozen=True)
class Answers:
    """Truth and prediction of some rows, in the form in which metrics are computed.

    Attributes:
        truth: The labels; 0 and 1 for a yes-or-no question.
        predicted: Predicted values, or classes for a classification.
        scores: Probability of yes, or one column a class; None when only classes were predicted.
        binary: Whether this is a yes-or-no question.
        lists: For ranking: which list each row belongs to.
    """

    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None = None
    classes: tuple[Any, ...] = ()
    binary: bool = False
    lists: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def of(self, rows: np.ndarray) -> Answers:
        """The answers of some of the rows."""
        return Answers(
            self.truth[rows],
            self.predicted[rows],
            None if self.scores is None else self.scores[rows],
            self.classes,
            self.binary,
            None if self.lists is None else self.lists[rows],
        )


@dataclass(frozen=True)
class Metric:
    """How a metric is computed, and which way is better (None: neither, it is a bound on both sides)."""

    compute: Callable[[Answers], float]
    higher_is_better: bool | None


def answers(
    frame: pd.DataFrame, task: Task, label: str, prediction: str, groups: tuple[str, ...]
) -> Answers:
    """Labels and predictions of a frame, checked; Failed when they cannot be compared.

    A yes-or-no label (bool, or 0 and 1) goes with the probability of yes; other classes go with
    the class itself, and with a column `PREDICTION_CLASS` for the probability of each class when
    they are there.
    """
    if frame[prediction].isna().any():
        count = int(frame[prediction].isna().sum())
        raise Failed(f"column '{prediction}' is empty in {count} of {len(frame)} rows")
    if task == "classification":
        return _classification(frame, label, prediction)
    values = _numbers(frame[prediction], prediction)
    lists = None
    if task == "ranking":
        if not groups:
            raise CannotRun("a ranking needs the columns that make one list ('evaluation.groups')")
        lists = frame.groupby(list(groups), dropna=False, sort=False).ngroup().to_numpy()
    return Answers(_numbers(frame[label], label), values, lists=lists)


def _numbers(values: pd.Series, name: str) -> np.ndarray:
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        raise Failed(f"column '{name}' must hold numbers, not {values.dtype}")
    numbers: np.ndarray = values.to_numpy("float64")
    if not np.isfinite(numbers).all():
        raise Failed(f"column '{name}' holds {numbers[~np.isfinite(numbers)][0]}")
    return numbers


def _classification(frame: pd.DataFrame, label: str, prediction: str) -> Answers:
    truth, predicted = frame[label], frame[prediction]
    if pd.api.types.is_bool_dtype(truth) or set(truth.unique()) <= {0, 1}:
        values = _numbers(predicted, prediction)
        if values.min(initial=0) < 0 or values.max(initial=0) > 1:
            raise Failed(
                f"column '{prediction}' must hold probabilities between 0 and 1, "
                f"not {values.min():g} to {values.max():g}"
            )
        only_classes = not pd.api.types.is_float_dtype(predicted)
        return Answers(
            truth.to_numpy("int64"),
            (values >= DECISION_THRESHOLD).astype("int64"),
            None if only_classes else values,
            (0, 1),
            binary=True,
        )
    classes = tuple(sorted(set(truth.unique()) | set(predicted.unique())))
    columns = [f"{prediction}_{name}" for name in classes]
    scores = frame[columns].to_numpy("float64") if set(columns) <= set(frame.columns) else None
    return Answers(truth.to_numpy(), predicted.to_numpy(), scores, classes)


def _average(given: Answers) -> dict[str, Any]:
    """Several classes count alike; of a yes-or-no question only yes is asked about."""
    return {"average": "binary" if given.binary else "macro", "zero_division": np.nan}


def _scores(given: Answers) -> np.ndarray:
    if given.scores is None:
        raise Undefined("needs probabilities, and only classes were predicted")
    return given.scores


def _auc(given: Answers) -> float:
    scores = _scores(given)
    if len(np.unique(given.truth)) < (2 if given.binary else len(given.classes)):
        raise Undefined("not every class is among the labels")
    if given.binary:
        return float(sk.roc_auc_score(given.truth, scores))
    return float(
        sk.roc_auc_score(given.truth, scores, multi_class="ovr", labels=list(given.classes))
    )


def _average_precision(given: Answers) -> float:
    if not given.binary:
        raise Undefined("is about a yes-or-no question")
    if not given.truth.any():
        raise Undefined("no row is a yes")
    return float(sk.average_precision_score(given.truth, _scores(given)))


def _log_loss(given: Answers) -> float:
    scores = _scores(given)
    if given.binary:
        scores = np.column_stack([1 - scores, scores])
    return float(sk.log_loss(given.truth, scores, labels=list(given.classes)))


def _brier(given: Answers) -> float:
    if not given.binary:
        raise Undefined("is about a yes-or-no question")
    return float(np.mean((_scores(given) - given.truth) ** 2))


def _rate(of_truth: int | None) -> Callable[[Answers], float]:
    """Share predicted as yes among all rows, or among the rows whose label is `of_truth`."""

    def compute(given: Answers) -> float:
        if not given.binary:
            raise Undefined("is about a yes-or-no question")
        rows = given.predicted if of_truth is None else given.predicted[given.truth == of_truth]
        if not len(rows):
            raise Undefined(f"no row's label is {'yes' if of_truth else 'no'}")
        return float(rows.mean())

    return compute


def _r2(given: Answers) -> float:
    if len(np.unique(given.truth)) < 2:
        raise Undefined("all labels are equal")
    return float(sk.r2_score(given.truth, given.predicted))


def _mape(given: Answers) -> float:
    if not given.truth.all():
        raise Undefined("a label is 0, and the error is divided by the label")
    return float(sk.mean_absolute_percentage_error(given.truth, given.predicted))


def _smape(given: Answers) -> float:
    size = np.abs(given.truth) + np.abs(given.predicted)
    error = 2 * np.abs(given.truth - given.predicted)
    return float(np.mean(np.divide(error, size, out=np.zeros_like(error), where=size > 0)))


def _wape(given: Answers) -> float:
    total = np.abs(given.truth).sum()
    if not total:
        raise Undefined("all labels are 0, and the error is divided by their sum")
    return float(np.abs(given.truth - given.predicted).sum() / total)


CLASSIFICATION: Mapping[str, Metric] = {
    "accuracy": Metric(
        lambda a: float(sk.accuracy_score(a.truth, a.predicted)), higher_is_better=True
    ),
    "balanced_accuracy": Metric(
        lambda a: float(sk.balanced_accuracy_score(a.truth, a.predicted)), higher_is_better=True
    ),
    "precision": Metric(
        lambda a: float(sk.precision_score(a.truth, a.predicted, **_average(a))),
        higher_is_better=True,
    ),
    "recall": Metric(
        lambda a: float(sk.recall_score(a.truth, a.predicted, **_average(a))), higher_is_better=True
    ),
    "f1": Metric(
        lambda a: float(sk.f1_score(a.truth, a.predicted, **_average(a))), higher_is_better=True
    ),
    "mcc": Metric(
        lambda a: float(sk.matthews_corrcoef(a.truth, a.predicted)), higher_is_better=True
    ),
    "auc": Metric(_auc, higher_is_better=True),
    "average_precision": Metric(_average_precision, higher_is_better=True),
    "log_loss": Metric(_log_loss, higher_is_better=False),
    "brier": Metric(_brier, higher_is_better=False),
    "selection_rate": Metric(_rate(None), higher_is_better=None),
    "true_positive_rate": Metric(_rate(1), higher_is_better=True),
    "false_positive_rate": Metric(_rate(0), higher_is_better=False),
}
REGRESSION: Mapping[str, Metric] = {
    "mae": Metric(
        lambda a: float(sk.mean_absolute_error(a.truth, a.predicted)), higher_is_better=False
    ),
    "mse": Metric(
        lambda a: float(sk.mean_squared_error(a.truth, a.predicted)), higher_is_better=False
    ),
    "rmse": Metric(
        lambda a: float(np.sqrt(sk.mean_squared_error(a.truth, a.predicted))),
        higher_is_better=False,
    ),
    "median_ae": Metric(
        lambda a: float(sk.median_absolute_error(a.truth, a.predicted)), higher_is_better=False
    ),
    "max_error": Metric(
        lambda a: float(sk.max_error(a.truth, a.predicted)), higher_is_better=False
    ),
    "mape": Metric(_mape, higher_is_better=False),
    "smape": Metric(_smape, higher_is_better=False),
    "wape": Metric(_wape, higher_is_better=False),
    "r2": Metric(_r2, higher_is_better=True),
    "mean_error": Metric(lambda a: float(np.mean(a.predicted - a.truth)), higher_is_better=None),
}
ALIASES = {"roc_auc": "auc", "average_precision_score": "average_precision", "brier_score": "brier"}
"""Other names in use for the same thing."""
_BY_TASK: Mapping[str, Mapping[str, Metric]] = {
    "classification": CLASSIFICATION, "regression": REGRESSION, "forecasting": REGRESSION,
    "ranking": {}, "custom": {},
}  # fmt: skip
_AT_K = re.compile(r"(ndcg|map|precision|recall)_at_([1-9][0-9]*)")


def metric(task: str, name: str) -> Metric | None:
    """The metric of this name for a task; None when the name is not one of ours."""
    if task == "ranking":
        match = _AT_K.fullmatch(name)
        if match:
            return Metric(
                _over_lists(_LIST_METRICS[match[1]], int(match[2])), higher_is_better=True
            )
        return (
            Metric(_over_lists(_reciprocal_rank, 0), higher_is_better=True)
            if name == "mrr"
            else None
        )
    return _BY_TASK[task].get(ALIASES.get(name, name))


def value(found: Metric, given: Answers) -> float:
    """The metric on these rows; Undefined when it has none."""
    if not len(given):
        raise Undefined("there are no rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scikit-learn warns of is undefined here, and said so
        try:
            result = found.compute(given)
        except ValueError as error:
            raise Undefined(str(error).splitlines()[0]) from None
    if not np.isfinite(result):
        raise Undefined("has no finite value on these rows")
    return result


def _over_lists(of_list: Callable[[np.ndarray, int], float], k: int) -> Callable[[Answers], float]:
    """The mean over the lists of a ranking that have something relevant in them."""

    def compute(given: Answers) -> float:
        if given.lists is None:
            raise Undefined("the rows belong to no lists")
        order = np.lexsort(
            (-given.predicted, given.lists)
        )  # stable: ties stay in the order of the rows
        relevance, lists = given.truth[order], given.lists[order]
        starts = np.flatnonzero(np.diff(lists, prepend=lists[0] - 1))
        rows = [ranked for ranked in np.split(relevance, starts[1:]) if (ranked > 0).any()]
        if not rows:
            raise Undefined("no list has a relevant row")
        return float(np.mean([of_list(ranked, k) for ranked in rows]))

    return compute


def _ndcg(ranked: np.ndarray, k: int) -> float:
    """Normalised discounted cumulative gain with linear gain (Järvelin and Kekäläinen, 2002)."""
    discounts = 1 / np.log2(np.arange(2, min(k, len(ranked)) + 2))
    ideal = np.sort(ranked)[::-1]
    return float((ranked[:k] * discounts).sum() / (ideal[:k] * discounts).sum())


def _average_precision_at(ranked: np.ndarray, k: int) -> float:
    hits = ranked[:k] > 0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / min((ranked > 0).sum(), k))


def _reciprocal_rank(ranked: np.ndarray, _k: int) -> float:
    return float(1 / (np.argmax(ranked > 0) + 1))


_LIST_METRICS: Mapping[str, Callable[[np.ndarray, int], float]] = {
    "ndcg": _ndcg,
    "map": _average_precision_at,
    "precision": lambda ranked, k: float((ranked[:k] > 0).sum() / k),
    "recall": lambda ranked, k: float((ranked[:k] > 0).sum() / (ranked > 0).sum()),
}

_SUFFIX = re.compile(r"(.+)_(difference|ratio)")
_FAIRNESS: Mapping[str, tuple[str, ...]] = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("true_positive_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
}
"""Named notions of fairness as the rates that should not depend on the group; the worst one counts.

Definitions: Hardt, Price and Srebro, "Equality of Opportunity in Supervised Learning", 2016; the
same as Fairlearn's functions of these names. """


def fairness(task: str, name: str) -> Callable[[list[Answers]], float] | None:
    """How far apart the groups are: `METRIC_difference` (0 is equal) or `METRIC_ratio` (1 is equal)."""
    match = _SUFFIX.fullmatch(name)
    if match is None:
        return None
    rates = [metric(task, rate) for rate in _FAIRNESS.get(match[1], (match[1],))]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None
    difference = match[2] == "difference"

    def compute(groups: list[Answers]) -> float:
        gaps = [
            _gap([value(rate, group) for group in groups], difference=difference) for rate in known
        ]
        return max(gaps) if difference else min(gaps)

    return compute


def equal_is_one(task: str, name: str) -> bool | None:
    """Whether groups are equal at 1 and worse below it, or equal at 0; None for no such measure."""
    return name.endswith("_ratio") if fairness(task, name) is not None else None


def _gap(values: list[float], *, difference: bool) -> float:
    low, high = min(values), max(values)
    if difference:
        return high - low
    return 1.0 if low == high else low / high
