"""A draft's data while it is patched: every part keeps its cause, and what a patch says gets one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias, cast

from mlopsc.artifacts.draft import Traced, traced
from mlopsc.artifacts.plain import plain

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path

Origins: TypeAlias = "tuple[Path, ...]"
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_SHOWN = 60  # characters of a value in a message


def opened(body: Body, behind: Origins) -> tuple[Body, Origins]:
    """What is in the wrappers of `body`, and the innermost cause, `behind` where it has none."""
    while isinstance(body, Traced):
        behind = body.origins
        body = body.body
    return body, behind


def own(body: Body) -> Body:
    """A copy whose mappings and lists are dicts and lists of our own, causes kept."""
    if isinstance(body, Traced):
        return Traced(own(body.body), body.origins)
    value = plain(body)
    if isinstance(value, dict):
        return {key: own(child) for key, child in value.items()}
    if isinstance(value, list):
        return [own(child) for child in value]
    return cast("Body", value)


def bare(body: Body) -> Plain:
    """`body` without causes."""
    value = plain(opened(body, ())[0])
    if isinstance(value, dict):
        return {key: bare(child) for key, child in value.items()}
    if isinstance(value, list):
        return [bare(child) for child in value]
    return cast("Plain", value)


def said(value: object, at: Path, behind: Origins = ()) -> Body:
    """`value` of the spec at `at`: each part is decided by its own line, and by what was there."""
    if isinstance(value, dict):
        below: Body = {key: said(child, (*at, key), behind) for key, child in value.items()}
    elif isinstance(value, list):
        below = [said(child, (*at, position), behind) for position, child in enumerate(value)]
    else:
        below = cast("Body", value)
    return traced(below, at, *behind)


def equal(one: Plain, other: Plain) -> bool:
    """Whether two values are the same JSON: `1` is `1.0`, and `true` is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def identical(one: Plain, other: Plain) -> bool:
    """Whether two values are written alike: `1` is not `1.0`. The order of keys does not count."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return one == other


def shown(value: Plain) -> str:
    """`value` in a message: one line, not too long."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def dotted(path: Path) -> str:
    """A place in a generated file, in a message."""
    return ".".join(map(str, path)) or "the top"
