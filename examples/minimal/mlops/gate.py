"""The gate: may this model become a version?

Holds what training left to the contract ($MLOPS_OUT: model/, predictions.parquet, metrics.json),
computes the asked metrics on the test split, overall, in each slice and between groups, and
compares with the bounds of the spec and with the version that runs.
"""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

import pandas as pd
from mlops import command, metrics, reports, tables
from mlops.command import Argument
from mlops.facts import read_model
from mlops.metrics import Undefined
from mlops.outcome import FAILED, PASSED, CannotRun, Failed, asked_by
from mlops.reports import Case, number, outcome_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import numpy as np
    from mlops.facts import Bound, Evaluation, FairnessBound, ModelFacts
    from mlops.metrics import Answers

MOST_GROUPS = 100
"""A slice by a column with more values judges noise: of 100 independent groups without any real
difference, five lie outside a 95 % interval already."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "gate",
        __doc__ or "",
        [
            Argument("--model", "which model", "MODEL"),
            Argument("--data", "the dataset (default: $MLOPS_DATA, or build/MODEL/data)", "DIR"),
            Argument(
                "--out", "what training left (default: $MLOPS_OUT, or build/MODEL/out)", "DIR"
            ),
            Argument("--reports", "where reports go (default: build/MODEL/gate)", "DIR"),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), judge, argv)


def judge(options: argparse.Namespace) -> int:
    """The job: contract, metrics, bounds, verdict."""
    facts = read_model(options.facts, command.required(options, "model"))
    data = command.folder(options.data, "MLOPS_DATA", f"build/{facts.model}/data")
    out = command.folder(options.out, "MLOPS_OUT", f"build/{facts.model}/out")
    folder = command.folder(options.reports, None, f"build/{facts.model}/gate")

    reported = read_metrics(out, facts)
    frame = read_predictions(data, out, facts)
    measured, cases = examine(frame, reported, facts)

    failed = any(case.outcome == "failed" for case in cases)
    write_reports(folder, facts, out, measured, cases, failed=failed)
    reports.print_cases(cases)
    print(
        f"{facts.model}: {'failed' if failed else 'passed'} on {len(frame)} test rows; see {folder}"
    )
    return FAILED if failed else PASSED


def read_metrics(out: Path, facts: ModelFacts) -> dict[str, float]:
    """metrics.json: a flat object of numbers; and model/ is there."""
    asking = facts.training.spec if facts.training else facts.spec
    model = out / "model"
    if not model.is_dir() or not any(model.iterdir()):
        raise Failed(
            f"{model} is missing or empty: training must leave the model there {asked_by(asking)}"
        )
    path = out / "metrics.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failed(
            f"{path} is missing: training must write its metrics there {asked_by(asking)}"
        ) from None
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error} {asked_by(asking)}") from None
    except (ValueError, RecursionError) as error:  # bytes that are no text, text that is no JSON
        raise Failed(f"{path} is not JSON: {error} {asked_by(asking)}") from None
    if not isinstance(found, dict):
        raise Failed(f"{path} must be one object of names and numbers {asked_by(asking)}")
    wrong = next((name for name, value in found.items() if not _is_figure(value)), None)
    if wrong is not None:
        said = reprlib.repr(found[wrong])
        raise Failed(f"{path}: '{wrong}' is no number but {said} {asked_by(asking)}")
    return {name: float(value) for name, value in found.items()}


def _is_figure(value: object) -> bool:
    """A number that can be compared: neither true or false, nor NaN, nor infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def read_predictions(data: Path, out: Path, facts: ModelFacts) -> pd.DataFrame:
    """The test split with the prediction beside the label, and with the columns of slices."""
    asking = facts.training.spec if facts.training else facts.spec
    test = tables.read_parquet(data / "test.parquet", asking)
    path = out / "predictions.parquet"
    predictions = tables.read_parquet(path, asking)
    if facts.prediction not in predictions:
        raise Failed(
            f"{path} has no column '{facts.prediction}', it has: {', '.join(predictions.columns)} "
            f"{asked_by(f'{facts.spec}.prediction')}"
        )
    if len(predictions) != len(test):
        raise Failed(
            f"{path} has {len(predictions)} rows, the test split has {len(test)}: one prediction for each "
            f"row, in the same order {asked_by(asking)}"
        )
    _same_rows(test, predictions, path, facts)
    extra = [
        name
        for name in predictions.columns
        if name.startswith(f"{facts.prediction}_") and name not in test
    ]
    frame = test.assign(
        **{name: predictions[name].to_numpy() for name in [facts.prediction, *extra]}
    )
    if facts.evaluation and facts.evaluation.columns:
        aside = data / "evaluation.parquet"
        only_gate = tables.read_parquet(aside, facts.evaluation.spec)
        if len(only_gate) != len(test):
            raise CannotRun(
                f"{aside} has {len(only_gate)} rows, test.parquet has {len(test)}: "
                f"make the dataset again {asked_by(facts.evaluation.spec)}"
            )
        frame = frame.assign(**{name: only_gate[name].to_numpy() for name in only_gate})
    return frame


def _same_rows(
    test: pd.DataFrame, predictions: pd.DataFrame, path: Path, facts: ModelFacts
) -> None:
    """Predictions in another order would be judged as wrong ones; any shared column shows it."""
    personal = {c.name for c in (*facts.examples.keys, *facts.features.all) if c.personal}
    asking = facts.training.spec if facts.training else facts.spec
    for name in (column for column in test.columns if column in predictions):
        left, right = (_comparable(frame[name]) for frame in (test, predictions))
        differs = ~((left == right) | (left.isna() & right.isna())).to_numpy()
        if differs.any():
            row = int(differs.argmax())
            values = (
                "differs" if name in personal else f"is {right.iloc[row]!r}, not {left.iloc[row]!r}"
            )
            raise Failed(
                f"{path}: row {row} is another one than in test.parquet: '{name}' {values}; "
                f"keep the order of test.parquet {asked_by(asking)}"
            )


def _comparable(values: pd.Series) -> pd.Series:
    """Plain values: a time with and one without a zone, a category and its text are the same."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return tables.instants(values, "a time").astype("datetime64[ns, UTC]")
    return values if pd.api.types.is_numeric_dtype(values) else values.astype(object)


def examine(
    frame: pd.DataFrame, reported: Mapping[str, float], facts: ModelFacts
) -> tuple[dict[str, float], list[Case]]:
    """All metrics by name, and everything that was judged."""
    evaluation = facts.evaluation
    contract = Case("contract", "passed", f"{len(frame)} predictions", spec=facts.spec)
    if evaluation is None:
        return dict(reported), [contract]
    given = None
    if facts.task != "custom":
        given = _answers(frame, facts, evaluation)
    champion = _champion(evaluation, facts)
    measured, cases = dict(reported), [contract]
    for bound in evaluation.metrics:
        overall = _overall(bound, given, reported, facts)
        if isinstance(overall, float):
            measured[bound.name] = overall
        runs = _champions(champion, bound.name)
        cases.append(_judged(bound.name, bound, overall, runs, facts.task))
    if given is not None:
        for more, judged in (
            _slices(frame, given, evaluation, facts),
            _fairness(frame, given, champion, evaluation, facts),
        ):
            measured.update(more)
            cases.extend(judged)
    return measured, cases


def _answers(frame: pd.DataFrame, facts: ModelFacts, evaluation: Evaluation) -> Answers:
    """Labels and predictions, held to what the prediction column has to hold."""
    label = facts.examples.label.name
    try:
        return metrics.answers(frame, facts.task, label, facts.prediction, evaluation.groups)
    except Failed as wrong:
        asking = f"{facts.spec}.prediction"
        raise Failed(f"predictions.parquet: {wrong} {asked_by(asking)}") from None


def _overall(
    bound: Bound, given: Answers | None, reported: Mapping[str, float], facts: ModelFacts
) -> float | Undefined:
    found = metrics.metric(facts.task, bound.name)
    if found is not None and given is not None:
        try:
            return metrics.value(found, given)
        except Undefined as reason:
            return reason
    if bound.name not in reported:
        raise Failed(
            f"metric '{bound.name}' is none that the gate computes for a {facts.task}, and metrics.json does "
            f"not have it; it has: {', '.join(sorted(reported)) or 'nothing'} {asked_by(bound.spec)}"
        )
    return reported[bound.name]


def _judged(
    name: str, bound: Bound, found: float | Undefined, champion: float | str | None, task: str
) -> Case:
    """One value against one bound. A value that does not exist does not hold."""
    wanted, note = bound.limits, ""
    if isinstance(found, Undefined):
        outcome = outcome_of(bound.severity, holds=False)
        return Case(name, outcome, "undefined", ", ".join(wanted), str(found), bound.spec)
    holds = bound.allows(found)
    if bound.max_worse is not None and isinstance(champion, float):
        holds = holds and _worse_by(bound, found, champion, task) <= bound.max_worse
        wanted.append(f"at most {number(bound.max_worse)} worse than {number(champion)}")
    elif isinstance(champion, str) and bound.max_worse is not None:
        note = champion
    outcome = outcome_of(bound.severity, holds=holds)
    return Case(name, outcome, number(found), ", ".join(wanted), note, bound.spec)


def _worse_by(bound: Bound, found: float, champion: float, task: str) -> float:
    between_groups = metrics.equal_is_one(task, bound.name)
    if between_groups is not None:
        return champion - found if between_groups else found - champion
    known = metrics.metric(task, bound.name)
    higher = (
        known.higher_is_better if known else bound.min is not None if bound.max is None else False
    )
    if higher is None or (known is None and (bound.min is None) == (bound.max is None)):
        raise CannotRun(
            f"which way is '{bound.name}' worse? 'max_worse' needs a metric with a better end: give it either "
            f"'min' or 'max' {asked_by(bound.spec)}"
        )
    return champion - found if higher else found - champion


def _champion(evaluation: Evaluation, facts: ModelFacts) -> tuple[str, dict[str, float]] | str:
    """Version and metrics of what runs in production, or why there is nothing to compare with."""
    if all(bound.max_worse is None for bound in (*evaluation.metrics, *evaluation.fairness)):
        return "not asked for"
    if facts.registry is None:
        return "not compared: no model registry"
    from mlops.registry import versions

    registry = versions(facts)
    environment = facts.environments.get(evaluation.against)
    if environment is None:
        raise CannotRun(
            f"no environment '{evaluation.against}' to compare with {asked_by(evaluation.spec)}"
        )
    version = registry.find(environment, facts.spec)
    if version is None:
        return f"not compared: no version runs in {evaluation.against} yet"
    return version, registry.metrics(version, environment.spec or facts.spec)


def _champions(champion: tuple[str, dict[str, float]] | str, name: str) -> float | str:
    if isinstance(champion, str):
        return champion
    version, recorded = champion
    if name not in recorded:
        return f"not compared: version {version} has no '{name}' recorded"
    return recorded[name]


def _groups(frame: pd.DataFrame, column: str, spec: str) -> dict[str, np.ndarray]:
    """Group name → positions of its rows; rows without a value are a group too."""
    if column not in frame:
        raise Failed(f"the test split has no column '{column}' {asked_by(spec)}")
    positions = (
        frame[column]
        .reset_index(drop=True)
        .groupby(frame[column].to_numpy(), dropna=False, sort=True)
    )
    groups = {
        "(missing)" if pd.isna(value) else str(value): rows.index.to_numpy()
        for value, rows in positions
    }
    if len(groups) > MOST_GROUPS:
        raise CannotRun(
            f"column '{column}' has {len(groups)} values, the gate takes at most {MOST_GROUPS}: "
            f"put values into ranges first {asked_by(spec)}"
        )
    return groups


def _slices(
    frame: pd.DataFrame, given: Answers, evaluation: Evaluation, facts: ModelFacts
) -> tuple[dict[str, float], list[Case]]:
    measured, cases = {}, []
    for part in evaluation.slices:
        for group, rows in _groups(frame, part.column, part.spec).items():
            for bound in evaluation.metrics:
                found = metrics.metric(facts.task, bound.name)
                if found is None or (bound.min is None and bound.max is None):
                    continue
                name = f"{bound.name} where {part.column} = {group}"
                if len(rows) < evaluation.min_slice_rows:
                    note = f"{len(rows)} rows, at least {evaluation.min_slice_rows} are judged"
                    cases.append(Case(name, "not judged", note=note, spec=part.spec))
                    continue
                try:
                    measured[f"{bound.name}/{part.column}/{group}"] = value = metrics.value(
                        found, given.of(rows)
                    )
                except Undefined as reason:
                    cases.append(
                        Case(name, "not judged", "undefined", note=str(reason), spec=part.spec)
                    )
                    continue
                cases.append(_judged(name, _within(bound), value, None, facts.task))
    return measured, cases


def _within(bound: Bound) -> Bound:
    """A slice holds the bound itself; what the running version reached in it is not recorded."""
    return replace(bound, max_worse=None)


def _fairness(
    frame: pd.DataFrame,
    given: Answers,
    champion: tuple[str, dict[str, float]] | str,
    evaluation: Evaluation,
    facts: ModelFacts,
) -> tuple[dict[str, float], list[Case]]:
    measured, cases = {}, []
    for bound in evaluation.fairness:
        recorded = f"{bound.name}/{bound.column}"
        found, note = _between_groups(frame, given, bound, evaluation, facts)
        name = f"{bound.name} by {bound.column}"
        if isinstance(found, float):
            measured[recorded] = found
        case = _judged(name, bound, found, _champions(champion, recorded), facts.task)
        cases.append(replace(case, note="; ".join(filter(None, (case.note, note)))))
    return measured, cases


def _between_groups(
    frame: pd.DataFrame,
    given: Answers,
    bound: FairnessBound,
    evaluation: Evaluation,
    facts: ModelFacts,
) -> tuple[float | Undefined, str]:
    """How far apart the groups are that are large enough, and which are not.

    Undefined with fewer than two of them: a bound that nobody can judge does not hold.
    """
    between = metrics.fairness(facts.task, bound.name)
    if between is None:
        raise CannotRun(
            f"'{bound.name}' is no measure of fairness for a {facts.task} {asked_by(bound.spec)}"
        )
    groups = _groups(frame, bound.column, bound.spec)
    large = {
        group: rows for group, rows in groups.items() if len(rows) >= evaluation.min_slice_rows
    }
    small = sorted(set(groups) - set(large))
    note = (
        f"without {', '.join(small)}: fewer than {evaluation.min_slice_rows} rows" if small else ""
    )
    if len(large) < 2:
        there = f"only {next(iter(large))} is a group" if large else "there is no group"
        reason = (
            f"{there} of {evaluation.min_slice_rows} test rows or more: use a longer `split.test`"
        )
        return Undefined(reason), note
    try:
        return between([given.of(rows) for rows in large.values()]), note
    except Undefined as reason:
        return reason, note


def write_reports(
    folder: Path,
    facts: ModelFacts,
    out: Path,
    measured: Mapping[str, float],
    cases: Sequence[Case],
    *,
    failed: bool,
) -> None:
    """The verdict for people, for GitLab and for register.py."""
    verdict = "failed" if failed else "passed"
    reports.write_junit(folder / "junit.xml", f"gate {facts.model}", cases)
    reports.write_openmetrics(
        folder / "metrics.txt",
        "mlops_gate_metric",
        [({"model": facts.model, "metric": name}, value) for name, value in measured.items()],
    )
    reports.write_dotenv(folder / "gate.env", {"MLOPS_GATE": verdict})
    reports.write_json(
        folder / "gate.json",
        {
            "project": facts.project,
            "model": facts.model,
            "verdict": verdict,
            "sha256": digest(out),
            "metrics": dict(measured),
            "cases": reports.as_data(cases),
        },
    )  # fmt: skip


def digest(out: Path) -> str:
    """A hash of everything training left, so that the verdict cannot be carried to another model."""
    total = hashlib.sha256()
    for path in sorted(found for found in out.rglob("*") if found.is_file()):
        total.update(path.relative_to(out).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
