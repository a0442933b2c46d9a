"""What a table shows: the one type between the readers of data files and the writer of specs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlopsc.authoring.refusal import UnusableError
from mlopsc.authoring.words import quoted
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.spec.vocabulary import ColumnType

Value: TypeAlias = bool | int | float | str
Kind: TypeAlias = Literal["parquet", "csv"]

MOST_ROWS: Final = 1_000_000
"""Rows that are looked at; a longer file is described by its first rows, and the spec says so."""
MOST_COLUMNS: Final = 5_000
MOST_VALUES: Final = 400
"""Different values of a column that are remembered: enough for the days of a year."""
MOST_UNIQUE: Final = 100_000
"""Different values that are compared to see whether any occurs twice; bounds the memory."""


@frozen
class ColumnFacts:
    """A column as the data shows it.

    Attributes:
        name: as the file writes it, which may be anything.
        type: the language's type; None if it has none for these values.
        reason: why there is no type; for a person, completes "left out: …".
        null_share: missing values, 0 to 1. NaN counts as missing: pandas makes no difference.
        low: the smallest number; None for anything but finite numbers.
        high: the largest number.
        values: all different values, sorted, if they are at most `MOST_VALUES`; None if more.
        unique: no value occurs twice among those compared.
        remark: something about the values that a person should know.
    """

    name: str
    type: ColumnType | None
    reason: str | None = None
    null_share: float = 0.0
    low: int | float | None = None
    high: int | float | None = None
    values: tuple[Value, ...] | None = None
    unique: bool = False
    remark: str | None = None

    @property
    def is_number(self) -> bool:
        """Whether its values can be compared with a bound."""
        return self.type in ("int32", "int64", "float32", "float64")

    @property
    def is_whole(self) -> bool:
        """Whether its type holds whole numbers alone."""
        return self.type in ("int32", "int64")


@frozen
class TableFacts:
    """A table as its file shows it, or as somebody described it.

    Attributes:
        kind: the key of the source that says where the rows are.
        location: its path, relative to the spec's folder, with `/`.
        columns: in the file's order.
        rows: how many were looked at; None if there is no file yet.
        whole: whether those are all rows.
        remark: something about the file that a person should know.
    """

    kind: Kind
    location: str
    columns: tuple[ColumnFacts, ...]
    rows: int | None = None
    whole: bool = True
    remark: str | None = None

    def column(self, name: str) -> ColumnFacts | None:
        """The column of this name."""
        return next((column for column in self.columns if column.name == name), None)


def check_header(names: list[str], file: str) -> None:
    """Refuse tables whose columns cannot be told apart, or that are too many.

    Raises:
        UnusableError: two columns of one name, or more than `MOST_COLUMNS`.
    """
    if len(names) > MOST_COLUMNS:
        raise UnusableError(
            f"{file} has {len(names):,} columns; init describes at most {MOST_COLUMNS:,}",
            "keep the columns a model needs in a file of their own",
        )
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise UnusableError(
                f"{file} has two columns called {quoted(name)}",
                "rename one of them: a feature is known by its column's name",
            )
        seen.add(name)
