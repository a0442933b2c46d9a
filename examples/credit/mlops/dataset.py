"""Examples and their features, as train.parquet, validation.parquet and test.parquet.

Reads the examples of the training window, leaves out those whose label is not known yet, joins
features as of each example's time, and splits: by time (test is the newest part, validation the
one before) or by a draw that depends on the key and the seed alone, so that a key never changes
sides.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, joins, reports, tables
from mlops.command import Argument
from mlops.facts import read_model, read_source
from mlops.outcome import PASSED, CannotRun, Failed, asked_by
from mlops.stores import Window
from mlops.tables import Need

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd
    from mlops.facts import Column, Examples, ModelFacts, Part, SourceFacts, Training

SPLITS = ("train", "validation", "test")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "dataset",
        __doc__ or "",
        [
            Argument("--model", "whose examples", "MODEL"),
            Argument("--data", "where to (default: $MLOPS_DATA, or build/MODEL/data)", "DIR"),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), write_dataset, argv)


def write_dataset(options: argparse.Namespace) -> int:
    """The job: read, join, split, write."""
    facts = read_model(options.facts, command.required(options, "model"))
    if facts.training is None:
        raise CannotRun(
            f"model '{facts.model}' is not trained here: it has no 'training' in mlops.yaml"
        )
    source = read_source(options.facts, facts.examples.source)
    environment = command.environment(options, source.environments, facts.training.environment)
    window = known_window(facts, command.now(options))
    examples, unlabelled = read_examples(facts, source, environment, window)

    parts = split(examples, facts)
    frame = joins.join(examples, facts.examples.timestamp or "", facts.features)
    refuse_empty_features(frame, facts)

    folder = command.folder(options.data, "MLOPS_DATA", f"build/{facts.model}/data")
    rows = write_splits(folder, frame, parts, facts)
    write_description(folder, facts, window, rows, unlabelled)
    reports.print_table(("split", "rows"), [(name, str(count)) for name, count in rows.items()])
    print(f"{folder}: examples of {window}; {unlabelled} without a label left out")
    return PASSED


def known_window(facts: ModelFacts, now: datetime) -> Window:
    """The examples wanted: old enough that the label is known, young enough to matter."""
    training, label = facts.training, facts.examples.label
    if facts.examples.timestamp is None or training is None:
        return Window()
    start = now - timedelta(seconds=training.window_seconds) if training.window_seconds else None
    # `end` is exclusive, and a label known at this very moment is known.
    end = now - timedelta(seconds=label.known_after_seconds) + timedelta(microseconds=1)
    return Window(start, end)


def read_examples(
    facts: ModelFacts, source: SourceFacts, environment: str, window: Window
) -> tuple[pd.DataFrame, int]:
    """The labelled rows of the window in the spec's types, oldest first, and how many had no label."""
    label = facts.examples.label
    frame = tables.read(source, environment, needs(facts), window)
    if frame.empty:
        raise Failed(_nothing_in(window, source, environment, facts))
    frame = tables.typed(frame, [*own_columns(facts), _as_columns(facts.examples)])
    labelled = frame[frame[label.name].notna()]
    if labelled.empty:
        raise Failed(
            f"column '{label.name}' is empty in all {len(frame)} rows of {window} {asked_by(label.spec)}"
        )
    # Without the nulls the label has the spec's own type again.
    labelled = tables.typed(labelled, [_as_columns(facts.examples)])
    if facts.examples.timestamp:
        timed = labelled[labelled[facts.examples.timestamp].notna()]
        labelled = timed.sort_values(facts.examples.timestamp, kind="stable")
    return labelled.reset_index(drop=True), len(frame) - len(labelled)


def _as_columns(examples: Examples) -> Column:
    from mlops.facts import Column

    return Column(examples.label.name, examples.label.type, examples.label.spec)


def _nothing_in(window: Window, source: SourceFacts, environment: str, facts: ModelFacts) -> str:
    newest = tables.newest(source, environment)
    there = f"its newest row is of {newest.isoformat()}" if newest else "it has no rows at all"
    asking = facts.training.spec if facts.training else facts.spec
    return f"source '{source.source}' has no examples of {window}; {there} {asked_by(asking)}"


def own_columns(facts: ModelFacts) -> list[Column]:
    """Columns of the examples' source, apart from label and timestamp, each once."""
    extra = facts.evaluation.columns if facts.evaluation else ()
    columns = {c.name: c for c in [*facts.examples.keys, *facts.features.own, *extra]}
    columns.pop(facts.examples.label.name, None)
    return list(columns.values())


def needs(facts: ModelFacts) -> list[Need]:
    """Every column of the examples' source that somebody needs, and who."""
    examples = facts.examples
    wanted = [Need(column.name, column.spec) for column in own_columns(facts)]
    wanted.append(Need(examples.label.name, examples.label.spec))
    if examples.timestamp:
        wanted.append(Need(examples.timestamp, examples.spec))
    listed = {need.name for need in wanted}
    wanted += [Need(name, facts.spec) for name in facts.features.request if name not in listed]
    return wanted


def split(examples: pd.DataFrame, facts: ModelFacts) -> dict[str, pd.Series]:
    """Which rows belong to which split, as masks; Failed when one of them is empty."""
    import pandas as pd

    training = facts.training
    if training is None:
        raise CannotRun(f"model '{facts.model}' is not trained here")
    rest = pd.Series(data=True, index=examples.index)
    parts: dict[str, pd.Series] = {}
    drawn_up_to = 0.0
    draw: pd.Series | None = None
    for name, part in (("test", training.split.test), ("validation", training.split.validation)):
        if part.share is not None:
            draw = _draw(examples, facts, training) if draw is None else draw
            taken = rest & draw.between(drawn_up_to, drawn_up_to + part.share, inclusive="left")
            drawn_up_to += part.share
        else:
            taken = rest & _newest_part(examples, rest, part, facts)
        parts[name], rest = taken, rest & ~taken
    parts["train"] = rest
    for name in SPLITS:
        if not parts[name].any():
            raise Failed(_empty_split(name, examples, facts, training))
    return parts


def _newest_part(
    examples: pd.DataFrame, rest: pd.Series, part: Part, facts: ModelFacts
) -> pd.Series:
    name = facts.examples.timestamp
    if name is None:
        asking = facts.training.split.spec if facts.training else facts.spec
        raise CannotRun(
            f"a split by time needs a timestamp on source '{facts.examples.source}' {asked_by(asking)}"
        )
    times = tables.instants(examples[name], f"column '{name}'")
    return times > times[rest].max() - timedelta(seconds=part.seconds or 0)


def _draw(examples: pd.DataFrame, facts: ModelFacts, training: Training) -> pd.Series:
    """A number in [0, 1) for each row, from its key and the seed alone.

    BLAKE2 and not Python's hash: the same in every process, on every machine, and evenly spread
    for keys that are counted up. Without keys, the whole row is the key, so that equal rows stay
    together.
    """
    names = [key.name for key in facts.examples.keys]
    if not names:
        names = [column.name for column in facts.features.own]
        names += [facts.examples.timestamp] if facts.examples.timestamp else []
    keys = (
        examples[names].astype(str).agg("\x1f".join, axis=1)
        if names
        else examples.index.astype(str)
    )
    seed = training.seed.to_bytes(16, "big", signed=True)
    numbers = {
        key: int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8, key=seed).digest(), "big")
        / 2**64
        for key in set(keys)
    }
    return keys.map(numbers).astype("float64")


def _empty_split(name: str, examples: pd.DataFrame, facts: ModelFacts, training: Training) -> str:
    message = f"the {name} split is empty: there are {len(examples)} labelled examples"
    if facts.examples.timestamp:
        times = examples[facts.examples.timestamp]
        message += f", from {times.min()} to {times.max()}"
    return f"{message} {asked_by(training.split.spec)}"


def refuse_empty_features(frame: pd.DataFrame, facts: ModelFacts) -> None:
    """A joined feature without a single value is a broken join, not a rare value."""
    empty = [column for column in facts.features.joined if frame[column.name].isna().all()]
    if empty:
        raise Failed(
            "\n".join(
                f"feature '{column.name}' is empty in all {len(frame)} examples: no row of its view has "
                f"these keys at or before their time, within its ttl {asked_by(column.spec)}"
                for column in empty
            )
        )


def columns_of_splits(facts: ModelFacts) -> list[str]:
    """The columns of the three files: keys, timestamp, features, label; in this order."""
    names = [key.name for key in facts.examples.keys]
    names += [facts.examples.timestamp] if facts.examples.timestamp else []
    names += [column.name for column in facts.features.all]
    names.append(facts.examples.label.name)
    return list(dict.fromkeys(names))


def write_splits(
    folder: Path, frame: pd.DataFrame, parts: dict[str, pd.Series], facts: ModelFacts
) -> dict[str, int]:
    """Write the files; the columns that only the gate may see go to a file of their own."""
    typed = [*own_columns(facts), *facts.features.joined, _as_columns(facts.examples)]
    columns = columns_of_splits(facts)
    for name in SPLITS:
        tables.write_parquet(folder / f"{name}.parquet", frame.loc[parts[name], columns], typed)
    only_gate = [column.name for column in facts.evaluation.columns] if facts.evaluation else []
    tables.write_parquet(
        folder / "evaluation.parquet",
        frame.loc[parts["test"], only_gate],
        facts.evaluation.columns if facts.evaluation else (),
    )
    return {name: int(parts[name].sum()) for name in SPLITS}


def write_description(
    folder: Path, facts: ModelFacts, window: Window, rows: dict[str, int], unlabelled: int
) -> None:
    """dataset.json: what a person asks first about a dataset."""
    examples = facts.examples
    roles = {column.name: "feature" for column in facts.features.all}
    types = {column.name: column.type for column in [*facts.features.all, *examples.keys]}
    for key in examples.keys:
        roles.setdefault(key.name, "key")
    if examples.timestamp:
        roles.setdefault(examples.timestamp, "timestamp")
        types.setdefault(examples.timestamp, "timestamp")
    roles[examples.label.name], types[examples.label.name] = "label", examples.label.type
    reports.write_json(
        folder / "dataset.json",
        {
            "project": facts.project,
            "model": facts.model,
            "source": examples.source,
            "window": {
                "start": window.start.isoformat() if window.start else None,
                "end": window.end.isoformat() if window.end else None,
            },
            "rows": rows,
            "without_label": unlabelled,
            "columns": [
                {"name": name, "type": types[name], "role": roles[name]}
                for name in columns_of_splits(facts)
            ],
        },
    )


if __name__ == "__main__":
    sys.exit(main())
