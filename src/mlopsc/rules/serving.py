"""Rules about a model behind an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project.alerting.burn_rates import FASTEST_FACTOR
from mlopsc.project.runtimes import CUSTOM, RUNTIMES
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Model, Project, RuntimeMetrics, Serving


def _served(project: Project) -> Iterator[tuple[Model, Serving]]:
    for model in project.models:
        if model.serving is not None:
            yield model, model.serving


@rule("R301")
def serving_has_an_image(project: Project) -> Iterator[Hit]:
    """What is served is an image, and an image is pushed somewhere."""
    for model, serving in _served(project):
        if project.registry is None and serving.image is None:
            yield (
                f"'{model.name}' is served from an image that has no registry to be pushed to",
                serving.origin,
                "add `registry: HOST/PATH` to the project",
            )


@rule("R302")
def format_fits_runtime(project: Project) -> Iterator[Hit]:
    """The runtime can load what training leaves."""
    for model, serving in _served(project):
        if serving.runtime == CUSTOM:
            continue
        formats = RUNTIMES[serving.runtime].formats
        if serving.format not in formats:
            able = [name for name, runtime in RUNTIMES.items() if serving.format in runtime.formats]
            yield (
                f"{serving.runtime} cannot load format '{serving.format}' of '{model.name}'",
                serving.at("format"),
                f"{serving.runtime} loads {', '.join(formats)}; "
                + (
                    f"{serving.format} is loaded by {', '.join([*able, CUSTOM])}"
                    if able
                    else "or take runtime: custom"
                ),
            )


@rule("R303")
def custom_runtime_is_described(project: Project) -> Iterator[Hit]:
    """A runtime of one's own says its image and, to be watched, its metrics."""
    for model, serving in _served(project):
        if serving.runtime == CUSTOM and serving.image is None:
            yield (
                f"the runtime of '{model.name}' is your own, and nothing says which image it is",
                serving.at("runtime"),
                "add `image:` to `serving`: a name from `images`, or a full reference",
            )
        if serving.slo is not None and serving.metrics is None:
            yield (
                f"'{model.name}' promises something, and nothing says what its runtime tells Prometheus",
                serving.slo.origin,
                "add `metrics: {requests: …, errors: …}` to `serving`",
            )


@rule("R304")
def latency_is_a_bucket(project: Project) -> Iterator[Hit]:
    """A latency objective is measured at a bucket of the runtime's histogram."""
    for model, serving in _served(project):
        slo, metrics = serving.slo, serving.metrics
        if slo is None or slo.latency is None or metrics is None:
            continue
        at = slo.at("latency")
        if metrics.latency is None:
            able = [name for name, runtime in RUNTIMES.items() if runtime.exposed.latency]
            yield (
                f"{serving.runtime} has no latency histogram, so nothing can tell whether '{model.name}' keeps it",
                at,
                f"take the latency out of `slo`, or serve with {' or '.join(able)}",
            )
            continue
        yield from _bucket(slo.latency[1], metrics, serving, at)


def _bucket(
    seconds: float, metrics: RuntimeMetrics, serving: Serving, at: tuple[str | int, ...]
) -> Iterator[Hit]:
    buckets = [bound * metrics.unit for bound in metrics.buckets]
    if any(abs(seconds - bound) <= bound * 1e-9 for bound in buckets):
        return
    below = max((bound for bound in buckets if bound < seconds), default=None)
    above = min((bound for bound in buckets if bound > seconds), default=None)
    nearest = " and ".join(_latency(bound) for bound in (below, above) if bound is not None)
    yield (
        f"{_latency(seconds)} is no bucket of {serving.runtime}'s histogram, so nobody can count the requests below it",
        at,
        f"the nearest are {nearest}"
        if nearest
        else "declare the histogram's buckets in `serving.metrics`",
    )


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"


@rule("R305")
def objective_can_be_missed(project: Project) -> Iterator[Hit]:
    """The fastest burn alert's threshold stays below 1, or it can never fire."""
    for _, serving in _served(project):
        slo = serving.slo
        if slo is None:
            continue
        for objective, key in (
            (slo.availability, "availability"),
            (slo.latency and slo.latency[0], "latency"),
        ):
            if objective is None:
                continue
            if objective >= 1:
                yield (
                    "nothing is right all the time: an objective of 100% leaves no error budget",
                    slo.at(key),
                    "lower it, to 99.9% for example",
                )
            elif FASTEST_FACTOR * (1 - objective) >= 1:
                least = 1 - 1 / FASTEST_FACTOR
                yield (
                    f"an alert on {objective:.4g} could never fire: {FASTEST_FACTOR} times its error budget is above 1",
                    slo.at(key),
                    f"raise it above {least:.1%}",
                )


@rule("R306", "warning")
def version_is_pinned(project: Project) -> Iterator[Hit]:
    """What runs in production is a line of the spec, not an alias that moves."""
    environment = project.production
    for model, serving in _served(project):
        if not environment.pinned(model) and serving.image is None:
            yield (
                f"'{model.name}' runs whatever the registry calls champion in {environment.name}: "
                "the same files may run another version tomorrow",
                environment.at("versions", model.name),
                f'add `versions: {{{model.name}: "1"}}` to environment {environment.name}; the promote job writes it',
            )


@rule("R307", "warning")
def cpu_is_not_limited(project: Project) -> Iterator[Hit]:
    """A CPU limit makes answers slow while CPUs are idle."""
    for model, serving in _served(project):
        if "cpu" in serving.resources.limits:
            yield (
                f"'{model.name}' is throttled at {serving.resources.limits['cpu']} CPUs even when others are idle",
                serving.resources.at("limits", "cpu"),
                "take it out: the request already guarantees its share",
            )


@rule("R308", "warning")
def memory_limit_is_the_request(project: Project) -> Iterator[Hit]:
    """Memory above the request can be taken away at any time."""
    for model, serving in _served(project):
        limit = serving.resources.limits.get("memory")
        if limit is not None and limit != serving.resources.memory:
            yield (
                f"'{model.name}' may take {limit} and has {serving.resources.memory} reserved: "
                "under pressure its pods are the first to be killed",
                serving.resources.at("limits", "memory"),
                "reserve as much as it may take",
            )


@rule("R309")
def scaling_has_room(project: Project) -> Iterator[Hit]:
    """At most as many copies as at least cannot be."""
    for model, serving in _served(project):
        replicas = serving.replicas
        if replicas.minimum > replicas.maximum:
            yield (
                f"'{model.name}' has at least {replicas.minimum} copies and at most {replicas.maximum}",
                replicas.at("max"),
                "exchange them",
            )


@rule("R310", "warning")
def scaling_is_asked_for(project: Project) -> Iterator[Hit]:
    """What makes copies be added is of no use without a range to add in."""
    for model, serving in _served(project):
        written = serving.autoscale
        if serving.replicas.minimum == serving.replicas.maximum and written.memory is not None:
            yield (
                f"'{model.name}' is to scale and always has {serving.replicas.minimum} copies",
                written.origin,
                "add `replicas: {min: …, max: …}`",
            )


@rule("R311")
def artifact_is_served(project: Project) -> Iterator[Hit]:
    """A model that is not trained here is brought to do something."""
    for model in project.models:
        if model.training is None and model.serving is None and model.batch is None:
            yield (
                f"'{model.name}' is neither trained here nor used",
                model.origin,
                "add `serving`, `batch` or `training`",
            )


@rule("R312", "warning")
def looked_up_features_need_keys(project: Project) -> Iterator[Hit]:
    """A caller who sends the features sends all of them, looked-up ones too."""
    for model, serving in _served(project):
        if serving.request == "features" and model.on_demand_views:
            view = model.on_demand_views[0]
            yield (
                f"'{view.name}' is computed on demand, and callers of '{model.name}' send finished features: "
                "training and serving would compute it in two places",
                serving.at("request"),
                f"call {view.module}:{view.function} in the caller too, or score by `batch`, which computes it as training does",
            )
