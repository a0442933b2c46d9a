"""Which file defines what, and which names stand where: how far a change of a file can reach."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlopsc.source.document import Document
    from mlopsc.source.merging import Merging

_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")


@frozen
class Names:
    """The names of a spec of several files.

    Attributes:
        defined: file → the named items that stand in it.
        mentioned: file → names of other files' items that occur in its text, whatever they mean there:
            more than what it refers to, never less.
    """

    defined: Mapping[str, frozenset[str]]
    mentioned: Mapping[str, frozenset[str]]

    def reached(self, changed: Iterable[str], root: str) -> frozenset[str]:
        """The changed files, and those in which something of theirs is named, and so on.

        The first file, `root`, is part of every compile and is never reached.
        """
        found = set(changed) - {root}
        names = {name for file in found for name in self.defined[file]}
        while True:
            more = {
                file
                for file, mentioned in self.mentioned.items()
                if file != root and file not in found and not mentioned.isdisjoint(names)
            }
            if not more:
                return frozenset(found)
            found |= more
            names.update(name for file in more for name in self.defined[file])

    def needed(self, files: Iterable[str], root: str) -> frozenset[str]:
        """The files, and those that define what is named in them, and so on."""
        owners: dict[str, set[str]] = {}
        for file, names in self.defined.items():
            for name in names:
                owners.setdefault(name, set()).add(file)
        found: set[str] = set()
        waiting = set(files)
        while waiting:
            file = waiting.pop()
            found.add(file)
            for name in self.mentioned[file]:
                waiting |= owners[name] - found - {root}
        return frozenset(found)


def names_of(document: Document, merging: Merging) -> Names:
    """The names of a gathered document."""
    defined: dict[str, set[str]] = {file: set() for file in document.texts}
    for path, place in document.keys.items():
        if merging.item(path) is not None:
            defined[place.file].add(str(path[-1]))
    everything = {name for names in defined.values() for name in names}
    mentioned = {
        file: frozenset(everything.intersection(_WORD.findall(text)) - defined[file])
        for file, text in document.texts.items()
    }
    return Names({file: frozenset(names) for file, names in defined.items()}, mentioned)
