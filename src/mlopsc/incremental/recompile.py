"""What a change of some files does to what the spec compiled to before; or that nobody can say.

The changed files, those in which something of theirs is named, and those they name themselves, are
compiled twice: as they were and as they are. The answer counts only if

- the change is of what concerns one item alone (`spec.local`), and names and references are the same;
- as they were, they compile to the very files the whole project has: nothing else has a say in them;
- everything else that comes out of the two compiles, files of the whole project and findings elsewhere,
  is the same, byte for byte.

Otherwise the whole project has to be compiled. So an answer is what a clean compile would give, or none.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from mlopsc.artifacts.draft import Artifact
from mlopsc.artifacts.trace import causes_of
from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.diagnostics.diagnostic import order
from mlopsc.diagnostics.finding import Rejected
from mlopsc.diagnostics.paths import as_written
from mlopsc.frozen import frozen
from mlopsc.incremental.names import Names, names_of
from mlopsc.incremental.part import Part
from mlopsc.incremental.splice import is_of_blocks, spliced
from mlopsc.project.conventions import DECISION
from mlopsc.source.encoding import decode
from mlopsc.source.files import Inputs, Rest
from mlopsc.spec.local import is_local
from mlopsc.spec.merging import MERGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mlopsc.diagnostics.diagnostic import Diagnostic
    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data

MOST_FILES: Final = 20
"""Files of one part; a change that reaches more is compiled as a whole sooner."""


class Digests(Protocol):
    """Path → SHA-256 of generated files."""

    def get(self, path: str) -> str | None:
        """The SHA-256 of a file, in hexadecimal; None if it is none of them."""
        ...


@frozen
class Before:
    """A whole compile, as far as the next one needs to know it.

    Attributes:
        root: the file a compile starts from.
        contents: what was read, by name; the root among them.
        patterns: `include` patterns and the files that fitted.
        names: which file defines and mentions what.
        digests: path → SHA-256 of each file it compiled to.
        diagnostics: what it had to say.
        crowded: it has more parts than one pipeline should hold.
    """

    root: str
    contents: Mapping[str, bytes]
    patterns: Mapping[str, tuple[str, ...]]
    names: Names
    digests: Digests
    diagnostics: tuple[Diagnostic, ...]
    crowded: bool


@frozen
class After:
    """What the change came to: the files that may differ, and what is to be said of all."""

    artifacts: tuple[Artifact, ...]
    diagnostics: tuple[Diagnostic, ...]


def recompile(
    before: Before, changed: Mapping[str, bytes], read: Callable[[str], bytes]
) -> After | None:
    """What the spec compiles to with the `changed` contents; None: compile it as a whole.

    `read` gives a generated file as it stands in the work tree.
    """
    if not changed.keys() <= before.names.defined.keys():
        return None  # a file that is no part of the spec itself: a template, what a patch creates
    files, part = _reach(before, changed)
    if not files:
        return None
    try:
        old = _Compiled(_compile(before, before.contents, part), files)
        new = _Compiled(_compile(before, {**before.contents, **changed}, part), files)
    except (Refused, Rejected):
        return None  # what is wrong is for the whole compile to say
    said = [one for one in before.diagnostics if one.place.file not in files]
    if (
        not _is_local(old, new)
        or not _is_of_the_whole(old, before, files)
        or any(note.place and note.place.file in files for one in said for note in one.notes)
    ):
        return None  # the last, because lines they point at may have moved
    elsewhere = _elsewhere(old, new, before, files, read)
    if elsewhere is None:
        return None
    diagnostics = tuple(sorted((*said, *new.said), key=order))
    return After((*new.own.values(), *elsewhere), diagnostics)


def _reach(before: Before, changed: Mapping[str, bytes]) -> tuple[frozenset[str], frozenset[str]]:
    """The files that a change reaches, and the part they are compiled in; none if that may be all."""
    nothing: frozenset[str] = frozenset()
    specs = before.names.defined.keys()
    if before.root in changed or not specs >= changed.keys():
        return nothing, nothing
    files = before.names.reached(changed, before.root)
    part = before.names.needed(files, before.root) | {before.root}
    return (
        (nothing, nothing) if len(part) > MOST_FILES or len(part) == len(specs) else (files, part)
    )


def _compile(before: Before, contents: Mapping[str, bytes], part: frozenset[str]) -> Compilation:
    kept = {name for file in part for name in before.names.defined[file]}
    left_out = {name for names in before.names.defined.values() for name in names} - kept
    files = Part(contents, before.patterns, frozenset(before.names.defined.keys() - part))
    inputs = Inputs(files, Rest(frozenset(left_out), before.crowded))
    source = decode(before.root, contents[before.root])
    return compile_spec(source, inputs)


class _Compiled:
    """One compile of a part, divided into what belongs to the reached files and all else."""

    def __init__(self, compilation: Compilation, files: frozenset[str]) -> None:
        self.document = compilation.document
        self.names = names_of(compilation.document.base, MERGING)
        self.own: dict[str, Artifact] = {}
        self.others: dict[str, Artifact] = {}
        for artifact in compilation.artifacts():
            origins = (origin for cause in artifact.causes for origin in cause.origins)
            owned = next(self.files_of(origins), None) in files
            (self.own if owned else self.others)[artifact.path] = artifact
        found = compilation.diagnostics
        self.said = tuple(one for one in found if one.place.file in files)
        self.said_elsewhere = tuple(one for one in found if one.place.file not in files)

    def files_of(self, origins: Iterable[Path]) -> Iterator[str]:
        """The files of the items behind a file or line; empty for what is of the whole project."""
        for origin in origins:
            path = as_written(origin)
            if path[:1] != (DECISION,):
                is_of_item = any(MERGING.item(path[:length]) for length in (2, 3))
                yield self.document.place(origin).file if is_of_item else ""


def _elsewhere(
    old: _Compiled,
    new: _Compiled,
    before: Before,
    files: frozenset[str],
    read: Callable[[str], bytes],
) -> list[Artifact] | None:
    """The files of the whole project that change along; None if that cannot be told from a part."""
    if old.others.keys() != new.others.keys() or old.said_elsewhere != new.said_elsewhere:
        return None
    made = []
    for path, now in new.others.items():
        then = old.others[path]
        if then.text == now.text:
            continue
        whole = read(path)
        if not is_of_blocks(path) or sha256(whole).hexdigest() != before.digests.get(path):
            return None
        own = {
            number
            for number in range(1, then.text.count("\n") + 1)
            if not files.isdisjoint(old.files_of(causes_of(then, number)))
        }
        text = spliced(whole.decode(), then.text, now.text, own)
        if text is None:
            return None
        made.append(Artifact(path, text, (), now.target))
    return made


def _is_local(old: _Compiled, new: _Compiled) -> bool:
    return (
        old.names == new.names
        and old.own.keys() == new.own.keys()
        and all(
            is_local(path)
            for name, document in old.document.environments.items()
            for path in _unequal(document.data, new.document.environments[name].data, ())
        )
    )


def _is_of_the_whole(old: _Compiled, before: Before, files: frozenset[str]) -> bool:
    """Whether the part as it was compiled to what the whole project did."""
    return all(
        before.digests.get(path) == digest(artifact) for path, artifact in old.own.items()
    ) and set(old.said) == {one for one in before.diagnostics if one.place.file in files}


def _unequal(old: Data, new: Data, at: Path) -> Iterator[Path]:
    """The innermost paths at which two documents differ."""
    if old is new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if key in old and key in new:
                yield from _unequal(old[key], new[key], (*at, key))
            else:
                yield (*at, key)
    elif old != new or type(old) is not type(new):
        yield at


def digest(artifact: Artifact) -> str:
    """The SHA-256 of a file as it will be written, in hexadecimal."""
    return sha256(artifact.text.encode()).hexdigest()
