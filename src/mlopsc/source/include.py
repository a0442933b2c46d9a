"""From a file and those it includes to one document: chapters join, and a name stands in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding, Note, Rejected
from mlopsc.source.document import Document
from mlopsc.source.encoding import decode
from mlopsc.source.interpolation import OPENS
from mlopsc.source.limits import MAX_FILES, MAX_INCLUDES, MAX_NODES
from mlopsc.source.yaml import read_yaml

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path, Place
    from mlopsc.source.document import Data, Source
    from mlopsc.source.files import Files
    from mlopsc.source.merging import Merging

_INCLUDE: Final = "include"
_VERSION: Final = "apiVersion"
_GLOB: Final = frozenset("*?")
_FREE: Final = "x-"
"""Top-level keys that begin so are a file's own, for its anchors; no two of them meet."""


def gather(source: Source, files: Files, merging: Merging, texts: dict[str, str]) -> Document:
    """`source` with everything it includes, and what that includes, as one document.

    Names of files are relative to the project's folder, wherever they stand. Lists of several files
    follow each other in the order the files are read.

    Args:
        source: the first file.
        files: where the others are.
        merging: what the language says of names.
        texts: takes in the text of each file, for what is said of a file that is refused.

    Raises:
        Rejected: `Y…` for what is no YAML, an include that meets nothing or leads back to itself, a name
            defined twice; W001 to W006 for a file that cannot be read.
    """
    gathering = _Gathering(files, texts)
    gathering.read(source, ())
    if gathering.findings:
        raise Rejected(tuple(gathering.findings))
    first, *others = gathering.documents
    return _joined(first, others, merging) if others else first


class _Gathering:
    """The files read so far, in order, and what is wrong with them."""

    def __init__(self, files: Files, texts: dict[str, str]) -> None:
        self.documents: list[Document] = []
        self.findings: list[Finding] = []
        self._texts = texts
        self._files = files
        self._read: set[str] = set()
        self._nodes = 0

    def read(self, source: Source, way: tuple[str, ...]) -> None:
        """Read one file and those it includes; `way` are the files that led here."""
        self._texts[source.name] = source.text
        self._read.add(source.name)
        try:
            document = read_yaml(source)
        except Rejected as rejected:
            self.findings += rejected.findings
            return
        self._nodes += len(document.values)
        if self._nodes > MAX_NODES and way:
            self._refuse(
                "Y025",
                f"the files hold more than {MAX_NODES:,} values together",
                document.values[()],
                "split the project",
            )
            return
        self.documents.append(document)
        written = document.data.get(_INCLUDE)
        if not isinstance(written, list):
            return  # absent, or of the wrong shape: parse says so
        for position, pattern in enumerate(written):
            if isinstance(pattern, str):
                at = document.place((_INCLUDE, position))
                self._include(pattern, at, (*way, source.name))

    def _include(self, pattern: str, at: Place, way: tuple[str, ...]) -> None:
        if pattern.startswith("/") or ".." in pattern.split("/"):
            self._refuse("Y030", f"'{_shown(pattern)}' leads out of the project", at, _RELATIVE)
            return
        if pattern.startswith("./"):
            plain = _shown(pattern.removeprefix("./"))
            self._refuse(
                "Y030", f"'{_shown(pattern)}' begins with `./`", at, f"write {plain}: {_RELATIVE}"
            )
            return
        names = self._fitting(pattern, at)
        if len(way) >= MAX_INCLUDES and set(names) - self._read:
            self._refuse(
                "Y026",
                f"files include each other more than {MAX_INCLUDES} deep",
                at,
                "name the files in the first one, with `*`",
            )
            return
        back = next((name for name in names if name in way), None)
        if back is not None:  # a pattern too wide: what else it fits was hardly meant either
            self._circle(back, pattern, at, way)
            return
        for name in names:
            if name not in self._read:  # met twice by different ways, it counts once
                self._read_further(name, at, way)

    def _fitting(self, pattern: str, at: Place) -> tuple[str, ...]:
        """The files a pattern names; none if that is refused."""
        if _GLOB.isdisjoint(pattern):
            return (pattern,)
        try:
            names = self._files.find(pattern)
        except Rejected as rejected:
            self._refuse_file(rejected, at)
            return ()
        if not names:
            self._refuse("Y030", f"no file fits '{_shown(pattern)}'", at, _help(pattern))
        return names

    def _circle(self, name: str, pattern: str, at: Place, way: tuple[str, ...]) -> None:
        circle = " → ".join((*way[way.index(name) :], name))
        self._refuse(
            "Y031",
            f"files include each other in a circle: {circle}",
            at,
            "take one of these includes out"
            if name == pattern
            else f"'{pattern}' fits a file that leads here: keep what is included in a folder of"
            " its own",
        )

    def _read_further(self, name: str, at: Place, way: tuple[str, ...]) -> None:
        if len(self._read) >= MAX_FILES:
            self._refuse(
                "Y025", f"more than {MAX_FILES:,} files are included", at, "include fewer files"
            )
            return
        self._read.add(name)
        try:
            data = self._files.read(name)
        except Rejected as rejected:
            self._refuse_file(rejected, at, _help(name))
            return
        try:
            source = decode(name, data)
        except Rejected as rejected:
            self.findings += (
                Finding(found.code, found.message, found.at, found.help, (Note("included", at),))
                for found in rejected.findings
            )
            return
        self.read(source, way)

    def _refuse_file(self, rejected: Rejected, at: Place, missing: str | None = None) -> None:
        """A file that is not there, or is none, is a mistake of the line that names it."""
        for found in rejected.findings:
            absent = missing is not None and found.code == "W001"
            self._refuse("Y030", found.message, at, missing if absent else found.help)

    def _refuse(self, code: str, message: str, at: Place, help_: str | None) -> None:
        self.findings.append(Finding(code, message, at, help_))


_RELATIVE: Final = "a name is relative to the folder of mlops.yaml, and stays below it"


def _help(name: str) -> str:
    return "write the name out: nothing is filled in here" if OPENS in name else _RELATIVE


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]


def _joined(first: Document, others: list[Document], merging: Merging) -> Document:
    joining = _Joining(first, merging)
    for other in others:
        joining.add(other)
    if joining.findings:
        raise Rejected(tuple(joining.findings))
    return joining.document


class _Joining:
    """Several documents becoming one; the first one's mappings are copied before they grow."""

    def __init__(self, first: Document, merging: Merging) -> None:
        self.findings: list[Finding] = []
        self.document = Document(
            dict(first.data),
            dict(first.values),
            dict(first.keys),
            dict(first.raw),
            dict(first.texts),
        )
        self._merging = merging
        self._owned: set[Path] = {()}

    def add(self, other: Document) -> None:
        """Join one more document."""
        self.document.texts.update(other.texts)
        mine, version = self.document.data.get(_VERSION), other.data.get(_VERSION)
        if version is not None and mine is not None and version != mine:
            self._foreign(other, version)
            return
        self._mapping(other, other.data, (), self.document.data)

    def _mapping(
        self, other: Document, data: dict[str, Data], at: Path, into: dict[str, Data]
    ) -> None:
        for key, value in data.items():
            path: Path = (*at, key)
            if key not in into:
                into[key] = value
                self._owned.discard(path)
                self._place(other, path, path, value)
            elif path == (_VERSION,) or (not at and key.startswith(_FREE)):
                continue
            else:
                self._meet(other, path, into, value)

    def _foreign(self, other: Document, version: Data) -> None:
        """A file of another language, such as a generated manifest that a pattern fits."""
        at = other.values[(_VERSION,)]
        self.findings.append(
            Finding(
                "S009",
                f"a file of another language is included: its apiVersion is {version!r}",
                at,
                "include files of this language alone, kept in a folder of their own",
                (Note("the spec's own stands", self.document.values[(_VERSION,)]),),
            )
        )

    def _meet(self, other: Document, path: Path, into: dict[str, Data], value: Data) -> None:
        """Two files write the same key."""
        key = str(path[-1])
        there = into[key]
        what = self._merging.item(path)
        if what is None and isinstance(there, dict) and isinstance(value, dict):
            if path not in self._owned:
                there = into[key] = dict(there)
                self._owned.add(path)
            self._mapping(other, value, path, there)
        elif len(path) == 1 and isinstance(there, list) and isinstance(value, list):
            into[key] = [*there, *value]
            for position, item in enumerate(value, start=len(there)):
                self._place(other, (*path, position - len(there)), (*path, position), item)
        else:
            name = f"{what} '{key}'" if what else f"'{'.'.join(map(str, path))}'"
            self.findings.append(
                Finding(
                    "Y032",
                    f"{name} is defined in two files",
                    other.keys[path],
                    "keep it in one of them, or give one another name",
                    (Note("the other one stands", self.document.keys[path]),),
                )
            )

    def _place(self, other: Document, source: Path, target: Path, data: Data) -> None:
        """The places of a value that came from another document."""
        mine = self.document
        if source in other.keys:
            mine.keys[target] = other.keys[source]
        mine.values[target] = other.values[source]
        if source in other.raw:
            mine.raw[target] = other.raw[source]
        if isinstance(data, dict):
            for key, child in data.items():
                self._place(other, (*source, key), (*target, key), child)
        elif isinstance(data, list):
            for position, child in enumerate(data):
                self._place(other, (*source, position), (*target, position), child)
