"""Recorded panels as SVG, for a page that opens where no Grafana is.

Colours are classes and variables of the page's style sheet, so that they follow light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Any, Final

Data = dict[str, Any]
Points = Sequence[Sequence[float]]

COLUMN: Final = 46
"""Pixels of one of the 24 columns of a dashboard: text is the same size in every panel."""
HEIGHT: Final = 210
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 10, 24
COLOURS: Final = 10
"""How many colours of series the style sheet has: `c0` to `c9`."""
_LABELS: Final = 30  # letters of a name that fit beside a bar
_ROW: Final = 26  # pixels of a bar or a band


@dataclass(frozen=True)
class Axes:
    """From moments and values to pixels."""

    start: float
    end: float
    low: float
    high: float
    unit: str
    width: int
    height: int = HEIGHT

    def x(self, moment: float) -> float:
        """The pixel of a moment."""
        span = (self.end - self.start) or 1
        return LEFT + (moment - self.start) / span * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The pixel of a value."""
        span = (self.high - self.low) or 1
        inside = self.height - TOP - BOTTOM
        return TOP + (self.high - value) / span * inside


def plot(panel: Data, start: float, end: float) -> str:
    """The panel as an SVG or, for one number, as a line of HTML; what has no data says so."""
    series = [one for query in panel["queries"] for one in query["series"] if one["values"]]
    if not series:
        return f'<p class="empty">{escape(panel["empty"] or "no data")}</p>'
    drawn = {
        "stat": _number,
        "timeseries": _lines,
        "heatmap": _heatmap,
        "bargauge": _bars,
        "state-timeline": _bands,
    }[panel["type"]]
    return drawn(panel, series, start, end)


# --- numbers -------------------------------------------------------------------------------------


def shown(value: float, unit: str) -> str:
    """A number as a person reads it, with its unit."""
    if unit == "percentunit":
        return f"{_short(value * 100)} %"
    if unit == "s":
        return _duration(value)
    if unit == "reqps":
        return f"{_short(value)}/s"
    if unit == "none":
        return _short(value)
    return f"{_short(value)} {unit.removeprefix('suffix:').strip()}"


def _short(value: float) -> str:
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    size = abs(seconds)
    for limit, unit, name in (
        (1, 0.001, "ms"),
        (120, 1, "s"),
        (7200, 60, "min"),
        (172800, 3600, "h"),
    ):
        if size < limit:
            return f"{_short(seconds / unit)} {name}"
    return f"{_short(seconds / 86400)} d"


def verdict(value: float, steps: Sequence[Data]) -> str:
    """The colour's name of a value: the last step that begins at or below it."""
    colour = "text"
    for step in steps:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return str(colour)


def _number(panel: Data, series: Sequence[Data], _start: float, _end: float) -> str:
    value = series[0]["values"][-1][1]
    colour = verdict(value, panel["steps"])
    return f'<p class="number is-{colour}">{escape(shown(value, panel["unit"]))}</p>'


# --- lines ---------------------------------------------------------------------------------------


def _lines(panel: Data, series: Sequence[Data], start: float, end: float) -> str:
    limits = [step for step in panel["steps"] if step["value"] is not None]
    axes = _axes(panel, series, limits, start, end)
    parts = [*_grid(axes), *_limits(axes, limits)]
    for position, one in enumerate(series):
        path = _path(axes, one["values"], stepped=panel["stepped"])
        parts.append(f'<path class="line c{position % COLOURS}" d="{path}"/>')
        if len(one["values"]) == 1:
            moment, value = one["values"][0]
            dot = f'cx="{axes.x(moment):.1f}" cy="{axes.y(value):.1f}" r="2.5"'
            parts.append(f'<circle class="dot c{position % COLOURS}" {dot}/>')
    return _svg(parts, axes.height, panel) + _legend(series, panel["unit"])


def _axes(
    panel: Data, series: Sequence[Data], limits: Sequence[Data], start: float, end: float
) -> Axes:
    values = [value for one in series for _, value in one["values"]]
    low, high = min(values), max(values)
    # A limit far above everything would press the lines to the ground: it is then not drawn.
    near = [step["value"] for step in limits if step["value"] <= max(3 * high, 1e-9)]
    low, high = min([low, 0, *near]), max([high, *near])
    margin = (high - low or abs(high) or 1) * 0.08
    bottom = low - (margin if low < 0 else 0)
    return Axes(start, end, bottom, high + margin, panel["unit"], _width(panel))


def _grid(axes: Axes) -> Iterator[str]:
    for value in _ticks(axes.low, axes.high):
        y = axes.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{axes.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        text = escape(shown(value, axes.unit))
        yield f'<text class="tick end" x="{LEFT - 6}" y="{y + 4:.1f}">{text}</text>'
    yield from _moments(axes)


def _moments(axes: Axes) -> Iterator[str]:
    for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        moment = axes.start + part * (axes.end - axes.start)
        text = datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")
        place = f'x="{axes.x(moment):.1f}" y="{axes.height - 7}"'
        yield f'<text class="tick {anchor}" {place}>{text}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round values between two."""
    span = high - low
    if span <= 0:
        return [low]
    size = 10.0 ** math.floor(math.log10(span / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 5)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def _limits(axes: Axes, limits: Sequence[Data]) -> Iterator[str]:
    for step in limits:
        if axes.low <= step["value"] <= axes.high:
            y = axes.y(step["value"])
            ends = f'x1="{LEFT}" x2="{axes.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
            yield f'<line class="limit is-{_bad(step, limits)}" {ends}/>'


def _bad(step: Data, limits: Sequence[Data]) -> str:
    """A lower bound begins what is good; its line has the colour of what lies below."""
    if step["color"] != "green":
        return str(step["color"])
    return next((s["color"] for s in limits if s["color"] != "green"), "red")


def _path(axes: Axes, values: Points, *, stepped: bool) -> str:
    parts: list[str] = []
    usual = min((b[0] - a[0] for a, b in pairwise(values)), default=0.0)
    for position, (moment, value) in enumerate(values):
        x, y = axes.x(moment), axes.y(value)
        gap = position == 0 or moment - values[position - 1][0] > 1.5 * usual
        if gap:
            parts.append(f"M{x:.1f} {y:.1f}")
        elif stepped:
            parts.append(f"H{x:.1f}V{y:.1f}")
        else:
            parts.append(f"L{x:.1f} {y:.1f}")
    return "".join(parts)


def _legend(series: Sequence[Data], unit: str) -> str:
    items = (
        f'<li><span class="key c{position % COLOURS}"></span>{escape(one["name"] or "value")}'
        f" <b>{escape(shown(one['values'][-1][1], unit))}</b></li>"
        for position, one in enumerate(series)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


# --- buckets, bars, bands ------------------------------------------------------------------------


def _heatmap(panel: Data, series: Sequence[Data], start: float, end: float) -> str:
    """Prometheus' buckets are cumulative: what lies in one is the difference to the one below."""
    buckets = sorted(series, key=lambda one: float(one["labels"]["le"]))
    below: dict[float, float] = {}
    rows: list[list[tuple[float, float]]] = []
    for bucket in buckets:
        rows.append([(m, max(v - below.get(m, 0.0), 0.0)) for m, v in bucket["values"]])
        below = dict(bucket["values"])
    most = max((value for row in rows for _, value in row), default=0.0) or 1.0
    axes = Axes(start, end, 0, len(rows), panel["unit"], _width(panel))
    moments = sorted({moment for row in rows for moment, _ in row})
    wide = min((axes.x(b) - axes.x(a) for a, b in pairwise(moments)), default=8.0)
    parts = list(_moments(axes))
    for position, (bucket, row) in enumerate(zip(buckets, rows, strict=True)):
        top, high = axes.y(position + 1), axes.y(position) - axes.y(position + 1)
        name = escape(_bucket(bucket["labels"]["le"], panel["unit"]))
        parts.append(
            f'<text class="tick end" x="{LEFT - 6}" y="{top + high / 2 + 4:.1f}">{name}</text>'
        )
        for moment, value in row:
            if value > 0:
                strength = 0.15 + 0.85 * math.sqrt(value / most)
                place = (
                    f'x="{axes.x(moment):.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"'
                )
                parts.append(f'<rect class="cell" {place} opacity="{strength:.2f}"/>')
    return _svg(parts, axes.height, panel)


def _bucket(bound: str, unit: str) -> str:
    return "more" if bound == "+Inf" else shown(float(bound), unit)


def _bars(panel: Data, series: Sequence[Data], _start: float, _end: float) -> str:
    values = [one["values"][-1][1] for one in series]
    limits = [step for step in panel["steps"] if step["value"] is not None]
    most = max([*values, *(step["value"] for step in limits)]) or 1.0
    beside, right = 126, _width(panel) - 50
    scale = (right - beside) / most
    parts = []
    for position, (one, value) in enumerate(zip(series, values, strict=True)):
        y = 4 + position * _ROW
        colour = verdict(value, panel["steps"])
        name = escape(one["name"][:_LABELS])
        length = max(value * scale, 1)
        parts += [
            f'<text class="label end" x="{beside - 8}" y="{y + 15}">{name}</text>',
            f'<rect class="bar is-{colour}" x="{beside}" y="{y + 2}" width="{length:.1f}" height="18"/>',
            f'<text class="label" x="{beside + length + 6:.1f}" y="{y + 15}">'
            f"{escape(shown(value, panel['unit']))}</text>",
        ]
    height = 8 + len(series) * _ROW
    for step in limits:
        x = beside + step["value"] * scale
        parts.append(
            f'<line class="limit is-{_bad(step, limits)}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"/>'
        )
    return _svg(parts, height, panel)


def _bands(panel: Data, series: Sequence[Data], start: float, end: float) -> str:
    named = {
        float(value): (text["text"], text["color"])
        for mapping in panel["mappings"]
        for value, text in mapping["options"].items()
    }
    beside, width = 210, _width(panel)
    span = (end - start) or 1
    scale = (width - beside - RIGHT) / span
    parts = []
    for position, one in enumerate(series):
        y = 4 + position * _ROW
        name = escape(one["name"][:_LABELS])
        parts.append(f'<text class="label end" x="{beside - 8}" y="{y + 15}">{name}</text>')
        for first, last, value in _runs(one["values"]):
            text, colour = named.get(value, (shown(value, panel["unit"]), "text"))
            x, wide = beside + (first - start) * scale, max((last - first) * scale, 3)
            place = f'x="{x:.1f}" y="{y + 2}" width="{wide:.1f}" height="18"'
            parts.append(
                f'<rect class="bar is-{colour}" {place}><title>{escape(text)}</title></rect>'
            )
            if wide > 9 * len(text):
                parts.append(
                    f'<text class="inside" x="{x + 6:.1f}" y="{y + 15}">{escape(text)}</text>'
                )
    return _svg(parts, 8 + len(series) * _ROW, panel)


def _runs(values: Points) -> Iterator[tuple[float, float, float]]:
    """Stretches of one value: when it begins, when it ends, what it is."""
    usual = min((b[0] - a[0] for a, b in pairwise(values)), default=0.0)
    first, last, value = values[0][0], values[0][0], values[0][1]
    for moment, found in values[1:]:
        if found != value or moment - last > 1.5 * usual:
            yield first, last + usual, value
            first, value = moment, found
        last = moment
    yield first, last + usual, value


def _width(panel: Data) -> int:
    return COLUMN * int(panel["columns"])


def _svg(parts: Sequence[str], height: float, panel: Data) -> str:
    return (
        f'<svg viewBox="0 0 {_width(panel)} {height}" role="img" aria-label="{escape(panel["title"])}">'
        f"{''.join(parts)}</svg>"
    )
