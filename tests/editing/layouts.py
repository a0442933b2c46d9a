"""YAML texts laid out as no two people would: every way that YAML has to indent, break and comment.

What they say means nothing to the language; they are for edits that have to keep it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_WORDS = (
    "a", "bc", "d_e", "42", "1.5", "null", "true", "no", "x y", "it's", "caf\u00e9", "\U0001d54f",
)  # fmt: skip
_OWN = ("x-a", "x-b", "x-c")
_DEEPEST = 4


class Layouts:
    """Draws texts; each seed has its own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._made = 0
        self._anchors: list[str] = []

    def text(self, chapters: Sequence[str]) -> str:
        """A text with some of the chapters, and keys of one's own, in any order."""
        lines = ["# head"] if self._now(0.3) else []
        lines += [""] if self._now(0.2) else []
        column = self._one((0, 0, 0, 2))
        for key in self._random.sample([*chapters, *_OWN], self._between(1, 6)):
            lines += self._noise(column) + self._entry(" " * column + key + ":", column, 0)
        lines += self._noise(column)
        return "\n".join(lines) + self._one(("\n", "", "\n\n"))

    def _now(self, chance: float) -> bool:
        return self._random.random() < chance

    def _one(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _between(self, first: int, last: int) -> int:
        return self._random.randint(first, last)

    def _name(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}{self._made}"

    # --- parts of lines ---------------------------------------------------------------------------

    def _tail(self) -> str:
        return self._one(("", "", "", " ", "  # c", "\t"))

    def _noise(self, column: int) -> list[str]:
        made = []
        while self._now(0.25):
            comment = " " * self._between(0, 11) + f"# n{self._between(0, 99)}"
            made.append(self._one(("", "  ", comment, " " * column + "# own")))
        return made

    def _scalar(self) -> str:
        word = self._one(_WORDS)
        kind = self._between(0, 5)
        if kind == 0:
            return "'" + word.replace("'", "''") + "'"
        if kind == 1:
            return f'"{word}{self._one(("", chr(92) + "n", chr(92) + chr(34), chr(92) * 2))}"'
        if kind == 2 and self._anchors:
            return "*" + self._one(self._anchors)
        return self._flow(0) if kind == 3 else word

    def _flow(self, depth: int) -> str:
        if depth > 2 or self._now(0.4):
            return self._one((*_WORDS, '"q"', "'s'")).replace("it's", "its")
        inner = [self._flow(depth + 1) for _ in range(self._between(0, 2))]
        if self._now(0.5):
            return f"[{', '.join(inner)}]"
        return "{" + ", ".join(f"k{at}: {each}" for at, each in enumerate(inner)) + "}"

    # --- blocks -----------------------------------------------------------------------------------

    def _mapping(self, column: int, depth: int) -> list[str]:
        made: list[str] = []
        for _ in range(self._between(1, 3)):
            key = self._name("k")
            key = f"'{key}'" if self._now(0.1) else key
            made += self._noise(column) + self._entry(" " * column + key + ":", column, depth)
        return made

    def _entry(self, lead: str, column: int, depth: int) -> list[str]:
        name = self._name("an") if self._now(0.15) else None
        anchor = f" &{name}" if name else ""
        kind = self._between(0, 5) if depth < _DEEPEST else 5
        if kind == 0:
            below = self._mapping(column + self._between(1, 5), depth + 1)
            made = [lead + anchor + self._tail(), *self._noise(column), *below]
        elif kind == 1:
            below = self._list(column + self._between(0, 4), depth + 1)
            made = [lead + anchor + self._tail(), *self._noise(column), *below]
        elif kind == 2:
            head, *rest = self._lines_of(column)
            made = [f"{lead}{anchor} {head}", *rest]
        else:
            value = self._scalar()
            if value.startswith("*"):
                name, anchor = None, ""
            made = [lead + anchor + " " * self._between(1, 3) + value + self._tail()]
        if name:
            self._anchors.append(name)
        return made

    def _lines_of(self, column: int) -> list[str]:
        """A value of several lines, the first of which stands behind its key."""
        pad = " " * (column + self._between(1, 4))
        kind = self._between(0, 3)
        if kind == 0:
            head = self._one(("|", ">", "|-", ">+", "|+")) + self._one(("", " # c"))
            rest = ("", f"{pad}  deep ", f"{pad}w", f"{pad}#h")
            first = pad + self._one(("x", "y: z", "# not", "- q"))
            return [head, first, *(self._one(rest) for _ in range(self._between(0, 2)))]
        last = " " * (column + self._between(1, 5))
        if kind == 1:
            return ['"m1', f"{pad}m2", "", f'{last}m3"{self._tail()}']
        if kind == 2:
            comment = [" " * self._between(0, 8) + "# inside"] if self._now(0.5) else []
            return ["{a: 1,", *comment, f"{pad}b: 'two'", f"{last}}}{self._tail()}"]
        return ["plain", f"{pad}more words"]

    def _list(self, column: int, depth: int) -> list[str]:
        made: list[str] = []
        for _ in range(self._between(1, 3)):
            made += self._noise(column)
            kind = self._between(0, 3) if depth < _DEEPEST else 3
            dash, gap = " " * column + "-", " " * self._between(1, 3)
            if kind == 0:
                inner = column + 1 + len(gap)
                below = self._mapping(inner, depth + 1)
                while not below[0].strip() or below[0].lstrip().startswith("#"):
                    del below[0]
                made += [dash + gap + below[0][inner:], *below[1:]]
            elif kind == 1:
                below = self._mapping(column + self._between(1, 4), depth + 1)
                made += [dash + self._tail(), *self._noise(column), *below]
            else:
                made.append(dash + gap + self._scalar() + self._tail())
        return made
