"""Other values that a leaf may take, by the language's schema and by what it says now.

Most are tried in vain: only the compiler knows which of them mean something. The order matters, since
few are kept: neighbours first, then values that switch something on or off.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution.leaves import Scalar
    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data

_SCHEMA = File(__file__).parents[2] / "schemas" / "mlops-v1.json"
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(\D*)\Z")
_CRON = re.compile(r"[\d*/,-]+(?: [\d*/,A-Za-z-]+){4}\Z")
_FILE = re.compile(r"(.*[\w-])(\.\w+)\Z")
_URL = re.compile(r"(\w+://[^/:]+)(.*)\Z")


def others(path: Path, value: Scalar, data: Data) -> Iterator[Scalar]:
    """Candidates for the leaf at `path` of the spec `data`, each once, never `value` itself."""
    seen = {_identity(value)}
    for candidate in _candidates(path, value, data):
        if _identity(candidate) not in seen:
            seen.add(_identity(candidate))
            yield candidate


def _identity(value: Scalar) -> str:
    return json.dumps(value)


def _candidates(path: Path, value: Scalar, data: Data) -> Iterator[Scalar]:
    nodes = list(_nodes(path))
    for node in nodes:
        yield from node.get("enum", ())
        if "const" in node:
            yield node["const"]
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from _numbers(value)
    elif isinstance(value, str):
        yield from _texts(value, data)
    for node in nodes:
        yield from node.get("examples", ())


def _numbers(value: float) -> Iterator[Scalar]:
    if isinstance(value, int):
        yield from (value + 1, value - 1, value * 2, max(value // 2, 0), 1, 0)
    else:
        yield from (round(value * 1.1, 6), round(value * 0.9, 6), round(value / 2, 6))


def _texts(value: str, data: Data) -> Iterator[Scalar]:
    if amount := _AMOUNT.match(value):
        number, unit = amount.groups()
        if "." in number:
            yield from (f"{number[:-1]}{digit}{unit}" for digit in "58")
        yield from (f"{each:g}{unit}" for each in _numbers(float(number)) if each is not None)
        yield from (f"{int(float(number)) + step}{unit}" for step in (1, -1))
        yield f"{int(float(number)) * 2}{unit}"
    if _CRON.match(value):
        yield from ("7 4 * * 2", "30 */6 * * *")
    if ":" in value and "/" not in value and " " not in value:
        owner, _, field = value.partition(":")
        yield from (f"{owner}:{name}" for name in _fields(data, owner))
        yield from (f"{name}:{field}" for name in _names(data))
    if url := _URL.match(value):
        yield f"{url[1]}x{url[2]}"
    if file := _FILE.match(value):
        yield f"{file[1]}2{file[2]}"
    yield from _names(data)
    if " " in value:
        yield f"{value} again"
    yield from (f"{value}x", f"{value}_x", f"x{value}", f"{value}1")


def _names(data: Data) -> Iterator[str]:
    """Names of things: what a reference could mean instead."""
    if not isinstance(data, dict):
        return
    for chapter in ("sources", "features", "models", "images", "secrets", "environments"):
        yield from _keys(data.get(chapter))
    alerts = data.get("alerts")
    if isinstance(alerts, dict):
        yield from _keys(alerts.get("channels"))
    for source in _values(data.get("sources")):
        if isinstance(source, dict):
            yield from _keys(source.get("columns"))


def _fields(data: Data, owner: str) -> Iterator[str]:
    if not isinstance(data, dict):
        return
    for chapter in ("sources", "features"):
        described = data.get(chapter)
        item = described.get(owner) if isinstance(described, dict) else None
        if isinstance(item, dict):
            yield from _keys(item.get("columns"))
            fields = item.get("fields")
            yield from (each for each in fields or () if isinstance(each, str))


def _keys(data: Data) -> Iterator[str]:
    if isinstance(data, dict):
        yield from data


def _values(data: Data) -> Iterator[Data]:
    if isinstance(data, dict):
        yield from data.values()


# --- the schema ---------------------------------------------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(_SCHEMA.read_text("utf-8"))
    return made


def _nodes(path: Path) -> list[dict[str, Any]]:
    """What the schema says of the value at `path`, all alternatives."""
    nodes = list(_variants(_schema()))
    for step in path:
        below = [node for each in nodes for node in _step(each, step)]
        nodes = [variant for node in below for variant in _variants(node)]
    return nodes


def _variants(node: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(node, dict):
        return
    yield node
    if "$ref" in node:
        target: Any = _schema()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _variants(target)
    for alternatives in ("anyOf", "oneOf", "allOf"):
        for alternative in node.get(alternatives, ()):
            yield from _variants(alternative)


def _step(node: dict[str, Any], step: str | int) -> Iterator[Any]:
    if isinstance(step, int):
        if "items" in node:
            yield node["items"]
    elif step in node.get("properties", {}):
        yield node["properties"][step]
    elif isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]
