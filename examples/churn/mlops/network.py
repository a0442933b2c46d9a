"""The network: every call is retried within a bound, and then gives up with a message."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field
from http.client import InvalidURL
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from mlops.outcome import CannotRun, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ATTEMPTS = 5
"""Pauses of 1, 2, 4 and 8 s bridge a restarting pod; a longer outage is the pipeline's to show."""
TIMEOUT_SECONDS = 30
"""Of one attempt, so that a service that accepts and never answers costs less than three minutes."""
_OUTAGES = frozenset(
    {
        "ConnectTimeout", "ConnectionError", "DeadlineExceeded", "EndpointConnectionError",
        "HTTPException", "InterfaceError", "OperationalError", "ReadTimeoutError", "RetryError",
        "ServiceUnavailable", "TimeoutError", "TransportError",
    }
)  # fmt: skip
"""How the clients of stores call it when a service does not answer and their error is no OSError:
DB-API and SQLAlchemy (OperationalError, InterfaceError), Redis (ConnectionError, TimeoutError),
botocore (EndpointConnectionError, ConnectTimeoutError's base, ReadTimeoutError), Google's
(ServiceUnavailable, DeadlineExceeded, RetryError, TransportError), and Python's http.client."""
_OF_FILES = (
    FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError,
)  # fmt: skip
_STATEMENTS = ("no such table", "no such column", "syntax error")
"""SQLite calls a wrong statement an OperationalError, too."""

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


def is_outage(error: BaseException) -> bool:
    """Whether a service did not answer, as far as the error of its client tells."""
    if isinstance(error, (*_OF_FILES, InvalidURL)):
        return False
    if isinstance(error, HTTPError):
        return error.code == 429 or error.code >= 500
    if isinstance(error, OSError):
        status = getattr(getattr(error, "response", None), "status_code", None)  # requests' errors
        return status is None or status == 429 or status >= 500
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _OUTAGES) and not any(word in str(error) for word in _STATEMENTS)


def address_of(text: str) -> str:
    """Where a connection string leads, without the user, the password and the options in it."""
    parts = urlsplit(text)
    if "://" in text:
        return parts.netloc.rpartition("@")[2] or parts.path
    return text.partition(",")[0].rpartition("@")[2]  # host:port,password=…, as Redis takes it


def without_password(url: str) -> str:
    """An address as a message may show it."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def retried(
    what: str,
    attempt: Callable[[], Answer],
    worth_retrying: Callable[[Exception], bool] = is_outage,
) -> Answer:
    """The answer of `attempt`; CannotRun, naming `what`, when it fails for good.

    Args:
        what: The service and its address, for messages.
        attempt: The call; it must be safe to repeat.
        worth_retrying: Whether a later attempt may go better.
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
                    f"{what} cannot be reached after {ATTEMPTS} attempts: {_first_line(error)}"
                ) from error
            again = f"attempt {count + 1} of {ATTEMPTS} in {pause:g} s"
            print(f"{what}: {_first_line(error)}; {again}", flush=True)
            time.sleep(pause)
            pause *= 2
    raise AssertionError("unreachable")


def _first_line(error: Exception) -> str:
    """Clients add pages about the statement, and repeat the address with the password in it."""
    lines = str(error).strip().splitlines()
    return without_password(lines[0]) if lines else type(error).__name__


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
    return retried(f"{method} {host}", attempt)


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
    _asked(
        gateway,
        lambda: client.push_to_gateway(
            gateway, job=job, grouping_key=dict(group), registry=registry, timeout=TIMEOUT_SECONDS
        ),
    )


def groups(gateway: str, job: str) -> list[dict[str, str]]:
    """The grouping keys that the Pushgateway holds for a job, without the job itself."""
    url = f"{gateway.rstrip('/')}/api/v1/metrics"
    answer, _ = _asked(gateway, lambda: http_json("GET", url))
    try:
        found = [dict(group["labels"]) for group in answer["data"]]
    except (TypeError, KeyError):
        raise CannotRun(
            f"Pushgateway {without_password(gateway)} answers what no Pushgateway does"
        ) from None
    return [
        {key: value for key, value in labels.items() if key != "job"}
        for labels in found
        if labels.get("job") == job
    ]


def delete_group(gateway: str, job: str, group: Mapping[str, str]) -> None:
    """Forget one group."""
    client = _prometheus_client()
    _asked(
        gateway,
        lambda: client.delete_from_gateway(
            gateway, job=job, grouping_key=dict(group), timeout=TIMEOUT_SECONDS
        ),
    )


def _asked(gateway: str, attempt: Callable[[], Answer]) -> Answer:
    """The Pushgateway's answer; CannotRun, naming it, when there is none or it refuses."""
    what = f"Pushgateway {without_password(gateway)}"
    try:
        return retried(what, attempt)
    except HTTPError as error:
        said = error.read().decode(errors="replace").strip()
        raise CannotRun(f"{what} refuses: {error.code} {error.reason}. {said}".strip()) from None
    except (ValueError, InvalidURL):  # whose messages would show a password
        raise CannotRun(f"{what}: that is no address, such as http://HOST:9091") from None


def _prometheus_client() -> Any:
    try:
        import prometheus_client
    except ModuleNotFoundError:
        raise missing_package("prometheus-client", "pushing to the Pushgateway") from None
    return prometheus_client
