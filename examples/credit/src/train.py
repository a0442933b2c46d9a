"""Train a model of the underwriters' approvals: a logistic regression, whose reasons can be told to an applicant.

In: $MLOPS_DATA/train.parquet, validation.parquet and test.parquet. Out: $MLOPS_OUT/model/ (MLflow's format; the
model.pkl in it is what MLServer's scikit-learn runtime loads), predictions.parquet (one row for each test row, in its
order) and metrics.json. Parameters are in params.yaml, beside mlops.yaml.

Why CLASS_WEIGHT is None. Only one application in eight is refused, and the usual advice for that is "balanced". The
gate stopped it. It ranks as well (AUC 0.779; this model 0.783), but one half is then a higher bar, and there the groups
part: 50% of the Black applicants are approved and 76% of the others, a ratio of 0.66 where the four-fifths rule asks
for 0.8; of those whom underwriters approved it is 17 points fewer, where 10 are allowed. Without weights the ratio is
0.90 and the difference 3 points. Whoever wants a higher bar has to bring it through the gate, too.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import yaml
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = "approved"
PREDICTION = "approval_probability"
FEATURES = [
    "debt_to_income",
    "housing_to_income",
    "loan_to_value",
    "consumer_credit",
    "mortgage_credit",
    "public_record",
    "self_employed",
    "condominium",
    "industry_unemployment",
]
CLASS_WEIGHT: str | None = None


def make_model(inverse_penalty: float, seed: int) -> Pipeline:
    """A penalised logistic regression of standardised features."""
    regression = LogisticRegression(C=inverse_penalty, class_weight=CLASS_WEIGHT, random_state=seed)
    return make_pipeline(StandardScaler(), regression)


def probability(model: Pipeline, rows: pd.DataFrame) -> pd.Series:
    """How likely an approval is, for each row."""
    yes = list(model.classes_).index(True)
    return pd.Series(model.predict_proba(rows[FEATURES])[:, yes], name=PREDICTION)


def main() -> None:
    """Fit on train, predict test, leave what the gate reads."""
    data, out = Path(os.environ["MLOPS_DATA"]), Path(os.environ["MLOPS_OUT"])
    parameters = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["approval"]
    train, validation, test = (
        pd.read_parquet(data / f"{name}.parquet") for name in ("train", "validation", "test")
    )
    model = make_model(parameters["C"], parameters["seed"])
    model.fit(train[FEATURES], train[TARGET])

    out.mkdir(parents=True, exist_ok=True)
    # MLflow refuses a folder that has something in it, such as the model of the run before.
    shutil.rmtree(out / "model", ignore_errors=True)
    mlflow.sklearn.save_model(
        model,
        out / "model",
        # A signature and no example: that would be rows of applicants, in the registry and in every image.
        signature=infer_signature(train[FEATURES], model.predict_proba(train[FEATURES])),
        pyfunc_predict_fn="predict_proba",
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
    )
    probability(model, test).to_frame().to_parquet(out / "predictions.parquet", index=False)
    reached = roc_auc_score(validation[TARGET], probability(model, validation))
    figures = {"train_rows": len(train), "validation_auc": float(reached)}
    (out / "metrics.json").write_text(json.dumps(figures))
    print(f"{len(train):,} rows, validation AUC {reached:.3f}")


if __name__ == "__main__":
    main()
