"""Specs of several files and environments, in memory, for tests: what they compose and compile to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.diagnostics.diagnostic import locate_all
from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.diagnostics.lines import split_lines
from mlopsc.diagnostics.printers import text
from mlopsc.patching.globs import fits
from mlopsc.source.compose import Composition, compose
from mlopsc.source.encoding import decode
from mlopsc.source.files import Inputs
from mlopsc.source.include import gather
from mlopsc.spec.merging import MERGING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlopsc.diagnostics.diagnostic import Diagnostic
    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data, Document, Source

SPEC = "mlops.yaml"
HEAD = "apiVersion: mlopsc/v1\nproject: shop\n"


class InMemory:
    """The files of a project that is nowhere on a disk."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = files

    def read(self, name: str) -> bytes:
        """See `Files.read`."""
        if name not in self._files:
            at = Place(name, 1, 1, 1)
            raise Rejected((Finding("W001", f"there is no file '{name}'", at, "check it"),))
        content = self._files[name]
        return content if isinstance(content, bytes) else content.encode()

    def find(self, pattern: str) -> tuple[str, ...]:
        """See `Files.find`."""
        return tuple(sorted(name for name in self._files if fits(pattern, name)))


def gathered(files: Mapping[str, str | bytes], texts: dict[str, str] | None = None) -> Document:
    """`mlops.yaml` with all it includes; `texts` takes in what was read.

    Raises:
        Rejected: as `gather` does.
    """
    return gather(_first(files), InMemory(files), MERGING, {} if texts is None else texts)


def composed(spec: str | Mapping[str, str | bytes]) -> Composition:
    """A spec, or one of several files, in each environment; every document holds what it has to.

    Raises:
        Rejected: as `gather` and `compose` do.
    """
    composition = compose(gathered(_files(spec)), MERGING)
    for document in (composition.base, *composition.environments.values()):
        check_places(document)
    return composition


def compiled(spec: str | Mapping[str, str | bytes]) -> Compilation:
    """What a spec compiles to.

    Raises:
        Refused: it is wrong.
    """
    files = _files(spec)
    return compile_spec(_first(files), Inputs(InMemory(files)))


def outputs(spec: str | Mapping[str, str | bytes]) -> dict[str, str]:
    """Path → text of all that a spec compiles to."""
    return {artifact.path: artifact.text for artifact in compiled(spec).artifacts()}


def diagnostics(spec: str | Mapping[str, str | bytes]) -> tuple[Diagnostic, ...]:
    """What is said of a spec that is refused; no diagnostics if it is not."""
    try:
        compiled(spec)
    except Refused as refused:
        return refused.diagnostics
    return ()


def refused(spec: str | Mapping[str, str | bytes]) -> list[str]:
    """`CODE place |text there|` of each error, as `N001 mlops.yaml:3:5 |wheather|`."""
    files = _files(spec)
    return [f"{one.code} {_shown(files, one.place)}" for one in diagnostics(files)]


def said(spec: str | Mapping[str, str | bytes]) -> str:
    """All that is said of a spec that is refused, as it is printed."""
    return text(diagnostics(spec))


def said_in_composing(spec: str | Mapping[str, str | bytes]) -> str:
    """What is said of a spec by composing alone; what is filled in need not be of the language."""
    files = _files(spec)
    document: Document | None = None
    texts: dict[str, str] = {}
    try:
        document = gathered(files, texts)
        compose(document, MERGING)
    except Rejected as rejected:
        return text(locate_all(rejected.findings, document, texts))
    return ""


def shown(document: Document, path: Path, *, on_key: bool = False) -> str:
    """`file:line:column |text|` of what stands at a path."""
    return _shown(document.texts, document.place(path, on_key=on_key))


def get(data: Data, *path: str | int) -> Any:
    """The value at a path."""
    for step in path:
        data = data[step]  # type: ignore[index, call-overload]
    return data


def paths(data: Data, at: Path = ()) -> list[Path]:
    """Every path there is in `data`."""
    found = [at]
    children: list[tuple[str | int, Data]] = []
    if isinstance(data, dict):
        children = list(data.items())
    elif isinstance(data, list):
        children = list(enumerate(data))
    for step, child in children:
        found += paths(child, (*at, step))
    return found


def check_places(document: Document) -> None:
    """There is a place for every path of the data and for nothing else, and each lies in a text."""
    there = paths(document.data)
    assert set(document.values) == set(there)
    keys = {path for path in there if path and isinstance(path[-1], str)}
    assert set(document.keys) == keys
    assert set(document.raw) <= set(there)
    assert set(document.laid) <= set(there)
    assert set(document.filled) <= set(there)
    assert not set(document.removed) & set(there)
    assert all(laid.origin[0] in ("defaults", "environments") for laid in document.laid.values())
    lines = {name: split_lines(content) for name, content in document.texts.items()}
    for place in (*document.values.values(), *document.keys.values(), *document.removed.values()):
        line = lines[place.file][place.line - 1]
        assert 1 <= place.column <= place.end <= len(line) + 2


def _files(spec: str | Mapping[str, str | bytes]) -> Mapping[str, str | bytes]:
    return {SPEC: spec} if isinstance(spec, str) else spec


def _first(files: Mapping[str, str | bytes]) -> Source:
    content = files[SPEC]
    return decode(SPEC, content if isinstance(content, bytes) else content.encode())


def _shown(files: Mapping[str, str | bytes], place: Place) -> str:
    content = files.get(place.file, "")
    lines = split_lines(content if isinstance(content, str) else content.decode(errors="replace"))
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return f"{place.file}:{place.line}:{place.column} |{line[place.column - 1 : place.end - 1]}|"
