"""The order in which names are followed: images, sources, views, models, then who uses whom."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mlopsc.diagnostics.paths import environment_of
from mlopsc.frozen import frozen
from mlopsc.project.conventions import dns
from mlopsc.project.model import (
    Alerts,
    Channel,
    Ci,
    Column,
    Connection,
    Creation,
    Entity,
    Environment,
    Extension,
    FeastService,
    Image,
    Inclusion,
    KafkaService,
    Model,
    OnDemandView,
    OwnTemplate,
    Patch,
    Platform,
    Project,
    Secret,
    Services,
    Severity,
    Source,
    Tier,
    View,
)
from mlopsc.project.resolve.elsewhere import missing_in
from mlopsc.project.resolve.features import resolve_features, resolve_views
from mlopsc.project.resolve.models import (
    Names,
    query_bounds,
    resolve_models,
    resolve_target,
    words_of,
    written_columns,
)
from mlopsc.project.resolve.patches import resolve_patches
from mlopsc.project.resolve.scope import Scope, Unresolvable
from mlopsc.project.resolve.sources import KINDS, resolve_entities, resolve_sources
from mlopsc.source.files import NO_REST, Rest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.compose import Composed
    from mlopsc.spec.root import Spec

PYTHON = "3.11"
"""The Python of an image that does not say: the oldest one the programs run on."""

SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
_TIERS: tuple[Tier, ...] = ("production", "staging", "testing", "development")


@frozen
class _Chapters:
    """What one spec's chapters mean, before they are put into environments."""

    platform: Platform
    services: Services
    images: tuple[Image, ...]
    sources: tuple[Source, ...]
    entities: tuple[Entity, ...]
    views: tuple[View, ...]
    on_demand_views: tuple[OnDemandView, ...]
    models: tuple[Model, ...]
    alerts: Alerts
    ci: Ci
    patches: tuple[Patch | Creation, ...]


def resolve(specs: Composed[Spec], rest: Rest = NO_REST) -> Project:
    """What a spec means, before and in each environment.

    Args:
        specs: by environment.
        rest: what is left out of them; of a whole project, what nobody uses is a mistake.

    Raises:
        Rejected: names that lead nowhere, meet, or are used by nobody; all of them.
    """
    scope = Scope()
    names = tuple(specs.environments)
    missing = missing_in(specs)
    chapters = specs.map_rooted(
        lambda spec, root: _chapters(
            scope.within(root, missing.get(environment_of(root) or "")), spec, names
        )
    )
    spec, base = specs.base, chapters.base
    environments = tuple(
        _environment(
            scope.within((), missing.get(name)),
            name,
            specs.environments[name],
            chapters.environments[name],
        )
        for name in names
    )
    _refuse_untakable_names(scope, spec)
    if not rest.names:
        _refuse_unused(scope, spec)
    scope.finish()
    return Project(
        origin=(),
        name=spec.project,
        description=spec.description,
        owner=spec.owner,
        repository=spec.repository,
        registry=spec.registry,
        storage=spec.storage,
        timezone=spec.timezone,
        platform=base.platform,
        services=base.services,
        secrets={
            name: Secret(("secrets", name), name, secret.path, secret.key)
            for name, secret in spec.secrets.items()
        },
        environments=environments,
        images=base.images,
        sources=base.sources,
        entities=base.entities,
        views=base.views,
        on_demand_views=base.on_demand_views,
        models=base.models,
        alerts=base.alerts,
        ci=base.ci,
        patches=base.patches,
        crowded=rest.crowded,
        extensions=tuple(
            Extension(("targets", name), name, asked.package, asked.version, asked.settings)
            for name, asked in spec.targets.items()
        ),
        templates=tuple(
            OwnTemplate(("templates", name), name, own.file, own.base)
            for name, own in spec.templates.items()
        ),
    )


def _chapters(scope: Scope, spec: Spec, environments: tuple[str, ...]) -> _Chapters:
    scope.secrets = spec.secrets
    images = {name: _image(scope, name, image, spec) for name, image in spec.images.items()}
    if images and "kubernetes" in (spec.platform.orchestration, spec.platform.training):
        scope.used.add(("image", next(iter(images))))  # see `containers.job_image`
    sources = resolve_sources(scope, spec, images, _sources_models_write(scope, spec, images))
    entities = resolve_entities(scope, sources)
    views = resolve_views(scope, spec, sources, entities)
    return _Chapters(
        platform=Platform(scope.at("platform"), **words_of(spec)),
        services=_services(scope, spec),
        images=tuple(images.values()),
        sources=tuple(sources.values()),
        entities=tuple(entities.values()),
        views=tuple(view for view in views.values() if isinstance(view, View)),
        on_demand_views=tuple(view for view in views.values() if isinstance(view, OnDemandView)),
        models=resolve_models(scope, spec, Names(sources, views, images, environments)),
        alerts=_alerts(scope, spec),
        ci=_ci(scope, spec),
        patches=resolve_patches(scope, spec),
    )


def _services(scope: Scope, spec: Spec) -> Services:
    written = spec.services
    feast, kafka = written.feast, written.kafka
    at = scope.at("services")
    connections = {}
    for kind in KINDS:
        connection = getattr(getattr(written, kind, None), "connection", None)
        if connection is not None:
            here = (*at, kind, "connection")
            connections[kind] = Connection(here, _or_none(scope, connection, here))
    return Services(
        origin=at,
        mlflow=_url(written.mlflow),
        prometheus=_url(written.prometheus),
        pushgateway=_url(written.pushgateway),
        alertmanager=_url(written.alertmanager),
        grafana=_url(written.grafana),
        feast=None
        if feast is None
        else FeastService(
            (*at, "feast"),
            feast.registry,
            feast.online_store,
            _or_none(scope, feast.connection, (*at, "feast", "connection"))
            if feast.connection
            else None,
        ),
        kafka=None if kafka is None else KafkaService((*at, "kafka"), kafka.brokers, kafka.cluster),
        connections={kind: made for kind, made in connections.items() if made.secret},
    )


def _or_none(scope: Scope, reference: Any, at: Path) -> Any:
    try:
        return scope.secret(reference, at)
    except Unresolvable:
        return None


def _url(service: Any) -> str | None:
    return None if service is None else service.url.rstrip("/")


def _image(scope: Scope, name: str, image: Any, spec: Spec) -> Image:
    return Image(
        scope.at("images", name),
        name,
        image.dockerfile,
        image.python or PYTHON,
        image.requirements,
        tuple(image.packages),
        f"{spec.registry}/{dns(name)}" if spec.registry else None,
    )


def _sources_models_write(
    scope: Scope, spec: Spec, images: dict[str, Image]
) -> dict[str, tuple[str, tuple[Column, ...]]]:
    """The sources that a model's batch fills, with the columns it gives them.

    Their columns follow from the model's target and features, which are of other sources: so those
    are resolved once before, quietly; what is wrong with them is said when it is their turn.
    """
    found: dict[str, tuple[str, tuple[Column, ...]]] = {}
    if all(model.batch is None for model in spec.models.values()):
        return found
    quiet = Scope(scope.root)
    sources = resolve_sources(quiet, spec, images, {})
    views = resolve_views(quiet, spec, sources, resolve_entities(quiet, sources))
    for name, model in spec.models.items():
        if model.batch is None:
            continue
        at = quiet.at("models", name)
        try:
            target = resolve_target(quiet, model.target, (*at, "target"), sources)
        except Unresolvable:
            continue
        features = resolve_features(quiet, model.features, at, target.source, sources, views)
        columns = written_columns(model.prediction, target, features, (*at, "batch", "to"))
        found[model.batch.to] = (name, columns)
    return found


def _alerts(scope: Scope, spec: Spec) -> Alerts:
    written, at = spec.alerts, scope.at("alerts")
    channels = {}
    for name, channel in written.channels.items():
        try:
            channels[name] = _channel(scope, name, channel, (*at, "channels", name))
        except Unresolvable:
            scope.break_("channel", name)
    routes: dict[Severity, Channel] = {}
    for severity in SEVERITIES:
        name = getattr(written.routes, severity)
        if name is None:
            continue
        try:
            routes[severity] = scope.find("channel", name, channels, (*at, "routes", severity))
        except Unresolvable:
            continue
    return Alerts(
        at,
        tuple(channels.values()),
        routes,
        query_bounds(written.rules, (*at, "rules")),
    )


def _channel(scope: Scope, name: str, channel: Any, at: Path) -> Channel:
    if (pagerduty := channel.pagerduty) is not None:
        return Channel(
            at, name, "pagerduty", scope.secret(pagerduty.key, (*at, "pagerduty", "key")), {}
        )
    if (slack := channel.slack) is not None:
        secret = scope.secret(slack.webhook, (*at, "slack", "webhook"))
        return Channel(at, name, "slack", secret, {"channel": slack.channel})
    if (webhook := channel.webhook) is not None:
        return Channel(at, name, "webhook", scope.secret(webhook.url, (*at, "webhook", "url")), {})
    email = channel.email
    here = (*at, "email", "password")
    password = scope.secret(email.password, here) if email.password else None
    settings = {
        "to": ", ".join(email.to),
        "from": email.from_,
        "smarthost": email.smarthost,
    } | ({"username": email.username} if email.username else {})
    return Channel(at, name, "email", password, settings)


def _ci(scope: Scope, spec: Spec) -> Ci:
    written, at = spec.ci, scope.at("ci")
    tags = {kind: tuple(written.tags.get(kind, ())) for kind in ("default", "gpu")}
    trigger = _or_none(scope, written.trigger, (*at, "trigger")) if written.trigger else None
    return Ci(at, written.file, tags, trigger, dict(written.jobs), _includes(written.include, at))


def _includes(written: Any, at: Path) -> tuple[Inclusion, ...]:
    """The entries of `ci.include`, which may be one without a list."""
    here = (*at, "include")
    if isinstance(written, str | dict):
        return (Inclusion(here, written),)
    return tuple(Inclusion((*here, number), entry) for number, entry in enumerate(written))


def _environment(scope: Scope, name: str, spec: Spec, chapters: _Chapters) -> Environment:
    last = not spec.environments or name == list(spec.environments)[-1]
    at: Path = ("environments", name)
    written: Any = spec.environments.get(name)
    versions = dict(written.versions) if written else {}
    for model in versions:
        with suppress(Unresolvable):
            scope.find("model", model, spec.models, (*at, "versions", model), on_key=True)
    return Environment(
        origin=at,
        name=name,
        namespace=(written.namespace if written else None) or _namespace(spec.project, name, last),
        deploy=(written.deploy if written else None) or ("manual" if last else "automatic"),
        approvers=tuple(written.approvers) if written else (),
        url=written.url if written else None,
        versions=versions,
        checked=frozenset(_checked(name, chapters)),
        tier=_tier(name, last),
        platform=chapters.platform,
        services=chapters.services,
        sources=chapters.sources,
        views=chapters.views,
        models=chapters.models,
        alerts=chapters.alerts,
        patches=chapters.patches,
        namespace_written=written is not None and written.namespace is not None,
    )


def _checked(environment: str, chapters: _Chapters) -> Iterator[str]:
    if chapters.platform.orchestration == "gitlab":
        for source in chapters.sources:
            if source.build is not None and source.build.schedule is not None:
                yield source.name
    for model in chapters.models:
        if model.training is not None and model.training.environment == environment:
            yield model.target.source.name
            yield from (view.source.name for view in model.views)


def _namespace(project: str, environment: str, last: bool) -> str:
    """The project's name in production, with the environment's behind it before."""
    return dns(project) if last else f"{dns(project)}-{dns(environment)}"


def _tier(name: str, last: bool) -> Tier:
    """GitLab's deployment tier: from the name where it says one; the last is production."""
    if last:
        return "production"
    return next((tier for tier in _TIERS if name.startswith(tier[:4])), "staging")


def _refuse_untakable_names(scope: Scope, spec: Spec) -> None:
    """N011: names that Kubernetes and image registries do not take, where `_` is written `-`."""
    named: list[tuple[str, Path]] = [(spec.project, ("project",))]
    for chapter in ("models", "environments", "images", "secrets"):
        named += [(name, (chapter, name)) for name in getattr(spec, chapter)]
    for name, at in named:
        if name.endswith("_"):
            scope.report(
                "N011",
                f"'{name}' is '{dns(name)}' in Kubernetes, where a name ends in a letter or a digit",
                at,
                f"write '{name.rstrip('_')}'",
                on_key=len(at) > 1,
            )


def _refuse_unused(scope: Scope, spec: Spec) -> None:
    """N012: what is defined and used by nobody was meant for something, and would silently not be."""
    for kind, chapter, names in (
        ("secret", ("secrets",), spec.secrets),
        ("image", ("images",), spec.images),
        ("channel", ("alerts", "channels"), spec.alerts.channels),
        # A table with columns is checked, used or not.
        ("source", ("sources",), [name for name, s in spec.sources.items() if not s.columns]),
    ):
        for name in names:
            if (kind, name) not in scope.used:
                scope.report(
                    "N012",
                    f"{kind} '{name}' is used by nobody",
                    (*chapter, name),
                    "use it, or take it out",
                    on_key=True,
                )
