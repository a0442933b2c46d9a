"""The models as a tree of plain shapes: what explains an error, makes the schema and the tables."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from mlopsc.frozen import frozen
from mlopsc.spec.words import Phrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlopsc.spec.chapter import Chapter

Kind = Literal["chapter", "map", "list", "choice", "word", "text", "int", "float", "bool", "any"]


@frozen
class Shape:
    """What may be written at one place.

    Attributes:
        kind: chapter: known keys; map: free keys; choice: one of `options`; word: one of `words`.
        phrase: what is right, for a person; completes "must be …".
        chapter: the model of a chapter.
        key: what a map's keys are.
        item: what a map's or list's entries are.
        options: the branches of a choice.
        words: the words there are.
    """

    kind: Kind
    phrase: str
    chapter: type[Chapter] | None = None
    key: Shape | None = None
    item: Shape | None = None
    options: tuple[Shape, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def keys(self) -> dict[str, Shape]:
        """The known keys of a chapter and what each takes; empty for anything else."""
        return chapter_keys(self.chapter) if self.chapter else {}

    def below(self, key: str | int) -> Shape | None:
        """The shape of an entry, through the mapping or list branch of a choice."""
        if self.kind == "choice":
            return next((s for o in self.options if (s := o.below(key))), None)
        if self.kind == "chapter":
            return self.keys.get(str(key))
        return self.item


@cache
def chapter_keys(chapter: type[Chapter]) -> dict[str, Shape]:
    """The keys of a model, as a user writes them, in order."""
    hints = get_type_hints(chapter, include_extras=True)
    return {
        field.alias or name: shape_of(hints[name]) for name, field in chapter.model_fields.items()
    }


_SCALARS: dict[Any, tuple[Kind, str]] = {
    str: ("text", "text"),
    int: ("int", "a whole number"),
    float: ("float", "a number"),
    bool: ("bool", "`true` or `false`"),
    Any: ("any", "anything"),
}


def shape_of(annotation: Any) -> Shape:
    """The shape of a type annotation of the models."""
    if annotation in _SCALARS:
        return Shape(*_SCALARS[annotation])
    of = _GENERICS.get(get_origin(annotation))
    if of is not None:
        return of(*get_args(annotation))
    return Shape("chapter", annotation.phrase, chapter=annotation)


def _annotated(inner: Any, *extras: Any) -> Shape:
    shape = shape_of(inner)
    phrase = next((extra.text for extra in extras if isinstance(extra, Phrase)), shape.phrase)
    return replace(shape, phrase=phrase)


def _choice(*options: Any) -> Shape:
    shapes = tuple(shape_of(option) for option in options if option is not type(None))
    if len(shapes) == 1:
        return shapes[0]
    return Shape("choice", " or ".join(s.phrase for s in shapes), options=shapes)


def _word(*words: str) -> Shape:
    return Shape("word", "one of " + ", ".join(f"`{word}`" for word in words), words=words)


def _map(key: Any, item: Any) -> Shape:
    return Shape("map", "a mapping", key=shape_of(key), item=shape_of(item))


def _list(item: Any, *_: Any) -> Shape:
    return Shape("list", "a list", item=shape_of(item))


_GENERICS: dict[Any, Callable[..., Shape]] = {
    Annotated: _annotated,
    Union: _choice,
    UnionType: _choice,
    Literal: _word,
    dict: _map,
    tuple: _list,
}
