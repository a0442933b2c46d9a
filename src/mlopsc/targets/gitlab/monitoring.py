"""Monitoring and batch scoring: scheduled runs of the version that runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project.conventions import decision, program
from mlopsc.targets.gitlab import flow, rules
from mlopsc.targets.gitlab.data import access
from mlopsc.targets.gitlab.runtime import (
    Job,
    artifacts,
    job_name,
    pull_data,
    runner_resources,
    services,
    tags,
)

if TYPE_CHECKING:
    from mlopsc.project.model import Environment, Model, Project

Jobs = Iterator[tuple[str, Body]]


def model_jobs(project: Project, model: Model) -> Jobs:
    """A job an environment, where GitLab runs the schedules."""
    for environment in project.environments:
        there = flow.model_in(environment, model.name)
        if there is None or there.platform.orchestration != "gitlab":
            continue
        if there.monitoring is not None:
            name = job_name(model.name, "monitor", environment.name)
            yield name, _monitor(project, environment, there)
        if there.batch is not None:
            name = job_name(model.name, "batch", environment.name)
            yield name, _batch(project, environment, there)


def _monitor(project: Project, environment: Environment, model: Model) -> Body:
    monitoring = model.monitoring
    assert monitoring is not None  # noqa: S101 - model_jobs has looked
    folder = f"build/{model.name}/monitor"
    read = tuple(s for s in (monitoring.current, monitoring.reference) if s is not None)
    read_by = (monitoring.at("current"), monitoring.at("reference"))
    body: Job = {
        "extends": ".python",
        "stage": "monitoring",
        "rules": [rules.rule(rules.named(model.name, rules.MONITOR, environment.name))],
        "environment": access(environment, model.name),
        **tags(project, monitoring.resources),
        "variables": {**services(environment), **runner_resources(monitoring.resources)},
        "script": [
            *(traced(line, *read_by) for line in pull_data(project, read)),
            f"python {program('monitor')} --model {model.name} --environment {environment.name}",
        ],
        "artifacts": artifacts(
            f"{folder}/", when="always", reports={"junit": f"{folder}/junit.xml"}
        ),
    }
    scheduled = model.platform.at("orchestration")
    return traced(body, monitoring.origin, scheduled, decision("gitlab_task_jobs"))


def _batch(project: Project, environment: Environment, model: Model) -> Body:
    batch = model.batch
    assert batch is not None  # noqa: S101 - model_jobs has looked
    body: Job = {
        "extends": ".python",
        "stage": "monitoring",
        "rules": [rules.rule(rules.named(model.name, rules.BATCH, environment.name))],
        "environment": access(environment, model.name),
        "resource_group": f"{environment.name}/{model.name}/batch",
        "interruptible": False,
        **tags(project, batch.resources),
        "variables": {**services(environment), **runner_resources(batch.resources)},
        "script": [
            *(traced(line, batch.at("from")) for line in pull_data(project, (batch.source,))),
            f"python {program('batch')} --model {model.name} --environment {environment.name}",
        ],
    }
    scheduled = model.platform.at("orchestration")
    return traced(body, batch.origin, scheduled, decision("gitlab_task_jobs"))
