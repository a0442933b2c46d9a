"""The network: every call is retried within a bound, and then gives up with a message."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from mlops.outcome import CannotRun, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ATTEMPTS = 5
"""Pauses of 1, 2, 4 and 8 s bridge a restarting pod; a longer outage is the pipeline's to show."""
TIMEOUT_SECONDS = 30
"""Of one attempt."""

MONITOR_JOB = "mlops_monitor"
VALIDATE_JOB = "mlops_validate"
"""The Pushgateway's `job` of what monitor.py and validate.py push."""
METRICS = {
    "mlops_data_check_success": "1 when no critical expectation of the source failed",
    "mlops_drift_share": "Share of the examined columns that drifted",
    "mlops_column_drift_score": "Drift score of a column by the configured method",
    "mlops_model_metric": "Performance of the running version on rows whose labels are known",
    "mlops_monitor_last_success_timestamp_seconds": "Unix time of the last complete monitor run",
}
"""Every metric that the programs push, with its help text."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Sample:
    """One number for Prometheus; all samples of a metric have the same labels."""

    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def retried(
    what: str,
    attempt: Callable[[], Answer],
    worth_retrying: Callable[[Exception], bool] = lambda error: isinstance(error, OSError),
) -> Answer:
    """The answer of `attempt`; CannotRun, naming `what`, when it fails for good.

    Args:
        what: The service and its address, for messages.
        attempt: The call; it must be safe to repeat.
        worth_retrying: Whether a later attempt may go better. OSError, which is the base of
            all socket, timeout and urllib errors, without it.
    """
    pause = float(os.environ.get("MLOPS_RETRY_PAUSE", "1"))
    for count in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except Exception as error:
            if not worth_retrying(error):
                raise
            if count == ATTEMPTS:
                raise CannotRun(
                    f"{what} cannot be reached after {ATTEMPTS} attempts: {error}"
                ) from error
            print(f"{what}: {error}; attempt {count + 1} of {ATTEMPTS} in {pause:g} s", flush=True)
            time.sleep(pause)
            pause *= 2
    raise AssertionError("unreachable")


def http_json(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> tuple[Any, Mapping[str, str]]:
    """Answer and headers of a JSON interface; 5xx and 429 are retried, other errors raise HTTPError."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise CannotRun(f"'{url}' is no http or https address")
    data = None if body is None else json.dumps(body).encode()
    sent = {"Accept": "application/json", **(headers or {})}
    if data is not None:
        sent["Content-Type"] = "application/json"

    def attempt() -> tuple[Any, Mapping[str, str]]:
        request = Request(url, data=data, headers=sent, method=method)  # noqa: S310 - the scheme is checked above
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            text = response.read()
            return (json.loads(text) if text else None), response.headers

    host = urlsplit(url).netloc.rpartition("@")[2]
    return retried(f"{method} {host}", attempt, _may_recover)


def _may_recover(error: Exception) -> bool:
    if isinstance(error, HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, URLError | OSError)


def pushgateway(given: str | None) -> str | None:
    """The Pushgateway's address, from the flag or the environment; None when there is none."""
    return given or os.environ.get("PUSHGATEWAY_URL") or None


def push(gateway: str, job: str, group: Mapping[str, str], samples: Sequence[Sample]) -> None:
    """Replace one group of the Pushgateway by these gauges.

    Replacing, not adding: a series that this run does not have any more must go.
    """
    client = _prometheus_client()
    registry = client.CollectorRegistry()
    gauges = {
        sample.metric: client.Gauge(
            sample.metric, METRICS[sample.metric], list(sample.labels), registry=registry
        )
        for sample in {sample.metric: sample for sample in samples}.values()
    }
    for sample in samples:
        gauge = gauges[sample.metric]
        (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)
    retried(
        f"Pushgateway {gateway}",
        lambda: client.push_to_gateway(
            gateway, job=job, grouping_key=dict(group), registry=registry, timeout=TIMEOUT_SECONDS
        ),
        _may_recover,
    )


def groups(gateway: str, job: str) -> list[dict[str, str]]:
    """The grouping keys that the Pushgateway holds for a job, without the job itself."""
    answer, _ = http_json("GET", f"{gateway.rstrip('/')}/api/v1/metrics")
    found = [dict(group["labels"]) for group in answer.get("data", [])]
    return [
        {key: value for key, value in labels.items() if key != "job"}
        for labels in found
        if labels.get("job") == job
    ]


def delete_group(gateway: str, job: str, group: Mapping[str, str]) -> None:
    """Forget one group."""
    client = _prometheus_client()
    retried(
        f"Pushgateway {gateway}",
        lambda: client.delete_from_gateway(
            gateway, job=job, grouping_key=dict(group), timeout=TIMEOUT_SECONDS
        ),
        _may_recover,
    )


def _prometheus_client() -> Any:
    try:
        import prometheus_client
    except ModuleNotFoundError:
        raise missing_package("prometheus-client", "pushing to the Pushgateway") from None
    return prometheus_client
