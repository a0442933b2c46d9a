"""Keys that go together, exclude each other, or mean nothing where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding, Note
from mlopsc.frozen import frozen
from mlopsc.spec import codes
from mlopsc.spec.vocabulary import CHANNEL_KINDS, SOURCE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data
    from mlopsc.spec.patterns import Pattern


def listed(words: tuple[str, ...], joint: str = "or") -> str:
    """`a`, `b` or `c`, each as code."""
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"


@frozen
class OneOf:
    """Of `members`, exactly one is written.

    Attributes:
        path: the mapping they stand in.
        members: keys that exclude each other.
        asks: the question the members answer, for the message when none is written.
        unless: keys beside which none is needed.
    """

    path: Pattern
    members: tuple[str, ...]
    asks: str
    unless: tuple[str, ...] = ()

    def look(self, written: Data, at: Path) -> Iterator[Finding]:
        """S007 at the second member written, or at the mapping if there is none."""
        if not isinstance(written, dict):
            return
        there = tuple(key for key in written if key in self.members)
        if len(there) > 1:
            yield Finding(
                codes.WRONG_GROUP,
                f"{listed(there, 'and')} exclude each other",
                (*at, there[1]),
                help=f"keep one of {listed(self.members)}",
                notes=(Note(f"`{there[0]}` stands here", (*at, there[0]), on_key=True),),
                on_key=True,
            )
        elif not there and not any(key in written for key in self.unless):
            yield Finding(
                codes.WRONG_GROUP,
                f"nothing says {self.asks}",
                at,
                help=f"add {'' if len(self.members) == 1 else 'one of '}"
                f"{listed((*self.members, *self.unless))}",
                on_key=True,
            )


@frozen
class SomeOf:
    """Of `members`, at least one is written."""

    path: Pattern
    members: tuple[str, ...]
    asks: str

    def look(self, written: Data, at: Path) -> Iterator[Finding]:
        """S007 at the mapping if there is none."""
        if isinstance(written, dict) and not any(key in written for key in self.members):
            yield Finding(
                codes.WRONG_GROUP,
                f"nothing says {self.asks}",
                at,
                help=f"add {listed(self.members)}",
                on_key=True,
            )


@frozen
class Beside:
    """What a key asks for beside it, and what it does not go with.

    Attributes:
        path: the mapping it stands in.
        key: the key.
        value: it has to have this value to count; None: any.
        needs: keys that have to be there too.
        refuses: keys that mean nothing beside it.
    """

    path: Pattern
    key: str
    value: str | None = None
    needs: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()

    def look(self, written: Data, at: Path) -> Iterator[Finding]:
        """S003 at the key for what is missing, S008 at each key too many."""
        if not isinstance(written, dict) or self.key not in written:
            return
        if self.value is not None and written[self.key] != self.value:
            return
        what = self.key if self.value is None else f"{self.key}: {self.value}"
        missing = tuple(key for key in self.needs if key not in written)
        if missing:
            yield Finding(
                codes.MISSING_KEY,
                f"`{what}` needs {listed(missing, 'and')} beside it",
                (*at, self.key),
                help=f"add {listed(missing, 'and')}",
                on_key=True,
            )
        for key in self.refuses:
            if key in written:
                yield Finding(
                    codes.MISPLACED_KEY,
                    f"`{key}` means nothing beside `{what}`",
                    (*at, key),
                    help=f"take out one of {listed((key, self.key), 'and')}",
                    notes=(Note(f"`{self.key}` stands here", (*at, self.key), on_key=True),),
                    on_key=True,
                )


@frozen
class Misplaced:
    """A key that the shape of its mapping knows, and that means nothing at this path."""

    path: Pattern
    reason: str

    def look(self, written: Data, at: Path) -> Iterator[Finding]:  # any value
        """S008 at the key."""
        yield Finding(
            codes.MISPLACED_KEY,
            f"`{at[-1]}` means nothing here",
            at,
            help=f"take it out: {self.reason}",
            on_key=True,
        )


_SERVING: Final = ("models", "*", "serving")
_MONITORING: Final = ("models", "*", "monitoring")
_OPERATION: Final = ("patches", "*", "json", "*")
_TUNING: Final = ("models", "*", "training", "tuning")

ONE_OF: Final = (
    OneOf(("sources", "*"), SOURCE_KINDS, "where the rows are", unless=("kafka",)),
    OneOf(("features", "*"), ("source", "python"), "where the features come from"),
    OneOf(("models", "*"), ("training", "artifact"), "where the model comes from"),
    OneOf(("images", "*"), ("python", "dockerfile"), "what the image is made of"),
    OneOf(("alerts", "channels", "*"), CHANNEL_KINDS, "how people are told"),
    OneOf((*_SERVING, "metrics"), ("errors", "errors_metric"), "which requests failed"),
    OneOf(_TUNING, ("maximize", "minimize"), "what a good trial is"),
    OneOf((*_TUNING, "search", "*"), ("min", "one_of"), "which values to try"),
    OneOf(("patches", "*"), ("artifact", "create"), "which file it is about"),
    OneOf(
        ("patches", "*"),
        ("merge", "json", "replace"),
        "what changes",
        unless=("create", "from", "text"),
    ),
    OneOf(
        ("patches", "*"),
        ("from", "text"),
        "what the file holds",
        unless=("artifact", "merge", "json", "replace"),
    ),
)

_LIMITS: Final = "what the bound is"
SOME_OF: Final = (
    SomeOf(("models", "*", "evaluation", "metrics", "*"), ("min", "max", "max_worse"), _LIMITS),
    SomeOf(
        ("models", "*", "evaluation", "fairness", "*", "*"), ("min", "max", "max_worse"), _LIMITS
    ),
    SomeOf((*_MONITORING, "drift", "share"), ("min", "max"), _LIMITS),
    SomeOf((*_MONITORING, "performance", "*"), ("min", "max"), _LIMITS),
    SomeOf((*_MONITORING, "business", "*"), ("min", "max"), _LIMITS),
    SomeOf(("alerts", "rules", "*"), ("min", "max"), _LIMITS),
)

BESIDE: Final = (
    Beside(
        ("features", "*"),
        "python",
        needs=("inputs", "columns"),
        refuses=("fields", "ttl", "materialize"),
    ),
    Beside(("features", "*"), "source", refuses=("inputs", "columns")),
    Beside(("images", "*"), "dockerfile", refuses=("requirements", "packages")),
    Beside(_SERVING, "runtime", value="custom", needs=("image", "metrics")),
    Beside((*_SERVING, "metrics"), "latency", needs=("buckets",)),
    Beside((*_SERVING, "metrics"), "buckets", needs=("latency",)),
    Beside((*_TUNING, "search", "*"), "min", needs=("max",)),
    Beside((*_TUNING, "search", "*"), "max", needs=("min",)),
    Beside((*_TUNING, "search", "*"), "one_of", refuses=("max", "step", "scale")),
    Beside(("alerts", "channels", "*", "email"), "username", needs=("password",)),
    Beside(("alerts", "channels", "*", "email"), "password", needs=("username",)),
    Beside(("patches", "*"), "artifact", refuses=("from", "text")),
    Beside(("patches", "*"), "create", refuses=("merge", "json", "replace", "expect")),
    Beside(("patches", "*"), "replace", refuses=("expect",)),
    *(
        Beside(_OPERATION, "op", value=op, needs=("value",), refuses=("from",))
        for op in ("add", "replace", "test")
    ),
    *(
        Beside(_OPERATION, "op", value=op, needs=("from",), refuses=("value",))
        for op in ("move", "copy")
    ),
    Beside(_OPERATION, "op", value="remove", refuses=("value", "from")),
)

_COMPUTED: Final = "the column of a function has a type and a description"
_GATE: Final = "a gate looks once, when a version was trained"
_WATCH: Final = "versions are compared in `evaluation`, before one is promoted"
MISPLACED: Final = (
    *(
        Misplaced(("features", "*", "columns", "*", key), _COMPUTED)
        for key in (
            "key",
            "min",
            "max",
            "one_of",
            "pattern",
            "unique",
            "nulls",
            "severity",
            "known_after",
        )
    ),
    Misplaced(("models", "*", "evaluation", "metrics", "*", "for"), _GATE),
    Misplaced(("models", "*", "evaluation", "fairness", "*", "*", "for"), _GATE),
    Misplaced((*_MONITORING, "drift", "share", "max_worse"), _WATCH),
    Misplaced((*_MONITORING, "performance", "*", "max_worse"), _WATCH),
    Misplaced((*_MONITORING, "business", "*", "max_worse"), _WATCH),
    Misplaced(("alerts", "rules", "*", "max_worse"), _WATCH),
)
"""Keys that one mapping shares with its siblings but has no use for."""
