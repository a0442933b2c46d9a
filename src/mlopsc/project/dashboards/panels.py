"""What a dashboard is, before it is a file of Grafana: rows of panels, each with its queries.

Queries are PromQL with one variable of Grafana's, `$__rate_interval`: a window that holds at least four
scrapes and the distance of two points on the screen.
Source: https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Severity

RATE_WINDOW: Final = "$__rate_interval"

Shape: TypeAlias = Literal["number", "lines", "steps", "heatmap", "bars", "states"]
"""How a panel is drawn: one number, lines, lines that stay until the next sample, the buckets of a
histogram over time, a bar a series, a band a series that changes its colour."""

Unit: TypeAlias = Literal[
    "number",
    "count",
    "factor",  # how many times
    "share",  # 0 to 1
    "requests per second",
    "seconds",
    "milliseconds",
    "microseconds",
]
Verdict: TypeAlias = "Literal['good'] | Severity"


@frozen
class Query:
    """PromQL, and what its series are called: text with `{{label}}` in it."""

    expr: str
    legend: str


@frozen
class Step:
    """From `value` on (None: from below everything) a number has this verdict."""

    value: float | None
    verdict: Verdict
    origins: tuple[Path, ...] = ()


@frozen
class Panel:
    """One picture.

    Attributes:
        description: what it shows and where its limits come from, for whoever did not write the spec.
        steps: the verdicts by value, lowest first; none: no value is good or bad.
        columns: its width, of COLUMNS.
        latest: whether the newest value alone is asked for.
        empty: what stands there without data; None: that there is none.
        named: what certain values mean, as text with their verdicts.
    """

    title: str
    description: str
    shape: Shape
    unit: Unit
    queries: tuple[Query, ...]
    origins: tuple[Path, ...]
    columns: int
    steps: tuple[Step, ...] = ()
    latest: bool = False
    empty: str | None = None
    named: tuple[tuple[float, str, Verdict], ...] = ()


COLUMNS: Final = 24
"""The width of a dashboard: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/."""


@frozen
class Row:
    """Panels under one heading. `number` counts from 0, and stays when other rows come and go."""

    number: int
    title: str
    panels: tuple[Panel, ...]
    origin: Path


@frozen
class Link:
    """An address at the top of a dashboard."""

    title: str
    url: str
    origin: Path


@frozen
class Dashboard:
    """Everything there is to see of one model in one environment."""

    uid: str
    title: str
    description: str
    tags: tuple[str, ...]
    links: tuple[Link, ...]
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in order."""
        return tuple(panel for row in self.rows for panel in row.panels)

    @property
    def queries(self) -> tuple[str, ...]:
        """All expressions, in order."""
        return tuple(query.expr for panel in self.panels for query in panel.queries)
