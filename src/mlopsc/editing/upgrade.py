"""A spec of an older version of the language, brought into this one: for `mlopsc upgrade`.

Only what has to change is changed: every other byte stays as it was written.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from mlopsc.editing.migrations import MIGRATIONS, Added, Migration
from mlopsc.frozen import frozen
from mlopsc.source.document import Source
from mlopsc.source.layout import Layout, lay_out
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.parse import without_free_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlopsc.diagnostics.finding import Path, Place
    from mlopsc.source.document import Data, Document

_VERSION: Final = ("apiVersion",)
_BREAK: Final = re.compile("\r\n|\r|\n")


@frozen
class Upgraded:
    """A spec in this version of the language.

    Attributes:
        text: the whole spec.
        told: what was done and what could not be, each with its place in `text`.
    """

    text: str
    told: tuple[tuple[Place, str], ...]


def version_of(document: Document) -> Data:
    """What the spec says its version is; None if it does not."""
    return document.data.get("apiVersion")


def upgraded(source: Source) -> Upgraded | None:
    """`source` in this version of the language; None: it is of no version that we come from.

    Raises:
        Rejected: Y…: the text is no YAML.
        AssertionError: an edit would say something else, which is a mistake of ours.
    """
    version = version_of(read_yaml(source))
    start = next((n for n, each in enumerate(MIGRATIONS) if each.older == version), None)
    if start is None:
        return None
    told: list[tuple[Path, str]] = []
    for migration in MIGRATIONS[start:]:
        source = _migrated(source, migration, told)
    document = read_yaml(source)
    return Upgraded(
        source.text,
        tuple((document.place(path, on_key=True), message) for path, message in told),
    )


def _migrated(source: Source, migration: Migration, told: list[tuple[Path, str]]) -> Source:
    before = read_yaml(source)
    steps = tuple(migration.steps(before.data))
    added = [step for step in steps if isinstance(step, Added)]
    lines = _Lines(source.text)
    lines.replace(before.values[_VERSION], migration.newer)
    lines.add(before, added)
    after = Source(source.name, lines.joined())
    wanted = _wanted(before.data, migration.newer, added)
    # An anchor may stand below a key of the user's own, whose value no step speaks of.
    if without_free_keys(read_yaml(after).data) != without_free_keys(wanted):
        raise AssertionError(f"{source.name}: the upgrade says something else")
    told += [
        ((*step.beside[:-1], step.key), f"`{step.key}: {step.value}` is written out: {step.why}")
        if isinstance(step, Added)
        else (step.at, step.message)
        for step in steps
    ]
    return after


def _wanted(data: dict[str, Data], version: str, added: Iterable[Added]) -> dict[str, Data]:
    wanted: dict[str, Any] = deepcopy(data)  # what an anchor shares stays shared
    wanted["apiVersion"] = version
    for step in added:
        node = wanted
        for key in step.beside[:-1]:
            node = node[str(key)]
        node[step.key] = step.value
    return wanted


class _Lines:
    """The lines of a spec with their ends, while they change; from the last edit to the first."""

    def __init__(self, text: str) -> None:
        self._ends = [*_BREAK.findall(text), ""]
        self._lines = _BREAK.split(text)
        self._layout: Layout = lay_out("\n".join(self._lines))
        self._inserted: dict[int, list[str]] = {}

    def joined(self) -> str:
        """The whole text."""
        made = []
        for number, (line, end) in enumerate(zip(self._lines, self._ends, strict=True)):
            made.append(line)
            for new in self._inserted.get(number, ()):
                made += [end or self._ends[0] or "\n", new]
            made.append(end)
        return "".join(made)

    def replace(self, place: Place, word: str) -> None:
        """Write `word` in place of a scalar on one line, in the same quotes."""
        line = self._lines[place.line - 1]
        written = line[place.column - 1 : place.end - 1]
        quote = written[0] if written[:1] in ("'", '"') else ""
        made = quote + word + quote
        self._lines[place.line - 1] = line[: place.column - 1] + made + line[place.end - 1 :]

    def add(self, document: Document, added: Iterable[Added]) -> None:
        """Write keys beside others; what an anchor shares is written once."""
        by_place = {document.keys[step.beside]: step for step in added}
        for key, step in sorted(
            by_place.items(), key=lambda each: (each[0].line, each[0].column), reverse=True
        ):
            self._beside(key, document.values[step.beside], f"{step.key}: {step.value}")

    def _beside(self, key: Place, value: Place, entry: str) -> None:
        number, column = key.line - 1, key.column - 1
        line = self._lines[number]
        block = self._layout.blocks.get(number)
        follows = self._follows(key, value)
        if block is None or block.column != column:  # in braces
            at = value.end - 1 if follows else column
            new = f", {entry}" if follows else f"{entry}, "
            self._lines[number] = line[:at] + new + line[at:]
        elif follows:
            self._inserted.setdefault(number, []).append(" " * column + entry)
        else:
            self._inserted.setdefault(number - 1, []).append(" " * column + entry)

    def _follows(self, key: Place, value: Place) -> bool:
        """Whether a key's value stands behind it, and ends on the same line."""
        between = self._lines[key.line - 1][key.end - 1 : value.column - 1]
        return (
            (key.file, key.line) == (value.file, value.line)
            and between.strip() == ":"
            and key.line not in self._layout.inside
        )
