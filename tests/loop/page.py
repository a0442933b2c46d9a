"""The page a run leaves: what happened, what was judged, what the tools drew, what Prometheus recorded.

One file without a line of script or an address outside of its folder, beside copies of the reports.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loop.plots import plot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loop.stage import Event, Run

Data = dict[str, Any]

TEMPLATE: Final = "page.html.j2"
QUERIES: Final = "queries.json"
"""What the watching stage recorded (`dashboards.record`): one recording, or a list of them."""
_SEARCHED: Final = ("project", "reports", "gitlab")
"""Folders of a run that hold reports; the kept stages hold copies of the same."""
_REPORTS: Final = {"drift.html": "Evidently: drift", "performance.html": "Evidently: performance"}
_LONGEST_LINE: Final = 160


@dataclass
class Line:
    """A line of the timeline, with what stands in the files it names."""

    event: Event
    generated: str | None
    written: str | None


@dataclass
class Chapter:
    """A stage: its lines and its tables."""

    name: str
    title: str
    lines: list[Line] = field(default_factory=list)
    tables: list[list[Data]] = field(default_factory=list)
    skipped: str | None = None


@dataclass
class Report:
    """A page of somebody else's, copied beside this one."""

    title: str
    about: str
    href: str


def write(run: Run, titles: Mapping[str, str]) -> Path:
    """Write `page/index.html` below the run's home.

    Args:
        run: what happened.
        titles: of the stages, by name, in their order.

    Returns:
        The page.
    """
    folder = run.home / "page"
    folder.mkdir(parents=True, exist_ok=True)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = folder / "index.html"
    text = environment.get_template(TEMPLATE).render(
        chapters=list(_chapters(run, titles)),
        reports=[*_evidently(run.home, folder), *_data_docs(run, folder, titles)],
        recordings=list(_recordings(folder)),
        seconds=run.events[-1].moment if run.events else 0.0,
    )
    page.write_text(text, "utf-8")
    return page


# --- the timeline --------------------------------------------------------------------------------


def _chapters(run: Run, titles: Mapping[str, str]) -> Iterator[Chapter]:
    kept = {path.name.partition("-")[2]: path for path in (run.home / "stages").glob("[0-9]*-*")}
    told: set[int] = set()
    for name, title in titles.items():
        chapter = Chapter(name, title, skipped=run.skipped.get(name))
        if name in kept:
            project = _project(kept[name], run.project)
            events = json.loads((kept[name] / "events.json").read_text("utf-8"))
            for event in run.events:
                if id(event) not in told and asdict(event) in events:
                    told.add(id(event))
                    chapter.lines.append(_line(event, project))
        chapter.tables = list(_tables(run.facts.get(name, {})))
        if chapter.lines or chapter.skipped:
            yield chapter
    rest = [_line(event, run.project) for event in run.events if id(event) not in told]
    if rest:
        yield Chapter("", "Where it ended", rest)


def _project(stage: Path, now: Path) -> Path:
    """The checkout as it was when the stage ended: a promotion moves the lines of the spec."""
    then = stage / "state" / "project"
    return then if then.is_dir() else now


def _line(event: Event, project: Path) -> Line:
    return Line(event, _text_at(project, event.file), _text_at(project, event.spec))


def _text_at(project: Path, place: str | None) -> str | None:
    """The text of `FILE:LINE`; None where only a file is named, or it is gone."""
    path, _, number = (place or "").rpartition(":")
    file = project / path
    if not path or not number.isdigit() or not file.is_file():
        return None
    lines = file.read_text("utf-8", errors="replace").splitlines()
    if not 0 < int(number) <= len(lines):
        return None
    text = lines[int(number) - 1].strip()
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"


def _tables(facts: object) -> Iterator[list[Data]]:
    """Every list of cases, as the programs report them, wherever the facts hold one."""
    if isinstance(facts, dict):
        cases = facts.get("cases")
        if isinstance(cases, list) and all(_is_case(case) for case in cases) and cases:
            yield cases
        for key, value in facts.items():
            if key != "cases":
                yield from _tables(value)
    elif isinstance(facts, list):
        for value in facts:
            yield from _tables(value)


def _is_case(case: object) -> bool:
    return isinstance(case, dict) and {"what", "outcome", "found", "wanted", "spec"} <= set(case)


# --- reports of the tools ------------------------------------------------------------------------


def _evidently(home: Path, folder: Path) -> Iterator[Report]:
    """Each report of the monitor once, in the order of the days they are of."""
    found: dict[str, tuple[Data, Path]] = {}
    for file in _named(home, "monitor.json"):
        data = file.read_bytes()
        found.setdefault(hashlib.sha256(data).hexdigest()[:12], (json.loads(data), file.parent))
    for digest, (about, where) in sorted(found.items(), key=lambda item: str(item[1][0].get("at"))):
        for name, title in _REPORTS.items():
            if (where / name).is_file():
                href = f"evidently-{digest}-{name}"
                shutil.copyfile(where / name, folder / href)
                yield Report(title, _said(about), href)


def _said(about: Data) -> str:
    failed = [
        case["what"] for case in about["cases"] if case["outcome"] not in ("passed", "skipped")
    ]
    verdict = f"out of bounds: {', '.join(failed)}" if failed else "all bounds hold"
    return f"rows up to {str(about['at'])[:10]}, version {about['version']}; {verdict}"


def _data_docs(run: Run, folder: Path, titles: Mapping[str, str]) -> Iterator[Report]:
    for name, title in titles.items():
        for position, path in enumerate(_values(run.facts.get(name, {}), "data_docs"), start=1):
            if (run.home / path / "index.html").is_file():
                copy = f"data-docs-{name}-{position}"
                shutil.copytree(run.home / path, folder / copy, dirs_exist_ok=True)
                yield Report("Great Expectations: data docs", title, f"{copy}/index.html")


def _values(facts: object, key: str) -> Iterator[str]:
    if isinstance(facts, dict):
        for name, value in facts.items():
            if name == key and isinstance(value, str):
                yield value
            else:
                yield from _values(value, key)
    elif isinstance(facts, list):
        for value in facts:
            yield from _values(value, key)


def _named(home: Path, name: str) -> Iterator[Path]:
    for searched in _SEARCHED:
        for folder, _, files in os.walk(home / searched):  # follows no link out of the home
            if name in files:
                yield Path(folder) / name


# --- dashboards ----------------------------------------------------------------------------------


def _recordings(folder: Path) -> Iterator[Data]:
    file = folder / QUERIES
    if not file.is_file():
        return
    recorded = json.loads(file.read_text("utf-8"))
    for one in recorded if isinstance(recorded, list) else [recorded]:
        rows: dict[str, list[Data]] = {}
        for panel in one["panels"]:
            picture = Markup(plot(panel, one["start"], one["end"]))
            rows.setdefault(panel["row"], []).append({**panel, "picture": picture})
        yield {"title": one["title"], "rows": rows}
