"""Dashboards read back: what their panels ask, and what a Prometheus answers."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Data = dict[str, Any]

BUILT_IN: Final[Mapping[str, str]] = {"__rate_interval": "4m", "__interval": "1m", "__range": "7d"}
"""Variables of Grafana's own, as they are with a scrape a minute."""

_VARIABLE: Final = re.compile(r"\$(?:\{(?P<braced>\w+)(?::\w+)?\}|(?P<plain>\w+))")
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PATIENCE: Final = 30  # seconds for one answer


def queries(dashboard: Data, variables: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Every panel's title with each expression it asks, its variables filled in as Grafana does.

    Args:
        dashboard: the content of a dashboard file.
        variables: their values; Grafana's own have defaults (`BUILT_IN`).
    """
    known = {**BUILT_IN, **(variables or {})}
    return [
        (panel["title"], interpolated(target["expr"], known))
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `$name` and `${name}` filled in; what no variable is called stays, as in Grafana."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found["braced"] or found["plain"], found[0])

    return _VARIABLE.sub(value, text)


def record(
    prometheus_url: str, dashboard_path: Path, start: float, end: float, step: float
) -> Data:
    """What a Prometheus answers to a dashboard's panels, to be drawn where no Grafana is.

    Panels of one number ask for the moment `end`, the others for the time from `start` on.

    Args:
        prometheus_url: its base address.
        dashboard_path: the dashboard file.
        start: Unix time, seconds.
        end: Unix time, seconds.
        step: seconds between two points; the scrape interval at least, or rates have gaps.

    Raises:
        RuntimeError: a query is refused; with what Prometheus says.
    """
    dashboard = json.loads(dashboard_path.read_text("utf-8"))
    variables = {**BUILT_IN, "__rate_interval": f"{max(round(4 * step), 1)}s"}
    server = _Server(prometheus_url, start, end, step)
    panels = []
    row = ""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        answers = [server.answer(target, variables) for target in panel["targets"]]
        panels.append({**_looks(panel), "row": row, "queries": answers})
    return {
        "title": dashboard["title"],
        "start": start,
        "end": end,
        "step": step,
        "panels": panels,
    }


def without_data(recorded: Data) -> list[tuple[str, str]]:
    """The panels and queries that a recording has no sample of."""
    return [
        (panel["title"], query["expr"])
        for panel in recorded["panels"]
        for query in panel["queries"]
        if not any(series["values"] for series in query["series"])
    ]


def _looks(panel: Data) -> Data:
    defaults = panel["fieldConfig"]["defaults"]
    return {
        "title": panel["title"],
        "description": panel["description"],
        "type": panel["type"],
        "columns": panel["gridPos"]["w"],
        "unit": defaults["unit"],
        "steps": defaults["thresholds"]["steps"],
        "mappings": defaults.get("mappings", []),
        "empty": defaults.get("noValue"),
        "stepped": defaults["custom"].get("lineInterpolation") == "stepAfter",
    }


class _Server:
    """A Prometheus, asked about one stretch of time."""

    def __init__(self, url: str, start: float, end: float, step: float) -> None:
        self._url = url.rstrip("/")
        self._moment = {"time": end}
        self._range = {"start": start, "end": end, "step": step}

    def answer(self, target: Data, variables: Mapping[str, str]) -> Data:
        expr = interpolated(target["expr"], variables)
        if target["instant"]:
            found = self._ask("query", {"query": expr, **self._moment})
        else:
            found = self._ask("query_range", {"query": expr, **self._range})
        series = [_series(one, target["legendFormat"]) for one in found]
        return {"expr": expr, "series": series}

    def _ask(self, what: str, parameters: Mapping[str, object]) -> list[Data]:
        body = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(f"{self._url}/api/v1/{what}", data=body)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
                result: list[Data] = json.load(response)["data"]["result"]
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")
            raise RuntimeError(f"{parameters['query']}: {said}") from None
        return result


def _series(one: Data, legend: str) -> Data:
    """A series with the name the panel gives it; samples that are no number are left out."""
    labels: dict[str, str] = one["metric"]
    samples = one["values"] if "values" in one else [one["value"]]
    name = _LABEL.sub(lambda found: labels.get(found[1], ""), legend)
    values = [[float(moment), float(value)] for moment, value in samples]
    # NaN is how a quantile of no requests looks; JSON has no word for it.
    return {"name": name, "labels": labels, "values": [v for v in values if abs(v[1]) < 1e300]}
