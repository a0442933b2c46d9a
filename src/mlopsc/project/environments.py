"""What the environments of a project have in common, and what each has for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mlopsc.artifacts.draft import Body, Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlopsc.project.model import Model, Project, Source, View

T = TypeVar("T")
Named = TypeVar("Named", "Model", "Source", "View")


class ByEnvironment:
    """The items of a project as they are in each environment that has them, looked up by name.

    Each answer is in the order of promotion, so its last value is what the chapters say that all
    environments share.
    """

    def __init__(self, project: Project) -> None:
        environments = project.environments
        self._models = _indexed({one.name: one.models for one in environments})
        self._sources = _indexed({one.name: one.sources for one in environments})
        self._views = _indexed({one.name: one.views for one in environments})

    def model(self, name: str) -> dict[str, Model]:
        """A model, by environment."""
        return _there(self._models, name)

    def source(self, name: str) -> dict[str, Source]:
        """A source, by environment."""
        return _there(self._sources, name)

    def view(self, name: str) -> dict[str, View]:
        """A feature view, by environment."""
        return _there(self._views, name)


def _indexed(chapters: Mapping[str, tuple[Named, ...]]) -> dict[str, dict[str, Named]]:
    """Items by environment and name; environments that do not differ share a chapter and its index."""
    made: dict[int, dict[str, Named]] = {}
    for items in chapters.values():
        if id(items) not in made:
            made[id(items)] = {item.name: item for item in items}
    return {environment: made[id(items)] for environment, items in chapters.items()}


def _there(found: Mapping[str, dict[str, Named]], name: str) -> dict[str, Named]:
    return {environment: items[name] for environment, items in found.items() if name in items}


def each(items: Mapping[str, Named], of: Callable[[Named], T]) -> dict[str, T]:
    """What `of` makes of an item in each environment; asked once where they do not differ."""
    made: dict[int, T] = {}
    for item in items.values():
        if id(item) not in made:
            made[id(item)] = of(item)
    return {environment: made[id(item)] for environment, item in items.items()}


def settled(said: Mapping[str, Body]) -> tuple[Body, dict[str, Body]]:
    """What to say once for all environments, and what in each; None says nothing.

    One of the two is empty: a fact that differs anywhere is said in each environment that has it, and
    never beside a general one that somebody could read in its place.
    """
    bodies = list(said.values())
    if not bodies:
        return None, {}
    if all(body is bodies[-1] or plain(body) == plain(bodies[-1]) for body in bodies):
        return bodies[-1], {}
    return None, {name: body for name, body in said.items() if body is not None}


def differs(values: Mapping[str, object]) -> bool:
    """Whether a value is not the same in all environments that have it."""
    found = list(values.values())
    return any(value != found[-1] for value in found)


def plain(body: Body) -> object:
    """A body without its causes, for comparing: two causes may well say the same."""
    if isinstance(body, Traced):
        return plain(body.body)
    if isinstance(body, dict):
        return {key: plain(value) for key, value in body.items()}
    if isinstance(body, list | tuple):
        return [plain(value) for value in body]
    return body
