"""Models: target, features, training, evaluation, serving, batch, monitoring, governance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlopsc.frozen import frozen
from mlopsc.project.conventions import GRAFANA
from mlopsc.project.drift import USUAL_METHOD, usual_threshold
from mlopsc.project.model import (
    Autoscale,
    Batch,
    Bound,
    Column,
    ColumnType,
    Drift,
    Evaluation,
    Fairness,
    Feature,
    Governance,
    Image,
    ImageRef,
    Model,
    Monitoring,
    Platform,
    QueryBound,
    Replicas,
    Resources,
    RuntimeMetrics,
    Schedule,
    SecretRef,
    Serving,
    Slo,
    Source,
    Split,
    Target,
    Task,
    Training,
)
from mlopsc.project.resolve.features import AnyView, resolve_features
from mlopsc.project.resolve.scope import Scope, Unresolvable
from mlopsc.project.resolve.sources import resolve_image
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.project.units import quantity, seconds, share, subsecond

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.spec.root import Spec


ROLES = tuple(name for name in Platform.__dataclass_fields__ if name != "origin")
"""The roles that targets read; see `spec/platform.py` for the words of each."""


@frozen
class Names:
    """What a model may refer to."""

    sources: dict[str, Source]
    views: dict[str, AnyView]
    images: dict[str, Image]
    environments: tuple[str, ...]


def resolve_models(scope: Scope, spec: Spec, names: Names) -> tuple[Model, ...]:
    """Every model whose names could be followed."""
    models = []
    for name, written in spec.models.items():
        model = scope.attempt(
            partial(_model, scope, name, written, scope.at("models", name), spec, names)
        )
        if model is not None:
            models.append(model)
    return tuple(models)


def _model(scope: Scope, name: str, written: Any, at: Path, spec: Spec, names: Names) -> Model:
    """The model; each chapter has its turn, so that all that is wrong with it is said at once.

    Raises:
        Unresolvable: its target means nothing.
    """
    prefix = f"{spec.project} {name}"  # what draws the offsets of its schedules
    environment = names.environments[-1]
    target = scope.attempt(
        lambda: resolve_target(scope, written.target, (*at, "target"), names.sources)
    )
    own = None if target is None else target.source
    features = resolve_features(
        scope, written.features, (*at, "features"), own, names.sources, names.views
    )
    training = scope.attempt(
        lambda: _training(scope, written.training, (*at, "training"), environment, names, prefix)
    )
    serving = scope.attempt(lambda: _serving(scope, name, written.serving, (*at, "serving"), names))
    batch = scope.attempt(lambda: _batch(scope, written.batch, (*at, "batch"), names, prefix))
    monitoring = scope.attempt(
        lambda: _monitoring(scope, written, (*at, "monitoring"), names, prefix)
    )
    if target is None:
        raise Unresolvable
    return Model(
        origin=at,
        name=name,
        description=written.description,
        owner=written.owner or spec.owner,
        task=written.task or task_of(target.column),
        target=target,
        features=features,
        prediction=written.prediction,
        training=training,
        artifact=written.artifact,
        evaluation=_evaluation(scope, written.evaluation, (*at, "evaluation"), target, features),
        serving=serving,
        batch=batch,
        monitoring=monitoring,
        governance=_governance(written.governance, (*at, "governance")),
        runbook=written.runbook,
        platform=_platform(scope, spec, written.platform, at),
    )


def words_of(spec: Spec) -> dict[str, Any]:
    """The project's word for each role; whoever names a Grafana wants dashboards there."""
    words = {role: getattr(spec.platform, role) for role in ROLES}
    if words["dashboards"] is None and spec.services.grafana is not None:
        words["dashboards"] = GRAFANA
    return words


def _platform(scope: Scope, spec: Spec, own: Any, at: Path) -> Platform:
    """The project's words, with the model's own in their place."""
    words = words_of(spec)
    words |= {role: word for role, word in ((r, getattr(own, r, None)) for r in ROLES) if word}
    changed = any(getattr(own, role, None) for role in ROLES)
    return Platform((*at, "platform") if changed else scope.at("platform"), **words)


def resolve_target(scope: Scope, text: str, at: Path, sources: dict[str, Source]) -> Target:
    """`source:column`, followed.

    Raises:
        Unresolvable: no such source or column.
    """
    name, _, field = text.partition(":")
    source = scope.find("source", name, sources, at)
    columns = {column.name: column for column in source.columns}
    listed = source.at("columns")
    return Target(at, source, scope.column(f"source '{source.name}'", field, columns, at, listed))


def task_of(column: Column) -> Task:
    """What a target's type suggests: categories are classified, numbers regressed."""
    if column.type in ("bool", "string") or column.one_of:
        return "classification"
    return "regression"


def written_columns(
    prediction: str, target: Target, features: tuple[Feature, ...], at: Path
) -> tuple[Column, ...]:
    """The columns of a source our batch program writes: keys, features, prediction and version.

    Personal columns that identify nothing are not written.
    """
    taken = {feature.name: feature.column for feature in features if not feature.column.personal}
    keys = [column for column in target.source.keys if column.name not in taken]
    kind: ColumnType = "float64" if target.column.type == "bool" else target.column.type
    made = [Column(at, prediction, kind), Column(at, VERSION, "string")]
    return (*keys, *taken.values(), *made)


VERSION = "version"
"""The column in which our batch program says which version scored a row."""


def _training(
    scope: Scope, written: Any, at: Path, environment: str, names: Names, owner: str
) -> Training | None:
    if written is None:
        return None
    if written.environment is not None:
        known = dict.fromkeys(names.environments, True)
        scope.attempt(
            lambda: scope.find("environment", written.environment, known, (*at, "environment"))
        )
    split = scope.attempt(lambda: _split(scope, written.split, (*at, "split")))
    image = _image(scope, written.image, (*at, "image"), names.images)
    schedule = _schedule(scope, written.schedule, (*at, "schedule"), owner)
    env = _env(scope, written.env, (*at, "env"))
    if split is None:
        raise Unresolvable
    return Training(
        origin=at,
        command=written.command,
        image=image,
        framework=written.framework,
        environment=written.environment or environment,
        window=None if written.window is None else seconds(written.window),
        split=split,
        parameters=dict(written.parameters),
        seed=written.seed,
        schedule=schedule,
        resources=_resources(written.resources, (*at, "resources")),
        env=env,
        paths=_paths_of(written.command) if written.paths is None else tuple(written.paths),
        timeout=seconds(written.timeout),
    )


def _image(scope: Scope, name: str | None, at: Path, images: dict[str, Image]) -> ImageRef | None:
    return None if name is None else scope.attempt(lambda: resolve_image(scope, name, at, images))


def _schedule(scope: Scope, text: str | None, at: Path, owner: str) -> Schedule | None:
    return None if text is None else scope.attempt(lambda: scope.schedule(text, at, owner))


def _paths_of(command: str) -> tuple[str, ...]:
    """The folders of the scripts a command names: a change beside one of them retrains."""
    scripts = [word for word in command.split() if "/" in word and word[0] not in "-/."]
    return tuple(dict.fromkeys(f"{script.rsplit('/', 1)[0]}/**/*" for script in scripts))


def _split(scope: Scope, written: Any, at: Path) -> Split:
    values = (written.validation, written.test)
    by_time = [isinstance(value, str) and not value.endswith("%") for value in values]
    if by_time[0] is not by_time[1]:
        raise scope.fail(
            "N013",
            f"validation ({values[0]}) and test ({values[1]}) are cut in two ways: a duration cuts by time, "
            "a percentage draws by key",
            at,
            "write durations for both (`30d`), or percentages for both (`10%`)",
            on_key=True,
        )
    if by_time[0]:
        return Split(at, "time", *(float(seconds(value)) for value in values))
    return Split(at, "key", *(share(value) for value in values))


def _env(scope: Scope, written: Any, at: Path) -> dict[str, str | SecretRef]:
    made: dict[str, str | SecretRef] = {}
    for name, value in written.items():
        setting = (
            value
            if isinstance(value, str)
            else scope.attempt(partial(scope.secret, value, (*at, name)))
        )
        if setting is not None:
            made[name] = setting
    return made


def _resources(written: Any, at: Path) -> Resources:
    limits = written.limits
    apart = (
        {}
        if limits is None
        else {
            key: quantity(value)
            for key in ("cpu", "memory")
            if (value := getattr(limits, key)) is not None
        }
    )
    return Resources(
        at,
        quantity(written.cpu),
        written.memory,
        written.gpu,
        apart,
    )


def bound(name: str, written: Any, at: Path) -> Bound:
    """A bound as written: `{min, max, max_worse, for, severity}`, numbers or percentages.

    Not every kind of bound has every key: a gate knows no `for`, a query no `max_worse`.
    """
    hold = getattr(written, "for_", None)
    return Bound(
        at,
        name,
        _limit(written.min),
        _limit(written.max),
        _limit(getattr(written, "max_worse", None)),
        0 if hold is None else seconds(hold),
        written.severity,
    )


def _limit(value: str | float | None) -> float | None:
    return None if value is None else share(value)


def query_bounds(written: Any, at: Path) -> tuple[QueryBound, ...]:
    """Bounds on queries of the user's own, by name."""
    return tuple(
        QueryBound((*at, name), item.query, bound(name, item, (*at, name)))
        for name, item in written.items()
    )


def _bounds(written: Any, at: Path) -> tuple[Bound, ...]:
    return tuple(bound(name, item, (*at, name)) for name, item in written.items())


def _evaluation(
    scope: Scope, written: Any, at: Path, target: Target, features: tuple[Feature, ...]
) -> Evaluation | None:
    if written is None:
        return None
    known = {feature.name: feature.column for feature in features}
    known |= {column.name: column for column in target.source.columns}
    owner = f"model '{at[1]}'"  # its features, and all that its examples have
    listed = target.source.at("columns")
    scope.once(written.slices, (*at, "slices"), "slice")
    slices = (
        scope.attempt(partial(scope.column, owner, name, known, (*at, "slices", position), listed))
        for position, name in enumerate(written.slices)
    )
    fairness = []
    for name, limits in written.fairness.items():
        here = (*at, "fairness", name)
        column = scope.attempt(partial(scope.column, owner, name, known, here, listed, on_key=True))
        if column is not None:
            fairness.append(Fairness(here, column, _bounds(limits, here)))
    return Evaluation(
        at,
        _bounds(written.metrics, (*at, "metrics")),
        tuple(column for column in slices if column is not None),
        tuple(fairness),
    )


def _serving(scope: Scope, model: str, written: Any, at: Path, names: Names) -> Serving | None:
    if written is None:
        return None
    latency = next(iter(written.slo.latency.items()), None) if written.slo else None
    least = written.replicas.min
    most = written.replicas.max or least
    return Serving(
        origin=at,
        format=written.format,
        runtime=written.runtime,
        request=written.request,
        image=_image(scope, written.image, (*at, "image"), names.images),
        port=written.port
        or (RUNTIMES[written.runtime].port if written.runtime in RUNTIMES else PORT),
        metrics=_runtime_metrics(scope, model, written, at),
        clients=tuple(written.clients),
        replicas=Replicas((*at, "replicas"), least, most),
        autoscale=_autoscale(written.autoscale, (*at, "autoscale")),
        resources=_resources(written.resources, (*at, "resources")),
        load_time=seconds(written.load_time),
        timeout=seconds(written.timeout),
        slo=None
        if written.slo is None
        else Slo(
            (*at, "slo"),
            None if written.slo.availability is None else share(written.slo.availability),
            None if latency is None else (_quantile(latency[0]), subsecond(latency[1])),
            seconds(written.slo.window),
        ),
        env=_env(scope, written.env, (*at, "env")),
    )


PORT = 8080
"""Where a runtime of the user's own answers, unless the spec says otherwise."""

UTILIZATION = 0.7
"""The share of the reserved CPU at which copies are added, where the spec does not say."""


def _quantile(text: str) -> float:
    """`p95` is 0.95, `p99.9` is 0.999."""
    return round(float(text[1:]) / 100, 12)


def _autoscale(written: Any, at: Path) -> Autoscale:
    cpu = None if written.cpu is None else share(written.cpu)
    memory = None if written.memory is None else share(written.memory)
    return Autoscale(at, UTILIZATION if cpu is None and memory is None else cpu, memory)


_UNITS = {"seconds": 1.0, "milliseconds": 0.001}


def _runtime_metrics(scope: Scope, model: str, written: Any, at: Path) -> RuntimeMetrics | None:
    """What the runtime exposes; None: it is the user's own, and the spec does not say."""
    if written.runtime in RUNTIMES:
        if written.metrics is not None:
            scope.report(
                "N015",
                f"what {written.runtime} tells Prometheus is known, and `metrics` would say it again",
                (*at, "metrics"),
                "take `metrics` out, or write `runtime: custom`",
                on_key=True,
            )
        return RUNTIMES[written.runtime].metrics(model, (*at, "runtime"))
    declared = written.metrics
    if declared is None:
        return None
    return RuntimeMetrics(
        origin=(*at, "metrics"),
        port=declared.port or written.port or PORT,
        path=declared.path,
        requests=declared.requests,
        errors=declared.errors,
        errors_metric=declared.errors_metric,
        latency=declared.latency,
        unit=_UNITS[declared.unit],
        buckets=tuple(declared.buckets),
        matchers=declared.matchers or "",
        source="the spec",
    )


def _batch(scope: Scope, written: Any, at: Path, names: Names, owner: str) -> Batch | None:
    if written is None:
        return None
    source, destination = scope.each(
        partial(scope.find, "source", name, names.sources, (*at, key))
        for key, name in (("from", written.from_), ("to", written.to))
    )
    return Batch(
        at,
        source,
        destination,
        _schedule(scope, written.schedule, (*at, "schedule"), f"{owner} batch"),
        _resources(written.resources, (*at, "resources")),
    )


def _monitoring(scope: Scope, model: Any, at: Path, names: Names, owner: str) -> Monitoring | None:
    written = model.monitoring
    if written is None:
        return None
    schedule = _schedule(scope, written.schedule, (*at, "schedule"), f"{owner} monitor")
    reference = None
    if written.reference != "training":
        reference = scope.attempt(
            lambda: scope.find("source", written.reference, names.sources, (*at, "reference"))
        )
    if written.current is None:
        raise scope.fail(
            "N010",
            "monitoring does not say where today's rows are",
            at,
            "add `current: SOURCE`: the table with what the model is asked about now",
            on_key=True,
        )
    current = scope.find("source", written.current, names.sources, (*at, "current"))
    if schedule is None:
        raise Unresolvable
    return Monitoring(
        origin=at,
        schedule=schedule,
        current=current,
        reference=reference,
        window=seconds(written.window),
        drift=None if written.drift is None else _drift(written.drift, (*at, "drift")),
        performance=_bounds(written.performance, (*at, "performance")),
        business=query_bounds(written.business, (*at, "business")),
        respond={
            "drift": written.respond.drift,
            "performance": written.respond.performance,
            "slo": written.respond.slo,
        },
        cooldown=None if written.cooldown is None else seconds(written.cooldown),
        resources=_resources(written.resources, (*at, "resources")),
    )


def _drift(written: Any, at: Path) -> Drift:
    method = written.method or USUAL_METHOD
    threshold = usual_threshold(method) if written.threshold is None else float(written.threshold)
    return Drift(at, method, threshold, bound("drift", written.share, (*at, "share")))


def _governance(written: Any, at: Path) -> Governance:
    use = written.use
    return Governance(
        at,
        written.risk,
        written.approvals,
        written.lawful_basis,
        tuple(use.for_) if use else (),
        tuple(use.not_for) if use else (),
    )
