"""Features as of a moment, by Feast's definitions.

For each key, a row sees the newest feature row at or before its own time and not older than the
view's ttl; views, ttl, fields and functions are those of Feast's registry, as in serving. A
warehouse is asked through Feast's historical retrieval; local files are joined here (see
`_from_files`).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from mlops import tables
from mlops.network import TIMEOUT_SECONDS, Answer, address_of, is_outage, retried
from mlops.outcome import CannotRun, Failed, asked_by, missing_package
from mlops.stores import dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlops.facts import Features

EVENT_TIME = "event_timestamp"
"""The name by which Feast finds the time of an entity row."""
ROW = "mlops_row"
"""Our number of an entity row; Feast carries it through and may answer in any order."""
FILE_STORES = ("file", "dask")
"""The types of Feast's offline store for local files, its default."""


def open_store(repository: str, *, online: bool = False) -> Any:
    """The project's feature store; CannotRun when it is not installed, configured or applied.

    Only materializing needs the online store, so only then must its address be known.
    """
    folder = Path(repository)
    config = folder / "feature_store.yaml"
    if not config.is_file():
        raise CannotRun(f"{config} is missing: compile the project, and run from its root")
    try:
        import yaml
        from feast import FeatureStore
    except ModuleNotFoundError:
        raise missing_package("feast", "looking up features") from None
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    needed = {key: value for key, value in settings.items() if online or key != "online_store"}
    unset = sorted(set(re.findall(r"\$\{(\w+)\}", json.dumps(needed))) - set(os.environ))
    if unset:
        raise CannotRun(f"{config} needs the environment variable {', '.join(unset)}")
    return answered(
        f"Feast's registry {_registry(settings)}", lambda: _opened(FeatureStore, folder)
    )


def _opened(kind: Any, folder: Path) -> Any:
    """The store, its registry read once: Feast itself puts that off until the first question."""
    # libpq waits for as long as the network does, a Redis client for ever.
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(TIMEOUT_SECONDS))
    store = kind(repo_path=str(folder))
    online = store.config.online_store
    if (
        getattr(online, "type", None) == "redis"
        and "socket_timeout" not in online.connection_string
    ):
        online.connection_string += f",socket_timeout={TIMEOUT_SECONDS}"
        online.connection_string += f",socket_connect_timeout={TIMEOUT_SECONDS}"
    store.list_projects()
    return store


def _registry(settings: Mapping[str, Any]) -> str:
    """Where Feast's registry is."""
    given = settings.get("registry")
    path = given.get("path") if isinstance(given, dict) else given
    return address_of(os.path.expandvars(str(path or "data/registry.db")))


def online_address(store: Any) -> str:
    """Where the online store of a feature store is: its kind and its address, without passwords."""
    config = store.config.online_store
    fields = ("connection_string", "path", "host")
    given = next((str(v) for v in (getattr(config, name, None) for name in fields) if v), "")
    return f"{config.type} {address_of(given)}".strip()


def answered(what: str, attempt: Callable[[], Answer]) -> Answer:
    """What Feast answers; CannotRun, naming `what`, when a store does not answer or refuses."""
    try:
        return retried(what, attempt)
    except (CannotRun, Failed):
        raise
    except Exception as error:  # each of Feast's stores has errors of its own
        reason = f"{type(error).__name__}: {error}"
        raise CannotRun(f"{what}: {reason}") from error


def join(frame: pd.DataFrame, timestamp: str, features: Features) -> pd.DataFrame:
    """The frame with the model's joined features added.

    Args:
        frame: Rows with the views' key columns, the timestamp and the request columns.
        timestamp: The column that says as of when.
        features: The facts.

    Raises:
        Failed: A column to join by is not there.
        CannotRun: Feast is not installed, not applied, or cannot be reached.
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
            f"Feast does not know the feature service '{features.service}': run `feast apply` first "
            f"{asked_by(features.joined[0].spec)}"
        ) from None
    joined = _retrieve(store, service, frame, timestamp, features)
    absent = [column for column in features.joined if column.name not in joined]
    if absent:
        raise CannotRun(
            "\n".join(
                f"feature service '{features.service}' does not give '{column.name}': "
                f"run `feast apply` again {asked_by(column.spec)}"
                for column in absent
            )
        )
    names = [column.name for column in features.joined]
    return tables.typed(frame.assign(**{name: joined[name] for name in names}), features.joined)


def _retrieve(
    store: Any,
    service: Any,
    frame: pd.DataFrame,
    timestamp: str,
    features: Features,
) -> pd.DataFrame:
    """The service's fields, one row for each row of the frame, in its order and with its index."""
    columns = [key for view in features.views for key in view.keys] + list(features.request)
    _require(frame, columns, features)
    asked = frame[list(dict.fromkeys(columns))].copy()
    times = tables.instants(frame[timestamp], f"column '{timestamp}'")
    asked[EVENT_TIME] = times.astype("datetime64[ns, UTC]")
    if getattr(store.config.offline_store, "type", None) in FILE_STORES:
        return _from_files(store, service, asked)
    return _from_store(store, service, asked, [key for view in features.views for key in view.keys])


def _require(frame: pd.DataFrame, columns: Sequence[str], features: Features) -> None:
    for column in columns:
        if column not in frame:
            spec = next((view.spec for view in features.views if column in view.keys), "features")
            raise Failed(f"the rows have no column '{column}' to join by {asked_by(spec)}")


def _from_store(
    store: Any,
    service: Any,
    asked: pd.DataFrame,
    keys: Sequence[str],
) -> pd.DataFrame:
    """Feast's historical retrieval, asked once for each combination of keys, request and time."""
    combination = asked.groupby(list(asked.columns), sort=False, dropna=False).ngroup()
    entities = asked.loc[~combination.duplicated()].reset_index(drop=True)
    entities[ROW] = range(len(entities))
    complete = entities.dropna(subset=[*keys, EVENT_TIME])
    if complete.empty:
        raise Failed("no row has all keys and a time, so there is nothing to join features to")
    answer: pd.DataFrame = answered(
        f"Feast's offline store {store.config.offline_store.type}",
        lambda: store.get_historical_features(entity_df=complete, features=service).to_df(),
    )
    if answer[ROW].duplicated().any():
        raise CannotRun("Feast answered a row twice: its feature rows have no unique key and time")
    answer = answer.set_index(ROW).reindex(range(len(entities)))
    return answer.iloc[combination.to_numpy()].set_index(asked.index)


def _from_files(store: Any, service: Any, asked: pd.DataFrame) -> pd.DataFrame:
    """The same answer for local files, by pandas, from the definitions in Feast's registry.

    Feast's own file store (0.67) merges each row with the whole history of its key before it
    looks at the time: 27,000 flights and a year of hourly weather took it 200 s. It also loses
    rows: those that agree in time and in the keys joined so far, and those whose key has feature
    rows, but none within the ttl, together with what other views know of them.
    """
    on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
    fields = _fields_by_view(service, on_demand)
    found = asked
    for name, columns in fields.items():
        view = store.get_feature_view(name)
        values = _as_of(view, asked, sorted(columns), Path(store.repo_path))
        found = found.assign(**{column: values[column] for column in columns})
    for projection in service.feature_view_projections:
        if projection.name in on_demand:
            inputs = pa.Table.from_pandas(found, preserve_index=False)
            computed = (
                on_demand[projection.name]
                .transform_arrow(inputs)
                .to_pandas()
                .set_index(found.index)
            )
            found = found.assign(**{column: computed[column] for column in computed})
    return found


def _fields_by_view(service: Any, on_demand: Mapping[str, Any]) -> dict[str, set[str]]:
    """View with a source → its fields that are wanted, or that a wanted on-demand view reads."""
    found: dict[str, set[str]] = {}
    for projection in service.feature_view_projections:
        view = on_demand.get(projection.name)
        read = view.source_feature_view_projections.values() if view else [projection]
        for one in read:
            found.setdefault(one.name, set()).update(field.name for field in one.features)
    return found


def _as_of(view: Any, asked: pd.DataFrame, columns: list[str], repository: Path) -> pd.DataFrame:
    """For each row the newest feature row at or before its time, within the view's ttl."""
    keys = list(view.join_keys)
    history = _history(view, keys, columns, repository)
    history = history.astype({key: asked[key].dtype for key in keys})
    # merge_asof wants both sides in the order of time; positions lead back to the rows' own order.
    rows = asked[[*keys, EVENT_TIME]].reset_index(drop=True)
    complete = rows.dropna().sort_values(EVENT_TIME, kind="stable")
    merged = pd.merge_asof(
        complete.reset_index(names=ROW), history, on=EVENT_TIME, by=keys, tolerance=view.ttl or None
    )
    return merged.set_index(ROW)[columns].reindex(rows.index).set_index(asked.index)


def _history(view: Any, keys: list[str], columns: list[str], repository: Path) -> pd.DataFrame:
    """A view's rows by the names of its fields, oldest first; of rows of one time, the last made wins."""
    source = view.batch_source
    path = source.path if "://" in source.path else str(repository / source.path)
    own_names = {field: own for own, field in source.field_mapping.items()}
    made = [source.created_timestamp_column] if source.created_timestamp_column else []
    read = [own_names.get(name, name) for name in (*keys, *columns)]
    try:
        table = retried(
            f"feature view '{view.name}': {path}",
            lambda: dataset(path, "parquet").to_table([*read, source.timestamp_field, *made]),
            lambda error: "://" in path and is_outage(error),
        )
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise Failed(f"feature view '{view.name}': {path} cannot be read: {error}") from None
    rows = table.to_pandas().rename(columns=source.field_mapping)
    times = tables.instants(rows[source.timestamp_field], f"column '{source.timestamp_field}'")
    rows[EVENT_TIME] = times.astype("datetime64[ns, UTC]")
    rows = rows.dropna(subset=[*keys, EVENT_TIME])
    return rows.sort_values([EVENT_TIME, *made], kind="stable")[[*keys, *columns, EVENT_TIME]]
