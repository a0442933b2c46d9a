"""The facts of a CSV file, read as the generated programs will read it: by pyarrow's rules.

Which texts are numbers, times, truth values or missing follows pyarrow's CSV reader (its
`ConvertOptions` and type inference, seen with pyarrow 17 to 26), because a type that only another
reader sees would fail in the pipeline. Read with the standard library: no package is needed.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from io import TextIOWrapper
from itertools import islice
from typing import IO, TYPE_CHECKING, Final, Literal

from mlopsc.authoring.facts import MOST_ROWS, ColumnFacts, TableFacts, Value, check_header
from mlopsc.authoring.refusal import UnusableError
from mlopsc.authoring.tally import Tally
from mlopsc.authoring.words import column_problem, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.spec.vocabulary import ColumnType

_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_LONGEST_LINE: Final = 4_000_000  # characters; keeps a file without line ends out of memory
_STRETCH: Final = 5_000  # rows looked at together
_SAMPLE: Final = 20  # rows that tell the delimiter

MISSING: Final = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"N/A", "NA", "NULL", "NaN", "n/a", "nan", "null"}
)
"""What stands for a missing value."""

_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "1": True}
_FALSEHOOD: Final = {"false": False, "False": False, "FALSE": False, "0": False}

_Kind = Literal["bit", "int", "hex", "bool", "float", "date", "time", "local", "zoned", "text"]
_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = "[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?)?"
_SHAPES: Final = re.compile(
    rf"""
      (?P<bit> [01] )
    | (?P<int> -?[0-9]+ )
    | (?P<hex> 0[xX][0-9A-Fa-f]{{1,16}} )
    | (?P<bool> true | True | TRUE | false | False | FALSE )
    | (?P<float> [-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?
        | [-+]?(?:[iI]nf(?:inity)?|INF(?:INITY)?) )
    | (?P<date> {_DAY} )
    | (?P<time> [0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}})? )
    | (?P<local> {_DAY}[ T]{_CLOCK} )
    | (?P<zoned> {_DAY}[ T]{_CLOCK} (?: Z | [-+][0-9]{{2}}(?::?[0-9]{{2}})? ) )
    """,
    re.VERBOSE,
)
_TOGETHER: Final[dict[frozenset[str], _Kind]] = {
    frozenset({"bit", "int"}): "int",
    frozenset({"bit", "hex"}): "hex",
    frozenset({"hex", "int"}): "hex",
    frozenset({"bit", "bool"}): "bool",
    frozenset({"bit", "float"}): "float",
    frozenset({"int", "float"}): "float",
    frozenset({"date", "local"}): "local",
}
"""What two kinds of text are in one column; any other two are text."""
_TYPES: Final[dict[str, ColumnType]] = {
    "bit": "int64", "int": "int64", "hex": "int64", "bool": "bool", "float": "float64",
    "local": "timestamp", "zoned": "timestamp", "text": "string",
}  # fmt: skip
_NO_TYPE: Final = {
    "date": "days without a time; write them as timestamps (2013-01-31 00:00:00)",
    "time": "times without a day; write them as timestamps or as numbers",
}
_WHOLE: Final = re.compile("-?[0-9]{1,18}(?:,-?[0-9]{1,18})*")
_PADDED: Final = re.compile(r"[ \t]*-?0[0-9]")
_INT64: Final = range(-(2**63), 2**63)


def describe_csv(stream: IO[bytes], file: str, location: str) -> TableFacts:
    """The facts of the CSV file in `stream`, which messages call `file`.

    Raises:
        UnusableError: not text, not UTF-8, empty, without header or rows, or rows of unequal length.
    """
    text = TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        _refuse_binary(stream, file)
        sample = list(islice(_lines(text, file), _SAMPLE))
        delimiter = _delimiter(sample)
        reader = csv.reader(_chained(sample, text, file), delimiter=delimiter)
        rows = _rows(reader, file)
        header = next(rows, None)
        _check_names(header, file)
        assert header is not None  # noqa: S101 (refused above)
        columns = [_Column(name) for name in header]
        looked_at = _look_at(columns, rows)
        whole = next(rows, None) is None
    except UnicodeDecodeError as error:
        raise UnusableError(
            f"{file} is not UTF-8: byte 0x{error.object[error.start]:02x}",
            f"save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8 {file} > NEW.csv",
        ) from None
    except csv.Error as error:
        raise UnusableError(
            f"{file} cannot be read as CSV: {error}", "see whether it is a CSV file"
        ) from None
    finally:
        text.detach()  # the stream is the caller's to close
    if not looked_at:
        raise UnusableError(
            f"{file} has a header and no rows", "give init a file with some rows in it"
        )
    return TableFacts(
        kind="csv",
        location=location,
        columns=tuple(column.facts(looked_at) for column in columns),
        rows=looked_at,
        whole=whole,
        remark=None
        if delimiter == ","
        else f"its fields are separated by {_DELIMITERS[delimiter]}, and the programs read"
        " commas: convert the file",
    )


def _refuse_binary(stream: IO[bytes], file: str) -> None:
    start = stream.read(1 << 16)
    stream.seek(0)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnusableError(
            f"{file} is UTF-16, and a CSV source is UTF-8",
            f"convert it: iconv -f UTF-16 -t UTF-8 {file} > NEW.csv",
        )
    if b"\0" in start:
        raise UnusableError(
            f"{file} holds zero bytes: it is not a text file", "see whether it is a CSV file"
        )
    if not start.removeprefix(b"\xef\xbb\xbf").strip():
        raise UnusableError(f"{file} is empty", "give init a file with a header and some rows")


def _lines(text: TextIOWrapper, file: str) -> Iterator[str]:
    while line := text.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise UnusableError(
                f"{file} has a line of {_LONGEST_LINE:,} characters or more",
                "see whether it is a CSV file",
            )
        yield line


def _chained(sample: list[str], text: TextIOWrapper, file: str) -> Iterator[str]:
    yield from sample
    yield from _lines(text, file)


def _delimiter(sample: list[str]) -> str:
    """The character that cuts the header, and cuts the rows alike; a comma if none does."""
    best, most = ",", 1
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            continue
        # The sample may end inside a quoted field: its last row does not count.
        alike = len(set(widths[:-1] or widths)) == 1
        if alike and widths[0] > most:
            best, most = delimiter, widths[0]
    return best


def _rows(reader: Iterator[list[str]], file: str) -> Iterator[list[str]]:
    """The rows, empty lines skipped as pyarrow does, each as long as the header."""
    width = None
    for row in reader:
        if not row:
            continue
        if width is None:
            width = len(row)
        if len(row) != width:
            line = getattr(reader, "line_num", 0)
            raise UnusableError(
                f"{file}: line {line} has {len(row)} fields, the header has {width}",
                "put fields that hold a separator or a line end into double quotes",
            )
        yield row


def _check_names(header: list[str] | None, file: str) -> None:
    if header is None or not any(name.strip() for name in header):
        raise UnusableError(
            f"{file} has no header",
            "begin it with a line that names the columns",
        )
    values = [name for name in header if _is_value(name)]
    if values:
        raise UnusableError(
            f"{file} has no header: its first line holds {quoted(values[0])}, which is a value",
            "begin it with a line that names the columns",
        )
    check_header(header, file)


def _is_value(name: str) -> bool:
    """Whether the text of a header is one no person would call a column: 7, 2013-01-01, NA."""
    if name in MISSING:
        return name != "" and not name.islower()
    return _kind(name) not in ("text", "bool") and any(map(str.isdigit, name))


def _look_at(columns: list[_Column], rows: Iterator[list[str]]) -> int:
    """Show the columns their values, at most `MOST_ROWS` of each; how many rows that were."""
    looked_at = 0
    while looked_at < MOST_ROWS:
        stretch = list(islice(rows, min(_STRETCH, MOST_ROWS - looked_at)))
        if not stretch:
            break
        looked_at += len(stretch)
        for column, values in zip(columns, zip(*stretch, strict=True), strict=True):
            column.see(values)
    return looked_at


def _kind(text: str) -> _Kind:
    """What one text looks like, by itself."""
    match = _SHAPES.fullmatch(text.strip(" \t"))
    kind: _Kind = match.lastgroup if match else "text"  # type: ignore[assignment]
    if kind == "int":
        return "int" if _whole(text) in _INT64 else "float"
    if kind in ("date", "time", "local", "zoned"):
        # Times with spaces around them, and days that are in no calendar, are text.
        return kind if text == text.strip() and _exists(text, kind) else "text"
    return kind


def _exists(text: str, kind: str) -> bool:
    try:
        if kind == "date":
            date.fromisoformat(text)
        else:
            # Nine digits of a second are more than Python keeps, and as good a time.
            whole = re.sub(r"\.[0-9]+", "", text)
            datetime.fromisoformat(f"2000-01-01 {whole}" if kind == "time" else whole)
    except ValueError:
        return False
    return True


def _whole(text: str) -> int:
    bare = text.strip(" \t")
    if bare[:2] in ("0x", "0X"):  # 64 bits, the highest of which is the sign
        bits = int(bare, 16)
        return bits - 2**64 if bits >= 2**63 else bits
    # A longer one is no int64, and Python refuses to read numbers of thousands of digits.
    return int(bare) if len(bare) < 100 else 2**63  # noqa: PLR2004


@dataclass(slots=True)
class _Column:
    """A column while its texts go by."""

    name: str
    kind: _Kind | None = None  # None: no value yet
    missing: int = 0
    low: int | float = math.inf
    high: int | float = -math.inf
    padded: bool = False  # a number written with leading zeros
    tally: Tally = field(default_factory=Tally)

    def see(self, texts: tuple[str, ...]) -> None:
        """A stretch of rows."""
        different = set(texts)
        gone = different & MISSING
        missing = sum(texts.count(text) for text in gone)
        self.missing += missing
        different -= gone
        if not different:
            return
        self.tally.add(different, len(texts) - missing)
        if self.kind == "text":
            return
        # Most columns of numbers are whole ones: one match says it of a whole stretch.
        whole = self.kind in ("int", "hex") and _WHOLE.fullmatch(",".join(different))
        kinds: set[_Kind] = {"int"} if whole else {_kind(text) for text in different}
        for kind in sorted(kinds if self.kind is None else kinds | {self.kind}):
            self.kind = kind if self.kind in (None, kind) else self._both(kind)
        if self.kind in ("bit", "int", "hex", "float"):
            numbers = [self._number(text) for text in different]
            self.low, self.high = min(self.low, *numbers), max(self.high, *numbers)
            self.padded |= any(map(_PADDED.match, different))

    def _both(self, kind: _Kind) -> _Kind:
        assert self.kind is not None  # noqa: S101 (the first kind is taken as it is)
        return _TOGETHER.get(frozenset({self.kind, kind}), "text")

    def facts(self, rows: int) -> ColumnFacts:
        """What all of it shows."""
        share = self.missing / rows
        if self.kind is None:
            return ColumnFacts(self.name, None, "no row has a value", share)
        problem = column_problem(self.name) or _NO_TYPE.get(self.kind)
        if problem is not None:
            return ColumnFacts(self.name, None, problem, share)
        type_ = _TYPES[self.kind]
        finite = type_ in ("int64", "float64") and math.isfinite(self.low + self.high)
        return ColumnFacts(
            self.name,
            type_,
            null_share=share,
            low=self.low if finite else None,
            high=self.high if finite else None,
            values=self._values(type_),
            unique=self.tally.unique,
            remark="leading zeros are lost in numbers" if self.padded and finite else None,
        )

    def _values(self, type_: ColumnType) -> tuple[Value, ...] | None:
        texts = self.tally.values()
        if texts is None or type_ == "timestamp":
            return None
        if type_ == "string":
            return tuple(sorted(map(str, texts)))
        if type_ == "bool":
            known = _TRUTH | _FALSEHOOD
            return tuple(sorted({known[str(text).strip(" \t")] for text in texts}))
        return tuple(sorted({self._number(str(text)) for text in texts}))

    def _number(self, text: str) -> float:
        if self.kind == "float":
            return float(text)
        return _whole(text) if self.kind == "hex" else int(text)
