"""From what was written to what holds in each environment; every value keeps its place.

The order: defaults are laid under the items, overrides of the environment over them, and what is `${…}`
is filled in. `only` takes items out before, so nothing is laid on what is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlopsc.diagnostics.finding import Finding, Note, Rejected
from mlopsc.diagnostics.paths import as_written, environment_of, root_of
from mlopsc.frozen import frozen
from mlopsc.source.interpolation import (
    ENVIRONMENT,
    OPENS,
    Scope,
    Unfilled,
    mentioned,
    variables_in,
)
from mlopsc.source.layers import Layers, without
from mlopsc.source.limits import MAX_ALL_FILLED, MAX_COMPOSED, MAX_NODES
from mlopsc.source.refusals import kind_of
from mlopsc.source.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mlopsc.diagnostics.finding import Path, Place
    from mlopsc.source.document import Data, Document
    from mlopsc.source.merging import Merging, Pattern

T = TypeVar("T")
U = TypeVar("U")

IMPLIED_ENVIRONMENT = "production"
"""The environment of a spec that names none, so that paths do not move when it names one."""


@frozen
class Composed(Generic[T]):
    """A value as all environments share it, and as it is in each, in order of promotion.

    What is shared is what the last environment has, and the items that only others have: files all
    environments share are made of it, and where environments may differ such files hold nothing.
    An environment in which nothing differs holds the very same object.
    """

    base: T
    environments: dict[str, T]

    def map(self, step: Callable[[T], U]) -> Composed[U]:
        """The same through `step`, which sees each distinct value once."""
        return self.map_rooted(lambda value, _root: step(value))

    def map_rooted(self, step: Callable[[T, Path], U]) -> Composed[U]:
        """The same through `step`, which is also given what paths in the value begin with.

        Raises:
            Rejected: with what `step` rejected in any of them.
        """
        findings: list[Finding] = []
        seen: dict[int, U | None] = {}

        def once(value: T, root: Path) -> U | None:
            if id(value) not in seen:
                try:
                    seen[id(value)] = step(value, root)
                except Rejected as rejected:
                    seen[id(value)] = None
                    findings.extend(_moved(finding, root) for finding in rejected.findings)
            return seen[id(value)]

        base: Any = once(self.base, ())
        environments: Any = {
            name: once(value, root_of(name)) for name, value in self.environments.items()
        }
        if findings:
            raise Rejected(tuple(findings))
        return Composed(base, environments)


@frozen
class Composition(Composed["Document"]):
    """Composed documents, which know the place of every path, in whichever environment it is.

    Attributes:
        unused: N012 for each variable that nothing is filled in from. A mistake of a whole spec, and
            not worth a word before everything else is right.
    """

    unused: tuple[Finding, ...] = ()

    @property
    def data(self) -> dict[str, Data]:
        """What all environments share."""
        return self.base.data

    @property
    def texts(self) -> dict[str, str]:
        """File name → text."""
        return self.base.texts

    def document(self, path: Path) -> Document:
        """The document that a path is looked up in."""
        name = environment_of(path)
        return self.base if name is None else self.environments[name]

    def has(self, path: Path) -> bool:
        """Whether the user wrote something at this very path."""
        return self.document(path).has(as_written(path))

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """The place of a path or of the nearest node above it; see `Document.place`."""
        return self.document(path).place(as_written(path), on_key=on_key)

    def notes(self, path: Path) -> Iterator[Note]:
        """How the value at a path came to be; see `Document.notes`."""
        return self.document(path).notes(as_written(path))


def compose(
    document: Document, merging: Merging, left_out: frozenset[str] = frozenset()
) -> Composition:
    """What `document` says in each environment, of all but the names that are left out.

    Raises:
        Rejected: `Y033` to `Y037`: something to fill in that is nothing, an override or `only` that
            meets nothing.
    """
    document = without(document, left_out, merging)
    written = document.data.get("environments")
    names = list(written) if isinstance(written, dict) and written else [IMPLIED_ENVIRONMENT]
    if not _has_layers(document, merging):
        return Composition(document, dict.fromkeys(names, document))
    composing = _Composing(document, merging, names)
    environments = composing.environments()
    if composing.findings:
        raise Rejected(tuple(dict.fromkeys(composing.findings)))
    base = composing.shared(environments)
    return Composition(base, environments, tuple(composing.unused()))


def _has_layers(document: Document, merging: Merging) -> bool:
    """Whether anything is to be composed at all: a first spec has nothing of it."""
    data = document.data
    environments = data.get("environments")
    return (
        bool(data.get("defaults"))
        or bool(data.get("variables"))
        or _may_fill(document)
        or any(path[-1] == merging.only for path in document.keys)
        or (
            isinstance(environments, dict)
            and any(
                isinstance(one, dict) and (one.get("overrides") or one.get("variables"))
                for one in environments.values()
            )
        )
    )


def _may_fill(document: Document) -> bool:
    """Whether a text holds `${`, or an escape that may stand for it."""
    return any(OPENS in text or "\\" in text for text in document.texts.values())


class _Composing:
    """One run of `compose`."""

    def __init__(self, document: Document, merging: Merging, names: list[str]) -> None:
        self.findings: list[Finding] = []
        self._merging = merging
        self._names = names
        self._document = document
        layers = Layers(document, merging)
        self._lay_defaults(layers)
        self._document = layers.document
        self._own = {name: self._of(name) for name in names}
        self._scopes: dict[str, Scope] = {}
        self._project = self._name_of_project()
        self._room = MAX_ALL_FILLED

    def _of(self, environment: str) -> dict[str, Any]:
        written: Any = self._document.data.get("environments")
        own = written.get(environment) if isinstance(written, dict) else None
        return own if isinstance(own, dict) else {}

    def environments(self) -> dict[str, Document]:
        """Each environment's document; those nothing tells apart share one."""
        if not self._differ():
            last = self._compose(self._names[-1])
            return dict.fromkeys(self._names, last)
        made: dict[str, Document] = {}
        last = before = self._compose(self._names[-1])
        values = 0
        for name in self._names[:-1]:
            document = self._compose(name)
            alike = next((one for one in (before, last) if _is_alike(one, document)), document)
            made[name] = before = alike
            values += len(document.values)
            if values > MAX_COMPOSED:
                self._too_many(self._document, ("environments",))
                break
        return made | {self._names[-1]: last}

    def _too_many(self, document: Document, at: Path) -> None:
        limit = MAX_COMPOSED if at == ("environments",) else MAX_NODES
        finding = Finding(
            "Y025",
            f"the spec grows beyond {limit:,} values here",
            at,
            "a default is laid under every item, and each environment that differs holds all of them",
            on_key=True,
        )
        self.findings.append(_placed(finding, document))

    def _differ(self) -> bool:
        if len(self._names) == 1:
            return False
        if any(own.get("overrides") or own.get("variables") for own in self._own.values()):
            return True
        return any(path[-1] == self._merging.only for path in self._document.keys) or (
            _may_fill(self._document) and _mentions(self._document.data, ENVIRONMENT)
        )

    def shared(self, environments: dict[str, Document]) -> Document:
        """The last environment's document, with the items that only others have."""
        last = environments[self._names[-1]]
        missing: dict[Path, Document] = {}
        for name in self._names[:-1]:
            document = environments[name]
            if document is not last:
                for path, _ in self._items(document.data):
                    if path not in last.keys:
                        missing[path] = document  # the nearest to the last has the last word
        if not missing:
            return last
        layers = Layers(last, self._merging)
        for path, document in missing.items():
            item: Data = document.data
            for step in path:
                item = item[step]  # type: ignore[index]
            layers.adopt(path, document, item)
        return layers.document

    def _compose(self, environment: str) -> Document:
        layers = Layers(self._document, self._merging)
        self._take_out(layers, environment)
        self._lay_overrides(layers, environment)
        self._fill(layers, environment)
        self.findings += layers.findings
        return layers.document

    # --- only --------------------------------------------------------------------------------

    def _take_out(self, layers: Layers, environment: str) -> None:
        for path, item in list(self._items(layers.document.data)):
            if not isinstance(item, dict) or self._merging.only not in item:
                continue
            wanted = item[self._merging.only]
            at: Path = (*path, self._merging.only)
            if not isinstance(wanted, list) or any(not isinstance(name, str) for name in wanted):
                continue  # parse says what it has to be
            unknown = [n for n, name in enumerate(wanted) if name not in self._names]
            for position in unknown:
                self._no_environment(str(wanted[position]), (*at, position))
            if not wanted:
                self._in_none(path, at)
            elif environment not in wanted and not unknown:
                listed = ", ".join(map(str, wanted))
                what = self._merging.item(path)
                layers.leave_out(path, f"the {what} is `only` in {listed}")

    def _no_environment(self, name: str, at: Path) -> None:
        near = closest(name, self._names)
        self._refuse(
            "Y036",
            f"there is no environment '{name}'",
            at,
            f"did you mean '{near}'?" if near else f"there are: {', '.join(self._names)}",
        )

    def _in_none(self, path: Path, at: Path) -> None:
        what = self._merging.item(path)
        self._refuse(
            "Y036",
            f"{what} '{path[-1]}' is in no environment",
            at,
            f"name one of: {', '.join(self._names)}; without `{self._merging.only}` it is in all",
        )

    def _refuse(
        self, code: str, message: str, at: Path, help_: str, *, on_key: bool = False
    ) -> None:
        """A finding at its place, so that what several environments say is said once."""
        finding = Finding(code, message, at, help_, on_key=on_key)
        self.findings.append(_placed(finding, self._document))

    def _items(self, data: Data) -> Iterator[tuple[Path, Data]]:
        """Every named item that stands in `data`, with its path."""
        for pattern in self._merging.items:
            yield from _matching(data, pattern)

    # --- defaults and overrides --------------------------------------------------------------

    def _lay_defaults(self, layers: Layers) -> None:
        defaults = layers.document.data.get("defaults")
        if not isinstance(defaults, dict):
            return
        for chapter, default in defaults.items():
            items = layers.document.data.get(chapter)
            if not isinstance(items, dict) or not isinstance(default, dict):
                continue
            for name, item in list(items.items()):
                if isinstance(item, dict):
                    layers.lay_under((chapter, name), default, ("defaults", chapter))
                    if len(layers.document.values) > MAX_NODES:
                        self._too_many(layers.document, ("defaults", chapter))
                        return

    def _lay_overrides(self, layers: Layers, environment: str) -> None:
        overrides = self._own[environment].get("overrides")
        if not isinstance(overrides, dict):
            return
        origin: Path = ("environments", environment, "overrides")
        for key in overrides:
            if key in self._merging.control:
                also = ": an environment has `variables` of its own" if key == "variables" else ""
                self._refuse(
                    "Y037",
                    f"`{key}` is the same in every environment",
                    (*origin, key),
                    f"take it out{also}",
                    on_key=True,
                )
        over = {k: v for k, v in overrides.items() if k not in self._merging.control}
        layers.lay_over((), over, origin)

    # --- ${…} --------------------------------------------------------------------------------

    def _name_of_project(self) -> str:
        written = self._document.data.get("project")
        if isinstance(written, str) and OPENS not in written:
            return written
        if isinstance(written, str):
            self._refuse(
                "Y035",
                "nothing is filled in here: the project's name is part of names everywhere",
                ("project",),
                "write the name out",
            )
        return "project"  # whatever it is, parse or the finding above says what is wrong

    def _fill(self, layers: Layers, environment: str) -> None:
        written = self._document.data.get("variables")
        strings = list(_interpolated(layers.document.data, self._merging))
        if strings and written is not None and not isinstance(written, dict):
            self._refuse(
                "S002",
                f"`variables` must be a mapping, not {kind_of(written)}",
                ("variables",),
                "write `variables: {NAME: VALUE}`",
            )
            return
        for path, text in strings:
            # What is said of an environment is filled in as it is there, whoever looks at it.
            where = environment
            if path[0] == "environments" and len(path) > 1 and path[1] in self._own:
                where = str(path[1])
            model = str(path[1]) if path[0] == "models" and len(path) > 1 else None
            try:
                value, raw, origins = self._scope(where).fill(text, path, model)
            except Unfilled:
                continue
            self._room -= len(value) if isinstance(value, str) else 0
            if self._room < 0:
                self._refuse(
                    "Y025",
                    f"what is filled in has more than {MAX_ALL_FILLED:,} characters together",
                    path,
                    "use shorter variables, or fewer of them",
                )
                return
            layers.fill(path, value, raw, origins)
        for scope in self._scopes.values():
            self.findings += (_placed(finding, layers.document) for finding in scope.findings)
            scope.findings.clear()

    def _scope(self, environment: str) -> Scope:
        scope = self._scopes.get(environment)
        if scope is None:
            elsewhere = {
                name: other
                for other in self._names
                if other != environment
                for name in _mapping(self._own[other].get("variables"))
            }
            scope = self._scopes[environment] = Scope(
                environment, self._project, self._variables(environment), elsewhere
            )
        return scope

    def _variables(self, environment: str) -> Mapping[str, tuple[Data, str | None, Path]]:
        found: dict[str, tuple[Data, str | None, Path]] = {}
        own: Path = ("environments", environment, "variables")
        for origin, written in (
            (("variables",), self._document.data.get("variables")),
            (own, self._own[environment].get("variables")),
        ):
            for name, value in _mapping(written).items():
                at: Path = (*origin, name)
                found[name] = (value, self._document.raw.get(at), at)
        return found

    def unused(self) -> Iterator[Finding]:
        """N012 for each variable that nothing is filled in from."""
        used = {name: self._used(name) for name in self._names}
        everywhere: set[str] = set().union(*used.values())
        for variable in _mapping(self._document.data.get("variables")):
            if variable not in everywhere:
                yield self._unused(f"variable '{variable}'", ("variables", variable))
        for name in self._names:
            for variable in _mapping(self._own[name].get("variables")):
                if variable not in used[name]:
                    yield self._unused(
                        f"variable '{variable}' of environment '{name}'",
                        ("environments", name, "variables", variable),
                    )

    def _used(self, environment: str) -> set[str]:
        """The variables asked for there, by what others ask for too."""
        same = self._names if not self._differ() else (environment,)
        used: set[str] = set()
        for name in same:
            if name in self._scopes:
                used |= self._scopes[name].used
        for value, _, _ in self._variables(environment).values():
            if isinstance(value, str):
                used.update(variables_in(value))
        return used

    def _unused(self, what: str, at: Path) -> Finding:
        place = self._document.place(at, on_key=True)
        return Finding("N012", f"{what} is used by nobody", place, "use it, or take it out")


_NOT_FILLED: tuple[Pattern, ...] = (
    ("project",),
    ("variables",),
    ("defaults",),
    ("include",),
    ("environments", "*", "variables"),
    ("environments", "*", "overrides"),
)
"""What says what is filled in, or is laid elsewhere first."""

_Skipped = dict[str, "_Skipped"]
"""Paths as a tree; an empty branch is one of them."""


def _interpolated(data: Data, merging: Merging) -> Iterator[tuple[Path, str]]:
    """The strings with something to fill in, but for those that say what is filled in."""
    skipped: _Skipped = {}
    for pattern in (*_NOT_FILLED, *merging.verbatim):
        branch = skipped
        for step in pattern:
            branch = branch.setdefault(step, {})
    return _strings(data, (), skipped)


def _strings(data: Data, at: Path, skipped: _Skipped | None) -> Iterator[tuple[Path, str]]:
    children: Iterable[tuple[str | int, Data]] = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, child in children:
        below = None if skipped is None else skipped.get(str(key), skipped.get("*"))
        if below == {}:
            continue
        if isinstance(child, str):
            if OPENS in child and not _is_free(key):
                yield (*at, key), child
        elif isinstance(child, (dict, list)) and not _is_free(key):
            yield from _strings(child, (*at, key), below)


def _is_free(key: str | int) -> bool:
    return isinstance(key, str) and key.startswith("x-")


def _matching(data: Data, pattern: Pattern, at: Path = ()) -> Iterator[tuple[Path, Data]]:
    if not pattern:
        yield at, data
    elif isinstance(data, dict):
        first, *rest = pattern
        for key in data if first == "*" else (first,) if first in data else ():
            yield from _matching(data[key], tuple(rest), (*at, key))


def _is_alike(one: Document, other: Document) -> bool:
    """Whether two documents say the same at the same places."""
    return one.data == other.data and one.values == other.values and one.raw == other.raw


def _mapping(data: Data) -> dict[str, Data]:
    return data if isinstance(data, dict) else {}


def _mentions(data: Data, word: str) -> bool:
    """Whether `${word}` stands in any text, at any depth."""
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if OPENS in one and word in mentioned(one):
                return True
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False


def _placed(finding: Finding, document: Document) -> Finding:
    """The finding at its place, with how what stands there came to be."""
    at: Any = finding.at
    return Finding(
        finding.code,
        finding.message,
        document.place(at, on_key=finding.on_key),
        finding.help,
        (*finding.notes, *document.notes(at)),
    )


def _moved(finding: Finding, root: Path) -> Finding:
    """A finding in an environment's value, with its paths looked up there."""
    if not root:
        return finding

    def moved(at: Path | Place | None) -> Path | Place | None:
        return (*root, *at) if isinstance(at, tuple) and environment_of(at) is None else at

    at: Any = moved(finding.at)
    return Finding(
        finding.code,
        finding.message,
        at,
        finding.help,
        tuple(Note(note.message, moved(note.at), note.on_key) for note in finding.notes),
        finding.severity,
        finding.on_key,
    )
