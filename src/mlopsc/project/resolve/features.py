"""Feature views, and the features a model takes from views, on-demand views and its own source."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlopsc.diagnostics.finding import Note
from mlopsc.project.model import (
    Column,
    Entity,
    Feature,
    FieldRef,
    OnDemandView,
    Source,
    View,
)
from mlopsc.project.resolve.scope import Scope, Unresolvable, nearest
from mlopsc.project.resolve.sources import columns_of
from mlopsc.project.units import DAY, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Schedule
    from mlopsc.spec.root import Spec

AnyView = View | OnDemandView


def resolve_views(
    scope: Scope, spec: Spec, sources: dict[str, Source], entities: dict[str, Entity]
) -> dict[str, AnyView]:
    """Every view by name, on-demand views last, since they read the others."""
    views: dict[str, AnyView] = {}
    for on_demand in (False, True):
        for name, written in spec.features.items():
            if (written.python is not None) is not on_demand:
                continue
            at = scope.at("features", name)
            try:
                if name in sources:
                    raise scope.fail(
                        "N003",
                        f"'{name}' is a source already",
                        at,
                        "rename one of them: `owner:field` must mean one thing",
                        Note("the source stands here", scope.at("sources", name), on_key=True),
                        on_key=True,
                    )
                views[name] = (
                    _on_demand_view(scope, name, written, at, sources, views, spec)
                    if on_demand
                    else _view(scope, name, written, at, sources, entities, spec)
                )
            except Unresolvable:
                scope.break_("view", name)
    return views


def _view(
    scope: Scope,
    name: str,
    written: Any,
    at: Path,
    sources: dict[str, Source],
    entities: dict[str, Entity],
    spec: Spec,
) -> View:
    source = scope.find("source", written.source, sources, (*at, "source"))
    schedule = scope.attempt(lambda: _materialized(scope, name, written, at))
    fields = scope.attempt(lambda: _fields(scope, source, written.fields, (*at, "fields")))
    keys = tuple(entities[key.entity] for key in source.keys if key.entity in entities)
    if not keys:
        raise scope.fail(
            "N006",
            f"view '{name}' reads source '{source.name}', which has no key column",
            (*at, "source"),
            "add `key: NAME` to the column that says whose row it is",
            Note("its columns are listed here", source.at("columns"), on_key=True),
        )
    if fields is None:
        raise Unresolvable
    return View(
        at,
        name,
        source,
        keys,
        fields,
        DAY if written.ttl is None else seconds(written.ttl),
        schedule,
        written.owner or source.owner or spec.owner,
        written.description or source.description,
    )


def _materialized(scope: Scope, name: str, written: Any, at: Path) -> Schedule | None:
    if written.materialize is None:
        return None
    return scope.schedule(written.materialize, (*at, "materialize"), name)


def _fields(
    scope: Scope, source: Source, written: Sequence[str] | None, at: Path
) -> tuple[Column, ...]:
    """The columns a view offers: those it names, or all that can be a feature without a question.

    Raises:
        Unresolvable: one that it names is no column of the source.
    """
    if written is None:
        return tuple(
            column
            for column in source.columns
            if not column.entity and column.known_after is None and not column.personal
        )
    scope.once(written, at, "field")
    columns = {column.name: column for column in source.columns}
    owner, listed = f"source '{source.name}'", source.at("columns")
    return tuple(
        scope.each(
            partial(scope.column, owner, field, columns, (*at, position), listed)
            for position, field in enumerate(written)
        )
    )


def _on_demand_view(
    scope: Scope,
    name: str,
    written: Any,
    at: Path,
    sources: dict[str, Source],
    views: dict[str, AnyView],
    spec: Spec,
) -> OnDemandView:
    module, _, function = written.python.partition(":")
    scope.once(written.inputs or (), (*at, "inputs"), "input")
    functions = {other for other, view in spec.features.items() if view.python is not None}
    inputs = scope.each(
        partial(_field, scope, text, (*at, "inputs", position), sources, views, functions)
        for position, text in enumerate(written.inputs or ())
    )
    return OnDemandView(
        at,
        name,
        module,
        function,
        tuple(inputs),
        columns_of(written.columns or {}, (*at, "columns")),
        written.owner or spec.owner,
        written.description,
    )


def _field(
    scope: Scope,
    text: str,
    at: Path,
    sources: dict[str, Source],
    views: dict[str, AnyView],
    functions: set[str],
) -> FieldRef:
    owner_name, _, field = text.partition(":")
    if owner_name in functions:
        raise scope.fail(
            "N009",
            f"'{owner_name}' is itself computed on demand",
            at,
            "an on-demand view reads fields of views and of the target's source",
            Note("it is computed here", scope.at("features", owner_name, "python")),
        )
    owner = _owner(scope, owner_name, at, sources, views)
    assert not isinstance(owner, OnDemandView)  # noqa: S101  # refused above
    return FieldRef(at, owner, _column(scope, owner, field, at))


def _owner(
    scope: Scope, name: str, at: Path, sources: dict[str, Source], views: dict[str, AnyView]
) -> AnyView | Source:
    if name in views or ("view", name) in scope.broken:
        return scope.find("view", name, views, at)
    if name in sources or ("source", name) in scope.broken:
        return scope.find("source", name, sources, at)
    known: dict[str, AnyView | Source] = {**sources, **views}
    return scope.find("view or source", name, known, at)


def _column(scope: Scope, owner: AnyView | Source, field: str, at: Path) -> Column:
    if isinstance(owner, Source):
        columns = {column.name: column for column in owner.columns}
        return scope.column(f"source '{owner.name}'", field, columns, at, owner.at("columns"))
    fields = {column.name: column for column in owner.fields}
    if field in fields:
        return fields[field]
    key = "fields" if isinstance(owner, View) else "columns"
    raise scope.fail(
        "N002",
        f"view '{owner.name}' has no field '{field}'",
        at,
        nearest(field, fields, "field"),
        Note("its fields are listed here", owner.at(key), on_key=True),
    )


def resolve_features(
    scope: Scope,
    written: Sequence[str],
    at: Path,
    own: Source | None,
    sources: dict[str, Source],
    views: dict[str, AnyView],
) -> tuple[Feature, ...]:
    """A model's input columns, in written order; `own` is the source of its target, if known."""
    features: dict[str, Feature] = {}
    for position, text in enumerate(written):
        here: Path = (*at, position)
        try:
            for feature in _features_of(scope, text, here, own, sources, views):
                if feature.name in features:
                    other = features[feature.name]
                    if other.owner is feature.owner:
                        continue
                    raise scope.fail(
                        "N008",
                        f"two features are called '{feature.name}'",
                        here,
                        f"'{other.owner.name}' brings one and '{feature.owner.name}' the other: "
                        "take the field you mean with `view:field`, or rename a column",
                        Note("the other one stands here", other.origin),
                    )
                features[feature.name] = feature
        except Unresolvable:
            continue
    return tuple(features.values())


def _features_of(
    scope: Scope,
    text: str,
    at: Path,
    own: Source | None,
    sources: dict[str, Source],
    views: dict[str, AnyView],
) -> list[Feature]:
    name, colon, field = text.partition(":")
    owner = _owner(scope, name, at, sources, views)
    if isinstance(owner, Source):
        if not colon:
            raise scope.fail(
                "N009",
                f"'{name}' is a source, not a view",
                at,
                f"name its fields one by one, as `{name}:FIELD`, or make a view of it in `features`",
            )
        if own is not None and owner is not own:
            raise scope.fail(
                "N009",
                f"'{text}' is a field of another source than the target's",
                at,
                f"make a view of '{name}' in `features`: views are joined as of each example's time",
            )
    if colon:
        return [Feature(at, field, _column(scope, owner, field, at), owner)]
    assert not isinstance(owner, Source)  # noqa: S101  # refused above
    return [Feature(at, column.name, column, owner) for column in owner.fields]
