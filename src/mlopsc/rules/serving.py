"""Rules about a model behind an address, and about the containers that models run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project.alerting.burn_rates import burns, can_fire
from mlopsc.project.containers import KUBERNETES, job_image
from mlopsc.project.runtimes import CUSTOM, RUNTIMES
from mlopsc.rules.rule import Hit, Key, Need, missing, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import (
        Image,
        ImageRef,
        Model,
        Project,
        Resources,
        RuntimeMetrics,
        Serving,
        Slo,
    )


def _served(project: Project) -> Iterator[tuple[Model, Serving]]:
    for model in project.models:
        if model.serving is not None:
            yield model, model.serving


@rule("R301")
def images_have_a_registry(project: Project) -> Iterator[Hit]:
    """What CI builds an image of is pushed somewhere."""
    if project.registry is None:
        yield from missing(
            _asking_for_images(project),
            "nothing says where images are pushed to",
            "add `registry: HOST/PATH` to the project",
        )


def _asking_for_images(project: Project) -> Iterator[Need]:
    for source in project.sources:
        build = source.build
        if build is not None and (image := _ours(build.image)) is not None:
            yield Need(f"'{source.name}' is built in image '{image.name}'", build.at("image"))
    for model in project.models:
        # A job in the cluster runs in the first of `images` where it names none.
        in_cluster = KUBERNETES in (model.platform.training, model.platform.orchestration)
        used = model.training.image if model.training is not None else None
        if in_cluster and (model.training or model.batch or model.monitoring):
            used = used or job_image(project, model)
        if used is not None and (image := _ours(used)) is not None:
            yield Need(f"'{model.name}' runs in image '{image.name}'", used.origin)
        serving = model.serving
        if serving is not None and (serving.image is None or _ours(serving.image)):
            yield Need(f"'{model.name}' is served from an image", Key(serving.origin))


def _ours(image: ImageRef | None) -> Image | None:
    return image.image if image is not None else None


@rule("R302")
def format_fits_runtime(project: Project) -> Iterator[Hit]:
    """The runtime can load what training leaves."""
    for model, serving in _served(project):
        if serving.runtime == CUSTOM or serving.image is not None:
            continue
        formats = RUNTIMES[serving.runtime].formats
        if serving.format not in formats:
            able = [name for name, runtime in RUNTIMES.items() if serving.format in runtime.formats]
            yield (
                f"{serving.runtime} cannot load format '{serving.format}' of '{model.name}'",
                # Of the two, the one that is not the default was written.
                serving.at("runtime" if serving.format == _USUAL_FORMAT else "format"),
                f"{serving.runtime} loads {', '.join(formats)}; "
                f"{serving.format} is loaded by {', '.join([*able, f'{CUSTOM} with an image of yours'])}",
            )


_USUAL_FORMAT = "mlflow"


@rule("R303")
def objective_promises_something(project: Project) -> Iterator[Hit]:
    """An objective names what is promised: availability, a latency, or both."""
    for model, serving in _served(project):
        slo = serving.slo
        if slo is not None and slo.availability is None and slo.latency is None:
            yield (
                f"'{model.name}' has an objective that promises nothing",
                Key(slo.origin),
                "add `availability: 99.9%` or `latency: {p95: 250ms}`, or take `slo` out",
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
            other = (
                "add `latency` and `buckets` to `serving.metrics`"
                if serving.runtime == CUSTOM
                else f"serve with {' or '.join(able)}"
            )
            yield (
                f"runtime {serving.runtime} has no latency histogram, so nothing can tell whether '{model.name}' keeps it",
                at,
                f"take the latency out of `slo`, or {other}",
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
    near = [_latency(bound) for bound in (below, above) if bound is not None]
    yield (
        f"{_latency(seconds)} is no bucket of the histogram of runtime {serving.runtime}, so nobody can count the requests below it",
        at,
        f"the nearest {'is' if len(near) == 1 else 'are'} {' and '.join(near)}",
    )


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:.9g}ms" if seconds < 1 else f"{seconds:.9g}s"


@rule("R305")
def objective_can_be_missed(project: Project) -> Iterator[Hit]:
    """Each burn alert's threshold stays below 1, or it can never fire."""
    for _, serving in _served(project):
        slo = serving.slo
        if slo is None:
            continue
        for objective, key in (
            (slo.availability, "availability"),
            (slo.latency and slo.latency[0], "latency"),
        ):
            if objective is not None:
                yield from _burning(objective, slo, key)


def _burning(objective: float, slo: Slo, key: str) -> Iterator[Hit]:
    if objective >= 1:
        yield (
            "nothing is right all the time: an objective of 100% leaves no error budget",
            slo.at(key),
            "lower it, to 99.9% for example",
        )
        return
    fastest = max(burns(slo.window), key=lambda burn: burn.factor)
    if not can_fire(fastest, objective):
        least = 1 - 1 / fastest.factor
        budget, threshold = 1 - objective, fastest.threshold(objective)
        yield (
            f"the {fastest.name} burn alert of {objective * 100:.6g}% could never fire: {fastest.factor:g} times "
            f"its error budget of {budget * 100:.6g}% is {threshold * 100:.6g}%",
            slo.at(key),
            f"raise it above {least:.1%}" + (", to p95 for example" if key == "latency" else ""),
        )


@rule("R306", "warning", whole=True)
def version_is_pinned(project: Project) -> Iterator[Hit]:
    """What runs in production is a line of the spec, not an alias that moves."""
    environment = project.production
    there = {model.name for model in environment.models}
    for model, serving in _served(project):
        if model.name in there and not environment.pinned(model) and serving.image is None:
            yield (
                f"'{model.name}' runs whatever the registry calls champion in {environment.name}: "
                "the same files may run another version tomorrow",
                Key(serving.origin),
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
        if limit is not None and _amount(limit) > _amount(serving.resources.memory):
            yield (
                f"'{model.name}' may take {limit} and has {serving.resources.memory} reserved: "
                "under pressure its pods are the first to be killed",
                serving.resources.at("limits", "memory"),
                f"reserve as much as it may take: `memory: {limit}`",
            )


@rule("R309")
def scaling_has_room(project: Project) -> Iterator[Hit]:
    """Copies are added between a least and a most, at a share of what is reserved."""
    for model, serving in _served(project):
        replicas, scale = serving.replicas, serving.autoscale
        if replicas.minimum > replicas.maximum:
            yield (
                f"'{model.name}' has at least {replicas.minimum} copies and at most {replicas.maximum}",
                replicas.at("max"),
                f"write {replicas.minimum} or more",
            )
        for key, share in (("cpu", scale.cpu), ("memory", scale.memory)):
            if share is not None and share < _LEAST_SHARE:
                yield (
                    f"'{model.name}' is never idle enough: copies are added above {share:.3g} of the reserved {key}",
                    scale.at(key),
                    "write a percentage such as 70%",
                )


_LEAST_SHARE = 0.01  # Kubernetes takes whole percentages, from 1 on


@rule("R310", "warning")
def scaling_is_asked_for(project: Project) -> Iterator[Hit]:
    """What makes copies be added is of no use without a range to add in."""
    for model, serving in _served(project):
        scale = serving.autoscale
        # 70 % of the CPU stands in where nothing is written.
        written = scale.memory is not None or scale.cpu != _USUAL_CPU
        if serving.replicas.minimum == serving.replicas.maximum and written:
            yield (
                f"'{model.name}' is to scale and always has {serving.replicas.minimum} copies",
                Key(scale.origin),
                "add `replicas: {min: …, max: …}`",
            )


_USUAL_CPU = 0.7


@rule("R311")
def artifact_is_used(project: Project) -> Iterator[Hit]:
    """A model that is not trained here is brought to do something."""
    for model in project.models:
        if model.training is None and model.serving is None and model.batch is None:
            yield (
                f"'{model.name}' is neither trained here nor used",
                Key(model.origin),
                "add `serving`, `batch` or `training`",
            )


@rule("R312", "warning")
def functions_are_computed_once(project: Project) -> Iterator[Hit]:
    """A caller who sends the features sends the computed ones too."""
    for model, serving in _served(project):
        if serving.request == "features" and model.on_demand_views:
            view = model.on_demand_views[0]
            yield (
                f"'{view.name}' is computed on demand, and callers of '{model.name}' send finished features: "
                "training and serving would compute it in two places",
                Key(serving.origin),
                f"call {view.module}:{view.function} in the caller too, or score by `batch`, which computes it as training does",
            )


@rule("R313")
def limits_are_above_requests(project: Project) -> Iterator[Hit]:
    """A container may take at least what is reserved for it."""
    for what, resources in _containers(project):
        for key, reserved in (("cpu", resources.cpu), ("memory", resources.memory)):
            limit = resources.limits.get(key)
            if limit is not None and _amount(limit) < _amount(reserved):
                yield (
                    f"{what} has {reserved} of {key} reserved and may take {limit}: Kubernetes refuses that",
                    resources.at("limits", key),
                    f"write {reserved} or more, or take the limit out",
                    (Note("what is reserved stands here", resources.at(key)),),
                )


def _containers(project: Project) -> Iterator[tuple[str, Resources]]:
    for model in project.models:
        for what, part in (
            ("training", model.training),
            ("serving", model.serving),
            ("batch", model.batch),
            ("monitoring", model.monitoring),
        ):
            if part is not None:
                yield f"{what} of '{model.name}'", part.resources


_SUFFIXES = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip


def _amount(quantity: str) -> float:
    """A Kubernetes quantity as a number: `500m` is 0.5, `2Gi` is 2147483648."""
    number = quantity.rstrip("kKmMGTi")
    return float(number) * _SUFFIXES[quantity[len(number) :]]


@rule("R314", "warning")
def images_do_not_move(project: Project) -> Iterator[Hit]:
    """An image of somebody else's is named so that it stays the same."""
    for source in project.sources:
        if source.build is not None:
            yield from _moving(f"'{source.name}' is built", source.build.image, deployed=False)
    for model in project.models:
        if model.training is not None:
            yield from _moving(f"'{model.name}' is trained", model.training.image, deployed=False)
        if model.serving is not None:
            yield from _moving(f"'{model.name}' is served", model.serving.image, deployed=True)


def _moving(what: str, image: ImageRef | None, *, deployed: bool) -> Iterator[Hit]:
    """A job may run in `python:3.11-slim`; what is deployed is told apart by its digest alone."""
    if image is None or image.reference is None or "@sha256:" in image.reference:
        return
    tag = image.reference.rpartition("/")[2].partition(":")[2]
    if deployed or not any(sign.isdigit() for sign in tag):
        yield (
            f"{what} in {image.reference}, which may be another image tomorrow",
            image.origin,
            "name it by its digest: NAME@sha256:…"
            + ("" if deployed else ", or at least by a tag with a version"),
        )


@rule("R315", "warning")
def served_versions_are_registered(project: Project) -> Iterator[Hit]:
    """A model that is trained and served here is registered in between."""
    if project.services.mlflow is not None:
        return
    for model, serving in _served(project):
        if model.training is not None and serving.image is None:
            yield (
                f"'{model.name}' is trained and served, and no job registers what was trained",
                Key(serving.origin),
                "add `services: {mlflow: {url: …}}`; without it, versions are yours to register",
            )


@rule("R316")
def matchers_are_regular(project: Project) -> Iterator[Hit]:
    """A label matcher with `=~` or `!~` holds a regular expression."""
    import re

    for _, serving in _served(project):
        metrics = serving.metrics
        if metrics is None or serving.runtime != CUSTOM:
            continue
        for key, text in (("matchers", metrics.matchers), ("errors", metrics.errors)):
            for expression in re.findall(r'[=!]~[ ]*"([^"]*)"', text or ""):
                try:
                    re.compile(expression)
                except re.error as error:
                    yield (
                        f"'{expression}' is no regular expression: {error}",
                        metrics.at(key),
                        "write it as Prometheus does: the whole value has to match, as in `5..`",
                    )
