"""`serving`: a model behind an address; and `batch`, a whole table scored on a schedule."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.training import EnvValue, Resources
from mlopsc.spec.vocabulary import ModelFormat, Runtime
from mlopsc.spec.words import (
    Count,
    Cron,
    DnsLabel,
    Duration,
    EnvName,
    HttpPath,
    Image,
    Latency,
    Matchers,
    Maybe,
    MetricName,
    Name,
    Number,
    Percentile,
    Phrase,
    Port,
    Query,
    Schedule,
    Several,
    Share,
    Step,
)


class Replicas(Chapter):
    """How many copies answer."""

    min: Count = Field(default=2, description="At least this many.", examples=[3])
    max: Maybe[Count] = Field(
        default=None,
        description="At most this many, as load asks; without it, always `min`.",
        examples=[10],
    )


class ScheduledReplicas(Chapter):
    """A stretch of time with at least so many copies."""

    from_: Cron = Field(
        alias="from", description="When it begins: a cron line.", examples=["0 8 * * 1-5"]
    )
    to: Cron = Field(description="When it ends: a cron line.", examples=["0 20 * * 1-5"])
    replicas: Count = Field(description="At least this many in between.", examples=[6])


class AutoscaleQuery(Chapter):
    """A PromQL expression to scale by."""

    query: Query = Field(description="The expression.", examples=["sum(queue_depth)"])
    target: Number = Field(description="How much of it one copy takes.", examples=[100])


class Autoscale(Chapter):
    """By what copies are added; by the one that asks for most, if several."""

    cpu: Maybe[Share] = Field(
        default=None,
        description="Share of the reserved CPU to aim at; without it, and without `memory`, 70%.",
        examples=["70%"],
    )
    memory: Maybe[Share] = Field(
        default=None,
        description="Share of the reserved memory to aim at; without it, memory is not looked at.",
        examples=["80%"],
    )
    requests_per_second: Maybe[Number] = Field(
        default=None,
        description="Requests a second that one copy takes; without it, they are not counted.",
        examples=[50],
    )
    query: Maybe[AutoscaleQuery] = Field(
        default=None,
        description="A number of your own to scale by; without it, none.",
        examples=[{"query": "sum(queue_depth)", "target": 100}],
    )
    schedule: Several[ScheduledReplicas] = Field(
        default=(),
        description="Times with more copies than load asks for.",
        examples=[[{"from": "0 8 * * 1-5", "to": "0 20 * * 1-5", "replicas": 6}]],
    )


class AbortWhen(Chapter):
    """What stops a rollout and brings the old version back."""

    errors: Maybe[Share] = Field(
        default=None,
        description="More failed requests than this; without it, errors are not looked at.",
        examples=["1%"],
    )
    latency: dict[Percentile, Latency] = Field(
        default={}, description="Slower than this.", examples=[{"p99": "500ms"}]
    )
    no_data: bool = Field(default=True, description="No numbers to judge by.", examples=[False])


class Rollout(Chapter):
    """How a new version takes over."""

    strategy: Literal["rolling", "canary", "blue_green"] = Field(
        default="rolling",
        description="rolling: copy by copy; canary: by shares of the traffic; blue_green: at once.",
        examples=["canary"],
    )
    steps: Several[Step] = Field(
        default=(),
        description="Shares of the traffic in turn; `approve` waits for a person.",
        examples=[["5%", "approve", "25%", "50%"]],
    )
    pause: Maybe[Duration] = Field(
        default=None, description="Time between steps; without it, none.", examples=["10m"]
    )
    abort_when: Maybe[AbortWhen] = Field(
        default=None,
        description="What stops it; a canary needs it, without it nothing does.",
        examples=[{"errors": "1%", "no_data": True}],
    )


class Slo(Chapter):
    """What callers are promised."""

    availability: Maybe[Share] = Field(
        default=None,
        description="Share of requests that are answered without an error; without it, no promise.",
        examples=["99.9%"],
    )
    latency: Annotated[dict[Percentile, Latency], Field(max_length=1)] = Field(
        default={},
        description="Share of requests that are answered within a time, which must be a bucket of"
        " the runtime's histogram.",
        examples=[{"p95": "200ms"}],
    )
    window: Duration = Field(
        default="30d", description="Over how long the promise holds.", examples=["28d"]
    )


class Log(Chapter):
    """What was asked and answered, written down; personal columns never are."""

    to: Name = Field(description="The source it is written to.", examples=["churn_log"])
    sample: Share = Field(default=1.0, description="Share of the requests.", examples=["10%"])


class RuntimeMetrics(Chapter):
    """What a runtime of your own tells Prometheus."""

    port: Maybe[Port] = Field(
        default=None,
        description="Where; without it, the port that answers requests.",
        examples=[9100],
    )
    path: HttpPath = Field(default="/metrics", description="Where on it.", examples=["/metrics"])
    requests: MetricName = Field(
        description="The counter of answered requests.", examples=["http_requests_total"]
    )
    errors: Maybe[Matchers] = Field(
        default=None,
        description="Labels that select the failed ones of `requests`; without it, `errors_metric`"
        " counts them.",
        examples=['code=~"5.."'],
    )
    errors_metric: Maybe[MetricName] = Field(
        default=None,
        description="A counter of failed requests; without it, `errors` selects them.",
        examples=["http_request_failures_total"],
    )
    latency: Maybe[MetricName] = Field(
        default=None,
        description="The histogram of answer times, without `_bucket`; without it, there is none.",
        examples=["http_request_duration_seconds"],
    )
    unit: Literal["seconds", "milliseconds"] = Field(
        default="seconds", description="The unit of that histogram.", examples=["milliseconds"]
    )
    buckets: Several[Annotated[float, Field(gt=0), Phrase("a number above 0")]] = Field(
        default=(),
        description="The upper bounds of that histogram, in its unit; needed with `latency`.",
        examples=[[0.05, 0.1, 0.25, 0.5, 1, 2.5]],
    )
    matchers: Maybe[Matchers] = Field(
        default=None,
        description="Labels that select the requests for predictions; without it, all requests"
        " count.",
        examples=['path="/predict"'],
    )


class Serving(Chapter):
    """A model behind an address."""

    format: ModelFormat = Field(
        default="mlflow", description="What training leaves in model/.", examples=["onnx"]
    )
    runtime: Runtime = Field(
        default="mlserver",
        description="The server that loads it; with `custom`, `image` and `metrics` are yours to"
        " say.",
        examples=["triton"],
    )
    request: Literal["features", "keys"] = Field(
        default="features",
        description="features: the caller sends them; keys: serving looks them up.",
        examples=["keys"],
    )
    clients: Several[DnsLabel] = Field(
        default=(),
        description="Namespaces that may call; none named means any.",
        examples=[["web", "crm"]],
    )
    image: Maybe[Image] = Field(
        default=None,
        description="The image of a custom runtime: a name from `images` or a full reference;"
        " without it, the runtime's own.",
        examples=["registry.example.com/growth/server:1.4.2"],
    )
    port: Maybe[Port] = Field(
        default=None,
        description="Where requests are answered; without it, the runtime's own port.",
        examples=[8080],
    )
    metrics: Maybe[RuntimeMetrics] = Field(
        default=None,
        description="What a custom runtime tells Prometheus; without it, what the runtime is known"
        " to tell.",
        examples=[{"requests": "http_requests_total", "errors": 'code=~"5.."'}],
    )
    replicas: Replicas = Field(
        default={},
        validate_default=True,
        description="How many copies answer.",
        examples=[{"min": 2, "max": 10}],
    )
    autoscale: Autoscale = Field(
        default={},
        validate_default=True,
        description="By what copies are added between `replicas.min` and `replicas.max`.",
        examples=[{"cpu": "70%"}],
    )
    resources: Resources = Field(
        default={},
        validate_default=True,
        description="What each copy gets.",
        examples=[{"cpu": 1, "memory": "2Gi"}],
    )
    env: dict[EnvName, EnvValue] = Field(
        default={},
        description="Environment variables: text, or `{secret: NAME}`.",
        examples=[{"LOG_LEVEL": "info"}],
    )
    load_time: Duration = Field(
        default="5m",
        description="How long loading the model may take before a start has failed.",
        examples=["15m"],
    )
    timeout: Duration = Field(
        default="30s",
        description="How long one request may take; a copy that goes waits as long.",
        examples=["10s"],
    )
    rollout: Rollout = Field(
        default={},
        validate_default=True,
        description="How a new version takes over.",
        examples=[{"strategy": "rolling"}],
    )
    slo: Maybe[Slo] = Field(
        default=None,
        description="What callers are promised; without it, nothing, and no alert of it.",
        examples=[{"availability": "99.9%", "latency": {"p95": "250ms"}}],
    )
    log: Maybe[Log] = Field(
        default=None,
        description="Where requests and answers are written; without it, nowhere.",
        examples=[{"to": "churn_log", "sample": "10%"}],
    )


class Batch(Chapter):
    """A whole table, scored."""

    from_: Name = Field(alias="from", description="The source to score.", examples=["customers"])
    to: Name = Field(description="The source the scores go to.", examples=["churn_scores"])
    schedule: Maybe[Schedule] = Field(
        default=None,
        description="When: a cron line or a duration; without it, only on request.",
        examples=["0 5 * * *"],
    )
    resources: Resources = Field(
        default={},
        validate_default=True,
        description="What the job gets.",
        examples=[{"cpu": 2, "memory": "8Gi"}],
    )
