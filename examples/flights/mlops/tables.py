"""Rows in and out: whichever system a source lives in, a program sees one pandas DataFrame.

Only the columns that are asked for and the rows of the window travel; each kind of store does that
itself (see stores.py). What arrives is held to the types of the spec here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from mlops.outcome import Failed, asked_by, missing_package

try:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as missing:
    raise missing_package(missing.name or "pandas pyarrow", "reading tables") from None

from mlops.reports import replaced
from mlops.stores import Window, store_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from mlops.facts import Column, SourceFacts

ARROW_TYPES = {
    "int32": pa.int32(), "int64": pa.int64(), "float32": pa.float32(), "float64": pa.float64(),
    "string": pa.string(), "bool": pa.bool_(), "timestamp": pa.timestamp("us", tz="UTC"),
}  # fmt: skip


@dataclass(frozen=True)
class Need:
    """A column that somebody needs, and the spec line that says so."""

    name: str
    spec: str


def read(
    source: SourceFacts,
    environment: str,
    needs: Iterable[Need],
    window: Window | None = None,
) -> pd.DataFrame:
    """Rows of a source: the needed columns, inside the window.

    Raises:
        Failed: A needed column is not there, or the rows themselves are not.
        CannotRun: The store cannot be reached.
    """
    location = source.location(environment)
    store = store_of(location)
    wanted = {need.name: need for need in needs}
    there = set(store.columns())
    gone = [need for name, need in wanted.items() if name not in there]
    if gone:
        raise Failed(
            "\n".join(
                f"column '{need.name}' is not in {location.kind} {location.name} "
                f"of source '{source.source}' {asked_by(need.spec)}"
                for need in gone
            )
        )
    return store.rows(list(wanted), source.timestamp, window or Window())


def append(source: SourceFacts, environment: str, rows: pd.DataFrame) -> None:
    """Add rows to a source, all of them or none."""
    store_of(source.location(environment)).append(rows)


def instants(values: pd.Series, what: str) -> pd.Series:
    """A timestamp column as UTC instants; a time without a zone is UTC, as everywhere here."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        raise Failed(f"{what} holds {values.dtype}, not timestamps")
    return values.dt.tz_localize(UTC) if values.dt.tz is None else values.dt.tz_convert(UTC)


def typed(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """The frame with these columns in the types of the spec; Failed for values that are no such thing."""
    cast, wrong = {}, []
    for column in columns:
        values = frame[column.name]
        try:
            cast[column.name] = _CASTS[column.type](values, column.type)
        except (ValueError, TypeError, OverflowError) as error:
            found = "it holds what is personal and not shown here" if column.personal else error
            wrong.append(
                f"column '{column.name}' must be {column.type}, but {found} {asked_by(column.spec)}"
            )
    if wrong:
        raise Failed("\n".join(wrong))
    return frame.assign(**cast)


def _number(values: pd.Series, wanted: str) -> pd.Series:
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        values = _from_decimals(values)
    return values.astype(wanted)


def _from_decimals(values: pd.Series) -> pd.Series:
    """Databases give NUMERIC as Decimal objects; anything else that is no number stays refused."""
    from decimal import Decimal

    present = values.dropna()
    if not present.map(lambda value: isinstance(value, Decimal)).all():
        raise ValueError(f"it holds {_example(values)}")
    return values.astype("float64")


def _integer(values: pd.Series, wanted: str) -> pd.Series:
    numbers = values if pd.api.types.is_integer_dtype(values) else _number(values, "float64")
    present = numbers.dropna()
    if not (present % 1 == 0).all():
        raise ValueError(f"it holds {_example(present[present % 1 != 0])}")
    bounds = pa.array([], ARROW_TYPES[wanted]).to_numpy(zero_copy_only=False)
    import numpy as np

    limits = np.iinfo(bounds.dtype)
    if len(present) and not limits.min <= present.min() <= present.max() <= limits.max:
        raise ValueError(f"it holds {_example(present.sort_values(key=abs, ascending=False))}")
    return numbers.astype(wanted if numbers.notna().all() else wanted.capitalize())


def _text(values: pd.Series, _wanted: str) -> pd.Series:
    present = values.dropna()
    if not present.map(lambda value: isinstance(value, str)).all():
        raise ValueError(f"it holds {_example(present)}")
    return values.astype(object).where(values.notna(), None)


def _truth(values: pd.Series, _wanted: str) -> pd.Series:
    present = values.dropna()
    if not present.map(
        lambda value: (
            value is True or value is False or str(type(value).__name__) in ("bool", "bool_")
        )
    ).all():
        raise ValueError(f"it holds {_example(present)}")
    return values.astype("bool" if values.notna().all() else "boolean")


def _time(values: pd.Series, _wanted: str) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(values):
        raise ValueError(f"it holds {_example(values)}")
    return values


def _example(values: pd.Series) -> str:
    present = values.dropna()
    return f"{present.iloc[0]!r}" if len(present) else f"{values.dtype} without a value"


_CASTS: dict[str, Callable[[pd.Series, str], pd.Series]] = {
    "int32": _integer, "int64": _integer, "float32": _number, "float64": _number,
    "string": _text, "bool": _truth, "timestamp": _time,
}  # fmt: skip


def write_parquet(path: Path, frame: pd.DataFrame, columns: Sequence[Column] = ()) -> None:
    """One parquet file, in the types of the spec where it names them, replaced as a whole.

    Without pandas' own metadata: the file means the same to every reader, and the same rows give
    the same bytes with one version of pyarrow.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for column in columns:
        index = table.schema.get_field_index(column.name)
        if index >= 0 and column.type != "timestamp":
            table = table.set_column(
                index, column.name, table.column(index).cast(ARROW_TYPES[column.type])
            )
    with replaced(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary)


def read_parquet(path: Path, asked: str) -> pd.DataFrame:
    """A parquet file of the contract; Failed, naming who asked for it, when it is not one."""
    if not path.is_file():
        raise Failed(f"{path} is missing {asked_by(asked)}")
    try:
        # An index that pandas kept in the file says nothing about the rows; their order does.
        return pq.read_table(path).to_pandas().reset_index(drop=True)
    except (OSError, pa.ArrowException) as error:  # damaged pages are an OSError
        raise Failed(f"{path} cannot be read as parquet: {error} {asked_by(asked)}") from None


def newest(source: SourceFacts, environment: str) -> datetime | None:
    """The time of the newest row, for messages about empty windows; None without rows or times."""
    if source.timestamp is None:
        return None
    times = read(source, environment, [Need(source.timestamp, source.spec)])[source.timestamp]
    known = instants(times, f"column '{source.timestamp}'").dropna()
    return known.max().to_pydatetime() if len(known) else None
