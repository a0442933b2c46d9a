"""The facts: what the programs know about this project, read from the JSON beside them.

The classes are the shape of the files. Reading is strict: an unknown key, a missing key or a
value of another type is refused with its place in the file, because a program that guesses is
worse than none.
"""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mlops.outcome import CannotRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Severity = Literal["critical", "warning", "info"]
Task = Literal["classification", "regression", "ranking", "forecasting", "custom"]
ColumnType = Literal["int32", "int64", "float32", "float64", "string", "bool", "timestamp"]
FileKind = Literal["parquet", "csv"]
TableKind = Literal["duckdb", "postgres", "snowflake", "redshift", "bigquery", "spark"]
FILE_KINDS = frozenset(get_args(FileKind))


@dataclass(frozen=True)
class Column:
    """A column, as the spec describes it."""

    name: str
    type: ColumnType
    spec: str
    personal: bool = False


@dataclass(frozen=True)
class Label:
    """The target column; younger than `known_after_seconds` it is not known yet."""

    name: str
    type: ColumnType
    spec: str
    known_after_seconds: int = 0


@dataclass(frozen=True)
class Examples:
    """Whom we would have asked about, when, and what came true: rows of the target's source."""

    source: str
    keys: tuple[Column, ...]
    label: Label
    spec: str
    timestamp: str | None = None


@dataclass(frozen=True)
class View:
    """A feature view with a source behind it."""

    name: str
    source: str
    keys: tuple[str, ...]
    materialize: bool
    spec: str


@dataclass(frozen=True)
class Features:
    """What the model sees: own columns of the examples, and columns that Feast joins."""

    own: tuple[Column, ...]
    joined: tuple[Column, ...]
    views: tuple[View, ...]
    request: tuple[str, ...]
    service: str | None = None
    repository: str | None = None

    @property
    def all(self) -> tuple[Column, ...]:
        """The model's input, in the order of the training data's columns."""
        return self.own + self.joined

    def problems(self) -> Iterator[str]:
        """A FeatureService is there exactly when there is something to join."""
        if {self.service is not None, self.repository is not None} != {bool(self.joined)}:
            yield "'service' and 'repository' must stand here exactly when 'joined' is not empty"


@dataclass(frozen=True)
class Part:
    """A part of the examples: the newest `seconds`, or a `share` drawn by key."""

    seconds: int | None = None
    share: float | None = None

    def problems(self) -> Iterator[str]:
        """Exactly one measure, and one that leaves something."""
        if (self.seconds is None) == (self.share is None):
            yield "must have exactly one of 'seconds' and 'share'"
        if self.share is not None and not 0 < self.share < 1:
            yield f"'share' must lie between 0 and 1, not {self.share}"
        if self.seconds is not None and self.seconds <= 0:
            yield f"'seconds' must be positive, not {self.seconds}"


@dataclass(frozen=True)
class Split:
    """How the examples fall apart; what neither part takes is for training."""

    validation: Part
    test: Part
    spec: str


@dataclass(frozen=True)
class Training:
    """Which examples the model learns from."""

    environment: str
    split: Split
    seed: int
    spec: str
    window_seconds: int | None = None


@dataclass(frozen=True)
class Bound:
    """What a metric must hold; `max_worse` is absolute, against the version that runs."""

    name: str
    severity: Severity
    spec: str
    min: float | None = None
    max: float | None = None
    max_worse: float | None = None

    def problems(self) -> Iterator[str]:
        """A bound that bounds nothing would always pass."""
        if self.min is None and self.max is None and self.max_worse is None:
            yield "must have at least one of 'min', 'max', 'max_worse'"

    def allows(self, value: float) -> bool:
        """Whether a value lies within `min` and `max`."""
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    @property
    def limits(self) -> list[str]:
        """`min` and `max` in words."""
        limits = (("≥", self.min), ("≤", self.max))
        return [f"{sign} {limit:.6g}" for sign, limit in limits if limit is not None]


@dataclass(frozen=True)
class FairnessBound(Bound):
    """A bound on how far a metric may differ between the groups of a column."""

    column: str = ""

    def problems(self) -> Iterator[str]:
        """The inherited order of fields makes `column` optional in Python; it is not."""
        yield from super().problems()
        if not self.column:
            yield "has no key 'column'"


@dataclass(frozen=True)
class Slice:
    """A column in each of whose groups the metrics must hold too."""

    column: str
    spec: str


@dataclass(frozen=True)
class Evaluation:
    """The gate."""

    against: str
    metrics: tuple[Bound, ...]
    slices: tuple[Slice, ...]
    fairness: tuple[FairnessBound, ...]
    columns: tuple[Column, ...]
    groups: tuple[str, ...]
    min_slice_rows: int
    spec: str


@dataclass(frozen=True)
class Registry:
    """Where versions are kept: the registered model's and the experiment's name."""

    kind: Literal["mlflow"]
    name: str
    experiment: str


@dataclass(frozen=True)
class Batch:
    """Scoring of a table."""

    from_: str
    to: str
    spec: str
    window_seconds: int | None = None


@dataclass(frozen=True)
class Reference:
    """What current rows are compared with."""

    training: bool = False
    source: str | None = None

    def problems(self) -> Iterator[str]:
        """One reference, not two and not none."""
        if self.training == (self.source is not None):
            yield 'must be either {"training": true} or {"source": NAME}'


@dataclass(frozen=True)
class Drift:
    """The drift report and what counts as drift."""

    config: str
    columns: tuple[str, ...]
    spec: str
    share_max: float | None = None


@dataclass(frozen=True)
class Performance:
    """Bounds on performance, once labels are known; `config` where Evidently has a report for it."""

    metrics: tuple[Bound, ...]
    tolerance_seconds: int
    spec: str
    config: str | None = None


@dataclass(frozen=True)
class Monitoring:
    """What is looked at while the model runs."""

    current: str
    reference: Reference
    window_seconds: int
    min_rows: int
    predictions: Literal["logged", "scored", "none"]
    spec: str
    version_column: str | None = None
    drift: Drift | None = None
    performance: Performance | None = None


@dataclass(frozen=True)
class Respond:
    """How often an alert may start a retraining."""

    cooldown_seconds: int
    monthly_budget: int
    spec: str


@dataclass(frozen=True)
class Environment:
    """Which version runs there: a line of the spec, or an alias of the registry.

    `monitoring` and `respond` stand here where the environments differ in them; otherwise they stand
    once, in the model's own facts.
    """

    version: str | None = None
    alias: str | None = None
    spec: str | None = None
    monitoring: Monitoring | None = None
    respond: Respond | None = None


@dataclass(frozen=True)
class ModelFacts:
    """mlops/models/MODEL.json."""

    format: Literal[1]
    project: str
    model: str
    spec: str
    task: Task
    prediction: str
    examples: Examples
    features: Features
    environments: dict[str, Environment]
    training: Training | None = None
    evaluation: Evaluation | None = None
    registry: Registry | None = None
    batch: Batch | None = None
    monitoring: Monitoring | None = None
    respond: Respond | None = None

    def there(self, environment: str) -> ModelFacts:
        """The facts as they are in one environment."""
        own = self.environments[environment]
        return replace(
            self,
            monitoring=own.monitoring or self.monitoring,
            respond=own.respond or self.respond,
        )

    def problems(self) -> Iterator[str]:
        """What the drift report looks at must be among what the monitor reads."""
        yield from self._problems_of(self.monitoring, "monitoring")
        for name, own in self.environments.items():
            at = f"environments.{name}"
            yield from self._problems_of(own.monitoring, f"{at}.monitoring")
            for key in ("monitoring", "respond"):
                if getattr(self, key) is not None and getattr(own, key) is not None:
                    yield f"has both '{key}' and '{at}.{key}'"

    def _problems_of(self, watched: Monitoring | None, where: str) -> Iterator[str]:
        if watched is None:
            return
        known = {column.name for column in self.features.all}
        if watched.predictions != "none":
            known.add(self.prediction)
        elif watched.performance is not None:
            yield f"has '{where}.performance' without predictions"
        for column in watched.drift.columns if watched.drift else ():
            if column not in known:
                yield f"has '{column}' in '{where}.drift.columns', which is no column of the monitor"


@dataclass(frozen=True)
class Freshness:
    """The parameter of the suite that says how old the newest row may be."""

    parameter: str
    seconds: int
    spec: str


@dataclass(frozen=True)
class Location:
    """Where a source's rows are in one environment.

    `freshness` and `models` stand here where the environments differ in them; otherwise they stand
    once, in the source's own facts.
    """

    kind: FileKind | TableKind
    spec: str
    path: str | None = None
    table: str | None = None
    checkpoint: str | None = None
    freshness: Freshness | None = None
    models: tuple[str, ...] | None = None

    def problems(self) -> Iterator[str]:
        """Files have a path, tables a name."""
        wanted, other = ("path", "table") if self.kind in FILE_KINDS else ("table", "path")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            yield f"of kind '{self.kind}' must have '{wanted}' and not '{other}'"

    @property
    def name(self) -> str:
        """The path or the table, for messages and for reading."""
        return self.path or self.table or ""


@dataclass(frozen=True)
class SourceFacts:
    """mlops/sources/SOURCE.json."""

    format: Literal[1]
    project: str
    source: str
    spec: str
    columns: tuple[Column, ...]
    environments: dict[str, Location]
    timestamp: str | None = None
    freshness: Freshness | None = None
    models: tuple[str, ...] | None = None

    def problems(self) -> Iterator[str]:
        """Who reads it is said once for all environments, or in each."""
        for name, own in self.environments.items():
            if (self.models is None) == (own.models is None):
                yield f"must have 'models' either itself or in 'environments.{name}'"
            if self.freshness is not None and own.freshness is not None:
                yield f"has both 'freshness' and 'environments.{name}.freshness'"

    def there(self, environment: str) -> SourceFacts:
        """The facts as they are in one environment."""
        own = self.location(environment)
        return replace(
            self,
            freshness=own.freshness or self.freshness,
            models=self.models if own.models is None else own.models,
        )

    def location(self, environment: str) -> Location:
        """Where the rows are in this environment."""
        if environment not in self.environments:
            known = ", ".join(sorted(self.environments))
            raise CannotRun(
                f"source '{self.source}' has no environment '{environment}'; it has: {known}"
            )
        return self.environments[environment]


@dataclass(frozen=True)
class Actor:
    """Who may deploy or must approve: a role, a group or a user of GitLab."""

    role: Literal["developer", "maintainer"] | None = None
    group: str | None = None
    user: str | None = None
    required: int | None = None

    def problems(self) -> Iterator[str]:
        """One of the three."""
        if sum(value is not None for value in (self.role, self.group, self.user)) != 1:
            yield "must have exactly one of 'role', 'group', 'user'"


@dataclass(frozen=True)
class Schedule:
    """A pipeline schedule."""

    name: str
    cron: str
    timezone: str
    variables: dict[str, str]
    spec: str
    ref: str | None = None


@dataclass(frozen=True)
class ProtectedEnvironment:
    """Who may deploy to an environment, and whose approval it takes."""

    name: str
    deployers: tuple[Actor, ...]
    approvals: tuple[Actor, ...]
    spec: str


@dataclass(frozen=True)
class ApprovalRule:
    """An approval rule of merge requests."""

    name: str
    required: int
    groups: tuple[str, ...]
    users: tuple[str, ...]
    spec: str


@dataclass(frozen=True)
class ScheduleFacts:
    """.gitlab/schedules.json."""

    format: Literal[1]
    project: str
    marker: str
    schedules: tuple[Schedule, ...]
    protected_environments: tuple[ProtectedEnvironment, ...]
    approval_rules: tuple[ApprovalRule, ...]


Facts = ModelFacts | SourceFacts | ScheduleFacts
AnyFacts = TypeVar("AnyFacts", ModelFacts, SourceFacts, ScheduleFacts)


def read_model(folder: Path, model: str) -> ModelFacts:
    """The facts of a model; a name without facts is answered with the names that have some."""
    return read(ModelFacts, _existing(folder / "models", model, "model"))


def read_source(folder: Path, source: str) -> SourceFacts:
    """The facts of a source; a name without facts is answered with the names that have some."""
    return read(SourceFacts, _existing(folder / "sources", source, "source"))


def _existing(folder: Path, name: str, what: str) -> Path:
    path = folder / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.json"))) or "none"
        raise CannotRun(f"no {what} '{name}': {path} is missing; there are: {known}")
    return path


def read(kind: type[AnyFacts], path: Path) -> AnyFacts:
    """A facts file as an object, or CannotRun with every problem in it."""
    facts, problems = parse(kind, _json(path))
    if facts is None or problems:
        raise CannotRun("\n".join(f"{path}: {problem}" for problem in problems))
    return facts


def check(path: Path) -> list[str]:
    """The problems of a facts file of any kind; empty when it has the right shape."""
    try:
        data = _json(path)
    except CannotRun as refusal:
        return [str(refusal)]
    by_key: dict[str, type[Facts]] = {
        "model": ModelFacts,
        "source": SourceFacts,
        "schedules": ScheduleFacts,
    }
    kind = next((by_key[key] for key in by_key if isinstance(data, dict) and key in data), None)
    if kind is None:
        return [f"{path}: is no facts file: it has none of the keys {', '.join(by_key)}"]
    problems: list[str] = []
    _value(kind, data, "", problems)
    return [f"{path}: {problem}" for problem in problems]


def parse(kind: type[AnyFacts], data: object) -> tuple[AnyFacts | None, list[str]]:
    """Plain data as an object, and what is wrong with it; the object only when nothing is."""
    problems: list[str] = []
    value = _value(kind, data, "", problems)
    return (None if problems else value), problems


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CannotRun(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(f"{path}: cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise CannotRun(f"{path}:{error.lineno}:{error.colno}: is not JSON: {error.msg}") from None


_WORDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _value(kind: Any, data: object, where: str, problems: list[str]) -> Any:
    """`data` as a value of `kind`; problems are collected, so that one run shows all of them."""
    if is_dataclass(kind):
        return _object(kind, data, where, problems)
    if kind in _WORDS:
        return _scalar(kind, data, where, problems)
    return _READERS[get_origin(kind)](get_args(kind), data, where, problems)


def _scalar(kind: type, data: object, where: str, problems: list[str]) -> object:
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:  # and not isinstance: true is an int in Python, and none in JSON
        problems.append(f"{_at(where)} must be {_WORDS[kind]}, not {_shown(data)}")
    return data


def _union(kinds: tuple[Any, ...], data: object, where: str, problems: list[str]) -> Any:
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if data is None:
        problems.append(f"{_at(where)} is null; a key that does not apply is left out")
        return None
    if len(kinds) > 1:  # only literals are put side by side: Location.kind
        kinds = (Literal[tuple(word for kind in kinds for word in get_args(kind))],)
    return _value(kinds[0], data, where, problems)


def _one_of(words: tuple[Any, ...], data: object, where: str, problems: list[str]) -> object:
    if data not in words or isinstance(data, bool):
        allowed = ", ".join(str(word) for word in words)
        problems.append(f"{_at(where)} must be one of {allowed}, not {_shown(data)}")
    return data


def _list(kinds: tuple[Any, ...], data: object, where: str, problems: list[str]) -> tuple[Any, ...]:
    if not isinstance(data, list):
        problems.append(f"{_at(where)} must be a list, not {_shown(data)}")
        return ()
    return tuple(
        _value(kinds[0], item, f"{where}[{index}]", problems) for index, item in enumerate(data)
    )


def _map(kinds: tuple[Any, ...], data: object, where: str, problems: list[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        problems.append(f"{_at(where)} must be an object, not {_shown(data)}")
        return {}
    return {key: _value(kinds[1], item, _join(where, key), problems) for key, item in data.items()}


def _object(kind: Any, data: object, where: str, problems: list[str]) -> Any:
    if not isinstance(data, dict):
        problems.append(f"{_at(where)} must be an object, not {_shown(data)}")
        return None
    hints = get_type_hints(kind)
    wanted = {field.name.rstrip("_"): field for field in fields(kind)}
    before = len(problems)
    problems.extend(
        f"{_at(where)} has the unknown key '{key}'" for key in data if key not in wanted
    )
    problems.extend(
        f"{_at(where)} has no key '{key}'"
        for key, field in wanted.items()
        if field.default is MISSING and key not in data
    )
    values = {
        field.name: _value(hints[field.name], data[key], _join(where, key), problems)
        for key, field in wanted.items()
        if key in data
    }
    if len(problems) > before:
        return None
    made = kind(**values)
    if hasattr(made, "problems"):
        problems.extend(f"{_at(where)} {problem}" for problem in made.problems())
    return made


_READERS: dict[Any, Callable[[tuple[Any, ...], object, str, list[str]], Any]] = {
    Union: _union,
    types.UnionType: _union,
    Literal: _one_of,
    tuple: _list,
    dict: _map,
}


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _at(where: str) -> str:
    return f"'{where}'" if where else "the file"


def _shown(data: object) -> str:
    text = json.dumps(data, ensure_ascii=False)
    limit = 40  # enough to recognise the value in the file
    return text if len(text) <= limit else f"{text[:limit]}…"
