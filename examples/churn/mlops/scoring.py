"""Predictions of a registered version, for tables instead of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlops.network import retried
from mlops.outcome import CannotRun, Failed
from mlops.registry import is_away

if TYPE_CHECKING:
    from mlops.facts import ModelFacts
    from mlops.registry import Versions


def predict(versions: Versions, facts: ModelFacts, version: str, rows: pd.DataFrame) -> pd.Series:
    """The version's prediction for each row, named after the spec's `prediction`.

    Any model that MLflow can load as a Python function will do; its `predict` is given the
    features in the order of the training data and answers what belongs in the prediction column,
    or for a yes-or-no question the probabilities of no and of yes.
    """
    if facts.registry is None:
        raise CannotRun("scoring needs a model registry: add services.mlflow to mlops.yaml")
    address = f"models:/{facts.registry.name}/{version}"
    from mlflow.exceptions import MlflowException

    versions.version(version, facts.spec)
    try:
        model = retried(
            versions.what,
            lambda: versions.mlflow.pyfunc.load_model(address),
            is_away,
        )
    except (MlflowException, OSError) as error:
        raise CannotRun(
            f"{address} is no MLflow model: training must save one in model/: {error}"
        ) from None
    except ModuleNotFoundError as error:
        raise CannotRun(
            f"{address} needs the package {error.name}: score in the image that trains"
        ) from None
    given = rows[[column.name for column in facts.features.all]]
    try:
        answer = model.predict(_as_requested(given, model))
    except Exception as error:  # whatever a model raises says that it and the features do not fit
        reason = " ".join(str(error).split())
        most = 300  # models put all their rows into a message; what is wrong stands at its end
        reason = reason if len(reason) <= most else f"…{reason[-most:]}"
        raise Failed(
            f"version {version} cannot predict these rows: {type(error).__name__}: {reason}"
        ) from error
    return _as_column(answer, facts, rows)


def _as_requested(given: pd.DataFrame, model: Any) -> pd.DataFrame:
    """Whole numbers as floats where the model's signature asks for floats.

    A request's JSON knows only numbers, so a served model gets them like this; MLflow refuses to do it
    for a table.
    """
    schema = model.metadata.get_input_schema() if model.metadata else None
    if schema is None or not schema.has_input_names():
        return given
    wanted = dict(zip(schema.input_names(), schema.numpy_types(), strict=True))
    floats = {
        name: wanted[name]
        for name in given
        if name in wanted
        and pd.api.types.is_integer_dtype(given[name])
        and np.issubdtype(wanted[name], np.floating)
    }
    return given.astype(floats)


def _as_column(answer: object, facts: ModelFacts, rows: pd.DataFrame) -> pd.Series:
    name = facts.prediction
    if isinstance(answer, pd.DataFrame):
        column = name if name in answer else answer.columns[0] if len(answer.columns) == 1 else None
        if column is None:
            raise Failed(
                f"the model answers the columns {list(answer.columns)}, none of them is '{name}'"
            )
        answer = answer[column]
    values = np.asarray(answer).reshape(len(rows), -1) if len(rows) else np.empty((0, 1))
    if _is_no_and_yes(values, facts):
        values = values[:, 1:]
    if values.shape[1] != 1:
        raise Failed(f"the model answers {values.shape[1]} numbers a row, '{name}' is one")
    return pd.Series(values[:, 0], index=rows.index, name=name)


def _is_no_and_yes(values: np.ndarray, facts: ModelFacts) -> bool:
    """Whether these are both probabilities of a yes-or-no question, as `predict_proba` answers.

    That is what MLflow answers for a scikit-learn classifier saved with
    `pyfunc_predict_fn="predict_proba"`; the classes are sorted, so yes stands last.
    """
    return (
        facts.task == "classification"
        and facts.examples.label.type != "string"
        and values.shape[1] == 2
        and bool(np.allclose(values.sum(axis=1), 1))
    )
