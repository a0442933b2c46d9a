"""Readers of what Grafana reads: no server of it can be had here, so its own types and promtool.

The types of npm @grafana/schema, as a JSON Schema, say which words a dashboard knows. What they do not
say is checked here: numbers, places, the variables that are used, and the queries, by promtool.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft202012Validator

import tools
from loop.dashboards import queries
from readers.commands import Said, run

if TYPE_CHECKING:
    from collections.abc import Iterator

Data = dict[str, Any]

_COLUMNS = 24
_UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_OLDEST_SCHEMA = 36  # what Grafana 10 began with; older ones are migrated, and lose things


def known_words(root: Path, paths: list[str]) -> Said:
    """Hold each dashboard to Grafana's own types."""
    schema = tools.shared("vendor-schemas") / "grafana" / "dashboard_v1.json"
    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    for path in paths:
        for error in validator.iter_errors(json.loads((root / path).read_text("utf-8"))):
            yield path, f"{error.json_path}: {error.message[:300]}"


def dashboards(root: Path, paths: list[str]) -> Said:
    """Read each dashboard as Grafana would: its identity, its places, its variables, its queries."""
    uids: dict[str, str] = {}
    for path in paths:
        try:
            dashboard = json.loads((root / path).read_text("utf-8"))
        except ValueError:
            continue  # the reader of JSON refuses it
        yield from ((path, message) for message in _messages(dashboard))
        other = uids.setdefault(str(dashboard.get("uid")), path)
        if other != path:
            yield path, f"has the uid of {other}"
    yield from _asked(root, paths)


def _messages(dashboard: Data) -> Iterator[str]:
    if not _UID.fullmatch(str(dashboard.get("uid", ""))):
        yield f"uid {dashboard.get('uid')!r}: 1 to 40 letters, digits, - and _"
    if dashboard.get("id") is not None:
        yield "id: a number is given by each Grafana itself"
    if dashboard.get("schemaVersion", 0) < _OLDEST_SCHEMA:
        yield f"schemaVersion {dashboard.get('schemaVersion')} is too old to be read as it is"
    panels = dashboard.get("panels", [])
    for number, count in Counter(panel.get("id") for panel in panels).items():
        if count > 1 or not isinstance(number, int):
            yield f"panel id {number!r} is there {count} times"
    yield from _places(panels)
    yield from _variables(dashboard)


def _places(panels: list[Data]) -> Iterator[str]:
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] < 0 or place["w"] < 1 or place["x"] + place["w"] > _COLUMNS:
            yield f"panel {panel['title']!r} is not within {_COLUMNS} columns"
    for one, other in combinations(panels, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"panels {one['title']!r} and {other['title']!r} overlap"


def _overlap(one: Data, other: Data) -> bool:
    return all(
        one[edge] < other[edge] + other[size] and other[edge] < one[edge] + one[size]
        for edge, size in (("x", "w"), ("y", "h"))
    )


def _variables(dashboard: Data) -> Iterator[str]:
    known = {variable["name"] for variable in dashboard.get("templating", {}).get("list", [])}
    used = set(re.findall(r"\$\{(\w+)", json.dumps(dashboard.get("panels", []))))
    for name in sorted(used - known):
        yield f"variable {name!r} is used and not defined"


def _asked(root: Path, paths: list[str]) -> Said:
    """Every query as a recording rule of its own, for promtool to parse."""
    promtool = tools.need("promtool")
    for path in paths:
        try:
            asked = queries(json.loads((root / path).read_text("utf-8")))
        except (ValueError, KeyError):
            yield path, "holds no panels with queries"
            continue
        if not asked:
            yield path, "asks nothing"
        rules = [
            {"record": f"panel:query:number{number}", "expr": expr}
            for number, (_, expr) in enumerate(asked)
        ]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "panels.rules.yml"
            file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
            result = run(promtool, "check", "rules", "--lint=none", file.name, cwd=Path(folder))
        if result.returncode:
            yield path, (result.stdout + result.stderr).strip()[-1500:]


# --- provisioning --------------------------------------------------------------------------------

_FIELDS = {
    "providers": {
        "name", "orgId", "type", "folder", "folderUid", "disableDeletion", "allowUiUpdates",
        "updateIntervalSeconds", "options",
    },
    "datasources": {
        "name", "uid", "orgId", "type", "access", "url", "user", "database", "basicAuth",
        "basicAuthUser", "withCredentials", "isDefault", "jsonData", "secureJsonData", "version",
        "editable",
    },
}  # fmt: skip
"""What an entry may hold; Grafana leaves out what it does not know without a word.

Source: https://grafana.com/docs/grafana/latest/administration/provisioning/.
"""
_NEEDED = {"providers": {"name", "type", "options"}, "datasources": {"name", "type", "access"}}
_CHAPTERS = {"dashboards": "providers", "datasources": "datasources"}


def provisioning(root: Path, paths: list[str]) -> Said:
    """Read the files that a Grafana is provisioned with."""
    for path in paths:
        data = yaml.safe_load((root / path).read_text("utf-8"))
        chapter = _CHAPTERS.get(Path(path).parent.name)
        if chapter is None or not isinstance(data, dict) or set(data) != {"apiVersion", chapter}:
            yield path, f"holds apiVersion and {chapter or 'nothing that this folder is read for'}"
        elif data["apiVersion"] != 1 or not data[chapter]:
            yield path, "apiVersion is 1, and something is provisioned"
        else:
            yield from ((path, message) for message in _entries(chapter, data[chapter]))


def _entries(chapter: str, entries: list[Data]) -> Iterator[str]:
    for entry in entries:
        if unknown := set(entry) - _FIELDS[chapter]:
            yield f"unknown in {chapter}: {', '.join(sorted(unknown))}"
        if missing := _NEEDED[chapter] - set(entry):
            yield f"missing in {chapter}: {', '.join(sorted(missing))}"
