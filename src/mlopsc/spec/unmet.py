"""Defaults that no item takes up: nothing else looks at them, so their keys are looked at here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.source.suggest import closest
from mlopsc.spec import codes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.compose import Composition
    from mlopsc.source.document import Data
    from mlopsc.spec.shape import Shape


def check_unmet(documents: Composition) -> Composition:
    """The documents, if the language has the keys of every default.

    A default that is laid under an item is judged with the item. One that is not, because no item has
    `serving` or there is none at all, may be misspelled all the same.

    Raises:
        Rejected: S001 for each key the language does not have there.
    """
    defaults = documents.data.get("defaults")
    if not isinstance(defaults, dict):
        return documents
    unmet: list[tuple[Path, Data]] = []
    for chapter, default in defaults.items():
        items = documents.data.get(chapter)
        there = list(items.values()) if isinstance(items, dict) else []
        unmet += _unmet((chapter,), default, there)
    findings = [finding for path, default in unmet for finding in _unknown(path, default)]
    if findings:
        raise Rejected(tuple(findings))
    return documents


def _unmet(at: Path, default: Data, items: list[Data]) -> Iterator[tuple[Path, Data]]:
    """The outermost defaults whose key stands in none of `items`."""
    if not isinstance(default, dict):
        return
    mappings = [item for item in items if isinstance(item, dict)]
    for key, value in default.items():
        met = [item[key] for item in mappings if key in item]
        if met:
            yield from _unmet((*at, key), value, met)
        elif not key.startswith("x-"):
            yield (*at, key), value


def _unknown(path: Path, default: Data) -> Iterator[Finding]:
    from mlopsc.spec.root import Spec  # the models cost five times what validating does
    from mlopsc.spec.shape import shape_of

    chapter, *below = path
    shape = shape_of(Spec).below(str(chapter))
    for step in ("*", *below[:-1]):
        shape = shape.below(step) if shape is not None else None
    if shape is not None:
        yield from _unknown_below(path[:-1], {str(path[-1]): default}, shape)


def _unknown_below(at: Path, default: Data, shape: Shape) -> Iterator[Finding]:
    if not isinstance(default, dict):
        return
    known = dict(shape.keys)
    for option in shape.options:
        known |= option.keys
    closed = bool(known)
    for key, value in default.items():
        if key.startswith("x-"):
            continue
        if closed and key not in known:
            near = closest(key, known)
            where = ".".join(map(str, ("defaults", *at)))
            yield Finding(
                codes.UNKNOWN_KEY,
                f"unknown key '{key}' in `{where}`",
                ("defaults", *at, key),
                f"did you mean '{near}'?" if near else f"its keys are {', '.join(known)}",
                on_key=True,
            )
        elif (below := shape.below(key)) is not None:
            yield from _unknown_below((*at, key), value, below)
