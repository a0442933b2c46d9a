"""Frozen dataclasses that are cheap to define.

`@dataclass(frozen=True, slots=True)` writes and compiles six functions for every class. With more than a
hundred classes that was a fifth of a whole compile: 38 ms for the 45 classes of the project model, where
these take 7. So here equality, hash and text are shared functions, and who refuses an assignment is mypy;
Python's development mode (`-X dev`), in which the tests compile every example, refuses it at run time as well.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: Class) -> Class:
    """A dataclass with slots whose instances are values: equal by their fields, and never changed."""
    made: Any = dataclass(
        frozen=sys.flags.dev_mode, slots=True, eq=False, repr=False, match_args=False
    )(cls)
    made.__eq__, made.__hash__, made.__repr__ = _equal, _hash, _text
    return made  # type: ignore[no-any-return]


def _values(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in value.__dataclass_fields__)


def _equal(self: object, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self is other or _values(self) == _values(other)


def _hash(self: object) -> int:
    return hash(_values(self))


def _text(self: Any) -> str:
    fields = (f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({', '.join(fields)})"
