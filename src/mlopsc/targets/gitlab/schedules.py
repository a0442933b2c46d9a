"""`.gitlab/schedules.json`: what GitLab keeps outside of files, and the job that reconciles it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, JsonDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision, program
from mlopsc.targets.gitlab import flow, pins, rules
from mlopsc.targets.gitlab.runtime import Job, needs

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model, Project, Schedule

JOB: Final = "reconcile schedules"
_FORMAT: Final = 1
Entries = Iterator[dict[str, Body]]


def emit(project: Project) -> Iterator[JsonDraft]:
    """The file, if there is anything to reconcile."""
    if needed(project):
        body: dict[str, Body] = {
            "format": _FORMAT,
            "project": project.name,
            "marker": f"mlopsc:{project.name}",
            "schedules": list(_schedules(project)),
            "protected_environments": list(_protected(project)),
            "approval_rules": [],
        }
        yield JsonDraft(conventions.SCHEDULES, project.origin, body)


def needed(project: Project) -> bool:
    """Whether the spec asks for anything that only GitLab's API can be told."""
    return bool(any(_schedules(project)) or any(_protected(project)) or _groups(project))


def _groups(project: Project) -> list[str]:
    """The resource groups whose jobs must run in the order of their pipelines."""
    return [
        f"{environment.name}/{model.name}"
        for environment in project.environments
        for model in environment.models
        if flow.has_manifests(project, environment, model)
    ]


# --- schedules ----------------------------------------------------------------------------------


def _schedules(project: Project) -> Entries:
    for model in project.models:
        training = model.training
        if training is not None and training.schedule is not None:
            # A CronJob in the cluster runs by itself where Kubernetes keeps the schedules.
            if flow.trains_in_kubernetes(model) and model.platform.orchestration == "kubernetes":
                continue
            yield _entry(project, f"{model.name}: train", training.schedule, {
                conventions.MODEL_VARIABLE: model.name, conventions.TASK_VARIABLE: rules.TRAIN,
            })  # fmt: skip
    for environment in project.environments:
        if environment.platform.orchestration == "gitlab":
            yield from _shared_schedules(project, environment)
        for model in environment.models:
            if model.platform.orchestration == "gitlab":
                yield from _model_schedules(project, environment, model)


def _shared_schedules(project: Project, environment: Environment) -> Entries:
    for source in environment.sources:
        if source.build is not None and source.build.schedule is not None:
            name = f"{source.name}: build {environment.name}"
            yield _entry(project, name, source.build.schedule, {
                conventions.TASK_VARIABLE: rules.BUILD, conventions.SOURCE_VARIABLE: source.name,
                conventions.ENVIRONMENT_VARIABLE: environment.name,
            })  # fmt: skip
    if not flow.applies_features(project):
        return
    for view in environment.views:
        if view.materialize is not None:
            name = f"{view.name}: materialize {environment.name}"
            yield _entry(project, name, view.materialize, {
                conventions.TASK_VARIABLE: rules.MATERIALIZE, conventions.VIEW_VARIABLE: view.name,
                conventions.ENVIRONMENT_VARIABLE: environment.name,
            })  # fmt: skip


def _model_schedules(project: Project, environment: Environment, model: Model) -> Entries:
    tasks: list[tuple[str, Schedule]] = []
    if model.monitoring is not None:
        tasks.append((rules.MONITOR, model.monitoring.schedule))
    if model.batch is not None and model.batch.schedule is not None:
        tasks.append((rules.BATCH, model.batch.schedule))
    for task, schedule in tasks:
        yield _entry(project, f"{model.name}: {task} {environment.name}", schedule, {
            conventions.MODEL_VARIABLE: model.name, conventions.TASK_VARIABLE: task,
            conventions.ENVIRONMENT_VARIABLE: environment.name,
        })  # fmt: skip


def _entry(
    project: Project, name: str, schedule: Schedule, variables: dict[str, Body]
) -> dict[str, Body]:
    return {
        "name": name,
        "cron": traced(schedule.cron, schedule.origin),
        "timezone": traced(project.timezone, project.at("timezone")),
        "variables": variables,
        "spec": traced(spec_path(schedule.origin), schedule.origin),
    }


def spec_path(path: Path) -> str:
    """A spec path in one word, for messages: `models.churn.features[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


# --- protected environments -----------------------------------------------------------------------


def _protected(project: Project) -> Entries:
    for environment in project.environments:
        if not environment.approvers:
            continue
        at = environment.at("approvers")
        for model in environment.models:
            if not flow.has_manifests(project, environment, model):
                continue
            approvals = [
                traced(actor, at, model.governance.at("approvals"))
                for actor in _approvals(environment, model)
            ]
            yield {
                "name": traced(
                    f"{environment.name}/{model.name}",
                    environment.origin,
                    decision("gitlab_environment_name"),
                ),
                "deployers": [{"role": "maintainer"}],
                "approvals": approvals,
                "spec": traced(spec_path(at), at),
            }


def _approvals(environment: Environment, model: Model) -> Iterator[dict[str, Body]]:
    """Each approver agrees, and together as many people as the model's governance asks for.

    A user is one person; what is still missing is shared evenly by the groups, in their order.
    """
    missing = max(0, model.governance.approvals - len(environment.approvers))
    groups = [approver for approver in environment.approvers if conventions.is_group(approver)]
    for approver in environment.approvers:
        if conventions.is_group(approver):
            each, left = divmod(missing, len(groups))
            more = each + (groups.index(approver) < left)
            yield {"group": approver, "required": 1 + more}
        else:
            yield {"user": approver, "required": 1}


# --- the job ---------------------------------------------------------------------------------

_ORDER: Final = """\
for group in $GROUPS_IN_ORDER; do
  answer=$(curl --silent --show-error --output /dev/null --write-out '%{http_code}' --request PUT \\
    --header "PRIVATE-TOKEN: $MLOPS_GITLAB_TOKEN" --data process_mode=oldest_first \\
    "$CI_API_V4_URL/projects/$CI_PROJECT_ID/resource_groups/$(echo "$group" | sed 's,/,%2F,g')")
  case "$answer" in
    200) echo "$group: oldest_first" ;;
    404) echo "$group: GitLab makes it with its first deployment; set on the next run" ;;
    *) echo "$group: GitLab answers $answer" >&2; exit 2 ;;
  esac
done
"""


def job(project: Project) -> Body:
    """The job that makes GitLab's objects what the file says."""
    groups = _groups(project)
    manifests = [f"k8s/{environment.name}/**/*" for environment in project.environments]
    script: list[Body] = [
        f"python3 {program('schedules')}",
    ]
    if groups:
        script.append(traced(_ORDER, decision("gitlab_resource_group")))
    body: Job = {
        "image": pins.PYTHON_GIT,
        "stage": "model_deployment",
        "needs": needs("check", artifacts=False),
        "rules": [
            rules.never(f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"),
            rules.rule(
                rules.PUSH, [conventions.SCHEDULES, project.ci.file, *(manifests if groups else ())]
            ),
        ],
        "resource_group": "schedules",
        "interruptible": False,
        **({"variables": {"GROUPS_IN_ORDER": " ".join(groups)}} if groups else {}),
        "script": script,
    }
    return traced(body, decision("gitlab_schedules"))
