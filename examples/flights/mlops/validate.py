"""Data checks: the Great Expectations checkpoint of a source, or of every source of a model.

Severity decides: a failed critical expectation fails the run, a failed warning is reported, a
failed info is listed. Great Expectations' own `success` knows no severity, so every result is
read here. Data that is missing, empty or late is said in these words.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, network, reports
from mlops.command import Argument
from mlops.facts import FILE_KINDS, read_model, read_source
from mlops.network import Sample, address_of, is_outage, retried
from mlops.outcome import FAILED, PASSED, CannotRun, asked_by, missing_package
from mlops.reports import Case, outcome_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mlops.facts import Location, SourceFacts


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "validate",
        __doc__ or "",
        [
            Argument("--source", "check one source", "SOURCE"),
            Argument("--model", "instead: check every source of this model", "MODEL"),
            Argument("--gx", "Great Expectations' folder (default: gx)", "DIR", "gx"),
            Argument(
                "--reports", "where reports go (default: build/validate)", "DIR", "build/validate"
            ),
            Argument(
                "--pushgateway",
                "Pushgateway to push to (default: $PUSHGATEWAY_URL, or none)",
                "URL",
            ),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), validate, argv)


def validate(options: argparse.Namespace) -> int:
    """The job: run the checkpoints, report, push, decide."""
    sources = [read_source(options.facts, name) for name in _asked(options)]
    environment = command.environment(
        options, {name for source in sources for name in source.environments}
    )
    sources = [source.there(environment) for source in sources]
    now = command.now(options)
    context = None
    cases: dict[str, list[Case]] = {}
    for source in sources:
        location = source.location(environment)
        if location.checkpoint is None:
            print(f"{source.source}: nothing to check, it has no table at rest")
            continue
        missing = _missing_file(source, location)
        if missing is None:
            context = context or open_context(Path(options.gx))
            cases[source.source] = run_checkpoint(context, source, location, now)
        else:
            cases[source.source] = [missing]
    _report(Path(options.reports), context, cases)
    failed = sorted(name for name, found in cases.items() if _fails(found))
    print(
        f"failed: {', '.join(failed)}"
        if failed
        else f"passed: {', '.join(cases) or 'nothing to check'}"
    )
    _push(network.pushgateway(options.pushgateway), sources, environment, cases)
    return FAILED if failed else PASSED


def _asked(options: argparse.Namespace) -> list[str]:
    if bool(options.source) == bool(options.model):
        raise CannotRun("say either --source or --model; see --help")
    if options.source:
        return [options.source]
    facts = read_model(options.facts, options.model)
    names = [facts.examples.source, *(view.source for view in facts.features.views)]
    return list(dict.fromkeys(names))


def _missing_file(source: SourceFacts, location: Location) -> Case | None:
    """Great Expectations says only "no available batches" of a file that is not there."""
    if location.kind not in FILE_KINDS or "://" in location.name or Path(location.name).exists():
        return None
    return Case(
        f"{source.source}: data is missing", "failed", "no such file", location.name,
        "was it downloaded or built before?", location.spec,
    )  # fmt: skip


def open_context(folder: Path) -> Any:
    """The project's file context."""
    if not (folder / "great_expectations.yml").is_file():
        raise CannotRun(
            f"{folder}/great_expectations.yml is missing: compile the project, run from its root"
        )
    try:
        import great_expectations as gx
    except ModuleNotFoundError:
        raise missing_package("great_expectations", "checking data") from None
    try:
        return gx.get_context(mode="file", context_root_dir=str(folder.absolute()))
    except Exception as error:
        raise CannotRun(f"{folder}: Great Expectations cannot read it: {error}") from error


def run_checkpoint(
    context: Any, source: SourceFacts, location: Location, now: datetime
) -> list[Case]:
    """One case for each expectation of the source's checkpoint, or one that says why there are none."""
    from great_expectations.exceptions import DataContextError, GreatExpectationsError

    try:
        checkpoint = context.checkpoints.get(location.checkpoint)
    except DataContextError as error:
        raise CannotRun(
            f"checkpoint '{location.checkpoint}' of source '{source.source}' is not there or names what is "
            f"not there: {error} {asked_by(source.spec)}"
        ) from None
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(network.TIMEOUT_SECONDS))
    what = f"source '{source.source}', {location.kind} {_where(location)}"
    database = location.kind not in FILE_KINDS

    def worth(error: Exception) -> bool:
        return (database or "://" in location.name) and _unanswered(error)

    try:
        head = retried(what, lambda: _first_row(checkpoint, database=database), worth)
        rows = head.data
        if rows.empty:
            return [
                Case(
                    f"{source.source}: data is empty",
                    "failed",
                    "no rows",
                    "rows",
                    location.name,
                    source.spec,
                )
            ]
        parameters = freshness_parameter(source, rows, now)
        result = retried(what, lambda: _results(checkpoint, parameters, database=database), worth)
    except GreatExpectationsError as error:
        raise CannotRun(f"{what}: {error} {asked_by(location.spec)}") from error
    found = [one for run in result.run_results.values() for one in run.results]
    return [_case(source, one) for one in found]


def _first_row(checkpoint: Any, *, database: bool) -> Any:
    """The first row of what is checked.

    The connection is tried before: of a database that is away, Great Expectations says only that its
    own number of the missing row is no key.
    """
    data = checkpoint.validation_definitions[0].data
    if database:
        data.data_asset.datasource.test_connection(test_assets=False)
    return data.get_batch().head(1)


def _results(checkpoint: Any, parameters: Mapping[str, object], *, database: bool) -> Any:
    """What the expectations come to.

    An expectation that cannot ask its database has failed, says Great Expectations. So the connection
    is tried again where one could not be computed: whether the data is bad is not known then.
    """
    result = checkpoint.run(expectation_parameters=parameters)
    found = [one for run in result.run_results.values() for one in run.results]
    if database and any(_note(one) for one in found):
        data = checkpoint.validation_definitions[0].data
        data.data_asset.datasource.test_connection(test_assets=False)
    return result


def _unanswered(error: Exception) -> bool:
    """Whether a store did not answer; Great Expectations wraps the errors of what it reads with."""
    cause: BaseException | None = error
    while cause is not None:
        if is_outage(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _where(location: Location) -> str:
    """The path, or the table and where its database answers."""
    url = os.environ.get(f"MLOPS_{location.kind.upper()}_URL", "")
    return f"{location.name} at {address_of(url)}" if url else location.name


def freshness_parameter(source: SourceFacts, rows: Any, now: datetime) -> dict[str, object]:
    """How old the newest row may be, as a time of the same kind (with or without a zone) as the column."""
    if source.freshness is None or source.timestamp is None:
        return {}
    oldest = now - timedelta(seconds=source.freshness.seconds)
    column = rows.get(source.timestamp)
    if column is not None and getattr(column.dtype, "tz", None) is None:
        oldest = oldest.replace(tzinfo=None)  # a time without a zone is UTC
    return {source.freshness.parameter: oldest}


def _case(source: SourceFacts, result: Any) -> Case:
    """One expectation's result, in words."""
    expectation = result.expectation_config
    arguments = {key: value for key, value in expectation.kwargs.items() if key != "batch_id"}
    column = arguments.pop("column", None)
    name = f"{source.source}{f'.{column}' if column else ''}: {_words(expectation.type)}"
    spec = str((expectation.meta or {}).get("spec") or _spec(source, expectation.type, column))
    severity = str(getattr(expectation.severity, "value", expectation.severity))
    outcome = outcome_of(severity, holds=bool(result.success))
    wanted = ", ".join(
        f"{key} {_shown(value)}" for key, value in arguments.items() if value is not None
    )
    if not result.success and _is_freshness(source, expectation.type, column):
        name = f"{source.source}: data is late"
    return Case(name, outcome, _found(result.result or {}), wanted, _note(result), spec)


def _is_freshness(source: SourceFacts, kind: str, column: object) -> bool:
    is_about_newest = kind == "expect_column_max_to_be_between" and column == source.timestamp
    return source.freshness is not None and is_about_newest


def _words(kind: str) -> str:
    return kind.removeprefix("expect_").removeprefix("column_").replace("_", " ")


def _spec(source: SourceFacts, kind: str, column: object) -> str:
    if source.freshness is not None and _is_freshness(source, kind, column):
        return source.freshness.spec
    return next((one.spec for one in source.columns if one.name == column), source.spec)


def _found(result: Mapping[str, Any]) -> str:
    if "observed_value" in result:
        return _shown(result["observed_value"])
    if not result.get("unexpected_count"):
        return ""
    percent = result.get("unexpected_percent_total") or result.get("unexpected_percent") or 0
    unexpected = result.get("partial_unexpected_list") or []
    # A missing value is no example: it is not equal to itself, or None.
    examples = dict.fromkeys(_shown(one) for one in unexpected if one is not None and one == one)  # noqa: PLR0124
    shown = list(examples)[:3]  # enough to recognise what is wrong; data docs have more
    return f"{result['unexpected_count']} rows ({percent:.3g} %)" + (
        f", such as {', '.join(shown)}" if shown else ""
    )


def _note(result: Any) -> str:
    """Why an expectation could not be computed at all, such as a column that is not there."""
    info = result.exception_info or {}
    raised = (
        [info]
        if "raised_exception" in info
        else [one for one in info.values() if isinstance(one, dict)]
    )
    messages = dict.fromkeys(
        str(one["exception_message"]) for one in raised if one.get("raised_exception")
    )
    return "; ".join(message.strip().splitlines()[0] for message in messages if message.strip())


def _shown(value: object) -> str:
    limit = 60  # a set of a thousand categories would hide the rest of the table
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _fails(cases: Sequence[Case]) -> bool:
    return any(case.outcome == "failed" for case in cases)


def _report(folder: Path, context: Any, cases: Mapping[str, list[Case]]) -> None:
    everything = [case for found in cases.values() for case in found]
    if everything:
        reports.print_cases(everything)
    reports.write_junit(folder / "junit.xml", "data checks", everything)
    reports.write_json(
        folder / "validate.json",
        {
            source: {
                "success": not _fails(found),
                "cases": reports.as_data(found),
            }
            for source, found in cases.items()
        },
    )  # fmt: skip
    if context is not None:
        for address in context.build_data_docs().values():
            site = Path(address.removeprefix("file://")).parent
            shutil.copytree(site, folder / "data_docs", dirs_exist_ok=True)


def _push(
    gateway: str | None,
    sources: Sequence[SourceFacts],
    environment: str,
    cases: Mapping[str, list[Case]],
) -> None:
    """The verdict on a source, once for each model that reads it."""
    if gateway is None:
        return
    for source in sources:
        if source.source not in cases:
            continue
        sample = Sample("mlops_data_check_success", 0 if _fails(cases[source.source]) else 1)
        for model in source.models or ():
            group = {
                "project": source.project, "model": model, "environment": environment, "source": source.source,
            }  # fmt: skip
            network.push(gateway, network.VALIDATE_JOB, group, [sample])


if __name__ == "__main__":
    sys.exit(main())
