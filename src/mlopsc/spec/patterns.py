"""Tables of spec paths, and one walk that meets what is written with all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlopsc.diagnostics.finding import Finding, Path
    from mlopsc.source.document import Data

Pattern: TypeAlias = tuple[str, ...]
"""A spec path in which `*` stands for any key or list position."""


class Entry(Protocol):
    """A row of a table: where it applies, and what it finds there."""

    @property
    def path(self) -> Pattern:
        """The nodes it looks at."""
        ...

    def look(self, written: Data, at: Path) -> Iterator[Finding]:
        """What is wrong with the node `written`, which stands at `at`."""
        ...


@dataclass(slots=True)
class Branch:
    """The entries for one node, and those for the nodes below it."""

    entries: list[Entry] = field(default_factory=list)
    below: dict[str, Branch] = field(default_factory=dict)


def grow(entries: Iterable[Entry]) -> Branch:
    """The tree of all entries, by path."""
    root = Branch()
    for entry in entries:
        branch = root
        for step in entry.path:
            branch = branch.below.setdefault(step, Branch())
        branch.entries.append(entry)
    return root


def walk(branch: Branch, written: Data, at: Path = ()) -> Iterator[Finding]:
    """What the entries of a tree find in `written`, outer nodes first."""
    for entry in branch.entries:
        yield from entry.look(written, at)
    if not branch.below:
        return
    if isinstance(written, dict):
        for key, value in written.items():
            for step in (key, "*"):
                if step in branch.below:
                    yield from walk(branch.below[step], value, (*at, key))
    elif isinstance(written, list) and "*" in branch.below:
        for position, item in enumerate(written):
            yield from walk(branch.below["*"], item, (*at, position))


def matches(pattern: Pattern, path: Pattern) -> bool:
    """Whether `path` (itself perhaps with `*`) stands at or below what `pattern` names."""
    return len(path) >= len(pattern) and all(
        want in ("*", step) for want, step in zip(pattern, path, strict=False)
    )
