"""The resolved project: frozen facts, ready for rules and targets to read.

Every node carries `origin`, the spec path it stands at; `node.at("key")` is the path of a key below
it, whether the user wrote that key or a default stands in. Durations are whole seconds, shares are
0 to 1, sizes and CPU are Kubernetes quantities as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from mlopsc.diagnostics.paths import as_written
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path

Seconds: TypeAlias = int
Share: TypeAlias = float
Scalar: TypeAlias = bool | int | float | str
Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"
"""What a user wrote in another tool's language."""
Severity = Literal["critical", "warning", "info"]
ColumnType = Literal["int32", "int64", "float32", "float64", "string", "bool", "timestamp"]
Task = Literal["classification", "regression", "ranking", "forecasting", "custom"]
SourceKind = Literal[
    "parquet", "csv", "duckdb", "postgres", "snowflake", "redshift", "bigquery", "spark"
]
Response = Literal["alert", "retrain", "rollback"]
Tier = Literal["production", "staging", "testing", "development", "other"]


@frozen
class Node:
    """A part of the project and the spec path it comes from."""

    origin: Path

    def at(self, *keys: str | int) -> Path:
        """The spec path of a key below this node."""
        return (*self.origin, *keys)


@frozen
class Schedule(Node):
    """When something runs, as a five-field cron line in the project's time zone.

    A duration in the spec (`1h`) became a cron line whose minute follows from the owner's name, so
    that a hundred models do not start at once. `every` is the usual time between two runs.
    """

    cron: str
    every: Seconds


@frozen
class SecretRef(Node):
    """A use of `{secret: NAME}`; `variable` is the environment variable that carries it."""

    name: str
    variable: str


@frozen
class Secret(Node):
    """A secret's name and where its value lives (`path` and `key` in the team's store)."""

    name: str
    path: str | None
    key: str | None


@frozen
class Platform(Node):
    """One word a role; a role's word decides which target speaks for it."""

    ci: str
    orchestration: str
    data_versioning: str
    data_validation: str
    feature_store: str
    tracking: str
    model_registry: str
    training: str
    serving: str
    delivery: str
    autoscaling: str
    metrics: str
    dashboards: str | None  # None: nobody draws any
    drift: str
    secrets: str
    gitops: str


@frozen
class Connection(Node):
    """A service that needs a connection string: from a secret."""

    secret: SecretRef


@frozen
class FeastService(Node):
    """Feast's registry address and online store; both may be left to the environment."""

    registry: str | None
    online_store: str  # a Feast online store type: sqlite, redis, postgres, …
    connection: SecretRef | None


@frozen
class KafkaService(Node):
    """Where Kafka's brokers answer."""

    brokers: str
    cluster: str | None


@frozen
class Services(Node):
    """Where the systems answer. None: the spec does not name one, and nothing that needs it is made."""

    mlflow: str | None  # base URL
    prometheus: str | None  # base URL
    pushgateway: str | None  # base URL
    alertmanager: str | None  # base URL
    grafana: str | None  # base URL
    feast: FeastService | None
    kafka: KafkaService | None
    connections: dict[str, Connection]  # by source kind: postgres, snowflake, redshift, …


@frozen
class Image(Node):
    """A container image that CI builds.

    Either `dockerfile` is the user's own, or one is generated from `python`, `requirements` and
    `packages` (Debian packages). `reference` is the name it is pushed under, without a tag.
    """

    name: str
    dockerfile: str | None
    python: str
    requirements: str | None
    packages: tuple[str, ...]
    reference: str | None  # None while the spec names no registry: nothing can be pushed


@frozen
class ImageRef(Node):
    """A use of an image: one of ours, or a full reference to somebody's."""

    image: Image | None
    reference: str | None


@frozen
class Column(Node):
    """A column, described once: its suite, view, drift report and card follow from this."""

    name: str
    type: ColumnType
    entity: str | None = None  # the entity this key column identifies
    minimum: float | None = None
    maximum: float | None = None
    one_of: tuple[Scalar, ...] = ()
    pattern: str | None = None
    unique: bool = False
    nulls: Share = 0.0  # the largest share of missing values; 0: none may be missing
    severity: Severity = "critical"
    personal: bool = False
    known_after: Seconds | None = None  # label delay; never a feature
    description: str | None = None

    @property
    def typed_at(self) -> Path:
        """Where its type is said; a column that a model writes has none, and follows from a name."""
        described = as_written(self.origin)[0] in ("sources", "features")
        return self.at("type") if described else self.origin


@frozen
class Topic(Node):
    """The stream of a source: the same rows, as they happen."""

    topic: str
    format: Literal["json", "avro"]
    partitions: int
    retention: Seconds | None


@frozen
class Rows(Node):
    """Expectations about whole tables."""

    minimum: int | None
    maximum: int | None
    unique: tuple[str, ...]


@frozen
class Build(Node):
    """Who makes a source's rows."""

    command: str
    image: ImageRef | None
    schedule: Schedule | None
    sources: tuple[str, ...]


@frozen
class Expectation(Node):
    """A Great Expectations expectation by its own name, as the user wrote it.

    `severity_at` is the severity's own key where one is written: its default is no key of this language.
    """

    type: str
    arguments: dict[str, object]
    severity: Severity
    severity_at: Path


@frozen
class Source(Node):
    """Where rows are, and the one place a column is described.

    `kind` and `location` are of the table at rest; both are None for a stream without one.
    `written_by` names the model whose log or batch writes it: then its columns follow from there.
    """

    name: str
    kind: SourceKind | None
    location: str | None  # a path relative to the project, or a table name
    stream: Topic | None
    timestamp: str | None
    columns: tuple[Column, ...]
    freshness: Seconds | None
    rows: Rows | None
    expectations: tuple[Expectation, ...]
    build: Build | None
    owner: str | None
    description: str | None
    retention: Seconds | None
    written_by: str | None

    def column(self, name: str) -> Column:
        """The column called `name`; resolve has proven that it exists."""
        return next(column for column in self.columns if column.name == name)

    @property
    def keys(self) -> tuple[Column, ...]:
        """The columns that identify an entity, in written order."""
        return tuple(column for column in self.columns if column.entity)


@frozen
class Entity(Node):
    """What a key column identifies; one join key and one type everywhere."""

    name: str
    column: str
    type: ColumnType


@frozen
class View(Node):
    """A feature view: joined to examples as of their timestamp, looked up by key when serving."""

    name: str
    source: Source
    entities: tuple[Entity, ...]
    fields: tuple[Column, ...]  # the source's columns, in the order of `fields`
    ttl: Seconds
    materialize: Schedule | None
    owner: str | None
    description: str | None


@frozen
class FieldRef(Node):
    """`owner:field`: a column of a view or of a source."""

    owner: View | Source
    column: Column


@frozen
class OnDemandView(Node):
    """Features computed by the user's function, the same in training and in serving."""

    name: str
    module: str  # `src.features` of `src.features:ratios`
    function: str
    inputs: tuple[FieldRef, ...]
    fields: tuple[Column, ...]
    owner: str | None
    description: str | None


@frozen
class Feature(Node):
    """One input column of a model, and where it comes from.

    A column of the target's own source comes in the request; every other is looked up.
    `origin` is the item of the model's `features` list that brings it in.
    """

    name: str
    column: Column
    owner: View | OnDemandView | Source


@frozen
class Resources(Node):
    """Requests and limits of one container, as Kubernetes quantities."""

    cpu: str
    memory: str
    gpu: int
    limits: dict[str, str]  # cpu, memory: only where the user set them apart from the requests


@frozen
class Split(Node):
    """How examples are cut: all durations (by time, test last) or all shares (drawn by key)."""

    by: Literal["time", "key"]
    validation: float  # seconds by time, share by key
    test: float


@frozen
class Training(Node):
    """How a model is trained: the user's command between our dataset and our gate."""

    command: str
    image: ImageRef | None
    framework: str
    environment: str  # whose data
    window: Seconds | None  # of examples; None: all
    split: Split
    parameters: dict[str, Scalar]
    seed: int
    schedule: Schedule | None
    resources: Resources
    env: dict[str, str | SecretRef]
    paths: tuple[str, ...]  # a change below one of these retrains
    timeout: Seconds


@frozen
class Bound(Node):
    """What a number must keep to.

    Attributes:
        name: the metric, business measure or rule it is of.
        max_worse: at most this much worse than the version in production, in the metric's own unit.
        hold: how long it must be violated before it counts (`for`), seconds.
    """

    name: str
    minimum: float | None
    maximum: float | None
    max_worse: float | None
    hold: Seconds
    severity: Severity


@frozen
class QueryBound(Node):
    """A bound on a PromQL query of the user's own."""

    query: str
    bound: Bound


@frozen
class Fairness(Node):
    """Bounds on differences between the groups of one column."""

    column: Column
    bounds: tuple[Bound, ...]


@frozen
class Evaluation(Node):
    """The gate, on the test split."""

    metrics: tuple[Bound, ...]
    slices: tuple[Column, ...]
    fairness: tuple[Fairness, ...]


@frozen
class Replicas(Node):
    """How many pods; equal numbers mean no autoscaler."""

    minimum: int
    maximum: int


@frozen
class Autoscale(Node):
    """Target utilization of the requests, as a share; None: not scaled by it."""

    cpu: Share | None
    memory: Share | None


@frozen
class Slo(Node):
    """What callers are promised, over `window`.

    `latency` is (quantile, seconds): that share of requests is answered within that time.
    """

    availability: Share | None
    latency: tuple[Share, float] | None
    window: Seconds

    @property
    def latency_at(self) -> Path:
        """Where the latency is written: below the name of its quantile, such as `p95`."""
        if self.latency is None:
            return self.at("latency")
        return self.at("latency", f"p{round(self.latency[0] * 100, 10):.10g}")


@frozen
class RuntimeMetrics(Node):
    """What a serving runtime exposes to Prometheus.

    Attributes:
        port: where metrics are served. path: the HTTP path.
        requests: a counter of answered requests (or a histogram's `_count`).
        errors: label matchers that select failed ones, such as `status_code=~"5.."`; or None with
            `errors_metric`.
        errors_metric: a counter of failed requests of its own.
        latency: the histogram's base name, without `_bucket`; None: it has none.
        unit: seconds per unit of the histogram: 1.0 for seconds, 0.001 for milliseconds.
        buckets: its upper bounds, in its own unit.
        matchers: label matchers that select this model's prediction requests.
        source: where this is documented or was seen.
    """

    port: int
    path: str
    requests: str
    errors: str | None
    errors_metric: str | None
    latency: str | None
    unit: float
    buckets: tuple[float, ...]
    matchers: str
    source: str


@frozen
class Serving(Node):
    """A model behind an address."""

    format: str
    runtime: str
    request: Literal["features", "keys"]
    image: ImageRef | None  # the user's own, for a custom runtime
    port: int
    metrics: RuntimeMetrics | None  # None: a runtime of the user's own that does not say
    clients: tuple[str, ...]  # namespaces that may call; empty: any
    replicas: Replicas
    autoscale: Autoscale
    resources: Resources
    load_time: Seconds  # how long loading the model may take before a start counts as failed
    timeout: Seconds  # of one request; also how long a pod may drain
    slo: Slo | None
    env: dict[str, str | SecretRef]


@frozen
class Batch(Node):
    """Scoring a whole table on a schedule."""

    source: Source
    destination: Source
    schedule: Schedule | None
    resources: Resources


@frozen
class Drift(Node):
    """When a column counts as drifted, and how many may.

    `method` is one of Evidently's, `threshold` in its own unit; `share` bounds the share of columns
    that drifted.
    """

    method: str
    threshold: float
    share: Bound


@frozen
class Monitoring(Node):
    """What is looked at while a model runs.

    `current` is where today's rows are; `reference` what they are compared with: None means the
    training data kept with the version that runs.
    """

    schedule: Schedule
    current: Source
    reference: Source | None
    window: Seconds
    drift: Drift | None
    performance: tuple[Bound, ...]
    business: tuple[QueryBound, ...]
    respond: dict[str, Response]  # by drift, performance, slo, …: alert where the spec is silent
    cooldown: Seconds | None
    resources: Resources


@frozen
class Governance(Node):
    """Who answers for a model and what it may be used for."""

    risk: Literal["minimal", "limited", "high"]
    approvals: int
    lawful_basis: str | None
    use_for: tuple[str, ...]
    not_for: tuple[str, ...]


@frozen
class Target(Node):
    """What a model predicts. Its source's rows are the examples."""

    source: Source
    column: Column


@frozen
class Model(Node):
    """A model: trained here or brought, gated, served, watched."""

    name: str
    description: str | None
    owner: str | None
    task: Task
    target: Target
    features: tuple[Feature, ...]
    prediction: str
    training: Training | None
    artifact: str | None  # where a model not trained here lies
    evaluation: Evaluation | None
    serving: Serving | None
    batch: Batch | None
    monitoring: Monitoring | None
    governance: Governance
    runbook: str | None  # a page of the team's own, in place of ours
    platform: Platform  # the project's words, with the model's own in their place

    @property
    def views(self) -> tuple[View, ...]:
        """The views its features come from, on-demand inputs included, each once, in order."""
        found: dict[str, View] = {}
        for feature in self.features:
            owners = (
                [ref.owner for ref in feature.owner.inputs]
                if isinstance(feature.owner, OnDemandView)
                else [feature.owner]
            )
            found.update({owner.name: owner for owner in owners if isinstance(owner, View)})
        return tuple(found.values())

    @property
    def reads(self) -> tuple[Source, ...]:
        """What it is made from, what it is asked about, and what it is watched by, each once."""
        read = [self.target.source, *(view.source for view in self.views)]
        if self.monitoring is not None:
            read.append(self.monitoring.current)
        if self.batch is not None:
            read.append(self.batch.source)
        return tuple({source.name: source for source in read}.values())

    @property
    def on_demand_views(self) -> tuple[OnDemandView, ...]:
        """The on-demand views among its features, each once, in order."""
        owners = (feature.owner for feature in self.features)
        return tuple({o.name: o for o in owners if isinstance(o, OnDemandView)}.values())

    @property
    def uses_feature_store(self) -> bool:
        """Whether any feature is looked up or computed on demand."""
        return bool(self.views or self.on_demand_views)


@frozen
class Channel(Node):
    """Where people are told: exactly one kind of receiver."""

    name: str
    kind: Literal["pagerduty", "slack", "email", "webhook"]
    secret: SecretRef | None  # routing key, webhook address or password
    settings: dict[str, str]  # channel, to, from, smarthost, url: what the kind needs


@frozen
class Alerts(Node):
    """Who hears of what."""

    channels: tuple[Channel, ...]
    routes: dict[Severity, Channel]
    rules: tuple[QueryBound, ...]


@frozen
class Inclusion(Node):
    """An entry of GitLab's `include`: a path or an address, or a mapping."""

    entry: str | dict[str, Body]


@frozen
class Ci(Node):
    """How GitLab runs it; `jobs` and `include` are the user's own, in GitLab's words."""

    file: str
    tags: dict[str, tuple[str, ...]]  # default, gpu
    trigger: SecretRef | None
    jobs: dict[str, dict[str, Body]]
    include: tuple[Inclusion, ...]


@frozen
class Operation(Node):
    """One step of a JSON Patch (RFC 6902); `source` is its `from`."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: str  # a JSON Pointer, as are those of `source`
    source: str | None
    value: Data


@frozen
class Replacement(Node):
    """A piece of a generated text and what stands in its place."""

    find: str
    text: str


@frozen
class Patch(Node):
    """A change to every generated file whose path fits `artifact`, in one of three ways.

    `merge` is a JSON Merge Patch (RFC 7396); None with `operations` or `replacements`. `expect` is the
    part of a file that has to be there before: an empty one asks nothing.
    """

    artifact: str  # with `*` and `?` within a folder, `**` through folders
    expect: dict[str, Data]
    merge: dict[str, Data] | None
    operations: tuple[Operation, ...]
    replacements: tuple[Replacement, ...]


@frozen
class Creation(Node):
    """A file of the user's own, kept with the generated ones: the file `source`, or `text`."""

    path: str
    source: str | None
    text: str | None


@frozen
class Extension(Node):
    """A target of an installed package that the project asks for, and what it is told."""

    name: str
    package: str
    version: str
    settings: dict[str, Data]


@frozen
class OwnTemplate(Node):
    """A template of the project's own: the file that takes the place of ours, and ours as it was then."""

    name: str
    file: str
    base: str


@frozen
class Environment(Node):
    """One place the system runs in, and the system as it is there.

    `origin` is `("environments", NAME)`, written or implied. `versions` maps a model to the version
    that runs; a model without a line runs the registry's alias `champion`. `checked` names the sources
    whose data checks run here: what a model that trains here learns from, and what is built on a
    schedule.
    """

    name: str
    namespace: str
    deploy: Literal["automatic", "manual"]
    approvers: tuple[str, ...]
    url: str | None
    versions: dict[str, str]
    checked: frozenset[str]
    tier: Tier
    platform: Platform
    services: Services
    sources: tuple[Source, ...]
    views: tuple[View, ...]
    models: tuple[Model, ...]
    alerts: Alerts
    patches: tuple[Patch | Creation, ...] = ()  # those to files of this environment count
    namespace_written: bool = True

    @property
    def namespace_paths(self) -> tuple[Path, ...]:
        """The spec paths behind the namespace: its own key, and the project's name without it."""
        own = self.at("namespace")
        return (own,) if self.namespace_written else (own, ("project",))

    def version(self, model: Model) -> str:
        """The version of `model` that runs here: its line in the spec, or the alias `champion`."""
        return self.versions.get(model.name, "champion")

    def pinned(self, model: Model) -> bool:
        """Whether the spec says which version of `model` runs here."""
        return model.name in self.versions


@frozen
class Project(Node):
    """A whole project. The chapters stand here as they are before an environment changes them."""

    name: str
    description: str | None
    owner: str | None
    repository: str | None  # host and path, such as gitlab.example.com/growth/churn
    registry: str | None
    storage: str | None
    timezone: str
    platform: Platform
    services: Services
    secrets: dict[str, Secret]
    environments: tuple[Environment, ...]  # in the order a version is promoted
    images: tuple[Image, ...]
    sources: tuple[Source, ...]
    entities: tuple[Entity, ...]
    views: tuple[View, ...]
    on_demand_views: tuple[OnDemandView, ...]
    models: tuple[Model, ...]
    alerts: Alerts
    ci: Ci
    patches: tuple[
        Patch | Creation, ...
    ] = ()  # in written order, which is the order they are applied in
    extensions: tuple[Extension, ...] = ()
    templates: tuple[OwnTemplate, ...] = ()
    crowded: bool = False  # it is a part of a project with too many parts for one pipeline

    def extension(self, name: str) -> Extension:
        """What the project says of the installed target `name`.

        Raises:
            KeyError: it asks for no such target.
        """
        for extension in self.extensions:
            if extension.name == name:
                return extension
        raise KeyError(name)

    @property
    def production(self) -> Environment:
        """The last environment: the one a version is promoted to in the end."""
        return self.environments[-1]
