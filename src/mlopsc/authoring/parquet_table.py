"""The facts of a Parquet file: types from its schema, the rest from its statistics and rows."""

from __future__ import annotations

import math
from typing import IO, TYPE_CHECKING, Any, Final

from mlopsc.authoring.facts import MOST_ROWS, ColumnFacts, TableFacts, check_header
from mlopsc.authoring.refusal import UnusableError
from mlopsc.authoring.tally import Tally
from mlopsc.authoring.words import column_problem, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlopsc.spec.vocabulary import ColumnType

_BATCH: Final = 65_536  # rows decoded together
_INT64_MAX: Final = 2**63 - 1


def describe_parquet(stream: IO[bytes], file: str, location: str) -> TableFacts:
    """The facts of the Parquet file in `stream`, which messages call `file`.

    Raises:
        UnusableError: pyarrow is not installed, or the file is damaged, empty or without rows.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise UnusableError(
            "reading parquet needs the package pyarrow, which is not installed",
            "install it: pip install 'mlopsc[init]'",
        ) from None
    try:
        return _describe(pq.ParquetFile(stream), file, location)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        why = (str(error).splitlines() or ["unreadable"])[0]
        raise UnusableError(
            f"{file} cannot be read as Parquet: {why}",
            "see whether it is a whole Parquet file",
        ) from None


def _describe(parquet: Any, file: str, location: str) -> TableFacts:
    schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    check_header(list(schema.names), file)
    if not schema.names:
        raise UnusableError(f"{file} has no columns", "give init a file with columns and some rows")
    if rows == 0:
        raise UnusableError(f"{file} has no rows", "give init a file with some rows in it")
    columns = [_Column(field) for field in schema]
    usable = {column.name: column for column in columns if column.type is not None}
    looked_at = min(rows, MOST_ROWS)
    _read_statistics(parquet.metadata, usable)
    _read_rows(parquet, usable, looked_at)
    return TableFacts(
        kind="parquet",
        location=location,
        columns=tuple(column.facts(rows) for column in columns),
        rows=looked_at,
        whole=looked_at == rows,
    )


def _read_statistics(metadata: Any, columns: dict[str, _Column]) -> None:
    """Ranges and missing values of the whole file, where every row group states them."""
    places = {metadata.schema.column(at).path: at for at in range(metadata.num_columns)}
    for name, column in columns.items():
        groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
        found = [group.column(places[name]).statistics for group in groups if group.num_rows]
        if all(stats is not None and stats.has_null_count for stats in found):
            column.stated_nulls = sum(stats.null_count for stats in found)
            column.counts_nulls = False
        filled = [stats for stats in found if stats is None or _has_values(stats)]
        if column.is_number and all(map(_has_range, filled)):
            column.widen(*(bound for stats in filled for bound in (stats.min, stats.max)))
            column.measures = False


def _has_values(stats: Any) -> bool:
    return not (stats.has_null_count and stats.num_values == 0)


def _has_range(stats: Any) -> bool:
    # Of half floats pyarrow gives the bounds as bytes.
    return stats is not None and stats.has_min_max and isinstance(stats.min, int | float)


def _read_rows(parquet: Any, columns: dict[str, _Column], limit: int) -> None:
    """The first `limit` rows, by row group; a column with nothing more to tell is not read on."""
    left = limit
    for group in range(parquet.num_row_groups):
        wanted = [name for name, column in columns.items() if column.is_open]
        if left <= 0 or not wanted:
            return
        for batch in parquet.iter_batches(_BATCH, row_groups=[group], columns=wanted):
            part = batch.slice(0, left)
            for name in wanted:
                columns[name].see(part.column(name))
            left -= part.num_rows
            if left <= 0:
                return


class _Column:
    """A column while its rows go by."""

    def __init__(self, field: Any) -> None:
        self.name: str = field.name
        type_, reason = _type_of(field.type)
        problem = column_problem(self.name) or reason
        self.type: ColumnType | None = None if problem else type_
        self.reason = problem
        self.is_number = self.type in ("int32", "int64", "float32", "float64")
        self.is_float = self.type in ("float32", "float64")
        self.low: int | float = math.inf
        self.high: int | float = -math.inf
        self.infinite = False
        self.stated_nulls = 0
        self.seen_nulls = 0
        self.seen = 0
        self.counts_nulls = True  # from the rows; the statistics do not say
        self.measures = True  # the range, from the rows
        self.tally = Tally()
        self._tallies = self.type not in (None, "timestamp")

    @property
    def is_open(self) -> bool:
        """Whether its rows have something to tell that is not known yet."""
        # NaN is no null to Parquet and a missing value to pandas: it is counted in the rows alone.
        return (
            self.counts_nulls
            or self.is_float
            or (self.is_number and self.measures)
            or (self._tallies and self.tally.is_open)
        )

    def widen(self, *bounds: float) -> None:
        """Stretch the range to hold these."""
        for bound in bounds:
            if math.isinf(bound):
                self.infinite = True
            elif not math.isnan(bound):
                self.low, self.high = min(self.low, bound), max(self.high, bound)

    def see(self, values: Any) -> None:
        """A stretch of rows, as an Arrow array."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.seen += len(values)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_float16(values.type):
            values = values.cast(pa.float32())
        if self.counts_nulls:
            self.seen_nulls += values.null_count
        values = values.drop_null()
        if self.is_float:
            nan = pc.is_nan(values)
            self.seen_nulls += pc.sum(nan).as_py() or 0
            values = values.filter(pc.invert(nan))
        if not len(values):
            return
        if self.is_number and self.measures:
            extent = pc.min_max(values).as_py()
            self.widen(extent["min"], extent["max"])
        if self._tallies and self.tally.is_open:
            self.tally.add(set(pc.unique(values).to_pylist()), len(values))

    def facts(self, rows: int) -> ColumnFacts:
        """What all of it shows."""
        seen = self.seen_nulls / self.seen if self.seen else 0.0
        share = min(1.0, self.stated_nulls / rows + seen)
        if self.type is None:
            return ColumnFacts(self.name, None, self.reason, share)
        if share == 1.0:
            return ColumnFacts(self.name, None, "no row has a value", share)
        if self.type == "int64" and self.high > _INT64_MAX and self.is_number and not self.is_float:
            reason = "whole numbers above 9223372036854775807, which int64 cannot hold"
            return ColumnFacts(self.name, None, reason, share)
        found = self.tally.values() if self._tallies else None
        measured = self.is_number and not self.infinite and self.low <= self.high
        return ColumnFacts(
            self.name,
            self.type,
            null_share=share,
            low=self.low if measured else None,
            high=self.high if measured else None,
            values=None if found is None else tuple(sorted(found)),
            unique=self._tallies and self.tally.unique,
            remark="holds infinite values" if self.infinite else None,
        )


def _type_of(type_: Any) -> tuple[ColumnType | None, str | None]:
    """The language's type for an Arrow type, or why there is none."""
    import pyarrow as pa

    is_ = pa.types
    if is_.is_dictionary(type_):
        return _type_of(type_.value_type)
    named: tuple[tuple[Callable[[Any], bool], ColumnType], ...] = (
        (is_.is_boolean, "bool"),
        (lambda t: is_.is_int32(t) or is_.is_int16(t) or is_.is_int8(t), "int32"),
        (lambda t: is_.is_uint16(t) or is_.is_uint8(t), "int32"),
        (is_.is_integer, "int64"),
        (lambda t: is_.is_float32(t) or is_.is_float16(t), "float32"),
        (is_.is_float64, "float64"),
        (lambda t: is_.is_string(t) or is_.is_large_string(t), "string"),
        (lambda t: hasattr(is_, "is_string_view") and is_.is_string_view(t), "string"),
        (is_.is_timestamp, "timestamp"),
    )
    for test, name in named:
        if test(type_):
            return name, None
    return None, _no_type(type_)


def _no_type(type_: Any) -> str:
    import pyarrow as pa

    is_ = pa.types
    for tests, reason in (
        ((is_.is_nested,), "nested values; put what a model needs of them into columns"),
        ((is_.is_decimal,), "decimals; cast them to float64 in the data"),
        ((is_.is_date,), "days without a time; cast them to timestamps in the data"),
        ((is_.is_time,), "times without a day; cast them to numbers or timestamps in the data"),
        ((is_.is_duration,), "durations; cast them to numbers in the data"),
        ((is_.is_null,), "no row has a value"),
        (
            (is_.is_binary, is_.is_large_binary, is_.is_fixed_size_binary),
            "bytes, which no check or feature can use",
        ),
    ):
        if any(test(type_) for test in tests):
            return reason
    return f"{quoted(str(type_))} has no type in the language"
