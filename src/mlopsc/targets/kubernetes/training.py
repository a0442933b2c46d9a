"""Training in Kubernetes: one pod from dataset to registered version, started on request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, Draft, traced
from mlopsc.project import containers, conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes import configuration, pods
from mlopsc.targets.kubernetes.jobs import basics, shell, variables
from mlopsc.targets.kubernetes.runs import DAY, HOUR, WORK, Run, Step, cron_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import ImageRef, Training
    from mlopsc.targets.kubernetes.place import Place

PURPOSE = "train"
SCRATCH_SIZE = "100Gi"
SHARED_MEMORY = "shared-memory"
SHARED_MEMORY_PATH = "/dev/shm"  # noqa: S108 - in the pod


def emit(place: Place) -> Iterator[Draft]:
    """The CronJob that trains, if Kubernetes does and this environment's data is trained on."""
    training = place.training
    image = containers.job_image(place.project, place.model)
    if training is not None and image is not None:
        yield cron_job(place, _run(place, training, image))


def _run(place: Place, training: Training, image: ImageRef) -> Run:
    deadline = (training.at("timeout"), decision("kubernetes_training_deadline"))
    volumes = configuration.volumes(place)
    if shares_memory(training):
        volumes = (*volumes, _shared_memory())
    return Run(
        name=conventions.object_name(place.model.name, PURPOSE),
        component=PURPOSE,
        file=f"cronjob-{PURPOSE}",
        origin=training.origin,
        schedule=training.schedule if place.schedules_here else None,
        image=image,
        steps=tuple(_steps(place, training)),
        deadline=traced(training.timeout + 2 * HOUR, *deadline),
        retries=0,
        keep=7 * DAY,
        scratch=SCRATCH_SIZE,
        volumes=volumes,
    )


def _steps(place: Place, training: Training) -> Iterator[Step]:
    model = place.model.name
    folders = (
        pods.variable(conventions.DATA_VARIABLE, f"{WORK}/{model}/data", training.origin),
        pods.variable(conventions.OUT_VARIABLE, f"{WORK}/{model}/out", training.origin),
    )
    light = replace(training.resources, gpu=0)
    for program in ("dataset", PURPOSE, "gate", "register"):
        if program == PURPOSE:
            yield _user_step(place, training, folders)
            continue
        command = ("python", conventions.program(program), "--model", model)
        origin = decision("kubernetes_pod_is_the_pipeline")
        env = (*variables(place), *folders)
        yield Step(program, command, origin, light, env, configuration.mounts(place))


def _user_step(place: Place, training: Training, folders: tuple[Body, ...]) -> Step:
    """The user's command: told of the contract and its own variables, of no other login."""
    own = pods.variables(place.project, training.env, training.at("env"))
    mounts: tuple[Body, ...] = ()
    if shares_memory(training):
        mounts = ({"name": SHARED_MEMORY, "mountPath": SHARED_MEMORY_PATH},)
    return Step(
        PURPOSE,
        shell(training.command),
        training.at("command"),
        training.resources,
        (*basics(place), *folders, *_parameters(training), *own),
        mounts,
    )


def _parameters(training: Training) -> Iterator[Body]:
    """The seed and the parameters, as the user's command finds them in every place it runs."""
    yield pods.variable("MLOPS_SEED", str(training.seed), training.at("seed"))
    for name, value in training.parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        variable = conventions.environment_variable(name).replace(".", "_")
        yield pods.variable(variable, text, training.at("parameters", name))


def shares_memory(training: Training) -> bool:
    """Whether the framework's workers exchange data through shared memory."""
    return training.framework == "pytorch"


def _shared_memory() -> Body:
    volume: Body = {"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}
    return traced(volume, decision("kubernetes_shared_memory"))
