"""Where environments may differ. Anything else is the same everywhere: files they share hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding, Note, Rejected
from mlopsc.diagnostics.paths import environment_of, root_of
from mlopsc.source.merging import fits
from mlopsc.spec import codes
from mlopsc.spec.merging import MERGING
from mlopsc.spec.patterns import matches
from mlopsc.spec.unmet import check_unmet
from mlopsc.spec.vocabulary import SOURCE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.compose import Composition
    from mlopsc.source.document import Data, Document
    from mlopsc.spec.patterns import Pattern

MAY_DIFFER: Final[tuple[Pattern, ...]] = (
    ("storage",),
    ("services",),
    *(("sources", "*", kind) for kind in SOURCE_KINDS),
    ("sources", "*", "kafka", "topic"),
    ("sources", "*", "freshness"),
    ("sources", "*", "rows", "min"),
    ("sources", "*", "rows", "max"),
    *(
        ("models", "*", "serving", key)
        for key in (
            "replicas",
            "resources",
            "autoscale",
            "env",
            "clients",
            "slo",
            "timeout",
            "load_time",
        )
    ),
    ("models", "*", "batch", "schedule"),
    ("models", "*", "batch", "resources"),
    *(
        ("models", "*", "monitoring", key)
        for key in ("schedule", "performance", "business", "respond", "cooldown", "resources")
    ),
    ("models", "*", "monitoring", "drift", "share"),
    ("alerts",),
)
"""Each holds for all below it. A source stays of one kind: its programs are the same everywhere."""


def check_differences(documents: Composition) -> Composition:
    """The documents, if they differ where they may, and nothing in `defaults` is misspelled.

    Raises:
        Rejected: S011 for each value that has to be the same in all environments, and is not; S001 for
            a default that no item takes up and the language does not have.
    """
    differing: dict[Path, list[str]] = {}
    for name, document in documents.environments.items():
        if document is not documents.base:
            for path in _differences(document.data, documents.base.data):
                differing.setdefault(path, []).append(name)
    if differing:
        raise Rejected(tuple(_finding(path, names, documents) for path, names in differing.items()))
    return check_unmet(documents)


def _differences(here: dict[str, Data], shared: dict[str, Data]) -> Iterator[Path]:
    for path in _unequal(here, shared, ()):
        if path[0] not in MERGING.control and not _may_differ(path, here, shared):
            yield path


def _finding(path: Path, names: list[str], documents: Composition) -> Finding:
    """One finding a value, at what makes the difference."""
    last = list(documents.environments)[-1]
    others = " and ".join(f"'{name}'" for name in names)
    here, there = (*root_of(names[0]), *path), (*root_of(last), *path)
    if not _is_made(path, documents.environments[names[0]]):
        here, there = there, here
    return Finding(
        codes.DIFFERS,
        f"`{'.'.join(map(str, path))}` is not the same in {others} as in '{last}'",
        here,
        "write one value for all: files that every environment shares are made from it",
        tuple(_other(here, there, documents)),
    )


def _other(here: Path, there: Path, documents: Composition) -> Iterator[Note]:
    """What stands in the other environment, if the place that made the difference does not say so."""
    name = environment_of(there)
    if not documents.has(there):
        yield Note(f"in '{name}' there is none")
    elif documents.place(there) not in [note.at for note in documents.notes(here)]:
        yield Note(f"in '{name}' it is what stands", there)


def _is_made(path: Path, document: Document) -> bool:
    """Whether an override, `null` or variable of the environment made the value what it is."""
    laid = document.laid.get(path)
    return (
        (laid is not None and laid.layer == "override")
        or path in document.removed
        or any(origin[0] == "environments" for origin in document.filled.get(path, ()))
    )


def _may_differ(path: Path, here: Data, shared: Data) -> bool:
    steps = tuple(str(step) for step in path)
    if fits(("sources", "*", "*"), path) and path[-1] in SOURCE_KINDS:
        return _get(here, path) is not None and _get(shared, path) is not None
    return any(matches(pattern, steps) for pattern in MAY_DIFFER)


def _get(data: Data, path: Path) -> Data:
    for step in path:
        data = data.get(str(step)) if isinstance(data, dict) else None
    return data


def _unequal(here: Data, shared: Data, at: Path) -> Iterator[Path]:
    """The innermost paths at which two values differ; an item only one of them has is none."""
    if here is shared:
        return
    here, shared = _written_out(here, shared, at), _written_out(shared, here, at)
    if isinstance(here, dict) and isinstance(shared, dict):
        for key in {**here, **shared}:
            path: Path = (*at, key)
            if key in here and key in shared:
                yield from _unequal(here[key], shared[key], path)
            elif isinstance(one := here.get(key, shared.get(key)), dict) and _only_holds(path, one):
                yield from _unequal(here.get(key, {}), shared.get(key, {}), path)
            elif MERGING.item(path) is None and not key.startswith("x-"):
                yield path
    elif here != shared or type(here) is not type(shared):
        yield at


def _only_holds(path: Path, one: dict[str, Data]) -> bool:
    """Whether a mapping asks for nothing by being there: what stands in it is what counts."""
    if any(fits(pattern[:-1], path) for pattern in MERGING.items):
        return True  # a chapter, empty or not
    return bool(one) and not (MERGING.item(path) or MERGING.is_part(path) or MERGING.others(path))


def _written_out(one: Data, other: Data, at: Path) -> Data:
    """A shorthand as the mapping it stands for, where it is compared with one."""
    key = None if isinstance(one, dict) or not isinstance(other, dict) else MERGING.shorthand(at)
    return one if key is None or one is None else {key: one}
