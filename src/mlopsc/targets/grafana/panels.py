"""Panels in Grafana's words: where they stand, what they ask, how they look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project.conventions import decision
from mlopsc.project.dashboards.panels import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.dashboards import Dashboard
    from mlopsc.project.dashboards.panels import Panel, Query, Row, Shape, Step, Unit, Verdict

DATASOURCE: Final = "datasource"  # the variable's name
PROMETHEUS: Final = "prometheus"  # Grafana's word for the kind of data source
_ROW_SIZE: Final = 100  # a row's panels have the numbers from a hundred of its own on

Fields = dict[str, Body]

_TYPES: Final[dict[Shape, str]] = {
    "number": "stat",
    "lines": "timeseries",
    "steps": "timeseries",
    "heatmap": "heatmap",
    "bars": "bargauge",
    "states": "state-timeline",
}
_HEIGHTS: Final[dict[Shape, int]] = {
    "number": 4,
    "lines": 8,
    "steps": 8,
    "heatmap": 8,
    "bars": 8,
    "states": 6,
}
# Source: packages/grafana-data/src/valueFormats/categories.ts of https://github.com/grafana/grafana.
_UNITS: Final[dict[Unit, str]] = {
    "number": "none",
    "count": "none",
    "factor": "suffix: ×",
    "share": "percentunit",
    "requests per second": "reqps",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "µs",
}
_COLOURS: Final[dict[Verdict, str]] = {
    "good": "green",
    "info": "blue",
    "warning": "orange",
    "critical": "red",
}


def panels(shown: Dashboard) -> list[Body]:
    """Every row's heading and panels, one below the other, as many abreast as fit."""
    placed: list[Body] = []
    top = 0
    for row in shown.rows:
        base = (row.number + 1) * _ROW_SIZE
        placed.append(_heading(row, base, top))
        top += 1
        for number, (panel, left, down) in enumerate(_flow(row.panels), start=1):
            placed.append(_panel(panel, base + number, left, top + down))
        top += _height(row)
    return placed


def _flow(of_row: tuple[Panel, ...]) -> Iterator[tuple[Panel, int, int]]:
    """Each panel with its left and top edge within its row."""
    left = top = tallest = 0
    for panel in of_row:
        if left + panel.columns > COLUMNS:
            left, top, tallest = 0, top + tallest, 0
        yield panel, left, top
        left += panel.columns
        tallest = max(tallest, _HEIGHTS[panel.shape])


def _height(row: Row) -> int:
    return max(top + _HEIGHTS[panel.shape] for panel, _, top in _flow(row.panels))


def _heading(row: Row, number: int, top: int) -> Body:
    heading: Fields = {
        "type": "row",
        "id": number,
        "title": row.title,
        "collapsed": False,
        "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
        "panels": [],
    }
    return traced(heading, row.origin, decision("grafana-layout"))


def _panel(panel: Panel, number: int, left: int, top: int) -> Body:
    place: Body = {"h": _HEIGHTS[panel.shape], "w": panel.columns, "x": left, "y": top}
    source: Body = {"type": PROMETHEUS, "uid": f"${{{DATASOURCE}}}"}
    body: Fields = {
        "type": _TYPES[panel.shape],
        "id": traced(number, decision("grafana-numbers")),
        "title": panel.title,
        "description": panel.description,
        "gridPos": traced(place, decision("grafana-layout")),
        "datasource": traced(source, decision("grafana-datasource")),
        "targets": [_target(query, ref, panel) for ref, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }
    return traced(body, *panel.origins)


def _target(query: Query, position: int, panel: Panel) -> Body:
    asked: Fields = {
        "refId": chr(ord("A") + position),
        "expr": query.expr,
        "legendFormat": query.legend,
        "editorMode": "code",
        "instant": panel.latest,
        "range": not panel.latest,
    }
    if panel.shape == "heatmap":
        asked["format"] = "heatmap"
    return asked


# --- numbers and colours -------------------------------------------------------------------------


def _defaults(panel: Panel) -> Fields:
    by_verdict = panel.shape in ("number", "bars", "states")
    found: Fields = {
        "unit": _UNITS[panel.unit],
        "color": {"mode": "thresholds" if by_verdict else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel.steps)},
        "custom": _drawn(panel),
    }
    if panel.unit == "share" and panel.shape in ("lines", "steps"):
        found["min"] = 0
    if panel.empty is not None:
        found["noValue"] = panel.empty
    if panel.named:
        found["mappings"] = [_mapping(panel)]
    return found


def _steps(steps: tuple[Step, ...]) -> list[Body]:
    if not steps:
        return [{"color": "text", "value": None}]
    return [_step(step) for step in steps]


def _step(step: Step) -> Body:
    body: Body = {"color": _COLOURS[step.verdict], "value": step.value}
    return traced(body, *step.origins) if step.origins else body


def _mapping(panel: Panel) -> Body:
    options: Fields = {
        f"{value:g}": {"text": text, "color": _COLOURS[verdict], "index": index}
        for index, (value, text, verdict) in enumerate(panel.named)
    }
    return {"type": "value", "options": options}


def _drawn(panel: Panel) -> Fields:
    """How a panel draws its series: the parts of `custom` its type knows."""
    if panel.shape == "states":
        return {"fillOpacity": 80, "lineWidth": 0}
    if panel.shape not in ("lines", "steps"):
        return {}
    return {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if panel.shape == "steps" else "linear",
        "lineWidth": 2,
        "fillOpacity": 0,
        "showPoints": "auto",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"},
    }


# --- the parts of a picture ----------------------------------------------------------------------

_LATEST: Final[Fields] = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_TOOLTIP: Final[Fields] = {"mode": "multi", "sort": "desc"}


def _options(panel: Panel) -> Fields:
    if panel.shape == "number":
        return {
            "reduceOptions": _LATEST,
            "colorMode": "background",
            "graphMode": "none",
            "textMode": "value",
            "justifyMode": "auto",
            "orientation": "auto",
            "wideLayout": True,
        }
    if panel.shape == "bars":
        return {
            "reduceOptions": _LATEST,
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": True,
            "valueMode": "color",
            "namePlacement": "auto",
        }
    if panel.shape == "states":
        return {
            "showValue": "auto",
            "rowHeight": 0.9,
            "mergeValues": True,
            "alignValue": "left",
            "legend": _legend(shown=False),
            "tooltip": {"mode": "single", "sort": "none"},
        }
    if panel.shape == "heatmap":
        return _heatmap(panel)
    return {"legend": _legend(shown=True), "tooltip": _TOOLTIP}


def _legend(*, shown: bool) -> Fields:
    return {
        "showLegend": shown,
        "displayMode": "list",
        "placement": "bottom",
        "calcs": ["lastNotNull"] if shown else [],
    }


def _heatmap(panel: Panel) -> Fields:
    return {
        "calculate": False,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "scale": "exponential",
            "exponent": 0.5,
            "fill": "dark-orange",
            "reverse": False,
            "steps": 64,
        },
        "cellGap": 1,
        "cellValues": {"unit": "reqps"},
        "filterValues": {"le": 1e-9},
        "rowsFrame": {"layout": "auto"},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": _UNITS[panel.unit]},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "legend": {"show": True},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
    }
