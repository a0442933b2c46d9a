"""Features as of a moment, through Feast.

Feast decides what a row may see: for each key the newest feature row at or before the row's time, and not
older than the view's ttl. This module hands it each combination of key and time once, and puts the answer
back in the order of the rows.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlops import tables
from mlops.network import retried
from mlops.outcome import CannotRun, Failed, asked_by, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlops.facts import Features, SourceFacts, View

EVENT_TIME = "event_timestamp"
"""The name by which Feast finds the time of an entity row."""
ROW = "mlops_row"
"""Our number of an entity row; Feast carries it through and may answer in any order."""
MERGED_ROWS = 5_000_000
"""Feast's file store merges every entity row with the whole history of its key before it looks at the
time. Five million merged rows of ten columns are about 400 MB, which a CI runner has."""
SAME_TIME_ROWS = 999
"""Nanoseconds that fit below the microsecond, the finest time our stores know (see `_told_apart`)."""


def open_store(repository: str) -> Any:
    """The project's feature store; CannotRun when it is not installed, configured or applied."""
    folder = Path(repository)
    config = folder / "feature_store.yaml"
    if not config.is_file():
        raise CannotRun(f"{config} is missing: compile the project, and run from its root")
    unset = sorted(
        name
        for name in set(re.findall(r"\$\{(\w+)\}", config.read_text(encoding="utf-8")))
        if name not in os.environ
    )
    if unset:
        raise CannotRun(
            f"{config} needs the environment variable{'s'[: len(unset) - 1]} {', '.join(unset)}"
        )
    try:
        from feast import FeatureStore
    except ModuleNotFoundError:
        raise missing_package("feast", "looking up features") from None
    return retried(f"Feast's registry of {config}", lambda: FeatureStore(repo_path=str(folder)))


def join(
    frame: pd.DataFrame,
    timestamp: str,
    features: Features,
    sources: Callable[[str], tuple[SourceFacts, str]],
) -> pd.DataFrame:
    """The frame with the model's joined features added.

    Args:
        frame: Rows with the views' key columns, the timestamp and the request columns.
        timestamp: The column that says as of when.
        features: The facts.
        sources: Name of a source → its facts and the environment to read.
    """
    if not features.joined or features.service is None or features.repository is None:
        return frame
    store = open_store(features.repository)
    try:
        service = store.get_feature_service(features.service)
    except Exception as error:
        if type(error).__name__ != "FeatureServiceNotFoundException":
            raise
        raise CannotRun(
            f"Feast does not know the feature service '{features.service}': run `feast apply` first"
        ) from None
    names = [column.name for column in features.joined]
    joined = _retrieve(store, service, frame, timestamp, features, sources)
    absent = [column for column in features.joined if column.name not in joined]
    if absent:
        raise CannotRun(
            "\n".join(
                f"feature service '{features.service}' does not give '{column.name}': run `feast apply` "
                f"again {asked_by(column.spec)}"
                for column in absent
            )
        )
    return tables.typed(frame.assign(**{name: joined[name] for name in names}), features.joined)


def join_fields(
    frame: pd.DataFrame,
    timestamp: str,
    references: Sequence[str],
    features: Features,
    sources: Callable[[str], tuple[SourceFacts, str]],
) -> pd.DataFrame:
    """The frame with single fields added, `view:field` each, which are no features of the model."""
    if not references:
        return frame
    if features.repository is None:
        raise CannotRun(f"{', '.join(references)}: the facts name no Feast repository")
    store = open_store(features.repository)
    joined = _retrieve(store, list(references), frame, timestamp, features, sources)
    names = [reference.partition(":")[2] for reference in references]
    return frame.assign(**{name: joined[name] for name in names})


def _retrieve(
    store: Any,
    wanted: Any,
    frame: pd.DataFrame,
    timestamp: str,
    features: Features,
    sources: Callable[[str], tuple[SourceFacts, str]],
) -> pd.DataFrame:
    """Feast's answer, one row for each row of the frame, in its order and with its index."""
    keys = list(dict.fromkeys(key for view in features.views for key in view.keys))
    _require(frame, [*keys, *features.request], features.views)
    asked = frame[[*dict.fromkeys([*keys, *features.request])]].copy()
    asked[EVENT_TIME] = tables.instants(frame[timestamp], f"column '{timestamp}'").astype(
        "datetime64[ns, UTC]"
    )
    combination = asked.groupby(list(asked.columns), sort=False, dropna=False).ngroup()
    entities = asked.loc[~combination.duplicated()].reset_index(drop=True)
    entities[ROW] = range(len(entities))
    complete = entities.dropna(subset=[*keys, EVENT_TIME])
    file_store = getattr(store.config.offline_store, "type", None) in ("file", "dask")
    parts = _portions(complete, features.views, sources) if file_store else [complete]
    answers = [
        retried(
            "Feast's offline store",
            lambda part=part: store.get_historical_features(  # type: ignore[misc]
                entity_df=_told_apart(part) if file_store else part, features=wanted
            ).to_df(),
        )
        for part in parts
        if len(part)
    ]
    if not answers:
        raise Failed("no row has all keys and a time, so there is nothing to join features to")
    answer = pd.concat(answers).set_index(ROW).reindex(range(len(entities)))
    if answer.index.has_duplicates:
        raise CannotRun("Feast answered a row twice: its feature rows have no unique key and time")
    return answer.iloc[combination.to_numpy()].set_index(frame.index)


def _require(frame: pd.DataFrame, columns: Sequence[str], views: Sequence[View]) -> None:
    for column in columns:
        if column not in frame:
            specs = [view.spec for view in views if column in view.keys] or ["an on-demand view"]
            raise Failed(f"the rows have no column '{column}' to join by {asked_by(specs[0])}")


def _portions(
    entities: pd.DataFrame,
    views: Sequence[View],
    sources: Callable[[str], tuple[SourceFacts, str]],
) -> Iterator[pd.DataFrame]:
    """Portions of the entity rows that Feast's file store can merge in memory."""
    cost = pd.Series(1, index=entities.index)
    for view in views:
        source, environment = sources(view.source)
        needs = [tables.Need(key, view.spec) for key in view.keys]
        keys = list(view.keys)
        history = tables.read(source, environment, needs).groupby(keys).size().rename("rows")
        rows = entities[keys].merge(history, how="left", left_on=keys, right_index=True)["rows"]
        cost = cost.combine(rows.fillna(1).astype("int64"), max)
    same_time = entities.groupby(EVENT_TIME).cumcount() // SAME_TIME_ROWS
    portion = cost.cumsum() // MERGED_ROWS
    for _, part in entities.groupby([same_time, portion], sort=True):
        yield part


def _told_apart(entities: pd.DataFrame) -> pd.DataFrame:
    """Entity rows of one time, told apart by nanoseconds.

    Feast's file store keeps one row for each combination of the keys *joined so far* and the time (seen
    in 0.67): with two views of different keys, or with request columns, it loses rows. No feature row
    lies within the same microsecond, so the answer is that of the exact time.
    """
    shift = pd.to_timedelta(entities.groupby(EVENT_TIME).cumcount(), unit="ns")
    return entities.assign(**{EVENT_TIME: entities[EVENT_TIME] + shift})
