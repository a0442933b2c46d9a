"""Scores for the rows of a table, by the version that runs, appended to another table.

Of each key the newest row in the window is scored, with features as of now. What is written:
keys, time, features, prediction and version; personal columns that are no keys are not.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, joins, scoring, tables
from mlops.command import Argument
from mlops.facts import read_model, read_source
from mlops.outcome import PASSED, CannotRun, Failed, asked_by
from mlops.registry import running_version, versions
from mlops.stores import Window
from mlops.tables import Need

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd
    from mlops.facts import Batch, ModelFacts, SourceFacts

SCORED_AT = "scored_at"
"""Time column of the scores where the spec names none for their table."""
VERSION = "version"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser("batch", __doc__ or "", [Argument("--model", "which model", "MODEL")])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), score, argv)


def score(options: argparse.Namespace) -> int:
    """The job: read, join, predict, append."""
    facts = read_model(options.facts, command.required(options, "model"))
    if facts.batch is None:
        raise CannotRun(f"model '{facts.model}' has no 'batch' in mlops.yaml")
    environment = command.environment(options, facts.environments)
    now = command.now(options)
    source = read_source(options.facts, facts.batch.from_)
    target = read_source(options.facts, facts.batch.to)
    registry = versions(facts)
    version = running_version(facts, environment, registry)

    rows = read_rows(facts, facts.batch, source, environment, now)
    moment = target.timestamp or SCORED_AT
    rows = rows.assign(**{moment: now})
    rows = joins.join(rows, moment, facts.features)
    prediction = scoring.predict(registry, facts, version, rows)
    scores = rows[output_columns(facts, source, moment)].assign(
        **{facts.prediction: prediction, VERSION: version}
    )
    tables.append(target, environment, scores)
    print(
        f"{len(scores)} rows of '{source.source}' scored by version {version} into '{target.source}'"
    )
    return PASSED


def read_rows(
    facts: ModelFacts, batch: Batch, source: SourceFacts, environment: str, now: datetime
) -> pd.DataFrame:
    """The newest row of each key inside the window, in the spec's types."""
    names = key_columns(facts, source)
    needs = [Need(name, batch.spec) for name in names]
    needs += [Need(column.name, column.spec) for column in facts.features.own]
    needs += [Need(name, batch.spec) for name in facts.features.request]
    if source.timestamp:
        needs.append(Need(source.timestamp, source.spec))
    start = now - timedelta(seconds=batch.window_seconds) if batch.window_seconds else None
    window = Window(start, now + timedelta(microseconds=1)) if source.timestamp else Window()
    frame = tables.read(source, environment, needs, window)
    if frame.empty:
        raise Failed(
            f"source '{source.source}' has no rows of {window} to score {asked_by(batch.spec)}"
        )
    frame = tables.typed(frame, facts.features.own)
    if source.timestamp and names:
        frame = frame.sort_values(source.timestamp, kind="stable").drop_duplicates(
            names, keep="last"
        )
    return frame.reset_index(drop=True)


def key_columns(facts: ModelFacts, source: SourceFacts) -> list[str]:
    """Whom a row is about: what views join by, and those of the examples' keys that the source has."""
    known = {column.name for column in source.columns}
    keys = [key for view in facts.features.views for key in view.keys]
    keys += [key.name for key in facts.examples.keys if key.name in known]
    return list(dict.fromkeys(keys))


def output_columns(facts: ModelFacts, source: SourceFacts, moment: str) -> list[str]:
    """Keys, time and features; without what is personal and no key."""
    features = [column.name for column in facts.features.all if not column.personal]
    return list(dict.fromkeys([*key_columns(facts, source), moment, *features]))


if __name__ == "__main__":
    sys.exit(main())
