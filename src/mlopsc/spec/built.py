"""What of the language this release compiles, and what it refuses: the table is the promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding
from mlopsc.frozen import frozen
from mlopsc.spec import codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data
    from mlopsc.spec.patterns import Pattern


@frozen
class NotBuilt:
    """A key that is refused, or taken with some values only.

    Attributes:
        path: where the key stands.
        instead: what works now, as a request to the user.
        works: the values that are compiled; empty: none is.
    """

    path: Pattern
    instead: str
    works: frozenset[str] = frozenset()

    def look(self, written: Data, at: Path) -> Iterator[Finding]:
        """S010, unless the value is one that works."""
        if isinstance(written, str) and written in self.works:
            return
        if self.works and not isinstance(written, str):
            return  # not even the right type: that is what has to be said
        what = f"{at[-1]}: {written}" if self.works else str(at[-1])
        yield Finding(
            codes.NOT_BUILT,
            f"`{what}` is not built yet",
            at,
            help=self.instead,
            on_key=not self.works,
        )


def _word(role: str, *works: str) -> NotBuilt:
    """A role of `platform` of which only some words are compiled."""
    words = " or ".join(f"`{role}: {word}`" for word in works)
    return NotBuilt(("platform", role), f"what works now is {words}", frozenset(works))


NOT_BUILT: Final = (
    NotBuilt(("endpoints",), "each model with `serving` has an address of its own"),
    # --- platform
    _word("tracking", "mlflow"),
    _word("orchestration", "gitlab", "kubernetes"),
    _word("training", "gitlab", "kubernetes"),
    NotBuilt(("platform", "tuning"), "set `parameters` in `training` instead of searching them"),
    _word("serving", "kubernetes"),
    _word("delivery", "rolling"),
    _word("traffic", "none"),
    _word("autoscaling", "hpa"),
    _word("secrets", "kubernetes"),
    _word("gitops", "kubectl"),
    # --- services
    NotBuilt(("services", "gateway_api"), "leave it out: a model answers inside the cluster"),
    NotBuilt(("services", "kserve"), "leave it out: `platform.serving` is kubernetes"),
    NotBuilt(("services", "external_secrets"), "leave it out: secrets exist in Kubernetes already"),
    NotBuilt(("services", "gitlab"), "leave it out: the host of `repository` is used"),
    NotBuilt(("services", "kafka", "cluster"), "leave it out, and make the topics yourself"),
    NotBuilt(
        ("services", "feast", "online_store"),
        "what works now is `sqlite` or `redis`",
        frozenset({"sqlite", "redis"}),
    ),
    # --- environments
    NotBuilt(("environments", "*", "clusters"), "leave it out: the CI job applies to one cluster"),
    # --- sources
    NotBuilt(("sources", "*", "retention"), "leave it out, and clean the table up yourself"),
    NotBuilt(("sources", "*", "kafka", "partitions"), "leave it out, and make the topic yourself"),
    NotBuilt(("sources", "*", "kafka", "retention"), "leave it out, and make the topic yourself"),
    # --- models
    NotBuilt(("models", "*", "platform"), "leave it out: `platform` holds for every model"),
    NotBuilt(("models", "*", "training", "nodes"), "leave it out: training runs on one node"),
    NotBuilt(("models", "*", "training", "queue"), "leave it out: training starts at once"),
    NotBuilt(
        ("models", "*", "training", "tuning"),
        "set `parameters` instead of searching them",
    ),
    NotBuilt(
        ("models", "*", "serving", "request"),
        "what works now is `request: features`: the caller sends the features",
        frozenset({"features"}),
    ),
    NotBuilt(
        ("models", "*", "serving", "autoscale", "requests_per_second"),
        "scale by `cpu` or `memory`",
    ),
    NotBuilt(("models", "*", "serving", "autoscale", "query"), "scale by `cpu` or `memory`"),
    NotBuilt(
        ("models", "*", "serving", "autoscale", "schedule"),
        "set `replicas.min` to what the busy hours need",
    ),
    NotBuilt(
        ("models", "*", "serving", "rollout", "strategy"),
        "what works now is `strategy: rolling`",
        frozenset({"rolling"}),
    ),
    NotBuilt(("models", "*", "serving", "rollout", "steps"), "a rolling update has no steps"),
    NotBuilt(("models", "*", "serving", "rollout", "pause"), "a rolling update does not pause"),
    NotBuilt(
        ("models", "*", "serving", "rollout", "abort_when"),
        "a rolling update stops by itself when a copy does not become ready",
    ),
    NotBuilt(
        ("models", "*", "serving", "log"),
        "write the log in your own service, and name its table in `monitoring.current`",
    ),
)
"""Every key that is known and refused. What is not in it is in `BUILT`: a test holds both to the
schema, so that a new key has to be put into one of them."""

BUILT: Final[tuple[Pattern, ...]] = (
    ("apiVersion",),
    ("project",),
    ("description",),
    ("owner",),
    ("repository",),
    ("registry",),
    ("storage",),
    ("timezone",),
    ("include",),
    ("variables",),
    ("defaults",),
    *(
        ("platform", role)
        for role in (
            "ci",
            "orchestration",
            "data_versioning",
            "data_validation",
            "feature_store",
            "tracking",
            "model_registry",
            "training",
            "serving",
            "delivery",
            "traffic",
            "autoscaling",
            "metrics",
            "dashboards",
            "drift",
            "secrets",
            "gitops",
        )
    ),
    *(
        ("services", service, "url")
        for service in ("mlflow", "prometheus", "pushgateway", "alertmanager", "grafana")
    ),
    ("services", "feast", "registry"),
    ("services", "feast", "online_store"),
    ("services", "feast", "connection", "secret"),
    ("services", "kafka", "brokers"),
    *(
        ("services", kind, "connection", "secret")
        for kind in ("duckdb", "postgres", "snowflake", "redshift", "bigquery", "spark")
    ),
    ("secrets", "*", "path"),
    ("secrets", "*", "key"),
    *(
        ("environments", "*", key)
        for key in (
            "namespace",
            "deploy",
            "approvers",
            "url",
            "variables",
            "versions",
            "overrides",
        )
    ),
    *(
        (*items, "*", "only")
        for items in (
            ("secrets",),
            ("images",),
            ("sources",),
            ("features",),
            ("models",),
            ("alerts", "channels"),
            ("alerts", "rules"),
        )
    ),
    *(("images", "*", key) for key in ("python", "requirements", "packages", "dockerfile")),
    *(
        ("sources", "*", key)
        for key in (
            "description",
            "parquet",
            "csv",
            "duckdb",
            "postgres",
            "snowflake",
            "redshift",
            "bigquery",
            "spark",
            "owner",
            "timestamp",
            "freshness",
            "expectations",
        )
    ),
    *(("sources", "*", "kafka", key) for key in ("topic", "format")),
    *(("sources", "*", "build", key) for key in ("command", "image", "schedule", "from")),
    *(("sources", "*", "rows", key) for key in ("min", "max", "unique")),
    *(
        ("sources", "*", "columns", "*", key)
        for key in (
            "type",
            "description",
            "key",
            "min",
            "max",
            "one_of",
            "pattern",
            "unique",
            "nulls",
            "severity",
            "personal",
            "known_after",
        )
    ),
    *(
        ("features", "*", key)
        for key in (
            "description",
            "source",
            "fields",
            "ttl",
            "materialize",
            "python",
            "inputs",
            "owner",
        )
    ),
    *(("features", "*", "columns", "*", key) for key in ("type", "description", "personal")),
    *(
        ("models", "*", key)
        for key in (
            "description",
            "owner",
            "task",
            "target",
            "features",
            "prediction",
            "artifact",
            "runbook",
        )
    ),
    *(
        ("models", "*", "training", key)
        for key in (
            "command",
            "image",
            "framework",
            "environment",
            "window",
            "parameters",
            "seed",
            "schedule",
            "paths",
            "timeout",
        )
    ),
    ("models", "*", "training", "env", "*", "secret"),
    ("models", "*", "training", "split", "validation"),
    ("models", "*", "training", "split", "test"),
    *(
        ("models", "*", part, "resources", *key)
        for part in ("training", "serving", "batch", "monitoring")
        for key in (("cpu",), ("memory",), ("gpu",), ("limits", "cpu"), ("limits", "memory"))
    ),
    ("models", "*", "evaluation", "slices"),
    *(
        ("models", "*", "evaluation", *where, key)
        for where in (("metrics", "*"), ("fairness", "*", "*"))
        for key in ("min", "max", "max_worse", "severity")
    ),
    *(
        ("models", "*", "serving", key)
        for key in (
            "format",
            "runtime",
            "request",
            "clients",
            "image",
            "port",
            "load_time",
            "timeout",
        )
    ),
    ("models", "*", "serving", "env", "*", "secret"),
    *(
        ("models", "*", "serving", "metrics", key)
        for key in (
            "port",
            "path",
            "requests",
            "errors",
            "errors_metric",
            "latency",
            "unit",
            "buckets",
            "matchers",
        )
    ),
    ("models", "*", "serving", "replicas", "min"),
    ("models", "*", "serving", "replicas", "max"),
    ("models", "*", "serving", "autoscale", "cpu"),
    ("models", "*", "serving", "autoscale", "memory"),
    ("models", "*", "serving", "rollout", "strategy"),
    *(("models", "*", "serving", "slo", key) for key in ("availability", "latency", "window")),
    *(("models", "*", "batch", key) for key in ("from", "to", "schedule")),
    *(
        ("models", "*", "monitoring", key)
        for key in ("schedule", "current", "reference", "window", "cooldown")
    ),
    ("models", "*", "monitoring", "drift", "method"),
    ("models", "*", "monitoring", "drift", "threshold"),
    *(
        ("models", "*", "monitoring", *where, key)
        for where in (("drift", "share"), ("performance", "*"), ("business", "*"))
        for key in ("min", "max", "for", "severity")
    ),
    ("models", "*", "monitoring", "business", "*", "query"),
    ("models", "*", "monitoring", "business", "*", "description"),
    *(("models", "*", "monitoring", "respond", key) for key in ("drift", "performance", "slo")),
    *(("models", "*", "governance", key) for key in ("risk", "approvals", "lawful_basis")),
    ("models", "*", "governance", "use", "for"),
    ("models", "*", "governance", "use", "not_for"),
    ("alerts", "channels", "*", "pagerduty", "key", "secret"),
    ("alerts", "channels", "*", "slack", "channel"),
    ("alerts", "channels", "*", "slack", "webhook", "secret"),
    *(
        ("alerts", "channels", "*", "email", *key)
        for key in (("to",), ("from",), ("smarthost",), ("username",), ("password", "secret"))
    ),
    ("alerts", "channels", "*", "webhook", "url", "secret"),
    *(("alerts", "routes", severity) for severity in ("critical", "warning", "info")),
    *(
        ("alerts", "rules", "*", key)
        for key in ("description", "query", "min", "max", "for", "severity")
    ),
    ("ci", "tags"),
    ("ci", "trigger", "secret"),
    ("ci", "file"),
    ("ci", "jobs"),
    ("ci", "include"),
    *(("targets", "*", key) for key in ("package", "version", "settings")),
    *(("templates", "*", key) for key in ("file", "base")),
    *(("patches", "*", key) for key in ("artifact", "merge", "expect", "create", "from", "text")),
    *(("patches", "*", "json", "*", key) for key in ("op", "path", "from", "value")),
    *(("patches", "*", "replace", "*", key) for key in ("find", "with")),
)
"""Every key that is compiled, down to the innermost one the schema names."""
