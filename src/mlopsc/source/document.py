"""A spec as plain data, with the place in a file of every key and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path, Place

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"


@frozen
class Source:
    """One file's text, by the name people know it by (relative to the spec's folder, with `/`)."""

    name: str
    text: str


@frozen
class Document:
    """Plain data and, for each path in it, the place of its value and of its key.

    Attributes:
        data: mappings, lists and scalars; nothing of YAML is left in it.
        values: path → place of the value. A node merged by `<<` or an alias stands at its anchor.
        keys: path → place of the key (mapping entries only).
        raw: path → the scalar as written, where that differs from its text (`0o17`, `1.10`, `12e5`).
        texts: file name → text, for the lines a diagnostic shows.
    """

    data: dict[str, Data]
    values: dict[Path, Place]
    keys: dict[Path, Place]
    raw: dict[Path, str]
    texts: dict[str, str]

    def has(self, path: Path) -> bool:
        """Whether the user wrote something at this very path."""
        return path in self.values

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """The place of the value (or key) at `path`, or of the nearest key above that exists.

        A block has no place of its own but its first line, so what is missing in it is shown at
        the key it would stand under.
        """
        if on_key and path in self.keys:
            return self.keys[path]
        if path in self.values:
            return self.values[path]
        while path:
            path = path[:-1]
            if path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
        raise KeyError("a document has a place for its top level")
