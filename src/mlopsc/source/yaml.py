"""YAML text → `Document`: plain data by the YAML 1.2 core schema, with a place for every path.

libyaml (through PyYAML) finds tokens and structure; what a scalar means, what a key may be, how
anchors and `<<` combine and what is refused is decided here, because PyYAML's own constructors
follow YAML 1.1 (`no` is false, `017` is fifteen), keep the last of two equal keys in silence and
recurse without limit. The tree is built from events: nesting is bounded before it costs anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from mlopsc.diagnostics.finding import Finding, Path, Place, Rejected
from mlopsc.diagnostics.lines import split_lines
from mlopsc.frozen import frozen
from mlopsc.source import refusals
from mlopsc.source.characters import check_characters
from mlopsc.source.document import Data, Document, Source
from mlopsc.source.encoding import decode
from mlopsc.source.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES
from mlopsc.source.marks import Marks
from mlopsc.source.scalars import NotFiniteError, TooLongError, core_value
from mlopsc.source.syntax import explain

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # PyYAML built without libyaml: the same events, about eight times slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "decode", "read_yaml"]

_SCRATCH: Final = -1
"""A path step no user can write: where nodes live that are not part of the tree themselves."""
_MERGE: Final = "<<"


def read_yaml(source: Source) -> Document:
    """The one mapping `source` holds, as data with places.

    Values that came from one anchor are the same Python object at each place: treat the data as
    read-only.

    Raises:
        Rejected: with every problem found (`Y…`); a break of YAML's syntax ends the reading.
    """
    check_characters(source)
    builder = _Builder(source)
    try:
        data = builder.read()
    except _Stop:
        raise Rejected(tuple(builder.findings)) from None
    if builder.findings:
        raise Rejected(tuple(builder.findings))
    return Document(data, builder.values, builder.keys, builder.raw, {source.name: source.text})


class _Stop(Exception):
    """Nothing after this point can be understood; the findings so far say why."""


@dataclass(slots=True)
class _Anchor:
    """A named node. While it is still being built `done` is false, and an alias to it is a loop."""

    place: Place
    path: Path
    data: Data = None
    size: int = 0
    height: int = 0
    done: bool = False


@frozen
class _Merged:
    """A mapping named by `<<`, and the path its places stand under."""

    path: Path
    data: dict[str, Data]


class _Builder:
    """Builds data and places from one stream of events; problems are collected in `findings`."""

    def __init__(self, source: Source) -> None:
        self.findings: list[Finding] = []
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}
        self.raw: dict[Path, str] = {}
        self._source = source
        self._lines = split_lines(source.text)
        self._marks = Marks(source.name, self._lines)
        self._anchors: dict[str, _Anchor] = {}
        self._copies: list[tuple[Path, Path, Data, bool]] = []
        self._scratch_used = False
        self._nodes = 0
        self._reach = 0  # the deepest path so far, for the height of anchored nodes
        self._next: Callable[[], Any]

    def read(self) -> dict[str, Data]:
        """The data; its places are in `values`, `keys` and `raw` afterwards."""
        parser = _Parser(self._source.text)
        self._next = parser.get_event
        try:
            data = self._document()
        except MarkedYAMLError as error:
            finding = explain(error, self._source.name, self._lines)
            if self._follows(finding):
                raise _Stop from None
            raise self._stop(finding) from None
        finally:
            parser.dispose()
        if not self.findings:
            self._place_copies()
        return data

    def _follows(self, finding: Finding) -> bool:
        """Whether a break of syntax stands on the line of the last finding, which explains it."""
        return bool(self.findings) and _line(self.findings[-1]) == _line(finding)

    def _stop(self, finding: Finding) -> _Stop:
        """Notes why nothing further can be read; to be raised."""
        self.findings.append(finding)
        return _Stop()

    def _document(self) -> dict[str, Data]:
        self._next()  # StreamStart
        if type(self._next()) is StreamEndEvent:
            blank = not self._source.text.strip()
            raise self._stop(refusals.empty(self._marks.top(), blank=blank))
        data = self._node(self._next(), ())
        self._next()  # DocumentEnd
        following = self._next()
        if type(following) is DocumentStartEvent:
            raise self._stop(refusals.second_document(self._marks.word(following.start_mark)))
        if type(data) is dict:
            return data
        if self.findings:
            raise _Stop
        if data is None:
            raise self._stop(refusals.empty(self._marks.top(), blank=False))
        raise self._stop(refusals.not_a_mapping(data, self.values[()]))

    def _node(self, event: Any, path: Path) -> Data:
        """The data of the node that starts with `event`; its place is noted under `path`."""
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event, path)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._stop(refusals.too_many_values(self._marks.word(event.start_mark)))
        if event.tag is not None:
            self.findings.append(refusals.tag(self._marks.word(event.start_mark)))
        if event.anchor is not None:
            return self._anchored(event, path)
        if kind is ScalarEvent:
            return self._scalar(event, path)
        return self._collection(event, path)

    def _collection(self, event: Any, path: Path) -> Data:
        if len(path) >= MAX_DEPTH:
            raise self._stop(refusals.too_deep(self._marks.word(event.start_mark)))
        if len(path) >= self._reach:
            self._reach = len(path) + 1
        self.values[path] = self._marks.first_line(event.start_mark)
        if type(event) is MappingStartEvent:
            return self._mapping(event, path)
        return self._sequence(event, path)

    def _scalar(self, event: Any, path: Path) -> Data:
        self.values[path] = self._marks.scalar(event)
        text: str = event.value
        if event.style or event.tag is not None:
            return text
        try:
            value, as_written = core_value(text)
        except NotFiniteError as error:
            number = refusals.number("Y028", str(error), text, self.values[path])
            self.findings.append(number)
            return text
        except TooLongError as error:
            number = refusals.number("Y029", str(error), f"{text[:20]}…", self.values[path])
            self.findings.append(number)
            return text
        if as_written:
            self.raw[path] = text
        return value

    def _sequence(self, event: Any, path: Path) -> list[Data]:
        data: list[Data] = []
        position = 0
        while type(child := self._next()) is not SequenceEndEvent:
            data.append(self._node(child, (*path, position)))
            position += 1
        if (place := self._marks.flow(event, child)) is not None:
            self.values[path] = place
        return data

    def _mapping(self, event: Any, path: Path) -> dict[str, Data]:
        data: dict[str, Data] = {}
        merges: list[tuple[int, list[_Merged]]] = []
        merge_place: Place | None = None
        while type(key_event := self._next()) is not MappingEndEvent:
            key = self._key(key_event, path)
            key_place = self._marks.scalar(key_event)
            if key == _MERGE and not key_event.style:
                if merge_place is not None:
                    self.findings.append(refusals.second_merge(key_place, merge_place))
                merge_place = key_place
                merges.append((len(data), self._merge_sources(path)))
            elif key is None or key in data:
                if key is not None:
                    first = self.keys[(*path, key)]
                    self.findings.append(refusals.duplicate(key, key_place, first))
                self._node(self._next(), (*path, _SCRATCH))
            else:
                child = (*path, key)
                self.keys[child] = key_place
                data[key] = self._node(self._next(), child)
        if (place := self._marks.flow(event, key_event)) is not None:
            self.values[path] = place
        return self._merged(data, merges, path) if merges else data

    def _key(self, event: Any, path: Path) -> str | None:
        """The key's text; None if it cannot be one, which is then a finding."""
        if type(event) is not ScalarEvent:
            self._skip(event, path)
            place = self._marks.word(event.start_mark)
            self.findings.append(refusals.key_not_a_word(place, alias=type(event) is AliasEvent))
            return None
        self._nodes += 1
        if event.tag is not None:
            self.findings.append(refusals.tag(self._marks.word(event.start_mark)))
        if event.anchor is not None:
            place = self._marks.word(event.start_mark)
            self.findings.append(refusals.anchor_on_key(event.anchor, place))
        text: str = event.value
        if not event.style and event.tag is None and (kind := _kind_of_plain(text)) != "text":
            place = self._marks.scalar(event)
            self.findings.append(refusals.key_of_a_kind(text, kind, place))
            return None
        return text

    def _skip(self, event: Any, path: Path) -> None:
        """Reads past the node that starts with `event`, within the limits."""
        if type(event) is not AliasEvent:
            self._node(event, (*path, _SCRATCH))

    def _anchored(self, event: Any, path: Path) -> Data:
        anchor = _Anchor(self._marks.word(event.start_mark), path)
        self._anchors[event.anchor] = anchor
        nodes, reach = self._nodes, self._reach
        self._reach = len(path)
        if type(event) is ScalarEvent:
            anchor.data = self._scalar(event, path)
        else:
            anchor.data = self._collection(event, path)
        anchor.size = self._nodes - nodes + 1
        anchor.height = self._reach - len(path)
        anchor.done = True
        self._reach = max(reach, self._reach)
        return anchor.data

    def _alias(self, event: Any, path: Path) -> Data:
        anchor = self._resolve(event)
        if anchor is None:
            self.values[path] = self._marks.word(event.start_mark)
            return None
        self._count_alias(anchor, event, len(path))
        self._copies.append((anchor.path, path, anchor.data, False))
        return anchor.data

    def _resolve(self, event: Any) -> _Anchor | None:
        """The anchor an alias names; None if it cannot be used, which is then a finding."""
        name: str = event.anchor
        anchor = self._anchors.get(name)
        place = self._marks.word(event.start_mark)
        if anchor is None:
            self.findings.append(
                refusals.no_anchor(name, self._anchors, place, self._anchor_below(name))
            )
            return None
        if not anchor.done:
            self.findings.append(refusals.loop(name, place, anchor.place))
            return None
        return anchor

    def _anchor_below(self, name: str) -> int | None:
        """The line (from 1) that seems to hold an anchor which is used before it stands."""
        anchor = re.compile(rf"(?:^|[\s,\[{{])&{re.escape(name)}(?![^\s,\]}}])")
        return next((at for at, line in enumerate(self._lines, 1) if anchor.search(line)), None)

    def _count_alias(self, anchor: _Anchor, event: Any, depth: int) -> None:
        self._nodes += anchor.size
        if self._nodes > MAX_NODES:
            raise self._stop(refusals.too_many_values(self._marks.word(event.start_mark)))
        if depth + anchor.height > MAX_DEPTH:
            raise self._stop(refusals.too_deep(self._marks.word(event.start_mark)))
        self._reach = max(self._reach, depth + anchor.height)

    def _merge_sources(self, path: Path) -> list[_Merged]:
        """The mappings named by the value of `<<`, which comes next in the stream."""
        event = self._next()
        if type(event) is not SequenceStartEvent:
            return self._merge_source(event, path, 0)
        sources: list[_Merged] = []
        while type(child := self._next()) is not SequenceEndEvent:
            sources += self._merge_source(child, path, len(sources))
        return sources

    def _merge_source(self, event: Any, path: Path, position: int) -> list[_Merged]:
        source: Path
        if type(event) is AliasEvent:
            anchor = self._resolve(event)
            if anchor is None:
                return []
            self._count_alias(anchor, event, len(path))
            source, data = anchor.path, anchor.data
        else:
            source = (*path, _SCRATCH, position)
            data = self._node(event, source)
            self._scratch_used = True
        if type(data) is dict:
            return [_Merged(source, data)]
        self.findings.append(refusals.merge_of(data, self._marks.word(event.start_mark)))
        return []

    def _merged(
        self, own: dict[str, Data], merges: list[tuple[int, list[_Merged]]], path: Path
    ) -> dict[str, Data]:
        """`own` with merged keys where their `<<` stands; own keys win, then earlier sources."""
        data: dict[str, Data] = {}
        own_items = list(own.items())
        done = 0
        for position, sources in merges:
            data.update(own_items[done:position])
            done = position
            for source in sources:
                for key, value in source.data.items():
                    if key in own or key in data:
                        continue
                    data[key] = value
                    self._copies.append(((*source.path, key), (*path, key), value, True))
        data.update(own_items[done:])
        return data

    def _place_copies(self) -> None:
        """Gives each aliased or merged node, in the order of the text, the places of its anchor.

        Done last: sizes are known and within the limit by now, so a bomb never gets here.
        """
        for source, target, data, with_key in self._copies:
            if with_key:
                self.keys[target] = self.keys[source]
            self._copy_places(source, target, data)
        if self._scratch_used:
            for table in (self.values, self.keys, self.raw):
                for path in [path for path in table if _SCRATCH in path]:
                    del table[path]

    def _copy_places(self, source: Path, target: Path, data: Data) -> None:
        self.values[target] = self.values[source]
        if source in self.raw:
            self.raw[target] = self.raw[source]
        if type(data) is dict:
            for key, child in data.items():
                self.keys[(*target, key)] = self.keys[(*source, key)]
                self._copy_places((*source, key), (*target, key), child)
        elif type(data) is list:
            for position, child in enumerate(data):
                self._copy_places((*source, position), (*target, position), child)


def _line(finding: Finding) -> int:
    return finding.at.line if isinstance(finding.at, Place) else 0


def _kind_of_plain(text: str) -> str:
    """What a plain scalar is, in a user's words."""
    try:
        return refusals.kind_of(core_value(text)[0])
    except (NotFiniteError, TooLongError):
        return "a number"
