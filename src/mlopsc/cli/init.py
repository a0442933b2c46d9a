"""`mlopsc init`."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, cast

import click

from mlopsc.authoring.refusal import UnusableError
from mlopsc.diagnostics.snippet import shown
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlopsc.authoring.choices import Choices
    from mlopsc.authoring.facts import TableFacts
    from mlopsc.spec.vocabulary import Task

_NONE: Final = "-"  # the answer that means no column
_PARQUET: Final = (".parquet", ".parq", ".pq")
_NO_HARD_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
_FINDING, _USAGE = 1, 2


@click.command("init")
@click.option("--from", "data", metavar="FILE", help="A .parquet or .csv file to describe.")
@click.option("--project", metavar="NAME", help="The project's name; the folder's without it.")
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option(
    "--timestamp", metavar="COLUMN", help="When a row happened; the only column of times without it"
    " (- for none).",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, metavar="COLUMN=ENTITY",
    help="A column that identifies something, and what: customer_id=customer.",
)  # fmt: skip
@click.option("--task", metavar="TASK", help="classification, regression, ranking, forecasting or"
              " custom; from the target without it.")  # fmt: skip
@click.option("--command", "train", metavar="COMMAND", default="python src/train.py",
              show_default=True, help="What trains the model.")  # fmt: skip
@click.option(
    "--column", "columns", multiple=True, metavar="COLUMN=TYPE",
    help="A column of a table that has no file yet, instead of --from.",
)  # fmt: skip
@click.option("--output", metavar="FILE", default="mlops.yaml", show_default=True,
              help="The spec to write.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Ask nothing: take what the data suggests.")
def command(
    data: str | None, project: str | None, target: str | None, timestamp: str | None,
    keys: tuple[str, ...], task: str | None, train: str, columns: tuple[str, ...], output: str,
    yes: bool,
) -> int:  # fmt: skip
    """Write a first spec: from a data file, from flags, or by asking.

    Types are taken from the data; ranges, categories and the like are proposed in comments. On a
    terminal what is missing is asked for; in a pipe nothing is. A spec that exists is left alone.

    \b
    Example: mlopsc init --from data/flights.parquet --target arr_delay
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    from mlopsc.authoring.spec_text import spec_text

    ask = _Questions() if not yes and _is_terminal() else None
    try:
        _refuse_existing(output)
        flags = _Flags(
            data, project, target, timestamp, _pairs("--key", keys), task, train,
            tuple(_pairs("--column", columns).items()), os.path.dirname(output),  # noqa: PTH120
        )  # fmt: skip
        table, choices = _answers(flags, ask)
        _write(output, spec_text(table, choices))
    except UnusableError as error:
        click.echo(f"error: {shown(str(error))}\n  = help: {shown(error.help)}", err=True)
        return _USAGE if error.usage else _FINDING
    _say_what_is_next(table, choices, output)
    return 0


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@frozen
class _Flags:
    """What the command line says; `folder` is where the spec will stand."""

    data: str | None
    project: str | None
    target: str | None
    timestamp: str | None
    keys: dict[str, str]
    task: str | None
    train: str
    columns: tuple[tuple[str, str], ...]
    folder: str


_EXAMPLES: Final = {"--key": "customer_id=customer", "--column": "distance=float32"}


def _pairs(flag: str, texts: Iterable[str]) -> dict[str, str]:
    """`COLUMN=WORD` texts as column → word."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, word = text.partition("=")
        if not (name and equals and word):
            raise UnusableError(
                f"'{text}' lacks a part", f"write {flag} {_EXAMPLES[flag]}", usage=True
            )
        if name in found:
            raise UnusableError(f"{flag} names '{name}' twice", "take one out", usage=True)
        found[name] = word
    return found


# --- answers -----------------------------------------------------------------------------------


def _answers(flags: _Flags, ask: _Questions | None) -> tuple[TableFacts, Choices]:
    """The table and the choices: from the flags, else by asking, else as the data suggests."""
    from mlopsc.authoring.choices import Choices, check_project

    data, columns = _rows(flags, ask)
    described = _described(data, flags.folder) if data else None
    project = flags.project or _project(flags.folder, ask)
    check_project(project)
    table = described or _planned(columns, project)
    target = _target(flags, table, ask)
    task = _task(flags, table, target, ask)
    timestamp = _timestamp(flags, table, target, ask)
    return table, Choices(project, target, task, timestamp, flags.keys, flags.train)


def _rows(flags: _Flags, ask: _Questions | None) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """The data file, or the columns of a table that has none."""
    if flags.data is not None and flags.columns:
        raise UnusableError(
            "--from and --column exclude each other",
            "take --column out: the file says which columns there are",
            usage=True,
        )
    if flags.data is not None or flags.columns or ask is None:
        return flags.data, flags.columns
    data = ask.data_file(lambda answer: _location(answer, flags.folder))
    return (data, ()) if data else (None, ask.columns())


def _target(flags: _Flags, table: TableFacts, ask: _Questions | None) -> str:
    from mlopsc.authoring.choices import check_target, likely_target

    target = flags.target
    if target is None and ask is not None:
        target = ask.name(
            "Column to predict", likely_target(table), lambda name: check_target(table, name)
        )
    if target is None:
        raise UnusableError("nothing says what to predict", "add --target COLUMN", usage=True)
    check_target(table, target)
    return target


def _task(flags: _Flags, table: TableFacts, target: str, ask: _Questions | None) -> Task:
    from mlopsc.authoring.choices import likely_task

    column = table.column(target)
    assert column is not None  # noqa: S101 (the target was checked)
    task = flags.task or likely_task(column)
    if flags.task is None and ask is not None:
        task = ask.task(task)
    return cast("Task", task)  # spec_text refuses any other word


def _timestamp(flags: _Flags, table: TableFacts, target: str, ask: _Questions | None) -> str | None:
    from mlopsc.authoring.choices import check_timestamp, time_columns

    times = [name for name in time_columns(table) if name != target]
    chosen = flags.timestamp
    if chosen is None and ask is not None and times:
        chosen = ask.name(
            f"Column that says when a row happened ({_NONE} for none)",
            times[0],
            lambda name: None if name == _NONE else check_timestamp(table, name, target),
        )
    elif chosen is None and len(times) == 1:
        chosen = times[0]
    return None if chosen == _NONE else chosen


def _project(folder: str, ask: _Questions | None) -> str:
    from mlopsc.authoring.choices import check_project
    from mlopsc.authoring.words import name_from

    here = name_from(os.path.basename(os.path.abspath(folder)), "")  # noqa: PTH100, PTH119
    if ask is not None:
        return ask.name("Project", here or None, check_project)
    if not here:
        raise UnusableError(
            "the folder's name makes no name for a project", "add --project NAME", usage=True
        )
    return here


def _planned(columns: tuple[tuple[str, str], ...], project: str) -> TableFacts:
    """A table that is not there yet, from the columns somebody says it will have."""
    from typing import get_args

    from mlopsc.authoring.facts import ColumnFacts, TableFacts, check_header
    from mlopsc.authoring.words import column_problem, quoted
    from mlopsc.spec.vocabulary import ColumnType

    if not columns:
        raise UnusableError(
            "nothing says which columns there are",
            "add --from FILE (.parquet or .csv), or --column NAME=TYPE for each column",
            usage=True,
        )
    types = get_args(ColumnType)
    for name, type_ in columns:
        problem = column_problem(name)
        if problem:
            raise UnusableError(f"{quoted(name)} cannot be a column", problem, usage=True)
        if type_ not in types:
            raise UnusableError(
                f"{quoted(type_)} is no type", f"types are {', '.join(types)}", usage=True
            )
    check_header([name for name, _ in columns], "the table")
    facts = tuple(ColumnFacts(name, type_) for name, type_ in columns)  # type: ignore[arg-type]
    return TableFacts("parquet", f"data/{project}.parquet", facts)


class _Questions:
    """What is asked on a terminal; an answer that does not fit is asked for again."""

    def data_file(self, check: Callable[[str], object]) -> str | None:
        """A file to describe, or None."""
        answer = self._ask(
            "Data file to describe, .parquet or .csv (Enter for none yet)", "", check
        )
        return answer or None

    def columns(self) -> tuple[tuple[str, str], ...]:
        """The columns of a table that is not there yet."""

        def parsed(answer: str) -> dict[str, str]:
            return _pairs("--column", (part.strip() for part in answer.split(",")))

        question = "Its columns, as NAME=TYPE, NAME=TYPE (int64, float64, string, bool, timestamp)"
        return tuple(parsed(self._ask(question, None, parsed)).items())

    def name(self, question: str, default: str | None, check: Callable[[str], None]) -> str:
        """A name that `check` lets pass."""
        return self._ask(question, default, check)

    def task(self, default: str) -> str:
        """A task."""
        from mlopsc.authoring.choices import TASKS

        answer: str = click.prompt("Task", default=default, type=click.Choice(TASKS))
        return answer

    def _ask(self, question: str, default: str | None, check: Callable[[str], object]) -> str:
        def accepted(answer: str) -> str:
            answer = answer.strip()
            if answer:
                try:
                    check(answer)
                except UnusableError as error:
                    raise click.UsageError(shown(f"{error} ({error.help})")) from None
            return answer

        answer: str = click.prompt(
            question, default=default, value_proc=accepted, show_default=bool(default)
        )
        return answer


# --- the data file -----------------------------------------------------------------------------


def _location(path: str, folder: str) -> str:
    """The file as the spec names it: relative to the spec's folder."""
    home = os.path.abspath(folder)  # noqa: PTH100
    location = os.path.relpath(os.path.abspath(path), home).replace(os.sep, "/")  # noqa: PTH100
    if location == ".." or location.startswith("../"):
        raise UnusableError(
            f"'{path}' lies outside the project, where nobody else's computer has it",
            f"put the file, or a symbolic link to it, below {home}",
            usage=True,
        )
    with _opened(path):
        return location


def _described(path: str, folder: str) -> TableFacts:
    location = _location(path, folder)
    with _opened(path) as stream:
        magic = stream.read(4)
        stream.seek(0)
        lower = path.lower()
        if lower.endswith(_PARQUET) or (magic == b"PAR1" and not lower.endswith(".csv")):
            from mlopsc.authoring.apart import describe_parquet_apart

            return describe_parquet_apart(path, shown(path), location)
        if lower.endswith(".csv"):
            from mlopsc.authoring.csv_table import describe_csv

            return describe_csv(stream, shown(path), location)
    raise UnusableError(
        f"'{path}' is neither Parquet nor CSV by its name",
        "init reads files that end in .parquet or .csv",
        usage=True,
    )


def _opened(path: str) -> IO[bytes]:
    """The regular file at `path`; a pipe is refused without waiting for it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnusableError(
            f"'{path}' cannot be read: {why.lower()}", "check the name after --from", usage=True
        ) from None
    if stat.S_ISREG(status.st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise UnusableError(
            f"'{path}' is a folder", "name one file in it; the spec may name the folder", usage=True
        )
    raise UnusableError(f"'{path}' is no regular file", "name a .parquet or .csv file", usage=True)


# --- the spec ----------------------------------------------------------------------------------


def _refuse_existing(path: str) -> None:
    folder, name = os.path.split(path)
    if not name or not name.isprintable():
        raise UnusableError(f"'{path}' is no file's name", "write --output mlops.yaml", usage=True)
    if not os.path.isdir(folder or "."):  # noqa: PTH112
        raise UnusableError(f"there is no folder '{folder}'", "make it first", usage=True)
    if os.path.lexists(path):
        raise _exists(path)


def _exists(path: str) -> UnusableError:
    return UnusableError(
        f"'{path}' exists already; init never changes a file",
        "edit it, or write elsewhere: --output NEW.yaml",
    )


def _write(path: str, text: str) -> None:
    """The whole file or none, and never over another one."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(4)}")  # noqa: PTH118
    try:
        try:
            _write_new(temporary, text)
            # Unlike a rename, a link fails if the name was taken meanwhile.
            os.link(temporary, path)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            _write_new(path, text)
        finally:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UnusableError(
            f"'{path}' cannot be written: {why}", "see that the folder is yours and has room"
        ) from None


def _write_new(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
    except BaseException:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        raise


def _say_what_is_next(table: TableFacts, choices: Choices, output: str) -> None:
    from mlopsc.authoring.spec_text import model_name

    used = [column for column in table.columns if column.type is not None]
    left = len(table.columns) - len(used)
    click.echo(
        f"wrote {output}: {choices.task} on '{choices.target}', {len(used)} columns"
        + (f", {left} left out (the spec says why)" if left else "")
    )
    here = "" if output == "mlops.yaml" else f" {output}"
    steps = [
        f"read {output}; accept or take out what its comments propose",
        f"let `{choices.command}` read $MLOPS_DATA/train.parquet and leave model/,"
        " predictions.parquet and metrics.json in $MLOPS_OUT",
        f"mlopsc compile{here}, and commit everything it writes",
    ]
    if table.rows is None:
        steps.insert(0, f"put the rows into {table.location}, or change where the spec looks")
    click.echo(f"next, for the model '{model_name(choices)}':")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")
