"""Train a model of the arrival delay.

In: $MLOPS_DATA/train.parquet and test.parquet. Out: $MLOPS_OUT/model/ (MLflow's format), predictions.parquet
(one row for each test row, in its order) and metrics.json. Parameters are in params.yaml, beside mlops.yaml.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import yaml
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

TARGET = "arr_delay"
PREDICTION = "predicted_delay"
CATEGORIES = ["carrier"]
NUMBERS = [
    "distance",
    "departure_hour",
    "weekday",
    "departure_delay",
    "temp",
    "dewp",
    "wind_speed",
    "precip",
    "visib",
    "pressure",
]


def make_model(max_iter: int, learning_rate: float, seed: int) -> Pipeline:
    """Boosted trees: they take missing weather as it is, and carriers as numbers."""
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), CATEGORIES),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    trees = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=max_iter, learning_rate=learning_rate, random_state=seed
    )
    return make_pipeline(encode, trees)


def inputs(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns the model reads, in the types the spec gives them: serving sends the same."""
    return rows[CATEGORIES + NUMBERS]


def main() -> None:
    """Fit on train, predict test, leave what the gate reads."""
    data, out = Path(os.environ["MLOPS_DATA"]), Path(os.environ["MLOPS_OUT"])
    parameters = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["delay"]
    train, test = pd.read_parquet(data / "train.parquet"), pd.read_parquet(data / "test.parquet")
    model = make_model(parameters["max_iter"], parameters["learning_rate"], parameters["seed"])
    model.fit(inputs(train), train[TARGET])
    predicted = model.predict(inputs(test))

    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "model", ignore_errors=True)  # MLflow refuses a folder that has a model
    mlflow.sklearn.save_model(
        model,
        out / "model",
        input_example=inputs(train.head(5)),
        # MLflow's default, skops, refuses boosted trees unless each of their types is trusted by name.
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
    )
    pd.DataFrame({PREDICTION: predicted}).to_parquet(out / "predictions.parquet", index=False)
    error = float((test[TARGET] - predicted).abs().mean())
    (out / "metrics.json").write_text(json.dumps({"train_rows": len(train), "test_mae": error}))
    print(f"{len(train):,} rows, mean absolute error {error:.1f} minutes")


if __name__ == "__main__":
    main()
