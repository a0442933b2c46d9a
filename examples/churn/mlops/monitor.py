"""Drift and performance of the version that runs, for Prometheus and for people.

Compares the rows of the last window with the reference that was kept with exactly that version.
Evidently computes drift by its own JSON config; performance is computed by the gate's definitions
on rows whose labels are known by now. Only a complete run pushes, so that a broken monitor grows
old instead of looking healthy. Drift is a result and not a failure: the run passes, unless
--fail-on-drift is given.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, joins, network, reports, tables
from mlops.command import Argument
from mlops.facts import read_model, read_source
from mlops.network import Sample
from mlops.outcome import FAILED, PASSED, CannotRun, Failed, asked_by, missing_package
from mlops.reports import Case, number, outcome_of
from mlops.stores import Window
from mlops.tables import Need

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from mlops.facts import Bound, Column, Drift, ModelFacts, Monitoring, Performance, SourceFacts
    from mlops.metrics import Answers
    from mlops.registry import Versions

CATEGORICAL = ("string", "bool")


@dataclass(frozen=True)
class Run:
    """One run of the monitor: what it is about."""

    facts: ModelFacts
    monitoring: Monitoring
    folder: Path
    environment: str
    now: datetime
    version: str | None
    registry: Versions | None

    def source(self, name: str) -> SourceFacts:
        """The facts of a source."""
        return read_source(self.folder, name)


@dataclass(frozen=True)
class Findings:
    """What one part of the run found."""

    cases: tuple[Case, ...] = ()
    samples: tuple[Sample, ...] = ()


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "monitor",
        __doc__ or "",
        [
            Argument("--model", "which model", "MODEL"),
            Argument("--reference", "folder with reference.parquet and reference.json, not the registry's", "DIR"),
            Argument("--reports", "where reports go (default: build/MODEL/monitor)", "DIR"),
            Argument("--pushgateway", "Pushgateway to push to (default: $PUSHGATEWAY_URL, or none)", "URL"),
            Argument("--fail-on-drift", "exit with 1 when a bound does not hold", switch=True),
            Argument(
                "--prune", "delete this project's groups of models that have no facts any more; alone, or "
                "with --model", switch=True,
            ),
        ],
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), monitor, argv)


def monitor(options: argparse.Namespace) -> int:
    """The job: look, report, push, tidy up."""
    gateway = network.pushgateway(options.pushgateway)
    outcome = PASSED
    if options.model or not options.prune:
        outcome = look(options, gateway)
    if options.prune:
        prune(gateway, options.facts)
    return outcome


def look(options: argparse.Namespace, gateway: str | None) -> int:
    """Look at one model."""
    run = start(options)
    folder = command.folder(options.reports, None, f"build/{run.facts.model}/monitor")
    current = current_rows(run, ends=run.now)
    enough(len(current), run, f"of '{run.monitoring.current}' in the window")
    found: list[Findings] = []
    if run.monitoring.drift is not None:
        found.append(drift(run, run.monitoring.drift, current, options.reference, folder))
    if run.monitoring.performance is not None:
        found.append(performance(run, run.monitoring.performance, folder))
    cases = [case for one in found for case in one.cases]
    samples = [sample for one in found for sample in one.samples]
    # The clock and not --now: whether the monitor still runs has nothing to do with its data's time.
    success = datetime.now(UTC).timestamp()
    samples.append(Sample("mlops_monitor_last_success_timestamp_seconds", success))
    report(run, folder, cases, samples)
    if gateway is not None:
        network.push(gateway, network.MONITOR_JOB, group_of(run), samples)
    bad = [case for case in cases if case.outcome in ("failed", "warning")]
    print(f"{run.facts.model}: {len(current)} rows, {len(bad)} bounds do not hold; see {folder}")
    failed = any(case.outcome == "failed" for case in cases)
    return FAILED if failed and options.fail_on_drift else PASSED


def start(options: argparse.Namespace) -> Run:
    """Settle which model, environment, moment and version this is about."""
    facts = read_model(options.facts, command.required(options, "model"))
    if facts.monitoring is None and all(
        there.monitoring is None for there in facts.environments.values()
    ):
        raise CannotRun(f"model '{facts.model}' has no 'monitoring' in mlops.yaml")
    environment = command.environment(options, facts.environments)
    facts = facts.there(environment)
    if facts.monitoring is None:
        raise CannotRun(f"model '{facts.model}' has no 'monitoring' in {environment} in mlops.yaml")
    from mlops import registry

    kept = facts.monitoring.reference.training and not options.reference
    ask = kept or facts.monitoring.predictions == "scored"
    versions = registry.versions(facts) if ask else None
    version = None
    if ask or options.reference or facts.monitoring.version_column:
        version = registry.running_version(facts, environment, versions)
    return Run(
        facts, facts.monitoring, options.facts, environment, command.now(options), version, versions
    )


def enough(rows: int, run: Run, what: str) -> None:
    """Refuse statistics of too few rows."""
    if rows < run.monitoring.min_rows:
        raise CannotRun(
            f"not enough rows: {rows} {what}, at least {run.monitoring.min_rows} are looked at "
            f"{asked_by(run.monitoring.spec)}"
        )


def wanted_columns(run: Run) -> list[Column]:
    """The columns that the drift report names, features and prediction."""
    from mlops.facts import Column

    facts = run.facts
    names = set(run.monitoring.drift.columns) if run.monitoring.drift else set()
    columns = [column for column in facts.features.all if column.name in names]
    if facts.prediction in names:
        kind = facts.examples.label.type if facts.task == "classification" else "float64"
        kind = "string" if kind == "string" else "float64"
        columns.append(Column(facts.prediction, kind, f"{facts.spec}.prediction"))
    return columns


def current_rows(run: Run, ends: datetime) -> pd.DataFrame:
    """Rows of the window that ends there: of this version, with features and predictions."""
    facts, monitoring = run.facts, run.monitoring
    source = run.source(monitoring.current)
    window = Window(ends - timedelta(seconds=monitoring.window_seconds), ends)
    if source.timestamp is None:
        raise CannotRun(
            f"source '{source.source}' has no timestamp, so no window {asked_by(monitoring.spec)}"
        )
    there = {column.name for column in source.columns}
    scored = monitoring.predictions == "scored"
    asked = (
        list(facts.features.all)
        if scored
        else [c for c in wanted_columns(run) if c.name != facts.prediction]
    )
    joined = {column.name for column in facts.features.joined} - there
    keys = [key for view in facts.features.views for key in view.keys] + [
        key.name for key in facts.examples.keys
    ]
    needs = [Need(column.name, column.spec) for column in asked if column.name not in joined]
    needs += [Need(key, monitoring.spec) for key in dict.fromkeys(keys) if key in there]
    needs.append(Need(source.timestamp, source.spec))
    if joined & {column.name for column in asked}:
        needs += [Need(name, facts.spec) for name in facts.features.request]
    if monitoring.predictions == "logged":
        needs.append(Need(facts.prediction, f"{facts.spec}.prediction"))
    if monitoring.version_column:
        needs.append(Need(monitoring.version_column, monitoring.spec))
    if source.source == facts.examples.source:
        needs.append(Need(facts.examples.label.name, facts.examples.label.spec))
    frame = of_version(run, tables.read(source, run.environment, needs, window))
    frame = tables.typed(frame, [column for column in asked if column.name not in joined])
    if len(frame) and joined & {column.name for column in asked}:
        frame = joins.join(frame, source.timestamp, facts.features)
    if len(frame) and scored and run.registry is not None and run.version is not None:
        from mlops import scoring

        frame = frame.assign(
            **{facts.prediction: scoring.predict(run.registry, facts, run.version, frame)}
        )
    return frame


def of_version(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """Only rows that this version answered: during a rollout two versions write to one log."""
    column = run.monitoring.version_column
    if column is None:
        return frame
    own = frame[frame[column].astype(str) == run.version]
    if len(own) < len(frame):
        print(
            f"{len(frame) - len(own)} of {len(frame)} rows were answered by other versions and are left out"
        )
    return own.reset_index(drop=True)


def reference_rows(run: Run, folder: str | None) -> pd.DataFrame:
    """What was kept with the version that runs, or the rows of the source that the spec names."""
    columns = wanted_columns(run)
    if run.monitoring.reference.source and not folder:
        source = run.source(run.monitoring.reference.source)
        rows = tables.read(source, run.environment, [Need(c.name, c.spec) for c in columns])
    elif folder:
        rows = _kept(run, Path(folder), columns)
    else:
        if run.registry is None or run.version is None:
            raise CannotRun("the reference is kept with a version, and no version is known here")
        with tempfile.TemporaryDirectory() as temporary:
            path = run.registry.kept_reference(run.version, run.monitoring.spec, Path(temporary))
            rows = _kept(run, path, columns)
    return tables.typed(rows, columns)


def _kept(run: Run, folder: Path, columns: Sequence[Column]) -> pd.DataFrame:
    """The rows of a kept reference, when it is of this model and this version."""
    note = folder / "reference.json"
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CannotRun(f"{note} does not say whose reference this is: {error}") from None
    of = (
        run.registry.version(run.version, run.monitoring.spec).run_id
        if run.registry and run.version
        else None
    )
    mine = {"project": run.facts.project, "model": run.facts.model}
    wrong = {key: said.get(key) for key, value in mine.items() if said.get(key) != value}
    if of is not None and said.get("run") != of:
        wrong["run"] = said.get("run")
    if of is None and said.get("version", run.version) != run.version:
        wrong["version"] = said["version"]
    if wrong:
        what = ", ".join(f"{key} {value}" for key, value in wrong.items())
        raise CannotRun(
            f"{note} is the reference of {what}, not of version {run.version} of '{run.facts.model}' "
            f"{asked_by(run.monitoring.spec)}"
        )
    rows = tables.read_parquet(folder / "reference.parquet", run.monitoring.spec)
    gone = [column.name for column in columns if column.name not in rows]
    if gone:
        raise CannotRun(
            f"the reference of version {run.version} has no column {', '.join(gone)}: that version was trained "
            f"without it {asked_by(run.monitoring.spec)}"
        )
    return rows


def drift(
    run: Run, drift_facts: Drift, current: pd.DataFrame, given: str | None, folder: Path
) -> Findings:
    """Evidently's drift report by its own config, read back as numbers."""
    reference = reference_rows(run, given)
    enough(len(reference), run, "in the reference")
    columns = wanted_columns(run)
    empty = [c.name for c in columns for side in (current, reference) if side[c.name].isna().all()]
    if empty:
        raise Failed(
            f"column '{empty[0]}' has no value at all, so no distribution {asked_by(drift_facts.spec)}"
        )
    snapshot = run_evidently(
        drift_facts.config,
        _definition(columns),
        _plain(current, columns),
        _plain(reference, columns),
    )
    save(snapshot, folder, "drift")
    report_data = snapshot.dict()
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for one in report_data["metrics"]:
        by_kind.setdefault(one["config"]["type"].rpartition(":")[2], []).append(one)
    if "DriftedColumnsCount" not in by_kind:
        raise CannotRun(f"{drift_facts.config} has no DriftedColumnsCount, so no share of columns")
    share = by_kind["DriftedColumnsCount"][0]["value"]
    samples = [Sample("mlops_drift_share", float(share["share"]))]
    cases = [_share_case(drift_facts, share)]
    tests = {test["metric_config"]["metric_id"]: test for test in report_data["tests"]}
    for one in by_kind.get("ValueDrift", []):
        column = str(one["config"]["column"])
        samples.append(Sample("mlops_column_drift_score", float(one["value"]), {"column": column}))
        cases.append(
            _column_case(column, float(one["value"]), tests.get(one["id"]), drift_facts.spec)
        )
    return Findings(tuple(cases), tuple(samples))


def _share_case(drift_facts: Drift, share: Mapping[str, float]) -> Case:
    most = drift_facts.share_max
    return Case(
        "share of drifted columns",
        outcome_of("critical", holds=most is None or share["share"] <= most),
        number(share["share"]),
        "" if most is None else f"≤ {number(most)}",
        f"{int(share['count'])} of {len(drift_facts.columns)}",
        drift_facts.spec,
    )


def _column_case(column: str, score: float, test: Mapping[str, Any] | None, spec: str) -> Case:
    """One column is for information: what the spec bounds is the share of them."""
    if test is None:
        return Case(f"drift of {column}", "info", number(score), spec=spec)
    small_is_drift = "Greater" in test["test_config"]["type"]  # the score is a p-value
    wanted = f"{'≥' if small_is_drift else '<'} {number(test['test_config']['threshold'])}"
    holds = test["status"] == "SUCCESS"
    return Case(
        f"drift of {column}", outcome_of("info", holds=holds), number(score), wanted, spec=spec
    )


def _definition(columns: Sequence[Column]) -> dict[str, Any]:
    """Types by the spec: Evidently would take whole numbers with few values for categories."""
    return {
        "numerical_columns": [c.name for c in columns if c.type not in CATEGORICAL],
        "categorical_columns": [c.name for c in columns if c.type in CATEGORICAL],
    }


def _plain(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Only the report's columns, in the plain types that Evidently's statistics expect."""
    made = {}
    for column in columns:
        values = frame[column.name]
        if column.type in CATEGORICAL:
            made[column.name] = values.astype(object).map(str, na_action="ignore")
        elif column.type == "timestamp":
            made[column.name] = tables.instants(values, column.name).astype("int64") / 1e9
        else:
            made[column.name] = values.astype("float64")
    import pandas as pd

    return pd.DataFrame(made)


def run_evidently(
    config: str,
    definition: Mapping[str, Any],
    current: pd.DataFrame,
    reference: pd.DataFrame | None,
) -> Any:
    """Run one of Evidently's native configs in this process; returns its snapshot."""
    if not Path(config).is_file():
        raise CannotRun(f"{config} is missing: compile the project, and run from its root")
    try:
        from evidently import DataDefinition, Dataset
        from evidently.cli.report import ReportConfig
    except ModuleNotFoundError:
        raise missing_package("evidently", "monitoring") from None
    try:
        made = ReportConfig.load(config).to_report()
    except Exception as error:
        raise CannotRun(f"{config}: Evidently cannot read it: {error}") from error
    data = [
        None if frame is None else Dataset.from_pandas(frame, DataDefinition(**definition))
        for frame in (current, reference)
    ]
    try:
        snapshot = made.run(*data)
    except Exception as error:  # Evidently's own errors are of any type
        raise CannotRun(
            f"{config}: Evidently cannot compute it: {type(error).__name__}: {error}"
        ) from error
    broken = [test for test in snapshot.tests_results if test.status.value == "ERROR"]
    if broken:
        raise CannotRun(f"{config}: {broken[0].name}: {broken[0].description}")
    return snapshot


def save(snapshot: Any, folder: Path, name: str) -> None:
    """The report for people and for programs."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshot.save_html(str(folder / f"{name}.html"))
    snapshot.save_json(str(folder / f"{name}.json"))


def performance(run: Run, wanted: Performance, folder: Path) -> Findings:
    """Performance in the newest window whose labels are all known."""
    from mlops import metrics

    label = run.facts.examples.label
    ends = run.now - timedelta(seconds=label.known_after_seconds)
    rows = labelled_rows(run, wanted, ends)
    if len(rows) < run.monitoring.min_rows:
        note = f"{len(rows)} rows with a known label before {ends.isoformat()}, at least {run.monitoring.min_rows}"
        return Findings(
            tuple(Case(one.name, "not judged", note=note, spec=one.spec) for one in wanted.metrics)
        )
    groups = run.facts.evaluation.groups if run.facts.evaluation else ()
    try:
        given = metrics.answers(rows, run.facts.task, label.name, run.facts.prediction, groups)
    except Failed as wrong:
        raise Failed(f"'{run.monitoring.current}': {wrong} {asked_by(wanted.spec)}") from None
    cases, samples = [], []
    for bound in wanted.metrics:
        found = metrics.metric(run.facts.task, bound.name)
        if found is None:
            raise CannotRun(
                f"'{bound.name}' cannot be computed from labels and predictions of a {run.facts.task} "
                f"{asked_by(bound.spec)}"
            )
        try:
            value = metrics.value(found, given)
        except metrics.Undefined as reason:
            cases.append(
                Case(bound.name, "not judged", "undefined", note=str(reason), spec=bound.spec)
            )
            continue
        cases.append(_bound_case(bound, value))
        samples.append(Sample("mlops_model_metric", value, {"metric": bound.name}))
    if wanted.config is not None:
        save(performance_report(run, wanted.config, given), folder, "performance")
    return Findings(tuple(cases), tuple(samples))


def _bound_case(bound: Bound, value: float) -> Case:
    outcome = outcome_of(bound.severity, holds=bound.allows(value))
    return Case(bound.name, outcome, number(value), ", ".join(bound.limits), spec=bound.spec)


def labelled_rows(run: Run, wanted: Performance, ends: datetime) -> pd.DataFrame:
    """Predictions of the window before `ends` beside what came true."""
    import pandas as pd

    examples = run.facts.examples
    rows = current_rows(run, ends)
    if rows.empty:
        return rows
    if run.monitoring.current != examples.source:
        source, current = run.source(examples.source), run.source(run.monitoring.current)
        if examples.timestamp is None or current.timestamp is None or not examples.keys:
            raise CannotRun(
                f"labels are found by key and time, and there is none {asked_by(wanted.spec)}"
            )
        slack = timedelta(seconds=wanted.tolerance_seconds)
        keys = [key.name for key in examples.keys]
        needs = [
            Need(name, wanted.spec) for name in (*keys, examples.timestamp, examples.label.name)
        ]
        # Whole windows on both sides: a label is found up to the tolerance before or after its request.
        window = Window(
            ends - timedelta(seconds=run.monitoring.window_seconds) - slack, ends + slack
        )
        labels = tables.read(source, run.environment, needs, window)
        rows = rows.assign(_at=_ns(rows[current.timestamp]))
        labels = labels.assign(_at=_ns(labels[examples.timestamp]))[
            [*keys, "_at", examples.label.name]
        ]
        rows = pd.merge_asof(
            rows.sort_values("_at"),
            labels.sort_values("_at"),
            on="_at",
            by=keys,
            direction="nearest",
            tolerance=slack,
        )
    known = rows[rows[examples.label.name].notna()].reset_index(drop=True)
    from mlops.facts import Column

    return tables.typed(
        known, [Column(examples.label.name, examples.label.type, examples.label.spec)]
    )


def _ns(values: pd.Series) -> pd.Series:
    """Times of one kind, which merge_asof insists on."""
    return tables.instants(values, f"column '{values.name}'").astype("datetime64[ns, UTC]")


def performance_report(run: Run, config: str, given: Answers) -> Any:
    """Evidently's report by its own config, which cannot say which column is which: we do."""
    import pandas as pd

    label, prediction = run.facts.examples.label.name, run.facts.prediction
    frame = pd.DataFrame({label: given.truth, prediction: given.predicted})
    try:
        from evidently import BinaryClassification, MulticlassClassification, Regression
    except ModuleNotFoundError:
        raise missing_package("evidently", "monitoring") from None
    definition: dict[str, Any]
    if run.facts.task != "classification":
        definition = {"regression": [Regression(target=label, prediction=prediction)]}
    elif not given.binary:
        several = MulticlassClassification(target=label, prediction_labels=prediction)
        definition = {"classification": [several]}
    elif given.scores is None:
        classes = BinaryClassification(target=label, prediction_labels=prediction)
        definition = {"classification": [classes]}
    else:
        frame[prediction] = given.scores
        scores = BinaryClassification(target=label, prediction_probas=prediction)
        definition = {"classification": [scores]}
    return run_evidently(config, definition, frame, None)


def report(run: Run, folder: Path, cases: Sequence[Case], samples: Sequence[Sample]) -> None:
    """Tables and files."""
    reports.print_cases(cases)
    reports.write_junit(folder / "junit.xml", f"monitor {run.facts.model}", cases)
    measured = [
        {"name": sample.metric, "labels": dict(sample.labels), "value": sample.value}
        for sample in samples
    ]
    about = {**group_of(run), "version": run.version, "at": run.now.isoformat()}
    reports.write_json(
        folder / "monitor.json", {**about, "metrics": measured, "cases": reports.as_data(cases)}
    )


def group_of(run: Run) -> dict[str, str]:
    """The run's group in the Pushgateway."""
    return {"project": run.facts.project, "model": run.facts.model, "environment": run.environment}


def prune(gateway: str | None, folder: Path) -> None:
    """Forget groups of this project whose model or environment has no facts any more."""
    if gateway is None:
        raise CannotRun("--prune needs a Pushgateway: --pushgateway or PUSHGATEWAY_URL")
    names = sorted(path.stem for path in (folder / "models").glob("*.json"))
    if not names:
        raise CannotRun(f"{folder}/models has no facts: --prune would delete everything")
    known = [read_model(folder, name) for name in names]
    projects = {facts.project for facts in known}
    alive = {
        (facts.project, facts.model, environment)
        for facts in known
        for environment in facts.environments
    }
    for job in (network.MONITOR_JOB, network.VALIDATE_JOB):
        for group in network.groups(gateway, job):
            identity = tuple(group.get(key, "") for key in ("project", "model", "environment"))
            if identity[0] in projects and identity not in alive:
                network.delete_group(gateway, job, group)
                said = ", ".join(f"{key} {value}" for key, value in group.items())
                print(f"deleted from the Pushgateway: job {job}, {said}")


if __name__ == "__main__":
    sys.exit(main())
