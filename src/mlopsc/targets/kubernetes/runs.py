"""A run to completion as a CronJob: the one shape that scheduled and requested jobs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, Draft, traced
from mlopsc.frozen import frozen
from mlopsc.project import containers
from mlopsc.project.conventions import FAILED, decision
from mlopsc.targets.kubernetes import pods
from mlopsc.targets.kubernetes.serving import image_of

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import ImageRef, Resources, Schedule, Seconds
    from mlopsc.targets.kubernetes.place import Fields, Place

APP = "/app"  # the working directory of the images we generate
WORK = f"{APP}/build"
WORK_VOLUME = "build"
NEVER = "0 0 1 1 *"  # what a suspended CronJob has to say; it does not run by itself
HOUR: Seconds = 3600
DAY: Seconds = 86400


@frozen
class Step:
    """One container; all but the last of a run go before it, one after the other."""

    name: str
    command: tuple[str, ...]
    origin: Path
    resources: Resources
    env: tuple[Body, ...]
    mounts: tuple[Body, ...] = ()


@frozen
class Run:
    """What runs to completion.

    Attributes:
        component: what it is for; its label, and the end of its name.
        schedule: None: only on request.
        deadline: seconds, with its reasons.
        retries: how often a run that did not reach a verdict is tried again.
        keep: seconds that a finished run is kept to be looked at.
        scratch: the largest size of what it may write below /tmp, and below build/.
    """

    name: str
    component: str
    file: str
    origin: Path
    schedule: Schedule | None
    image: ImageRef
    steps: tuple[Step, ...]
    deadline: Body
    retries: int
    keep: Seconds
    scratch: str
    volumes: tuple[Body, ...] = ()


def job_account(place: Place) -> str:
    """The account of a model's jobs: apart from serving's, for they write where it must not."""
    return f"{place.name}-jobs"


def deadline_of(schedule: Schedule | None) -> Body:
    """How long a scheduled run may take."""
    every = 6 * HOUR if schedule is None else schedule.every
    seconds = max(600, min(every, 6 * HOUR))
    origins = () if schedule is None else (schedule.origin,)
    return traced(seconds, *origins, decision("kubernetes_run_deadline"))


def cron_job(place: Place, run: Run) -> Draft:
    """The CronJob of `run`."""
    schedule = run.schedule
    spec: Fields = {}
    if schedule is None:
        spec["schedule"] = traced(NEVER, decision("kubernetes_suspended"))
        spec["suspend"] = traced(True, decision("kubernetes_suspended"))
    else:
        late = max(60, min(schedule.every // 2, HOUR))
        deadline = (schedule.origin, decision("kubernetes_start_deadline"))
        spec["schedule"] = traced(schedule.cron, schedule.origin)
        spec["timeZone"] = traced(place.project.timezone, ("timezone",))
        spec["startingDeadlineSeconds"] = traced(late, *deadline)
    spec["concurrencyPolicy"] = traced("Forbid", decision("kubernetes_forbid"))
    history = decision("kubernetes_history")
    spec["successfulJobsHistoryLimit"] = traced(1, history)
    spec["failedJobsHistoryLimit"] = traced(3, history)
    spec["jobTemplate"] = {"spec": _job(place, run)}
    body: Fields = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": place.metadata(run.name, run.component),
        "spec": spec,
    }
    return place.draft(run.file, run.origin, body)


def _job(place: Place, run: Run) -> Fields:
    policy: Fields = {
        "rules": [
            {
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            },
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [FAILED]}},
        ]
    }
    retries = decision("kubernetes_retries")
    return {
        "activeDeadlineSeconds": run.deadline,
        "backoffLimit": traced(run.retries, retries),
        "podFailurePolicy": traced(policy, retries),
        "ttlSecondsAfterFinished": traced(run.keep, decision("kubernetes_history")),
        "template": {
            "metadata": {"labels": traced(_labels(place, run), decision("kubernetes_labels"))},
            "spec": _pod(place, run),
        },
    }


def _labels(place: Place, run: Run) -> Fields:
    return dict(place.labels(run.component))


def _pod(place: Place, run: Run) -> Fields:
    pod: Fields = {"restartPolicy": "Never"}
    pod |= pods.identity(job_account(place))
    pod |= pods.security(containers.is_generated(run.image))
    made: list[Body] = [_container(place, run, step) for step in run.steps]
    if len(made) > 1:
        pod["initContainers"] = made[:-1]
    pod["containers"] = made[-1:]
    pod["volumes"] = [
        pods.scratch(pods.TMP_VOLUME, run.scratch),
        pods.scratch(WORK_VOLUME, run.scratch),
        *run.volumes,
    ]
    return pod


def _container(place: Place, run: Run, step: Step) -> Body:
    container: Fields = {"name": step.name} | image_of(place, run.image)
    container["workingDir"] = APP
    container["command"] = traced(list(step.command), step.origin)
    container["env"] = list(step.env)
    container |= pods.resources(step.resources)
    container |= pods.container_security()
    container["volumeMounts"] = [
        pods.mount(pods.TMP_VOLUME, pods.TMP),
        pods.mount(WORK_VOLUME, WORK),
        *step.mounts,
    ]
    return traced(container, step.origin)
