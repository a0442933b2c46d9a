"""A model's scheduled jobs in Kubernetes: monitor, batch, features, tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlopsc.project import containers, conventions
from mlopsc.project.conventions import decision
from mlopsc.project.model import Batch, Build, ImageRef, Monitoring, Resources, Schedule, View
from mlopsc.project.model import Source as DataSource
from mlopsc.targets.kubernetes import configuration, pods
from mlopsc.targets.kubernetes.place import Place, sources_of
from mlopsc.targets.kubernetes.runs import DAY, Run, Step, cron_job, deadline_of, job_account
from mlopsc.targets.kubernetes.serving import service_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body, Draft

SCRATCH_SIZE = "20Gi"
SMALL_CPU, SMALL_MEMORY = "500m", "2Gi"  # of jobs whose resources the language has no key for


def emit(place: Place) -> Iterator[Draft]:
    """The jobs' identity and their CronJobs."""
    runs = tuple(_runs(place))
    if runs or place.training is not None:
        account = job_account(place)
        yield service_account(place, account, "jobs", "serviceaccount-jobs")
    for run in runs:
        yield cron_job(place, run)


def runs_any(place: Place) -> bool:
    """Whether the model has jobs here."""
    return place.training is not None or any(True for _ in _runs(place))


def _runs(place: Place) -> Iterator[Run]:
    if not place.schedules_here:
        return
    model = place.model
    image = containers.job_image(place.project, model)
    if image is not None:
        if model.monitoring is not None:
            yield _program(place, image, "monitor", model.monitoring)
        if model.batch is not None:
            yield _program(place, image, "batch", model.batch)
        for view in place.owned_views:
            if view.materialize is not None:
                yield _materialize(place, image, view, view.materialize)
    for source in place.owned_sources:
        if source.build is not None and source.build.image is not None:
            yield _build(place, source, source.build, source.build.image)


def _program(place: Place, image: ImageRef, program: str, asked: Monitoring | Batch) -> Run:
    command = ("python", conventions.program(program), "--model", place.model.name)
    mounts = configuration.mounts(place)
    step = Step(program, command, asked.origin, asked.resources, variables(place), mounts)
    return _run(place, (place.model.name, program), image, asked.schedule, step)


def _materialize(place: Place, image: ImageRef, view: View, schedule: Schedule) -> Run:
    purpose = "materialize"
    command = ("python", conventions.program(purpose), "--view", view.name)
    resources, mounts = _small(), configuration.mounts(place)
    step = Step(purpose, command, view.origin, resources, variables(place), mounts)
    return _run(place, (view.name, purpose), image, schedule, step)


def _build(place: Place, source: DataSource, build: Build, image: ImageRef) -> Run:
    command = shell(build.command)
    step = Step("build", command, build.at("command"), _small(), variables(place))
    made = _run(place, (source.name, "build"), image, build.schedule, step)
    return replace(made, volumes=())  # the user's own program knows nothing of ours


def _run(
    place: Place, named: tuple[str, str], image: ImageRef, schedule: Schedule | None, step: Step
) -> Run:
    """A run of one step; `named`: whose it is (the model's, a view's, a source's) and what for."""
    owner, purpose = named
    of_model = owner == place.model.name
    file = f"cronjob-{purpose}" if of_model else f"cronjob-{purpose}-{conventions.dns(owner)}"
    return Run(
        name=conventions.object_name(owner, purpose),
        component=purpose,
        file=file,
        origin=step.origin,
        schedule=schedule,
        image=image,
        steps=(step,),
        deadline=deadline_of(schedule),
        retries=1,
        keep=DAY,
        scratch=SCRATCH_SIZE,
        volumes=configuration.volumes(place),
    )


def shell(command: str) -> tuple[str, ...]:
    """A command of the user's, which may use what a shell gives; the first failure ends it."""
    return ("/bin/sh", "-euc", pods.literal(command))


def variables(place: Place) -> tuple[Body, ...]:
    """What the programs are told: where they run, where services answer, how to log in."""
    services = place.environment.services
    made = [*basics(place)]
    if services.pushgateway is not None:
        url = services.at("pushgateway", "url")
        made.append(pods.variable(conventions.PUSHGATEWAY_VARIABLE, services.pushgateway, url))
    return (*made, *_feast(place), *_connections(place))


def basics(place: Place) -> tuple[Body, ...]:
    """What every job is told: where it runs, for which model, and where to track."""
    services, environment = place.environment.services, place.environment
    home = decision("kubernetes_home")
    made: list[Body] = [
        pods.variable("HOME", pods.TMP, home),
        pods.variable(conventions.ENVIRONMENT_VARIABLE, environment.name, environment.origin),
        pods.variable(conventions.MODEL_VARIABLE, place.model.name, place.model.origin),
    ]
    if services.mlflow is not None:
        url = services.at("mlflow", "url")
        made.append(pods.variable(conventions.TRACKING_VARIABLE, services.mlflow, url))
    return tuple(made)


def _feast(place: Place) -> Iterator[Body]:
    feast = place.environment.services.feast
    if feast is None or not place.model.uses_feature_store:
        return
    if feast.registry is not None:
        registry = feast.at("registry")
        yield pods.variable(conventions.FEAST_REGISTRY_VARIABLE, feast.registry, registry)
    if feast.connection is not None:
        variable = conventions.FEAST_ONLINE_VARIABLE
        yield pods.secret_variable(place.project, variable, feast.connection)


def _connections(place: Place) -> Iterator[Body]:
    kinds = {source.kind for source in sources_of(place.model)}
    for kind, connection in place.environment.services.connections.items():
        if kind in kinds:
            variable = conventions.connection_variable(kind)
            yield pods.secret_variable(place.project, variable, connection.secret)


def _small() -> Resources:
    return Resources(decision("kubernetes_small_job"), SMALL_CPU, SMALL_MEMORY, 0, {})
