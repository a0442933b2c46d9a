"""The page of the loop and its plots: whole, self-contained, and saying what there is."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as Xml

import pytest

import tools
from loop import page
from loop.dashboards import queries, record, without_data
from loop.plots import plot, shown, verdict
from loop.stage import Event, Run, Stage, perform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Data = dict[str, Any]

DASHBOARD = tools.ROOT / "examples/flights/monitoring/grafana/production/delay.json"
START, END, STEP = 1000.0, 1060.0, 15.0
HOSTILE = '<script>alert("x")</script>'


@contextmanager
def answering(answer: Any) -> Iterator[str]:
    """A server that answers Prometheus' questions by `answer(path, parameters)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, body = answer(self.path, {key: value[0] for key, value in asked.items()})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _samples(path: str, asked: dict[str, str]) -> tuple[int, Data]:
    labels = {
        "le": "0.25",
        "column": "temp",
        "source": "flights",
        "alertname": "A",
        "severity": "info",
    }
    if path.endswith("/query_range"):
        moments = [float(asked["start"]) + position * float(asked["step"]) for position in range(3)]
        found = [{"metric": labels, "values": [[m, str(0.1 * n)] for n, m in enumerate(moments)]}]
    else:
        found = [{"metric": labels, "value": [float(asked["time"]), "0.4"]}]
    return 200, {"status": "success", "data": {"result": found}}


@pytest.fixture(scope="module")
def recorded() -> Data:
    with answering(_samples) as url:
        return record(url, DASHBOARD, START, END, STEP)


def test_every_panel_is_recorded_with_its_names(recorded: Data) -> None:
    panels = [p for p in json.loads(DASHBOARD.read_text("utf-8"))["panels"] if p["type"] != "row"]
    assert [panel["title"] for panel in recorded["panels"]] == [panel["title"] for panel in panels]
    assert without_data(recorded) == []
    named = {
        panel["title"]: panel["queries"][0]["series"][0]["name"] for panel in recorded["panels"]
    }
    assert named["Drift by column"] == "temp"
    assert named["Alerts over time"] == "A (info)"


def test_no_variable_of_grafana_is_left(recorded: Data) -> None:
    asked = [query["expr"] for panel in recorded["panels"] for query in panel["queries"]]
    assert "$" not in "".join(asked)
    assert any("[60s]" in expr for expr in asked)  # four scrapes
    assert "$" not in "".join(expr for _, expr in queries(json.loads(DASHBOARD.read_text("utf-8"))))


def test_a_given_variable_is_filled_in_and_an_unknown_one_stays() -> None:
    panel = {"title": "p", "targets": [{"expr": 'a{b="$x"} + c[${y:raw}] + d{e=~"f$"}'}]}
    assert queries({"panels": [panel]}, {"x": "1"}) == [
        ("p", 'a{b="1"} + c[${y:raw}] + d{e=~"f$"}')
    ]


def test_what_has_no_sample_is_named() -> None:
    nothing = {"status": "success", "data": {"result": []}}
    with answering(lambda *_: (200, nothing)) as url:
        found = record(url, DASHBOARD, START, END, STEP)
    assert len(without_data(found)) == sum(len(panel["queries"]) for panel in found["panels"])
    for panel in found["panels"]:
        assert f'class="empty">{panel["empty"] or "no data"}' in plot(panel, START, END)


def test_a_refused_query_is_an_error_that_says_which() -> None:
    refused = pytest.raises(RuntimeError, match=r"ALERTS.*parse error")
    with answering(lambda *_: (400, {"error": "parse error"})) as url, refused:
        record(url, DASHBOARD, START, END, STEP)


def test_no_number_is_no_sample() -> None:
    broken = {"metric": {}, "values": [[1, "NaN"], [2, "+Inf"], [3, "4"]]}
    result = {"status": "success", "data": {"result": [broken]}}
    with answering(
        lambda path, _: (200, result if "range" in path else {"data": {"result": []}})
    ) as url:
        found = record(url, DASHBOARD, START, END, STEP)
    lines = next(panel for panel in found["panels"] if panel["type"] == "timeseries")
    assert lines["queries"][0]["series"][0]["values"] == [[3.0, 4.0]]


# --- plots ---------------------------------------------------------------------------------------


def test_every_kind_of_panel_is_drawn_as_well_formed_markup(recorded: Data) -> None:
    kinds = set()
    for panel in recorded["panels"]:
        drawn = plot(panel, START, END)
        Xml.fromstring(f"<div>{drawn}</div>")
        kinds.add(panel["type"])
    assert kinds == {"stat", "timeseries", "heatmap", "bargauge", "state-timeline"}


def test_names_are_text_and_never_markup(recorded: Data) -> None:
    for panel in json.loads(json.dumps(recorded))["panels"]:
        for query in panel["queries"]:
            for series in query["series"]:
                series["name"] = HOSTILE
        assert "<script" not in plot({**panel, "title": HOSTILE}, START, END)


def test_a_limit_is_a_line_in_its_colour(recorded: Data) -> None:
    panel = next(p for p in recorded["panels"] if p["title"] == "Share of columns that drifted")
    assert 'class="limit is-orange"' in plot(panel, START, END)


def test_a_gap_in_time_is_a_gap_in_the_line(recorded: Data) -> None:
    panel = json.loads(json.dumps(recorded["panels"]))
    lines = next(p for p in panel if p["type"] == "timeseries" and not p["stepped"])
    lines["queries"] = [{"expr": "x", "series": [{"name": "x", "labels": {}, "values": [[0, 1], [1, 2], [9, 1], [10, 1]]}]}]  # fmt: skip
    (path,) = re.findall(r'class="line c0" d="([^"]*)"', plot(lines, 0, 10))
    assert path.count("M") == 2


def test_numbers_have_their_units() -> None:
    said = {
        shown(*each)
        for each in ((0.333, "percentunit"), (0.25, "s"), (90000.0, "s"), (12.0, "reqps"))
    }
    assert said == {"33.3 %", "250 ms", "25 h", "12/s"}


def test_a_verdict_is_that_of_the_last_step_reached() -> None:
    steps = [{"value": None, "color": "green"}, {"value": 0.3, "color": "red"}]
    assert [verdict(value, steps) for value in (0.29, 0.3)] == ["green", "red"]


# --- the page ------------------------------------------------------------------------------------


class Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attributes if name in ("href", "src")]


CASE = {"what": "mae", "outcome": "failed", "found": "17.2", "wanted": "≤ 16", "note": HOSTILE, "spec": "models.delay"}  # fmt: skip


def _run(home: Path) -> Run:
    (home / "project").mkdir(parents=True)
    (home / "project/mlops.yaml").write_text("project: flights\nmodels: {}\n", "utf-8")
    docs = home / "gitlab/docs"
    docs.mkdir(parents=True)
    (docs / "index.html").write_text("the data docs", "utf-8")
    seen = home / "reports/september"
    seen.mkdir(parents=True)
    about = {"at": "2013-10-01T04:00:00+00:00", "version": "1", "cases": [CASE]}
    (seen / "monitor.json").write_text(json.dumps(about), "utf-8")
    (seen / "drift.html").write_text("the drift", "utf-8")
    run = Run(home, {"PATH": ""})

    def judged(_: Run) -> Data:
        run.events.append(Event(1.5, f"gate: {HOSTILE}", "mlops.yaml:1", "mlops.yaml:2"))
        return {"gate": {"cases": [CASE]}, "data_docs": "gitlab/docs"}

    perform(
        run,
        [Stage("gate", "The gate", judged), Stage("later", "Later", judged, needs=("nonesuch",))],
    )
    return run


def _written(run: Run) -> tuple[str, Addresses, Path]:
    written = page.write(run, {"gate": "The gate", "later": "Later"})
    text = written.read_text("utf-8")
    addresses = Addresses()
    addresses.feed(text)
    return text, addresses, written.parent


def test_the_page_tells_what_happened_and_where_it_comes_from(tmp_path: Path) -> None:
    text, _, _ = _written(_run(tmp_path))
    for said in (
        "The gate",
        "1.5 s",
        "mlops.yaml:1",
        "project: flights",
        "models: {}",
        "17.2",
        "≤ 16",
    ):
        assert said in text
    assert "Skipped: nonesuch not found" in text
    assert "out of bounds: mae" in text


def test_the_page_is_whole_without_a_network(tmp_path: Path, recorded: Data) -> None:
    run = _run(tmp_path)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / page.QUERIES).write_text(json.dumps(recorded), "utf-8")
    text, addresses, folder = _written(run)
    assert not addresses.tags & {"script", "link", "img"}
    files = [address for address in addresses.found if not address.startswith("#")]
    assert len(files) == 4  # a link and a frame for each of two reports
    assert all((folder / file).is_file() for file in files)
    assert "<svg" in text
    assert "@import" not in text
    assert HOSTILE not in text


def test_a_page_without_recordings_says_so(tmp_path: Path) -> None:
    text, _, _ = _written(_run(tmp_path))
    assert "No queries were recorded" in text
