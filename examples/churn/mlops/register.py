"""A model that passed the gate becomes a version, with what is needed to judge it later.

Logs the model, the gate's metrics, the dataset's description and the reference rows of the monitor
to one MLflow run, registers the version, says in tags where it came from, and calls it
`challenger`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, reports, tables
from mlops.command import Argument
from mlops.facts import read_model
from mlops.gate import digest
from mlops.outcome import PASSED, CannotRun, Failed, asked_by
from mlops.registry import METRIC_PREFIX, REFERENCE, TAG_MODEL, TAG_PROJECT, Versions, versions

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import pandas as pd
    from mlops.facts import ModelFacts

ALIAS = "challenger"
REFERENCE_ROWS = 50_000
"""Of two samples of this size from one distribution, the PSI over 20 bins is about 0.0008: far
below any threshold in use, and the file stays small. (Its expectation is (bins - 1)(1/n + 1/m):
Yurdakul, 2018.)"""
CI_TAGS = {
    "mlops.git.commit": "CI_COMMIT_SHA",
    "mlops.git.branch": "CI_COMMIT_REF_NAME",
    "mlops.ci.pipeline": "CI_PIPELINE_URL",
    "mlops.response": "MLOPS_RESPONSE",
    "mlops.response.run": "MLOPS_RESPONSE_RUN",
}
"""Tag → the CI variable it is taken from, when that is set."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "register",
        __doc__ or "",
        [
            Argument("--model", "which model", "MODEL"),
            Argument("--data", "the dataset (default: $MLOPS_DATA, or build/MODEL/data)", "DIR"),
            Argument(
                "--out", "what training left (default: $MLOPS_OUT, or build/MODEL/out)", "DIR"
            ),
            Argument("--gate", "the gate's verdict (default: build/MODEL/gate/gate.json)", "FILE"),
            Argument("--reports", "where register.env goes (default: build/MODEL/register)", "DIR"),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), register, argv)


def register(options: argparse.Namespace) -> int:
    """The job: check the verdict, log, register, tag."""
    facts = read_model(options.facts, command.required(options, "model"))
    data = command.folder(options.data, "MLOPS_DATA", f"build/{facts.model}/data")
    out = command.folder(options.out, "MLOPS_OUT", f"build/{facts.model}/out")
    folder = command.folder(options.reports, None, f"build/{facts.model}/register")
    verdict = read_verdict(
        command.folder(options.gate, None, f"build/{facts.model}/gate/gate.json"), out, facts
    )
    registry = versions(facts)
    run = log_run(registry, facts, data, out, verdict)
    version = make_version(registry, facts, run)
    reports.write_dotenv(
        folder / "register.env", {"MLOPS_MODEL_VERSION": version, "MLOPS_RUN": run}
    )
    print(
        f"{facts.model}: version {version} of '{facts.registry.name if facts.registry else ''}' (run {run})"
    )
    return PASSED


def read_verdict(path: Path, out: Path, facts: ModelFacts) -> dict[str, object]:
    """gate.json, when it says passed and speaks of exactly this model."""
    try:
        verdict: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CannotRun(f"{path} is no verdict of gate.py: {error}") from None
    if verdict.get("model") != facts.model or verdict.get("verdict") != "passed":
        raise Failed(
            f"{path} says '{verdict.get('verdict')}' of '{verdict.get('model')}': not registered"
        )
    if verdict.get("sha256") != digest(out):
        raise Failed(f"{out} has changed since the gate looked at it: run the gate again")
    return verdict


def log_run(
    registry: Versions, facts: ModelFacts, data: Path, out: Path, verdict: dict[str, object]
) -> str:
    """One run with everything in it; training's own run when it left its id in mlflow_run_id.txt."""
    client = registry.client
    note = out / "mlflow_run_id.txt"
    if note.is_file():
        run = _own_run(registry, note, facts)
    else:
        experiment = registry.experiment()
        made = registry.call(lambda: client.create_run(experiment, run_name=facts.model))
        run = str(made.info.run_id)
    _log_figures(registry, facts, run, verdict["metrics"])
    registry.call(lambda: client.log_artifacts(run, str(out / "model"), "model"))
    registry.call(lambda: client.log_artifact(run, str(data / "dataset.json"), "dataset"))
    with tempfile.TemporaryDirectory() as temporary:
        write_reference(Path(temporary), data, out, facts, run)
        registry.call(lambda: client.log_artifacts(run, temporary, REFERENCE))
    if not note.is_file():
        registry.call(lambda: client.set_terminated(run))
    return run


def _own_run(registry: Versions, note: Path, facts: ModelFacts) -> str:
    """The run that training says it made."""
    given = note.read_text(encoding="utf-8", errors="replace").strip()
    found = registry.ask(lambda: registry.client.get_run(given), otherwise=None)
    if found is None:
        asking = facts.training.spec if facts.training else facts.spec
        raise Failed(
            f"{note} names the run '{given}', which MLflow does not have {asked_by(asking)}"
        )
    return str(found.info.run_id)


def _log_figures(registry: Versions, facts: ModelFacts, run: str, measured: object) -> None:
    """The gate's metrics, and where the run came from."""
    values = measured if isinstance(measured, dict) else {}
    named = {METRIC_PREFIX + _metric_name(name): value for name, value in values.items()}
    tags = {TAG_PROJECT: facts.project, TAG_MODEL: facts.model, **ci_tags()}
    registry.call(lambda: registry.mlflow.log_metrics(named, run_id=run))
    registry.call(lambda: registry.client.log_batch(run, tags=_run_tags(tags)))


def _run_tags(tags: dict[str, str]) -> list[object]:
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in tags.items()]


def _metric_name(name: str) -> str:
    """MLflow allows letters, digits and _-. :/ in a metric's name; a group may be called anything."""
    return "".join(sign if sign.isalnum() or sign in "_-. :/" else "_" for sign in name)


def ci_tags() -> dict[str, str]:
    """Where the model came from, as far as the CI says it."""
    return {tag: os.environ[name] for tag, name in CI_TAGS.items() if os.environ.get(name)}


def write_reference(folder: Path, data: Path, out: Path, facts: ModelFacts, run: str) -> None:
    """What the monitor compares with: the rows the model was made from.

    All three splits, because together they are the training window; the prediction stands beside
    the test rows, whose label the model has not seen.
    """
    import pandas as pd

    asking = facts.training.spec if facts.training else facts.spec
    parts = [
        tables.read_parquet(data / f"{name}.parquet", asking)
        for name in ("train", "validation", "test")
    ]
    predictions = tables.read_parquet(out / "predictions.parquet", asking)
    extra = [
        name
        for name in predictions
        if str(name).startswith(facts.prediction) and name not in parts[2]
    ]
    parts[2] = parts[2].assign(**{name: predictions[name].to_numpy() for name in extra})
    rows = pd.concat(parts, ignore_index=True)
    if len(rows) > REFERENCE_ROWS:
        rows = rows.sample(
            REFERENCE_ROWS, random_state=facts.training.seed if facts.training else 0
        )
    tables.write_parquet(folder / "reference.parquet", _without_personal(rows, facts))
    reports.write_json(
        folder / "reference.json",
        {"project": facts.project, "model": facts.model, "run": run, "rows": len(rows)},
    )


def _without_personal(rows: pd.DataFrame, facts: ModelFacts) -> pd.DataFrame:
    """No drift report looks at personal columns, so they are nobody's business in a registry."""
    personal = {c.name for c in (*facts.examples.keys, *facts.features.all) if c.personal}
    return rows.drop(columns=sorted(personal))


def _make_known(registry: Versions, name: str) -> None:
    """Make the registered model, if it is not there."""
    from mlflow.exceptions import MlflowException

    try:
        registry.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def make_version(registry: Versions, facts: ModelFacts, run: str) -> str:
    """The registered version, tagged and called `challenger`."""
    name = facts.registry.name if facts.registry else facts.model
    client = registry.client
    registry.call(lambda: _make_known(registry, name))
    source = f"{registry.call(lambda: client.get_run(run)).info.artifact_uri}/model"
    tags = {TAG_PROJECT: facts.project, TAG_MODEL: facts.model, "mlops.gate": "passed", **ci_tags()}
    version = str(
        registry.call(lambda: client.create_model_version(name, source, run, tags=tags)).version
    )
    registry.call(lambda: client.set_registered_model_alias(name, ALIAS, version))
    return version


if __name__ == "__main__":
    sys.exit(main())
