"""Items that one environment lacks and another has: who refers to one of them is told where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlopsc.diagnostics.finding import Note
from mlopsc.diagnostics.paths import root_of
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.compose import Composed
    from mlopsc.spec.root import Spec

Missing = dict[tuple[str, str], "Elsewhere"]
"""Kind and name → where it is."""


@frozen
class Elsewhere:
    """An item that this environment lacks and another has.

    Attributes:
        here: this environment.
        there: those that have it.
        at: where it is defined.
        by_only: its own `only` says so, and not an override that takes it out.
    """

    here: str
    there: tuple[str, ...]
    at: Path
    by_only: bool

    def message(self, kind: str, name: str) -> str:
        """What is wrong with a reference to it."""
        return f"there is no {kind} '{name}' in environment '{self.here}'"

    @property
    def help(self) -> str:
        """What would be right."""
        listed = ", ".join(self.there)
        if self.by_only:
            return (
                f"it is `only` in {listed}: add {self.here} there, or give what refers to it the same"
                " `only`"
            )
        return f"an override takes it out here, and {listed} has it: take this out here too"

    @property
    def note(self) -> Note:
        """Where it is defined."""
        return Note("it is defined", self.at, on_key=True)


def missing_in(specs: Composed[Spec]) -> dict[str, Missing]:
    """Environment → what it lacks of all that is defined in any."""
    distinct = {id(spec) for spec in specs.environments.values()}
    if len(distinct) == 1:
        return {}
    defined: dict[tuple[str, str], dict[str, tuple[Path, Any]]] = {}
    for environment, spec in specs.environments.items():
        for kind, path, item in _items(spec):
            at: Path = (*root_of(environment), *path)
            defined.setdefault((kind, str(path[-1])), {})[environment] = (at, item)
    return {
        environment: {
            named: _elsewhere(environment, places)
            for named, places in defined.items()
            if environment not in places
        }
        for environment in specs.environments
    }


def _elsewhere(here: str, places: Mapping[str, tuple[Path, Any]]) -> Elsewhere:
    at, item = next(iter(places.values()))
    return Elsewhere(here, tuple(places), at, item.only is not None)


def _items(spec: Spec) -> Iterator[tuple[str, Path, Any]]:
    chapters: tuple[tuple[str, Path, Mapping[str, Any]], ...] = (
        ("secret", ("secrets",), spec.secrets),
        ("image", ("images",), spec.images),
        ("source", ("sources",), spec.sources),
        ("view", ("features",), spec.features),
        ("model", ("models",), spec.models),
        ("channel", ("alerts", "channels"), spec.alerts.channels),
    )
    for kind, path, items in chapters:
        for name, item in items.items():
            yield kind, (*path, name), item
