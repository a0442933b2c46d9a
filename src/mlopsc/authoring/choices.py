"""What only a person can say of a first spec, checked against what the data shows."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final, get_args

from mlopsc.authoring.refusal import UnusableError
from mlopsc.authoring.words import is_name, is_printable, name_from, quoted, shown
from mlopsc.frozen import frozen
from mlopsc.spec.vocabulary import PROJECT_PATH, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlopsc.authoring.facts import ColumnFacts, TableFacts

TASKS: Final[tuple[str, ...]] = get_args(Task)
COMMAND: Final = "python src/train.py"

_TARGETS: Final = ("target", "label", "y", "class", "outcome", "churn", "churned")
_TIMES: Final = ("event_timestamp", "timestamp", "event_time", "time", "datetime", "ts")
_MOST_LISTED: Final = 12


@frozen
class Choices:
    """The answers.

    Attributes:
        project: the project's name.
        target: the column to predict.
        task: the kind of question.
        timestamp: the column of a row's time, if it has one.
        keys: column → the entity it identifies.
        command: what trains.
    """

    project: str
    target: str
    task: Task
    timestamp: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    command: str = COMMAND


def time_columns(table: TableFacts) -> list[str]:
    """Columns that can be the time of a row: times in every row, the likeliest name first."""
    names = [c.name for c in table.columns if c.type == "timestamp" and c.null_share == 0]
    return sorted(names, key=lambda name: name.lower() not in _TIMES)


def likely_target(table: TableFacts) -> str | None:
    """The column whose name says that it is the target, for a question's default."""
    names = [column.name for column in table.columns if _can_be_target(column)]
    found = [name for name in names if name.lower() in _TARGETS]
    return found[0] if len(found) == 1 else None


def likely_task(target: ColumnFacts) -> Task:
    """The kind of question a target's values suggest."""
    if target.type in ("bool", "string"):
        return "classification"
    if target.values is not None and set(target.values) <= {0, 1}:
        return "classification"
    return "regression"


def check_choices(table: TableFacts, choices: Choices) -> None:
    """Refuse what would not make a spec that passes `check`.

    Raises:
        UnusableError: an answer that fits neither the language nor the data.
    """
    check_project(choices.project)
    check_target(table, choices.target)
    check_timestamp(table, choices.timestamp, choices.target)
    check_keys(table, choices)
    _check_task(table, choices)
    if not choices.command.strip() or not is_printable(choices.command):
        raise UnusableError(
            "the command that trains must be one line of text",
            f'give it as --command "{COMMAND}"',
            usage=True,
        )
    if re.fullmatch(PROJECT_PATH, table.location) is None or not is_printable(table.location):
        raise UnusableError(
            f"{quoted(table.location)} cannot stand in a spec",
            "give the file and its folders names without ':', '\\' and characters nobody sees",
        )


def check_project(name: str) -> None:
    """Refuse what is no name of a project."""
    if not is_name(name):
        raise UnusableError(
            f"{quoted(name)} is no name for a project",
            "a name is a small letter, then small letters, digits and _, at most 40: "
            f"--project {name_from(name, 'my_project')}",
            usage=True,
        )


def check_target(table: TableFacts, name: str) -> None:
    """Refuse a target that is not there or cannot be predicted."""
    column = _found(table, name, "--target")
    if column.type is None:
        raise UnusableError(
            f"{quoted(name)} cannot be the target: {column.reason}", _instead(table)
        )
    if not _can_be_target(column):
        raise UnusableError(f"{quoted(name)} cannot be the target: it holds times", _instead(table))


def check_timestamp(table: TableFacts, name: str | None, target: str) -> None:
    """Refuse a timestamp that is not there, is no time, or is the target."""
    if name is None:
        return
    column = _found(table, name, "--timestamp")
    if column.type != "timestamp":
        holds = column.reason or f"it holds {column.type}"
        candidates = ", ".join(time_columns(table)) or "none of this table"
        raise UnusableError(
            f"{quoted(name)} cannot be the timestamp: {holds}",
            f"columns that can: {candidates}; without --timestamp, rows have no time",
            usage=True,
        )
    if name == target:
        raise UnusableError(
            f"{quoted(name)} is the target and the timestamp", "choose two columns", usage=True
        )


def check_keys(table: TableFacts, choices: Choices) -> None:
    """Refuse keys that identify nothing, or clash."""
    entities: dict[str, str] = {}
    for name, entity in choices.keys.items():
        column = _found(table, name, "--key")
        if column.type not in ("string", "int32", "int64"):
            holds = column.reason or f"it holds {column.type}"
            raise UnusableError(
                f"{quoted(name)} cannot be a key: {holds}",
                "a key is a text or a whole number",
                usage=True,
            )
        if name in (choices.target, choices.timestamp):
            raise UnusableError(
                f"{quoted(name)} cannot be a key: it is the target or the timestamp",
                "choose another column",
                usage=True,
            )
        if not is_name(entity):
            raise UnusableError(
                f"{quoted(entity)} is no name for an entity",
                f"write --key {name}={name_from(entity, 'customer')}",
                usage=True,
            )
        if entity in entities:
            raise UnusableError(
                f"{quoted(entities[entity])} and {quoted(name)} identify the same entity",
                "an entity has one column; give the other one a name of its own",
                usage=True,
            )
        entities[entity] = name


def _check_task(table: TableFacts, choices: Choices) -> None:
    target = table.column(choices.target)
    if choices.task not in TASKS:
        raise UnusableError(
            f"{quoted(choices.task)} is no task", f"--task is one of {', '.join(TASKS)}", usage=True
        )
    predicts_numbers = choices.task in ("regression", "forecasting", "ranking")
    if predicts_numbers and target is not None and target.type == "string":
        raise UnusableError(
            f"{choices.task} predicts numbers, and {quoted(choices.target)} holds text",
            "choose --task classification, or another --target",
            usage=True,
        )
    if choices.task == "ranking" and not choices.keys:
        raise UnusableError(
            "a ranking needs to know which rows make one list",
            "say what identifies a list: --key COLUMN=ENTITY",
            usage=True,
        )
    if choices.task == "forecasting" and choices.timestamp is None:
        raise UnusableError(
            "forecasting needs to know when rows are from", "add --timestamp COLUMN", usage=True
        )


def _can_be_target(column: ColumnFacts) -> bool:
    return column.type not in (None, "timestamp")


def _found(table: TableFacts, name: str, flag: str) -> ColumnFacts:
    column = table.column(name)
    if column is None:
        from difflib import get_close_matches

        names = [column.name for column in table.columns]
        near = get_close_matches(name, names, n=1)
        help_ = f"did you mean {flag} {near[0]}?" if near else f"there are: {_listed(names)}"
        raise UnusableError(f"there is no column {quoted(name)}", help_, usage=True)
    return column


def _instead(table: TableFacts) -> str:
    names = [column.name for column in table.columns if _can_be_target(column)]
    return f"columns that can: {_listed(names) or 'none of this table'}"


def _listed(names: list[str]) -> str:
    return ", ".join(map(shown, names[:_MOST_LISTED])) + (
        ", …" if len(names) > _MOST_LISTED else ""
    )
