"""One environment's document: what is laid under and over the items, and what is filled in.

Mappings merge, lists replace, `null` removes. Nothing of the document that is composed is changed: a
mapping is copied when something in it has to be, and places move along with their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlopsc.diagnostics.finding import Finding
from mlopsc.source.document import Document, Laid
from mlopsc.source.suggest import closest

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data
    from mlopsc.source.merging import Merging


class Layers:
    """A document in the making."""

    def __init__(self, document: Document, merging: Merging) -> None:
        self.findings: list[Finding] = []
        self.document = Document(
            dict(document.data),
            dict(document.values),
            dict(document.keys),
            dict(document.raw),
            document.texts,
            dict(document.laid),
            dict(document.filled),
            dict(document.removed),
        )
        self._merging = merging
        self._owned: set[Path] = {()}
        self._left_out: dict[Path, str] = {}

    # --- what is there -----------------------------------------------------------------------

    def get(self, path: Path) -> Data:
        """What stands at `path`; None if nothing does."""
        node: Data = self.document.data
        for step in path:
            if isinstance(node, dict):
                node = node.get(str(step))
            elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                node = node[step]
            else:
                return None
        return node

    def mapping(self, path: Path) -> dict[str, Data]:
        """The mapping at `path`, for changing."""
        made = self._owned_node(path)
        assert isinstance(made, dict)  # noqa: S101 (callers have looked)
        return made

    def _owned_node(self, path: Path) -> Data:
        node: Data = self.document.data
        for length in range(1, len(path) + 1):
            here, step = path[:length], path[length - 1]
            child: Data = node[step]  # type: ignore[index]
            if here not in self._owned:
                child = list(child) if isinstance(child, list) else dict(child)  # type: ignore[arg-type]
                node[step] = child  # type: ignore[index]
                self._owned.add(here)
            node = child
        return node

    # --- changing ----------------------------------------------------------------------------

    def fill(self, path: Path, value: Data, raw: str | None, origins: tuple[Path, ...]) -> None:
        """Put a filled-in value in the place of the string at `path`."""
        parent = self._owned_node(path[:-1])
        parent[path[-1]] = value  # type: ignore[index]
        self.document.filled[path] = origins
        if raw is None:
            self.document.raw.pop(path, None)
        else:
            self.document.raw[path] = raw

    def leave_out(self, path: Path, why: str) -> None:
        """Take away an item that exists elsewhere; `why` is said to who wants to change it here."""
        self._left_out[path] = why
        self.drop(path)

    def drop(self, path: Path) -> None:
        """Take away what stands at `path`."""
        self._forget(path, self.mapping(path[:-1]).pop(str(path[-1])))

    def lay_under(self, item: Path, default: dict[str, Data], origin: Path) -> None:
        """Give a mapping what it does not say: a partial item of `defaults`."""
        there = self.mapping(item)
        for key, value in default.items():
            path: Path = (*item, key)
            if key not in there:
                if not self._merging.is_part(path) and not any(
                    other in there for other in self._merging.others(path)
                ):
                    self._put(path, value, (*origin, key), Laid("default", (*origin, key)))
            elif there[key] is None:
                self._remove(path)
            else:
                self._lay_below(path, value, (*origin, key))

    def _lay_below(self, path: Path, value: Data, origin: Path) -> None:
        """A default below a value that is written: what a mapping or a shorthand leaves unsaid."""
        short = self._merging.shorthand(path)
        if short is not None and _is_scalar(value):
            there = self.get(path)
            if isinstance(there, dict) and short not in there:
                self._put_scalar((*path, short), value, origin, Laid("default", origin))
        elif isinstance(value, dict):
            self._expand(path)
            if isinstance(self.get(path), dict):
                self.lay_under(path, value, origin)

    def lay_over(self, target: Path, over: dict[str, Data], origin: Path) -> None:
        """Change a mapping by an override."""
        there = self.mapping(target)
        item = self._merging.item(target)
        for key, value in over.items():
            path, at = (*target, key), (*origin, key)
            if item is not None and key == self._merging.only:
                self._says_where_it_exists(item, at)
            elif key not in there and (value is None or self._merging.item(path) is not None):
                self._meets_nothing(path, at, there)
            elif value is None:
                self._remove(path, at)
            else:
                # Two members of a group in one override exclude each other: neither wins.
                for other in self._merging.others(path):
                    if other in there and other not in over:
                        self._remove((*target, other), at)
                self._lay(path, value, at)

    def _lay(self, path: Path, value: Data, origin: Path) -> None:
        there = self.mapping(path[:-1])
        key = str(path[-1])
        short = self._merging.shorthand(path)
        if short is not None and _is_scalar(value) and isinstance(there.get(key), dict):
            beneath = self.document.values.get((*path, short))
            self._put_scalar((*path, short), value, origin, Laid("override", origin, beneath))
            return
        if isinstance(value, dict):
            self._expand(path)
            if key not in there:
                self._put(path, {}, origin, Laid("override", origin))
                self._owned.add(path)
            if isinstance(there[key], dict):
                self.lay_over(path, value, origin)
                return
        beneath = self.document.values.get(path) if key in there else None
        self._put(path, value, origin, Laid("override", origin, beneath))

    def _put_scalar(self, path: Path, value: Data, source: Path, laid: Laid) -> None:
        """Put what a shorthand says at the key it stands for; its place is the shorthand's."""
        self._put(path, value, source, laid)
        self.document.keys[path] = self.document.values[source]

    def _expand(self, path: Path) -> None:
        """Write a shorthand out, so that the rest can be laid beside it."""
        there = self.mapping(path[:-1]).get(str(path[-1]))
        key = self._merging.shorthand(path)
        if key is None or not _is_scalar(there):
            return
        self.mapping(path[:-1])[str(path[-1])] = {key: there}
        self._owned.add(path)
        mine = self.document
        mine.values[(*path, key)] = mine.values[path]
        mine.keys[(*path, key)] = mine.values[path]
        tables: tuple[dict[Path, Any], ...] = (mine.raw, mine.laid, mine.filled)
        for table in tables:
            if path in table:
                table[(*path, key)] = table.pop(path)

    def _remove(self, path: Path, origin: Path | None = None) -> None:
        """Take away what stands at `path`, because of what is written at `origin`: itself without."""
        place = self.document.values[path if origin is None else origin]
        self.drop(path)
        self.document.removed[path] = place

    def _says_where_it_exists(self, what: str, at: Path) -> None:
        self.findings.append(
            Finding(
                "Y037",
                f"`{self._merging.only}` says where a {what} exists, and is the same in every"
                " environment",
                at,
                f"write it in the {what} itself",
                on_key=True,
            )
        )

    def _meets_nothing(self, path: Path, at: Path, there: dict[str, Data]) -> None:
        what = self._merging.item(path)
        name = f"{what} '{path[-1]}'" if what else f"`{'.'.join(map(str, path))}`"
        self.findings.append(
            Finding(
                "Y036",
                f"there is no {name} here for this to change",
                at,
                self._left_out.get(path) or _instead(what, str(path[-1]), there),
                on_key=True,
            )
        )

    def _put(self, path: Path, value: Data, source: Path, laid: Laid) -> None:
        parent = self.mapping(path[:-1])
        key = str(path[-1])
        if key in parent:
            self._forget(path, parent[key])
        parent[key] = value
        self.document.removed.pop(path, None)
        self._copy_places(source, path, value)
        self._lay_all(path, value, laid)

    def _lay_all(self, path: Path, value: Data, laid: Laid) -> None:
        self.document.laid[path] = laid
        if isinstance(value, dict):
            for key, child in value.items():
                self._lay_all((*path, key), child, Laid(laid.layer, (*laid.origin, key)))
        elif isinstance(value, list):
            for position, child in enumerate(value):
                self._lay_all((*path, position), child, Laid(laid.layer, (*laid.origin, position)))

    def _copy_places(self, source: Path, target: Path, value: Data) -> None:
        mine = self.document
        if source in mine.keys:
            mine.keys[target] = mine.keys[source]
        mine.values[target] = mine.values[source]
        if source in mine.raw:
            mine.raw[target] = mine.raw[source]
        if isinstance(value, dict):
            for key, child in value.items():
                self._copy_places((*source, key), (*target, key), child)
        elif isinstance(value, list):
            for position, child in enumerate(value):
                self._copy_places((*source, position), (*target, position), child)

    def adopt(self, path: Path, document: Document, value: Data) -> None:
        """Take over an item, with all that is known of it, from another document."""
        for length in range(1, len(path)):
            above = path[:length]
            if not isinstance(self.get(above), dict):  # an override took away all there was
                self.mapping(above[:-1])[str(above[-1])] = {}
                self._owned.add(above)
                self._take_tables(above, document, {})
        self.mapping(path[:-1])[str(path[-1])] = value
        self._take_tables(path, document, value)

    def _take_tables(self, path: Path, document: Document, value: Data) -> None:
        mine = self.document
        tables: tuple[tuple[dict[Path, Any], dict[Path, Any]], ...] = (
            (mine.values, document.values),
            (mine.keys, document.keys),
            (mine.raw, document.raw),
            (mine.laid, document.laid),
            (mine.filled, document.filled),
        )
        mine.removed.pop(path, None)
        for ours, theirs in tables:
            if path in theirs:
                ours[path] = theirs[path]
        if isinstance(value, dict):
            for key, child in value.items():
                self._take_tables((*path, key), document, child)
        elif isinstance(value, list):
            for position, child in enumerate(value):
                self._take_tables((*path, position), document, child)

    def _forget(self, path: Path, value: Data) -> None:
        mine = self.document
        tables: tuple[dict[Path, Any], ...] = (
            mine.values,
            mine.keys,
            mine.raw,
            mine.laid,
            mine.filled,
        )
        for table in tables:
            table.pop(path, None)
        self._owned.discard(path)
        if isinstance(value, dict):
            for key, child in value.items():
                self._forget((*path, key), child)
        elif isinstance(value, list):
            for position, child in enumerate(value):
                self._forget((*path, position), child)


def without(document: Document, names: frozenset[str], merging: Merging) -> Document:
    """The document without what is said of items that are left out.

    An environment's versions and overrides name items of any file, and stand in one.
    """
    environments = document.data.get("environments")
    if not names or not isinstance(environments, dict):
        return document
    layers = Layers(document, merging)
    for name in environments:
        at = ("environments", name, "versions")
        versions = layers.get(at)
        for item in names.intersection(versions if isinstance(versions, dict) else ()):
            layers.drop((*at, item))
        for pattern in merging.items:
            over = ("environments", name, "overrides", *pattern[:-1])
            changed = layers.get(over)
            for item in names.intersection(changed if isinstance(changed, dict) else ()):
                layers.drop((*over, item))
    return layers.document


def _is_scalar(value: Data) -> bool:
    return value is not None and not isinstance(value, (dict, list))


def _instead(what: str | None, name: str, there: dict[str, Data]) -> str:
    """What to do about an override of something that is not there."""
    near = closest(name, there)
    if near is not None:
        return f"did you mean '{near}'?"
    if what is None:
        return "take it out: null removes what is written"
    return f"define the {what} itself, with `only` for the environments that have it"
