"""A spec as plain data, with the place in a file of every key and value."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from mlopsc.diagnostics.finding import Note
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path, Place

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"

Layer = Literal["default", "override"]
"""What a value came by that does not stand where its path says: under it, or over it."""


@frozen
class Source:
    """One file's text, by the name people know it by (relative to the spec's folder, with `/`)."""

    name: str
    text: str


@frozen
class Laid:
    """How a value got to its path.

    Attributes:
        layer: `default`: laid under the item, by `defaults`; `override`: laid over it.
        origin: the path it is written at, below `defaults` or `environments.NAME.overrides`.
        beneath: the place of the value it stands in front of; None: there was none.
    """

    layer: Layer
    origin: Path
    beneath: Place | None = None


@frozen
class Document:
    """Plain data and, for each path in it, the place of its value and of its key.

    Attributes:
        data: mappings, lists and scalars; nothing of YAML is left in it.
        values: path → place of the value. A node merged by `<<` or an alias stands at its anchor.
        keys: path → place of the key (mapping entries only).
        raw: path → the scalar as written, where that differs from its text (`0o17`, `1.10`, `12e5`).
        texts: file name → text, for the lines a diagnostic shows.
        laid: path → how it got there, for values from `defaults` and `overrides`, all below included.
        filled: path → the paths of what was filled into its `${…}`, variables of variables included.
        removed: path → place of the `null` that took away what stood there.
    """

    data: dict[str, Data]
    values: dict[Path, Place]
    keys: dict[Path, Place]
    raw: dict[Path, str]
    texts: dict[str, str]
    laid: dict[Path, Laid] = field(default_factory=dict)
    filled: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    removed: dict[Path, Place] = field(default_factory=dict)

    def has(self, path: Path) -> bool:
        """Whether the user wrote something at this very path."""
        return path in self.values

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """The place of the value (or key) at `path`, or of the nearest key above that exists.

        A block has no place of its own but its first line, so what is missing in it is shown at
        the key it would stand under; what was taken away, at the `null` that did.
        """
        if on_key and path in self.keys:
            return self.keys[path]
        if path in self.values:
            return self.values[path]
        if path in self.removed:
            return self.removed[path]
        while path:
            path = path[:-1]
            if path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
        raise KeyError("a document has a place for its top level")

    def file_of(self, path: Path) -> str:
        """The file that holds what is written at `path`, or the mapping it would be added to.

        What a default or an override laid there does not count: it is written elsewhere.
        """
        for length in range(len(path), 0, -1):
            here = path[:length]
            if here in self.keys and here not in self.laid:
                return self.keys[here].file
        return self.values[()].file

    def notes(self, path: Path) -> Iterator[Note]:
        """How the value at `path` came to be what it is, where that is not what its line says."""
        laid = self.laid.get(path)
        if laid is not None and laid.layer == "override":
            yield Note(f"this is an override of environment '{laid.origin[1]}'")
            if laid.beneath is not None:
                yield Note("it overrides what stands", laid.beneath)
        elif laid is not None:
            yield Note(f"this is a default, laid under every item of `{laid.origin[1]}`")
        for origin in self.filled.get(path, ()):
            if "variables" in origin:
                yield Note(f"`${{var.{origin[-1]}}}` is filled in from", self.place(origin))
