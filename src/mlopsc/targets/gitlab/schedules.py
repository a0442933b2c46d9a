"""`.gitlab/schedules.json`: what GitLab keeps outside of files, and the job that reconciles it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, JsonDraft, traced
from mlopsc.diagnostics.paths import as_written
from mlopsc.project import conventions, pipelines
from mlopsc.project.conventions import decision, program
from mlopsc.targets.gitlab import flow, pins, rules
from mlopsc.targets.gitlab.runtime import Job, needs

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model, Project

_FORMAT: Final = 1
Entries = Iterator[Body]


def emit(project: Project) -> Iterator[JsonDraft]:
    """The file, if there is anything to reconcile."""
    if needed(project):
        body: dict[str, Body] = {
            "format": _FORMAT,
            "project": traced(project.name, project.at("project")),
            "marker": traced(f"mlopsc:{project.name}", project.at("project")),
            "schedules": traced(
                list(_schedules(project)),
                project.platform.at("orchestration"),
                project.platform.at("training"),
            ),
            "protected_environments": list(_protected(project)),
            "approval_rules": [],
        }
        yield JsonDraft(conventions.SCHEDULES, project.origin, body)


def needed(project: Project) -> bool:
    """Whether the spec asks for anything that only GitLab's API can be told."""
    return bool(any(_schedules(project)) or any(_protected(project)) or _deploys(project))


def _deploys(project: Project) -> bool:
    """Whether there are resource groups whose jobs must run in the order of their pipelines."""
    return any(
        flow.has_manifests(project, environment, model)
        for environment in project.environments
        for model in environment.models
    )


# --- schedules ----------------------------------------------------------------------------------


_OF: Final = {
    pipelines.MATERIALIZE: conventions.VIEW_VARIABLE,
    pipelines.BUILD: conventions.SOURCE_VARIABLE,
}
"""The variable that names what a task is of, where it is no model."""


def _schedules(project: Project) -> Entries:
    for entry in pipelines.scheduled(project):
        of = _OF.get(entry.task, conventions.MODEL_VARIABLE)
        variables: dict[str, Body] = {of: entry.name, conventions.TASK_VARIABLE: entry.task}
        if of != conventions.MODEL_VARIABLE:  # the task first, as people look for it
            variables = {conventions.TASK_VARIABLE: entry.task, of: entry.name}
        where = ""
        if entry.environment is not None:
            variables[conventions.ENVIRONMENT_VARIABLE] = entry.environment
            where = f" {entry.environment}"
        body: dict[str, Body] = {
            "name": f"{entry.name}: {entry.task}{where}",
            # The minute of a duration is drawn from names, so that not everything starts at once.
            "cron": traced(entry.schedule.cron, entry.schedule.origin, project.at("project")),
            "timezone": traced(project.timezone, project.at("timezone")),
            "variables": variables,
            "spec": spec_path(entry.schedule.origin),
        }
        yield traced(body, entry.origin)


def spec_path(path: Path) -> str:
    """A spec path in one word, for messages: `models.churn.features[0]`."""
    text = ""
    for step in as_written(path):
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
            yield {
                "name": traced(
                    f"{environment.name}/{model.name}",
                    environment.origin,
                    decision("gitlab_environment_name"),
                ),
                "deployers": [{"role": "maintainer"}],
                "approvals": list(_approvals(environment, model)),
                "spec": spec_path(at),
            }


def _approvals(environment: Environment, model: Model) -> Iterator[Body]:
    """Each approver agrees, and together as many people as the model's governance asks for.

    A user is one person; what is still missing is shared evenly by the groups, in their order.
    """
    missing = max(0, model.governance.approvals - len(environment.approvers))
    groups = [approver for approver in environment.approvers if conventions.is_group(approver)]
    for position, approver in enumerate(environment.approvers):
        asked = traced(approver, environment.at("approvers", position))
        if conventions.is_group(approver):
            each, left = divmod(missing, len(groups))
            more = each + (groups.index(approver) < left)
            said = (model.governance.at("approvals"), environment.at("approvers"))
            yield {"group": asked, "required": traced(1 + more, *said)}
        else:
            yield {"user": asked, "required": traced(1, environment.at("approvers"))}


# --- the job ---------------------------------------------------------------------------------

_ORDER: Final = """\
for file in k8s/*/*/kustomization.yaml; do
  group=$(dirname "${file#k8s/}")
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
    deploys = _deploys(project)
    read: dict[str, tuple[Path, ...]] = {
        conventions.SCHEDULES: (),
        project.ci.file: (project.ci.at("file"),),
    }
    if deploys:
        read |= {f"k8s/{environment.name}/**/*": () for environment in project.environments}
    script: list[Body] = [
        f"python3 {program('schedules')}",
    ]
    if deploys:
        script.append(traced(_ORDER, decision("gitlab_resource_group")))
    body: Job = {
        "image": pins.PYTHON_GIT,
        "stage": "model_deployment",
        "needs": needs("check", artifacts=False),
        "rules": [
            rules.never(f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"),
            *rules.changed(rules.PUSH, read),
        ],
        "resource_group": "schedules",
        "interruptible": False,
        "script": script,
    }
    return traced(body, decision("gitlab_schedules"))
