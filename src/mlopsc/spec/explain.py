"""Why pydantic refused a spec, in the user's words and at the user's places.

Imported only when something is wrong: it loads the models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from mlopsc.diagnostics.finding import Finding
from mlopsc.source.suggest import closest
from mlopsc.spec import codes
from mlopsc.spec.foreign import KEYS, WORDS
from mlopsc.spec.groups import MISPLACED, listed
from mlopsc.spec.patterns import matches
from mlopsc.spec.root import Spec
from mlopsc.spec.shape import Shape, shape_of
from mlopsc.spec.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data, Document

ROOT: Final = shape_of(Spec)

_ITEMS: Final = {
    "secrets": "secret",
    "environments": "environment",
    "images": "image",
    "sources": "source",
    "features": "view",
    "models": "model",
    "endpoints": "endpoint",
    "channels": "channel",
    "rules": "rule",
    "columns": "column",
    "targets": "target",
    "templates": "template",
}
"""What an item of a map is called, by the map's key."""

_LONGEST: Final = 60
_MOST_KEYS: Final = 30
_VERY_CLOSE: Final = 0.8  # so alike that it is the same word, of another chapter


def validate(written: Data, document: Document) -> Verdict:
    """The spec, by the models themselves; or what is wrong with it."""
    try:
        return Verdict(Spec.model_validate(written))
    except ValidationError as refusal:
        errors = refusal.errors(include_url=False)
    mistakes = _Mistakes(written, document)
    for error in errors:
        mistakes.add(error)
    return Verdict(None, tuple(mistakes.findings()), frozenset(mistakes.meant))


@dataclass(slots=True)
class _Place:
    """Where an error stands: the node, its shape, and whether it is about the key."""

    path: Path
    shape: Shape | None
    value: Any
    key: bool = False
    choice: bool = False


@dataclass(slots=True)
class _Mistakes:
    """All errors of one validation, gathered by the node they are about."""

    written: Data
    document: Document
    about: dict[Path, Finding] = field(default_factory=dict)
    missing: dict[Path, list[str]] = field(default_factory=dict)
    meant: set[Path] = field(default_factory=set)

    def add(self, error: Mapping[str, Any]) -> None:
        """Take in one of pydantic's errors."""
        kind, loc = error["type"], error["loc"]
        if kind == "missing":
            place = _locate(self.written, kind, loc[:-1])
            if place is not None and not place.choice:
                self.missing.setdefault(place.path, []).append(loc[-1])
            return
        place = _locate(self.written, kind, loc)
        if place is None or place.path in self.about:
            return
        finding = self._finding(kind, place, error.get("ctx", {}))
        if finding is not None:
            self.about[place.path] = finding

    def findings(self) -> Iterator[Finding]:
        """One a node, without what another one causes."""
        for path, finding in self.about.items():
            if finding.code == codes.OUT_OF_RANGE and self._beneath(path):
                continue  # items that are wrong were not counted
            yield finding
        for path, keys in self.missing.items():
            absent = [key for key in keys if (*path, key) not in self.meant]
            if absent:
                yield _missing(path, absent)

    def _beneath(self, path: Path) -> bool:
        return any(len(p) > len(path) and p[: len(path)] == path for p in self.about)

    def _finding(self, kind: str, place: _Place, details: Mapping[str, Any]) -> Finding | None:
        path, shape = place.path, place.shape
        if kind == "extra_forbidden":
            return self._unknown_key(path)
        if shape is None:
            return None
        if place.key:
            return self._bad_key(path, shape, str(path[-1]))
        return self._bad_value(kind, place, shape, details)

    def _bad_value(
        self, kind: str, place: _Place, shape: Shape, details: Mapping[str, Any]
    ) -> Finding:
        path, value = place.path, place.value
        if place.choice:
            kind = _kind_of_choice(shape, value)
        if kind == "literal_error" and isinstance(value, str):
            return _unknown_word(path, shape, value)
        if kind in ("too_short", "too_long"):
            return _wrong_length(path, kind, details)
        if kind in _FORMAT:
            code, wanted, advice = codes.WRONG_FORMAT, shape.phrase, _respelled(shape, value)
        elif kind in _RANGE:
            code, wanted = codes.OUT_OF_RANGE, _within(shape, details)
            advice = _as_percentage(shape, value)
        else:
            code, wanted = codes.WRONG_TYPE, shape.phrase
            advice = self._right_type(path, shape, value)
        message = f"{_label(path)} must be {wanted}, not {self._found(path, value)}"
        return Finding(code, message, path, help=advice)

    # --- keys

    def _unknown_key(self, path: Path) -> Finding:
        owner, key = path[:-1], str(path[-1])
        shape = _shape_at(owner)
        known = _welcome(owner, shape.keys if shape else {})
        advice, meant = _advice(owner, key, known)
        if meant is not None:
            self.meant.add((*owner, meant))
        return Finding(
            codes.UNKNOWN_KEY,
            f"unknown key '{_short(key)}' in {_spoken(owner)}",
            path,
            help=advice,
            on_key=True,
        )

    def _bad_key(self, path: Path, shape: Shape, key: str) -> Finding:
        wanted = shape.key
        if wanted is not None and wanted.kind == "word":
            near = _near_word(key, wanted.words)
            return Finding(
                codes.UNKNOWN_KEY,
                f"unknown key '{_short(key)}' in {_spoken(path[:-1])}",
                path,
                help=(f"did you mean '{near}'? " if near else "")
                + f"the choices are {listed(wanted.words, 'and')}",
                on_key=True,
            )
        phrase = wanted.phrase if wanted else "a name"
        return Finding(
            codes.WRONG_FORMAT,
            f"the key '{_short(key)}' must be {phrase}",
            path,
            help=_respelled_name(key) if wanted and wanted.phrase.startswith("a name") else None,
            on_key=True,
        )

    # --- values

    def _found(self, path: Path, value: Any) -> str:
        if isinstance(value, str):
            return f"'{_short(value)}'" if value else "an empty text"
        if isinstance(value, bool):
            return f"`{self._raw(path, value)}`"
        if isinstance(value, int | float):
            return f"the number {self._raw(path, value)}"
        return {type(None): "nothing", list: "a list"}.get(type(value), "a mapping")

    def _raw(self, path: Path, value: Any) -> str:
        plain = str(value).lower() if isinstance(value, bool) else str(value)
        return _short(self.document.raw.get(path, plain))

    def _right_type(self, path: Path, shape: Shape, value: Any) -> str | None:
        options = shape.options or (shape,)
        if value is None:
            return _filled(path, options)
        kinds: set[str] = {option.kind for option in options}
        if type(value) is int and value > 0 and any("duration" in o.phrase for o in options):
            return f"write its unit: {value}s, {value}m, {value}h or {value}d"
        if isinstance(value, bool | int | float | str):
            advice = _respelled_scalar(value, self._raw(path, value), kinds)
            if advice is not None:
                return advice
        keys = next((tuple(_welcome(path, option.keys)) for option in options if option.keys), ())
        return f"its keys are {listed(keys, 'and')}" if 0 < len(keys) <= _MOST_KEYS else None


# --- where an error stands -----------------------------------------------------------------------


def _locate(written: Data, kind: str, loc: tuple[str | int, ...]) -> _Place | None:
    """The node of an error; None if it is of a branch of a choice that nobody meant.

    pydantic's `loc` holds the branch of a union as a step of its own. For a mapping the branch with
    keys is the one meant; for anything else the choice is explained as a whole.
    """
    place = _Place((), ROOT, written)
    for position, step in enumerate(loc, 1):
        shape = place.shape
        if shape is None:
            return None
        if step == "[key]" and position == len(loc) and kind in _OF_KEYS and _is_item(place.path):
            return _Place(place.path, _shape_at(place.path[:-1]), None, key=True)
        if shape.kind == "choice":
            branch = next((o for o in shape.options if o.kind == "chapter"), None)
            if branch is None or not isinstance(place.value, dict):
                return _Place(place.path, shape, place.value, choice=True)
            if branch.chapter is None or step != branch.chapter.__name__:
                return None
            place = _Place(place.path, branch, place.value)
        else:
            place = _Place((*place.path, step), shape.below(step), _entry(place.value, step))
    return place


def _entry(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(step))
    return value[step] if isinstance(value, list) and isinstance(step, int) else None


def _shape_at(path: Iterable[str | int]) -> Shape | None:
    shape: Shape | None = ROOT
    for step in path:
        shape = shape.below(step) if shape is not None else None
    if shape is not None and shape.kind == "choice":
        return next((o for o in shape.options if o.kind == "chapter"), shape)
    return shape


# --- what is wrong with it -----------------------------------------------------------------------

_FORMAT: Final = {"string_pattern_mismatch", "string_too_short", "string_too_long"}
_OF_KEYS: Final = {*_FORMAT, "literal_error"}
_RANGE: Final = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "finite_number",
}
_TRUTH: Final = {"yes": "true", "on": "true", "true": "true"} | {
    "no": "false",
    "off": "false",
    "false": "false",
}


def _kind_of_choice(shape: Shape, value: Any) -> str:
    """What is wrong with a value that fits no branch, seen from the branch it is of the type of."""
    kinds = {option.kind for option in shape.options}
    if isinstance(value, str) and "text" in kinds:
        return "string_pattern_mismatch"
    if isinstance(value, str) and "word" in kinds:
        return "literal_error"
    if isinstance(value, int | float) and not isinstance(value, bool) and kinds & {"int", "float"}:
        return "greater_than"
    return "wrong_type"


def _unknown_word(path: Path, shape: Shape, value: str) -> Finding:
    words = next((o.words for o in (shape, *shape.options) if o.words), ())
    near = _near_word(value, words)
    return Finding(
        codes.UNKNOWN_WORD,
        f"{_label(path)} knows no '{_short(value)}'",
        path,
        help=(f"did you mean '{near}'? " if near else "")
        + f"the choices are {listed(words, 'and')}",
    )


def _near_word(word: str, words: Iterable[str]) -> str | None:
    known = list(words)
    meant = WORDS.get(word.lower(), ())
    return next((w for w in meant if w in known), None) or closest(word, known)


def _wrong_length(path: Path, kind: str, details: Mapping[str, Any]) -> Finding:
    least, number = (
        ("at least", details["min_length"])
        if kind == "too_short"
        else ("at most", details["max_length"])
    )
    entries = "one entry" if number == 1 else f"{number} entries"
    return Finding(codes.OUT_OF_RANGE, f"{_label(path)} must have {least} {entries}", path)


def _within(shape: Shape, details: Mapping[str, Any]) -> str:
    """The phrase of a number, with its bounds where the phrase does not say them."""
    if shape.kind not in ("int", "float") or any(digit in shape.phrase for digit in "0123456789"):
        return shape.phrase
    words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    bounds = [f"{words[key]} {value:g}" for key, value in details.items() if key in words]
    return f"{shape.phrase} {' and '.join(bounds)}" if bounds else f"{shape.phrase} with an end"


def _as_percentage(shape: Shape, value: Any) -> str | None:
    """`30` where a share is asked for is most likely 30 %."""
    asks = shape.kind == "choice" and "percentage" in shape.phrase
    if not asks or not isinstance(value, int | float) or not 1 < value <= 100:  # noqa: PLR2004
        return None
    return f"write {value:g}% or {value / 100:g}"


def _filled(path: Path, options: tuple[Shape, ...]) -> str:
    """What to write where there is nothing."""
    key = path[-1] if path and isinstance(path[-1], str) else None
    if any(option.kind == "chapter" and not _required(option) for option in options) and key:
        return f"write `{key}: {{}}` for its defaults, or take the line out"
    if any(option.kind in ("chapter", "map") for option in options):
        return "write its keys below it, further in"
    return "give it a value, or take the line out"


def _required(shape: Shape) -> bool:
    fields = shape.chapter.model_fields.values() if shape.chapter else ()
    return any(f.is_required() for f in fields)


def _respelled_scalar(value: bool | float | str, raw: str, kinds: set[str]) -> str | None:
    """How the same value would be written as one of `kinds`."""
    if "text" in kinds and not isinstance(value, str):
        return f'quote it: "{raw}"'
    if kinds & {"int", "float"} and isinstance(value, str) and _is_number(value):
        return f"take the quotes away: {value}"
    if "bool" in kinds and isinstance(value, str) and value.lower() in _TRUTH:
        return f"write {_TRUTH[value.lower()]}"
    return f"write a list: [{_short(str(value))}]" if "list" in kinds else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _respelled(shape: Shape, value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    if value != value.strip():
        return "take away the spaces around it"
    return _respelled_name(value) if shape.phrase.startswith("a name") else None


def _respelled_name(text: str) -> str | None:
    """A name as the language spells it: `Churn-Model` → `churn_model`."""
    spelled = "".join(c if c.isascii() and c.isalnum() else "_" for c in text.strip().lower())
    spelled = spelled.strip("_")[:40].rstrip("_")
    if not spelled or not spelled[0].isalpha() or spelled == text:
        return None
    return f"write '{spelled}'"


def _missing(path: Path, keys: list[str]) -> Finding:
    if path == () and "apiVersion" in keys:
        others = [key for key in keys if key != "apiVersion"]
        also = f", and {listed(tuple(others), 'and')} is missing" if others else ""
        return Finding(
            codes.WRONG_VERSION,
            f"the spec does not say which version of the language it is written in{also}",
            path,
            help="begin with `apiVersion: mlopsc/v1`"
            + (f", and add {listed(tuple(others), 'and')}" if others else ""),
        )
    named = listed(tuple(keys), "and")
    return Finding(
        codes.MISSING_KEY,
        f"{_spoken(path)} needs {named}",
        path,
        help=f"add {named}",
        on_key=True,
    )


# --- what an unknown key may have meant ---------------------------------------------------------


def _welcome(owner: Path, keys: Mapping[str, Shape]) -> dict[str, Shape]:
    """The keys of a chapter that mean something at this place."""
    spots = [str(step) for step in owner]
    return {
        key: shape
        for key, shape in keys.items()
        if not any(matches(row.path, (*spots, key)) for row in MISPLACED)
    }


def _advice(owner: Path, key: str, known: Mapping[str, Shape]) -> tuple[str | None, str | None]:
    """What to write instead of an unknown key; and the key beside it that was meant, if so."""
    if key == "name" and _is_item(owner):
        return f"take it out: the name is '{_short(str(owner[-1]))}', the key above", None
    if key == "enabled":
        return "take it out: what is written is asked for, what is not is not", None
    foreign = KEYS.get(key.lower(), ())
    meant = next((word for word in foreign if word in known), None)
    elsewhere = _elsewhere(owner, key, known)
    if meant is None and elsewhere is None:
        meant = closest(key, known)
    if meant is not None:
        return f"did you mean '{meant}'?", meant
    near: list[str] = []
    if key not in _all_keys(
        ROOT
    ):  # a key of the language is not another one misspelt: `target`, `targets`
        near = get_close_matches(key, dict.fromkeys(_nearby(owner, known)), n=1, cutoff=_VERY_CLOSE)
    spots = (_elsewhere(owner, word, known) for word in (*foreign, *near))
    advice = elsewhere or next((spot for spot in spots if spot is not None), None)
    if advice is not None:
        return advice, None
    names = tuple(known)
    return (f"its keys are {listed(names, 'and')}" if len(names) <= _MOST_KEYS else None), None


def _elsewhere(owner: Path, key: str, known: Mapping[str, Shape]) -> str | None:
    """Where a key belongs that the language has in another chapter nearby."""
    below = [path[:-1] for path in _paths(known, depth=3) if path[-1] == key and len(path) > 1]
    if below:
        nearest = min(len(path) for path in below)
        spots = tuple(dict.fromkeys(".".join(p) for p in below if len(p) == nearest))
        return f"`{key}` belongs under {listed(spots)}"
    for length in range(len(owner) - 1, -1, -1):
        shape = _shape_at(owner[:length])
        if shape is not None and key in shape.keys:
            inside = f", beside `{owner[length]}`" if isinstance(owner[length], str) else ""
            return f"`{key}` belongs to {_spoken(owner[:length])}{inside}"
    return None


def _nearby(owner: Path, known: Mapping[str, Shape]) -> Iterator[str]:
    """All keys of the chapters below and around a place."""
    yield from (path[-1] for path in _paths(known, depth=3))
    for length in range(len(owner)):
        shape = _shape_at(owner[:length])
        yield from shape.keys if shape is not None else ()


@cache
def _all_keys(shape: Shape) -> frozenset[str]:
    """Every key that is written somewhere below."""
    parts = [*shape.keys.values(), *shape.options, *([shape.item] if shape.item else [])]
    return frozenset(shape.keys).union(*map(_all_keys, parts))


def _paths(keys: Mapping[str, Shape], depth: int) -> Iterator[tuple[str, ...]]:
    """The keys of a chapter and of the chapters below it, as paths from here."""
    for name, shape in keys.items():
        yield (name,)
        chapter = next((o for o in (shape, *shape.options) if o.kind == "chapter"), None)
        if chapter is not None and depth > 1:
            yield from ((name, *rest) for rest in _paths(chapter.keys, depth - 1))


# --- how a node is called ------------------------------------------------------------------------


def _is_item(path: Path) -> bool:
    """Whether a node is an entry of a map, so that its key is a name the user gave."""
    above = _shape_at(path[:-1]) if path else None
    return above is not None and above.kind == "map"


def _spoken(path: Path) -> str:
    """A mapping, the way people call it: the spec, model 'churn', `serving`."""
    if not path:
        return "the spec"
    last = path[-1]
    if isinstance(last, int):
        return f"entry {last + 1} of `{path[-2]}`"
    if not _is_item(path):
        return f"`{last}`"
    above = path[-2] if len(path) > 1 else ""
    if above in _ITEMS:
        return f"{_ITEMS[str(above)]} '{_short(last)}'"
    return f"`{_short(last)}`" if isinstance(above, int) else f"`{above}.{_short(last)}`"


def _label(path: Path) -> str:
    """A value, the way people call it."""
    return _spoken(path) if path else "the spec"


def _short(text: str) -> str:
    """A text that may be long or have line ends, on one line."""
    plain = "".join(c if c.isprintable() else "·" for c in text)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
