"""The resolved spec, each value with its origin: what `mlopsc show` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts.draft import Artifact, YamlDraft, traced
from mlopsc.artifacts.trace import causes_of
from mlopsc.artifacts.yaml_writer import write_yaml
from mlopsc.frozen import frozen
from mlopsc.source.suggest import closest
from mlopsc.spec.meaning import with_defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path, Place
    from mlopsc.source.document import Data, Document

_CONTROL: Final = ("include", "variables", "defaults", "environments")
"""Chapters that say how to compose; what they came to stands in the others."""
_WIDEST: Final = 60
"""Columns of a value before its origin no longer stands beside those of its neighbours."""


@frozen
class Value:
    """One scalar of the resolved spec."""

    path: Path
    value: Data
    origin: str


def resolved(document: Document) -> dict[str, Data]:
    """What the spec of one environment says and what it leaves to defaults, as plain data."""
    return with_defaults(document)


def find(data: dict[str, Data], dotted: str) -> tuple[Path, Data] | str:
    """The node that `a.b.c` names, or what to say if nothing is called that."""
    path: Path = ()
    node: Data = data
    for step in dotted.split(".") if dotted else ():
        if isinstance(node, dict) and step in node:
            path, node = (*path, step), node[step]
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            path, node = (*path, int(step)), node[int(step)]
        else:
            where = f"`{'.'.join(map(str, path))}`" if path else "the spec"
            names = list(node) if isinstance(node, dict) else []
            near = closest(step, names)
            hint = (
                f"; did you mean '{near}'?"
                if near
                else f"; there are: {', '.join(names)}"
                if names
                else ""
            )
            return f"{where} has no '{step}'{hint}"
    return path, node


def as_yaml(document: Document, path: Path, node: Data, faint: Callable[[str], str] = str) -> str:
    """The node as YAML, a comment with the origin behind every value, made `faint` for a terminal."""
    body: Any = _traced(node, path)
    for step in reversed(path):
        body = [body] if isinstance(step, int) else {step: body}
    text, causes = write_yaml(YamlDraft("", (), body), ())
    artifact = Artifact("", text, causes, "")
    lines = text.split("\n")[:-1]
    origins = [_beside(document, artifact, number) for number in range(1, len(lines) + 1)]
    width = max(
        (len(line) for line, o in zip(lines, origins, strict=True) if o and len(line) <= _WIDEST),
        default=0,
    )
    return "".join(
        f"{line:<{width}}  {faint(f'# {origin}')}\n" if origin else f"{line}\n"
        for line, origin in zip(lines, origins, strict=True)
    )


def as_json(document: Document, path: Path, node: Data) -> str:
    """A list of all values below the node, each with path and origin."""
    rows = [
        {"path": ".".join(map(str, one.path)), "value": one.value, "origin": one.origin}
        for one in values(document, path, node)
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def values(document: Document, path: Path, node: Data) -> Iterator[Value]:
    """Every scalar below a node, and every empty mapping and list."""
    if isinstance(node, dict) and node:
        for key, child in node.items():
            yield from values(document, (*path, key), child)
    elif isinstance(node, list) and node:
        for position, child in enumerate(node):
            yield from values(document, (*path, position), child)
    else:
        yield Value(path, node, origin_of(document, path))


def origin_of(document: Document, path: Path) -> str:
    """Where a value comes from, in a few words."""
    if not document.has(path):
        removed = next(
            (
                document.removed[path[:n]]
                for n in range(len(path), 0, -1)
                if path[:n] in document.removed
            ),
            None,
        )
        if removed is not None:
            return f"the language's default, since {_at(removed)} removes what was written"
        return "the language's default"
    said = _at(document.values[path])
    laid = document.laid.get(path)
    if laid is not None and laid.layer == "override":
        said += f", override of {laid.origin[1]}"
        said += f" over {_at(laid.beneath)}" if laid.beneath else ""
    elif laid is not None:
        said += f", default of {laid.origin[1]}"
    for origin in document.filled.get(path, ()):
        if "variables" in origin:
            said += f", ${{var.{origin[-1]}}} from {_at(document.values[origin])}"
        elif origin[0] == "environments":
            said += ", ${env.name}"
        else:
            said += f", ${{{origin[0].rstrip('s') if isinstance(origin[0], str) else ''}}}"
    return said


def chapters(data: dict[str, Data]) -> dict[str, Data]:
    """The chapters worth showing when nobody asked for one: all but those that only compose."""
    return {key: value for key, value in data.items() if key not in _CONTROL}


def _traced(node: Data, path: Path) -> Body:
    if isinstance(node, dict) and node:
        return {key: _traced(child, (*path, key)) for key, child in node.items()}
    if isinstance(node, list) and node:
        return [_traced(child, (*path, position)) for position, child in enumerate(node)]
    return traced(node, path)


def _beside(document: Document, artifact: Artifact, line: int) -> str:
    causes = causes_of(artifact, line)
    first = next((c for c in artifact.causes if c.origins == causes and c.first == line), None)
    if not causes or causes == ((),) or first is None:
        return ""
    return origin_of(document, causes[0])


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}"
