"""Serving runtimes: what each can load, where it answers, and which metrics it really exposes.

One entry a word of `serving.runtime`. `{model}` in a path or a matcher is the model's name as the
runtime knows it. Everything here is a fact about somebody else's program: `source` says where it is
documented, or that it was seen running.

`custom` has no entry: the spec then declares the image, the port and every field of
`RuntimeMetrics` it wants alerts from; its `requests` counter must count failed requests too.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from mlopsc.frozen import frozen
from mlopsc.project.model import RuntimeMetrics

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path

CUSTOM: Final = "custom"


@frozen
class Health:
    """HTTP paths of the serving port that answer 200.

    Attributes:
        startup: once the model is loaded.
        readiness: while the model can answer.
        liveness: while the process is worth keeping; must not depend on the model's load time.
    """

    startup: str
    readiness: str
    liveness: str


@frozen
class Exposed:
    """The metrics of a runtime, before they are about one model; fields as in `RuntimeMetrics`.

    Attributes:
        matchers: select this model's prediction requests, in `requests` and in `latency`.
        errors: label matchers of the failed ones. They are added to `matchers` on `requests`, or
            stand alone on `errors_metric`, which may not know the labels of `requests`.
        failures_counted: whether `requests` counts failed requests too. If not, the errors are
            added to it, or an outage would look like silence.
        labels: metric → the labels its series carry, in every version of the runtime that is known.
        idle: matchers under which `requests` and `latency` are there before the first prediction;
            None: they appear with it, and their absence says nothing.
    """

    port: int
    path: str
    requests: str
    matchers: str
    errors: str
    source: str
    labels: dict[str, tuple[str, ...]]
    errors_metric: str | None = None
    failures_counted: bool = True
    idle: str | None = None
    latency: str | None = None
    unit: float = 1.0
    buckets: tuple[float, ...] = ()


@frozen
class Runtime:
    """A program that serves a model.

    Attributes:
        formats: what it loads, by the word of `serving.format`.
        port: where it answers predictions over HTTP.
        base: the container image to build on, by version.
        packages: what pip installs into `base`, pinned; those of the format first need `mlflow` and
            the like from the model's own requirements.
        format_packages: what a format needs beside them.
        implementation: how the runtime's own configuration names the loader of a format.
        predict: the path a prediction is posted to.
        needs: settings without which it would not answer, or not expose these metrics.
    """

    formats: tuple[str, ...]
    port: int
    base: str
    predict: str
    health: Health
    exposed: Exposed
    packages: tuple[str, ...] = ()
    format_packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    implementation: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    def metrics(self, model: str, origin: Path) -> RuntimeMetrics:
        """What this runtime exposes about `model`; `origin` is the spec path that chose it."""
        known = self.exposed
        return RuntimeMetrics(
            origin=origin,
            port=known.port,
            path=known.path,
            requests=known.requests,
            errors=_of(model, known.errors),
            errors_metric=known.errors_metric,
            latency=known.latency,
            unit=known.unit,
            buckets=known.buckets,
            matchers=_of(model, known.matchers),
            source=known.source,
        )


def _of(model: str, text: str) -> str:
    # Not str.format: a regular expression in a matcher may hold braces of its own.
    return text.replace("{model}", model)


_MLSERVER = Runtime(
    # There is no mlserver-onnx package, and pytorch or tensorflow models come as mlflow models.
    formats=("mlflow", "sklearn", "xgboost", "lightgbm"),
    port=8080,
    # Not seldonio/mlserver: its images hold an mlflow client older than the models of today.
    base="python:3.11-slim",
    packages=("mlserver==1.7.1",),
    format_packages={
        "mlflow": ("mlserver-mlflow==1.7.1",),
        "sklearn": ("mlserver-sklearn==1.7.1",),
        "xgboost": ("mlserver-xgboost==1.7.1",),
        "lightgbm": ("mlserver-lightgbm==1.7.1",),
    },
    implementation={
        "mlflow": "mlserver_mlflow.MLflowRuntime",
        "sklearn": "mlserver_sklearn.SKLearnModel",
        "xgboost": "mlserver_xgboost.XGBoostModel",
        "lightgbm": "mlserver_lightgbm.LightGBMModel",
    },
    predict="/v2/models/{model}/infer",
    health=Health(
        startup="/v2/models/{model}/ready",
        # Not the model's own path: the server's ready means every model is, and its requests are
        # left out of the metrics, where a probe every few seconds would drown real ones.
        readiness="/v2/health/ready",
        liveness="/v2/health/live",
    ),
    exposed=Exposed(
        port=8082,
        path="/metrics",
        # The REST server's. model_infer_request_duration is a summary without quantiles, and
        # model_infer_request_failure_total counts a caller's mistakes as failures of the model.
        requests="rest_server_requests_total",
        # The path label holds the route, not the address: {model_name} stands there literally. No
        # label names the model: one server serves one.
        matchers='method="POST",path=~"/v2/models/.+/infer"',
        errors='status_code=~"5.."',
        labels={
            "rest_server_requests_total": ("method", "path", "status_code", "app_name"),
            "rest_server_request_duration_seconds": ("method", "path", "status_code", "app_name"),
        },
        idle="",  # the startup probe below /v2/models is counted, with the same bounds
        latency="rest_server_request_duration_seconds",
        unit=1.0,
        buckets=(
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
        ),
        source="seen running mlserver 1.7.1; https://mlserver.readthedocs.io/en/latest/user-guide/metrics.html",
    ),
)  # fmt: skip

_TRITON = Runtime(
    # TensorFlow is not here: NVIDIA stopped shipping that backend in 2025.
    formats=("onnx", "pytorch", CUSTOM),
    port=8000,
    base="nvcr.io/nvidia/tritonserver:26.08-py3",
    predict="/v2/models/{model}/infer",
    health=Health(
        startup="/v2/health/ready",
        readiness="/v2/health/ready",
        liveness="/v2/health/live",
    ),
    exposed=Exposed(
        port=8002,
        path="/metrics",
        requests="nv_inference_request_success",  # a counter, though it does not end in _total
        matchers='model="{model}"',
        errors_metric="nv_inference_request_failure",
        # A caller who hung up is no failure of ours. Older versions lack the label and match too.
        errors='model="{model}",reason!="CANCELED"',
        labels={
            "nv_inference_request_success": ("model", "version"),
            "nv_inference_request_failure": ("model", "version", "reason"),
        },
        failures_counted=False,
        idle='model="{model}"',  # from the moment it is loaded, at 0
        # Latencies are cumulative counters, and summaries by option. The option
        # `--metrics-config histogram_latencies=true` adds nv_inference_first_response_histogram_ms
        # (100, 500, 2000 and 5000 ms) for decoupled models alone: a model that answers a request
        # with one response never appears in it, so it cannot carry an objective.
        latency=None,
        source="https://github.com/triton-inference-server/server/blob/main/docs/user_guide/metrics.md",
    ),
)

_TORCHSERVE = Runtime(
    formats=("pytorch",),
    port=8080,
    base="pytorch/torchserve:0.12.0-cpu",  # the last release: it is not maintained any more
    predict="/predictions/{model}",
    health=Health(startup="/ping", readiness="/ping", liveness="/ping"),
    exposed=Exposed(
        port=8082,
        path="/metrics",
        requests="ts_inference_requests_total",
        matchers='model_name="{model}"',
        # Counted for the whole server, management calls included; it knows no model_name.
        errors_metric="Requests5XX",
        errors='Level="Host"',
        labels={
            "ts_inference_requests_total": ("model_name", "model_version", "hostname"),
            "Requests5XX": ("Level", "Hostname"),
        },
        latency=None,  # ts_inference_latency_microseconds is a counter
        source="https://docs.pytorch.org/serve/metrics.html",
    ),
    needs=(
        "inference_address=http://0.0.0.0:8080",
        "metrics_address=http://0.0.0.0:8082",
        "metrics_mode=prometheus",
        "disable_token_authorization=true",  # else since 0.11.1 each call needs a token of that pod
    ),
)

_TFSERVING = Runtime(
    formats=("tensorflow",),
    port=8501,
    base="tensorflow/serving:2.19.1",
    predict="/v1/models/{model}:predict",
    health=Health(
        # The HTTP server starts after the model is loaded, so its model page tells all three.
        startup="/v1/models/{model}",
        readiness="/v1/models/{model}",
        liveness="/v1/models/{model}",
    ),
    exposed=Exposed(
        port=8501,
        path="/monitoring/prometheus/metrics",
        requests=":tensorflow:serving:request_count",
        matchers='model_name="{model}"',
        # The canonical codes that google.rpc maps to HTTP 5xx, and an overloaded server.
        errors=(
            'status=~"UNKNOWN|INTERNAL|DATA_LOSS|UNIMPLEMENTED|UNAVAILABLE|DEADLINE_EXCEEDED'
            '|RESOURCE_EXHAUSTED"'
        ),
        labels={
            ":tensorflow:serving:request_count": ("model_name", "status"),
            ":tensorflow:serving:request_latency": ("model_name", "API", "entrypoint"),
        },
        latency=":tensorflow:serving:request_latency",
        unit=0.000001,
        # 10 µs times 1.8 to the n, printed with six significant digits; the largest of 33 is +Inf.
        buckets=tuple(float(f"{10 * 1.8**step:.6g}") for step in range(32)),
        source="tensorflow_serving/servables/tensorflow/util.cc and util/prometheus_exporter.cc of "
        "https://github.com/tensorflow/serving",
    ),
    needs=('prometheus_config { enable: true, path: "/monitoring/prometheus/metrics" }',),
)

_BENTOML = Runtime(
    formats=(CUSTOM,),  # a Service of the user's own, whose API method is called predict
    port=3000,
    base="python:3.11-slim",
    packages=("bentoml==1.4.39",),
    predict="/predict",
    health=Health(startup="/readyz", readiness="/readyz", liveness="/livez"),
    exposed=Exposed(
        port=3000,
        path="/metrics",
        requests="bentoml_service_request_total",
        # The probes and every unknown address are endpoints too; only this one is a prediction.
        matchers='endpoint="/predict"',
        errors='http_response_code=~"5.."',
        labels=dict.fromkeys(
            ("bentoml_service_request_total", "bentoml_service_request_duration_seconds"),
            ("endpoint", "service_name", "service_version", "http_response_code"),
        ),
        idle="",  # the probes are counted
        latency="bentoml_service_request_duration_seconds",
        unit=1.0,
        buckets=(
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0,
        ),
        source="seen running bentoml 1.4.39; "
        "https://docs.bentoml.com/en/latest/build-with-bentoml/observability/metrics.html",
    ),
)  # fmt: skip

RUNTIMES: Final[dict[str, Runtime]] = {
    "mlserver": _MLSERVER,
    "triton": _TRITON,
    "torchserve": _TORCHSERVE,
    "tfserving": _TFSERVING,
    "bentoml": _BENTOML,
}
"""By the word of `serving.runtime`."""


def failures_counted(runtime: str) -> bool:
    """Whether the runtime's request counter counts failed requests; a custom one must."""
    return runtime == CUSTOM or RUNTIMES[runtime].exposed.failures_counted


def idle_matchers(runtime: str, model: str) -> str | None:
    """`Exposed.idle` for a model; None for a custom runtime, of which we do not know."""
    if runtime == CUSTOM or (idle := RUNTIMES[runtime].exposed.idle) is None:
        return None
    return _of(model, idle)
