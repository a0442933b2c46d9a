"""What a whole compile leaves in the user's cache folder, for the next one to start from."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from mlopsc.diagnostics.diagnostic import Diagnostic, PlacedNote
from mlopsc.diagnostics.finding import Place
from mlopsc.incremental.names import Names
from mlopsc.incremental.recompile import Before
from mlopsc.workspace.cache import load, name_for, save
from mlopsc.workspace.remembered import HASH, same_compiler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlopsc.workspace.remembered import Remembered
    from mlopsc.workspace.signature import Signature

_KIND: Final = "before"


class Digests:
    """Path → SHA-256 (hexadecimal) of the files a clean tree rests on."""

    def __init__(self, known: Remembered) -> None:
        self._hashes = known.hashes
        self._places = {path: place for place, path in enumerate(known.paths)}

    def get(self, path: str) -> str | None:
        """The SHA-256 of a file; None if the tree has no such file."""
        place = self._places.get(path)
        return None if place is None else self._hashes[place * HASH : (place + 1) * HASH].hex()


def keep(known: Remembered, before: Before) -> bool:
    """Keep what was compiled to the clean tree `known`; whether that worked."""
    told = {
        "tree": _tree(known),
        "compiler": [known.compiler[0], list(known.compiler[1].items())],
        "patterns": before.patterns,
        "crowded": before.crowded,
        "defined": {file: sorted(names) for file, names in before.names.defined.items()},
        "mentioned": {file: sorted(names) for file, names in before.names.mentioned.items()},
        "sizes": {file: len(data) for file, data in before.contents.items()},
        "diagnostics": [_told(one) for one in before.diagnostics],
    }
    parts = [json.dumps(told).encode(), *before.contents.values()]
    return save(name_for(_KIND, known.root, known.name), parts)


def recall(known: Remembered) -> Before | None:
    """What was compiled to the clean tree `known`; None if that is not remembered."""
    head, *contents = load(name_for(_KIND, known.root, known.name)) or [b""]
    try:
        told: dict[str, Any] = json.loads(head)
        if told["tree"] != _tree(known) or not same_compiler(_compiler(*told["compiler"])):
            return None
        return Before(
            root=known.name,
            contents=dict(zip(told["sizes"], contents, strict=True)),
            patterns={pattern: tuple(names) for pattern, names in told["patterns"].items()},
            names=Names(_sets(told["defined"]), _sets(told["mentioned"])),
            digests=Digests(known),
            diagnostics=tuple(_said(one) for one in told["diagnostics"]),
            crowded=told["crowded"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def _tree(known: Remembered) -> str:
    """What tells one tree from another."""
    hash_ = sha256(known.hashes)
    hash_.update("\n".join((known.root, *known.paths)).encode(errors="surrogateescape"))
    return hash_.hexdigest()


def _compiler(text: str, files: list[list[Any]]) -> tuple[str, dict[str, Signature]]:
    return text, {path: (a, b, c, d) for path, (a, b, c, d) in files}


def _sets(told: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    return {file: frozenset(names) for file, names in told.items()}


def _told(one: Diagnostic) -> list[Any]:
    return [
        one.code,
        one.severity,
        one.message,
        _place(one.place),
        one.help,
        [[note.message, note.place and _place(note.place)] for note in one.notes],
        one.source,
    ]


def _said(told: list[Any]) -> Diagnostic:
    code, severity, message, place, help_, notes, source = told
    placed = tuple(PlacedNote(text, at and Place(*at)) for text, at in notes)
    return Diagnostic(code, severity, message, Place(*place), help_, placed, source)


def _place(place: Place) -> list[Any]:
    return [place.file, place.line, place.column, place.end]
