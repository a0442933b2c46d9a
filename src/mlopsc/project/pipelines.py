"""What pipelines are called and when GitLab starts them: the names of jobs, the tasks with a schedule.

A target writes jobs and schedules, and rules keep `ci.jobs` apart from the ones and count the others:
here both look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model, Project, Schedule

KEYWORDS: Final = frozenset(
    (
        *("after_script", "before_script", "cache", "default", "false", "image", "include", "nil"),
        *("services", "spec", "stages", "true", "types", "variables", "workflow"),
    )
)
"""What GitLab reads as something other than a job.

Source: docs.gitlab.com/ci/jobs/#job-names, docs.gitlab.com/ci/yaml, "Global keywords".
"""
NAME_LENGTH: Final = 255
"""The longest name of a job. Source: docs.gitlab.com/ci/jobs/#job-names."""

IDENTITY: Final = ".identity"
PYTHON: Final = ".python"
IMAGE: Final = ".image"
CLUSTER: Final = ".kubernetes"
DEPLOY: Final = ".deploy"
MARK: Final = ".mark"
PROMOTE: Final = ".promote"
ROLLBACK: Final = ".rollback"
TEMPLATES: Final = (IDENTITY, PYTHON, IMAGE, CLUSTER, DEPLOY, MARK, PROMOTE, ROLLBACK)
"""Hidden jobs that others extend."""

CHECK: Final = "check"
RECONCILE: Final = "reconcile schedules"


def of_model(model: str, *parts: str) -> str:
    """`MODEL:PART:…`; only jobs of models have a colon, so no name of the spec meets another."""
    return ":".join((model, *parts))


def apply_features(environment: str) -> str:
    """The job that applies feature definitions in an environment."""
    return f"apply features {environment}"


def materialize(view: str, environment: str) -> str:
    """The job that brings a view's rows to the online store."""
    return f"materialize {view} {environment}"


def image_for(source: str, environment: str) -> str:
    """The job that sees to the image a source is built in."""
    return f"image for {source} {environment}"


def build(source: str, environment: str) -> str:
    """The job that builds a source."""
    return f"build {source} {environment}"


def validate(source: str, environment: str) -> str:
    """The job that checks a source after it was built."""
    return f"validate {source} {environment}"


def deploy_alerts(environment: str) -> str:
    """The job that brings the rules under `alerts` to a cluster."""
    return f"deploy alerts {environment}"


def taken(project: Project) -> frozenset[str]:
    """Every name that a job of the project is or may come to be called; `MODEL:…` stands beside them."""
    names = {CHECK, RECONCILE, *TEMPLATES}
    for environment in project.environments:
        names.update(_in_environment(environment))
    return frozenset(names)


def _in_environment(environment: Environment) -> Iterator[str]:
    name = environment.name
    yield apply_features(name)
    yield deploy_alerts(name)
    for view in environment.views:
        yield materialize(view.name, name)
    for source in environment.sources:
        yield image_for(source.name, name)
        yield build(source.name, name)
        yield validate(source.name, name)


def model_of(job: str) -> str | None:
    """The model a job's name says it belongs to: `churn` for `churn:train` and `.churn:training`."""
    model, colon, _ = job.removeprefix(".").partition(":")
    return model if colon else None


# --- what has a schedule ------------------------------------------------------------------------

TRAIN: Final = "train"
MONITOR: Final = "monitor"
BATCH: Final = "batch"
MATERIALIZE: Final = "materialize"
BUILD: Final = "build"

SCHEDULES: Final = 10
"""How many schedules a project may have in GitLab, unless somebody raises it; GitLab.com has 10 on its
free plan, 50 on the others. docs.gitlab.com/administration/cicd/limits, "Number of pipeline schedules"."""


@frozen
class Scheduled:
    """A task that GitLab starts by the clock.

    Attributes:
        task: train, monitor, batch (of a model), materialize (of a view), build (of a source).
        name: the model, view or source.
        environment: None for training, whose environment is the model's own.
        schedule: when.
        origin: the part of the spec that asks for the task.
    """

    task: str
    name: str
    environment: str | None
    schedule: Schedule
    origin: Path


def scheduled(project: Project) -> Iterator[Scheduled]:
    """Every task that GitLab starts by the clock; a CronJob of the cluster starts by itself."""
    for model in project.models:
        trained = model.training
        if trained is not None and trained.schedule is not None:
            words = {model.platform.training, model.platform.orchestration}
            if words != {"kubernetes"}:
                yield Scheduled(TRAIN, model.name, None, trained.schedule, trained.origin)
    looked_up = any(model.uses_feature_store for model in project.models)
    for environment in project.environments:
        if environment.platform.orchestration == "gitlab":
            yield from _of_data(environment, looked_up=looked_up)
        for model in environment.models:
            if model.platform.orchestration == "gitlab":
                yield from _of_model(environment, model)


def _of_data(environment: Environment, *, looked_up: bool) -> Iterator[Scheduled]:
    for source in environment.sources:
        built = source.build
        if built is not None and built.schedule is not None:
            yield Scheduled(BUILD, source.name, environment.name, built.schedule, built.origin)
    for view in environment.views if looked_up else ():
        if view.materialize is not None:
            at = view.origin
            yield Scheduled(MATERIALIZE, view.name, environment.name, view.materialize, at)


def _of_model(environment: Environment, model: Model) -> Iterator[Scheduled]:
    watched, scored = model.monitoring, model.batch
    if watched is not None:
        at = watched.origin
        yield Scheduled(MONITOR, model.name, environment.name, watched.schedule, at)
    if scored is not None and scored.schedule is not None:
        yield Scheduled(BATCH, model.name, environment.name, scored.schedule, scored.origin)
