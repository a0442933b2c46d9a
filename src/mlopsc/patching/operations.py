"""JSON Patch (RFC 6902) on a draft: the way into lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import traced
from mlopsc.patching.refusal import unfitting
from mlopsc.patching.structure import bare, equal, opened, own, said, shown

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path
    from mlopsc.patching.refusal import Unfitting
    from mlopsc.patching.structure import Origins
    from mlopsc.project.model import Operation

Container: TypeAlias = "dict[str, Body] | list[Body]"

_POSITION: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_BEHIND: Final = "-"


def operated(body: Body, operations: tuple[Operation, ...], behind: Origins) -> Body:
    """`body` after all operations, one after the other; `behind` is its cause where it names none.

    Raises:
        Unfitting: A005: a place that is not there; A003: a `test` of another value.
    """
    result = own(body)
    for operation in operations:
        _step(result, operation, behind)
    return result


def _step(body: Body, operation: Operation, behind: Origins) -> None:
    """Does one operation, in place: `own` made every container ours.

    RFC 6902, section 4; `add` of a key that is there replaces it.
    """
    place = _Place(body, operation.path, operation.at("path"), behind)
    value = operation.at("value")
    if operation.op == "test":
        found = bare(place.value())
        if not equal(found, operation.value):
            raise unfitting(
                "A003",
                f"what the patch expects does not hold: {operation.path} is {shown(found)}",
                value,
                "see whether the patch is still needed, then write what is there now",
            )
    elif operation.op == "remove":
        place.remove()
    elif operation.op == "replace":
        before = opened(place.value(), place.behind)[1]
        place.put(said(operation.value, value, before))
    elif operation.op == "add":
        place.add(said(operation.value, value))
    else:
        _take(body, operation, behind)


def _take(body: Body, operation: Operation, behind: Origins) -> None:
    """`move` and `copy`: the value keeps its cause behind the patch's own."""
    source = operation.source or ""
    at = operation.at("from")
    if operation.op == "move" and operation.path.startswith(f"{source}/"):
        raise unfitting(
            "A005",
            f"{source} cannot move into itself",
            at,
            "name a place outside of what is moved",
        )
    taken = _Place(body, source, at, behind)
    value, before = opened(taken.value(), taken.behind)
    if operation.op == "move":
        taken.remove()
    copy = traced(own(bare(value)), operation.origin, *before)
    _Place(body, operation.path, operation.at("path"), behind).add(copy)


class _Place:
    """Where a pointer leads: the last container on the way and the key or position in it."""

    def __init__(self, body: Body, pointer: str, at: Path, behind: Origins) -> None:
        *way, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        self._at = at
        self._pointer = pointer
        node, behind = opened(body, behind)
        for depth, step in enumerate(way):
            container = self._container(node, way[:depth])
            node = self._below(container, step, way[:depth])
            node, behind = opened(node, behind)
        self.behind = behind
        self._above = way
        self._in = self._container(node, way)
        self._last = last

    def value(self) -> Body:
        return self._below(self._in, self._last, self._above)

    def remove(self) -> None:
        self.value()
        if isinstance(self._in, list):
            del self._in[int(self._last)]
        else:
            del self._in[self._last]

    def put(self, value: Body) -> None:
        if isinstance(self._in, list):
            self._in[int(self._last)] = value
        else:
            self._in[self._last] = value

    def add(self, value: Body) -> None:
        if isinstance(self._in, dict):
            self._in[self._last] = value
            return
        if self._last == _BEHIND:
            self._in.append(value)
            return
        size = len(self._in)
        if _POSITION.fullmatch(self._last) is None or int(self._last) > size:
            raise self._missing(
                f"'{self._last}' is no position in {_name(self._above)}, a list of {size}",
                f"write 0 to {size}, or `-` for behind the end",
            )
        self._in.insert(int(self._last), value)

    def _below(self, container: Container, step: str, above: list[str]) -> Body:
        if isinstance(container, dict):
            if step in container:
                return container[step]
            keys = ", ".join(list(container)[:8]) or "no keys"
            raise self._missing(f"{_name(above)} has no '{step}'", f"there are: {keys}")
        size = len(container)
        if _POSITION.fullmatch(step) is not None and int(step) < size:
            return container[int(step)]
        raise self._missing(
            f"'{step}' is no item of {_name(above)}, a list of {size}",
            f"write a position, 0 to {size - 1}"
            if size
            else "the list is empty: `add` to it first",
        )

    def _container(self, node: Body, above: list[str]) -> Container:
        if isinstance(node, (dict, list)):
            return node
        raise self._missing(
            f"{_name(above)} is {shown(bare(node))}, and has nothing in it",
            "let the path end there",
        )

    def _missing(self, message: str, help_: str) -> Unfitting:
        return unfitting("A005", f"{self._pointer} leads nowhere: {message}", self._at, help_)


def _name(steps: list[str]) -> str:
    return f"/{'/'.join(steps)}" if steps else "the file"
