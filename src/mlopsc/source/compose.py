"""From what was written to what holds in each environment; every value keeps its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlopsc.source.document import Document

T = TypeVar("T")
U = TypeVar("U")

IMPLIED_ENVIRONMENT = "production"
"""The environment of a spec that names none, so that paths do not move when it names one."""


@frozen
class Composed(Generic[T]):
    """A value before any environment changes it, and as it is in each, in order of promotion."""

    base: T
    environments: dict[str, T]

    def map(self, step: Callable[[T], U]) -> Composed[U]:
        """The same through `step`, which sees each distinct value once."""
        seen: dict[int, U] = {}

        def once(value: T) -> U:
            if id(value) not in seen:
                seen[id(value)] = step(value)
            return seen[id(value)]

        return Composed(once(self.base), {k: once(v) for k, v in self.environments.items()})


def compose(document: Document) -> Composed[Document]:
    """One document an environment.

    What would make them differ (`include`, `variables`, `defaults`, `overrides`) is refused by
    parse in this release, so each environment is the document itself.
    """
    written = document.data.get("environments")
    names = list(written) if isinstance(written, dict) and written else [IMPLIED_ENVIRONMENT]
    return Composed(document, dict.fromkeys(names, document))
