"""Data: built, validated, turned into features and into datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions, pipelines
from mlopsc.project.conventions import decision, program
from mlopsc.targets.gitlab import flow, images, rules
from mlopsc.targets.gitlab.runtime import (
    DATA_KEPT,
    Job,
    artifacts,
    identity,
    in_environment,
    job_name,
    needs,
    pull_data,
    services,
    sources_of,
)

if TYPE_CHECKING:
    from mlopsc.project.model import Environment, Model, Project, Source, Training, View

Jobs = Iterator[tuple[str, Body]]


# --- jobs of the project: no model owns a source or the feature registry ------------------------


Owned = tuple["Source | View", str, Body]
"""A job with the source or view that it is for."""


def source_jobs(project: Project) -> Iterator[Owned]:
    """Building sources, and checking them afterwards."""
    for environment in project.environments:
        for source in environment.sources:
            for name, job in _source_jobs(project, environment, source):
                yield source, name, job


def view_jobs(project: Project) -> Iterator[Owned]:
    """Materializing views."""
    if not flow.applies_features(project):
        return
    for environment in project.environments:
        for view in environment.views:
            for name, job in _materialize_job(environment, view):
                yield view, name, job


def apply_jobs(project: Project) -> Jobs:
    """Applying feature definitions."""
    if flow.applies_features(project):
        yield from _apply_jobs(project)


def _source_jobs(project: Project, environment: Environment, source: Source) -> Jobs:
    build = source.build
    if build is None or build.schedule is None or not _gitlab_schedules(environment):
        return
    started = " && ".join(
        [
            rules.is_(conventions.TASK_VARIABLE, rules.BUILD),
            rules.is_(conventions.SOURCE_VARIABLE, source.name),
            rules.is_(conventions.ENVIRONMENT_VARIABLE, environment.name),
        ]
    )
    scheduled = environment.platform.at("orchestration")
    builds = pipelines.build(source.name, environment.name)
    used = build.image
    own = used.image if used is not None else None
    pushed = own if own is not None and own.reference is not None else None
    prepared = pipelines.image_for(source.name, environment.name)
    if pushed is not None:
        job = images.content_job(project, pushed, [rules.rule(started)])
        yield prepared, traced(job, build.origin, build.at("image"), scheduled)
    image = used.reference if used is not None else None
    if pushed is not None:
        image = f"${images.image_variable(pushed)}"
    body: Job = {
        **_extended(project, image),
        **({"needs": needs(prepared, optional=False)} if pushed is not None else {}),
        "stage": "data_validation",
        "rules": [rules.rule(started)],
        "environment": access(environment, source.name),
        "interruptible": False,
        "variables": services(environment),
        "script": [traced(build.command, build.at("command"))],
    }
    if image is not None:
        body["image"] = traced({"name": image, "entrypoint": [""]}, build.at("image"))
    yield builds, traced(body, build.origin, scheduled, decision("gitlab_task_jobs"))
    if source.kind is not None:
        yield (
            pipelines.validate(source.name, environment.name),
            traced(
                {
                    "extends": ".python",
                    "stage": "data_validation",
                    "needs": needs(builds, optional=False),
                    "rules": [rules.rule(started)],
                    "environment": access(environment, source.name),
                    "variables": services(environment),
                    "script": [_validate_source(source, environment)],
                    "artifacts": _validation_report(),
                },
                source.origin,
                scheduled,
                decision("gitlab_task_jobs"),
            ),
        )


def _validate_source(source: Source, environment: Environment) -> str:
    options = f"--source {source.name} --environment {environment.name}"
    return f"python {program('validate')} {options}"


def _extended(project: Project, image: str | None) -> Job:
    """A Python of ours, or somebody's image with what logs in to the clouds."""
    extended = [".python"] if image is None else identity(project)
    return {"extends": extended} if extended else {}


def _apply_jobs(project: Project) -> Jobs:
    before: str | None = None
    for environment in project.environments:
        name = pipelines.apply_features(environment.name)
        folder = conventions.FEATURE_REPO
        body: Job = {
            "extends": ".python",
            "stage": "feature_engineering",
            "needs": needs(*(("check", before) if before else ("check",)), artifacts=False),
            "rules": [
                rules.never(f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"),
                *rules.changed(rules.PUSH, _definitions(project)),
            ],
            "environment": access(environment, "features"),
            "resource_group": f"{environment.name}/features",
            "interruptible": False,
            "variables": services(environment),
            "script": [f"cd {folder}", "feast apply"],
        }
        yield (
            name,
            traced(body, environment.services.at("feast"), decision("gitlab_feature_apply")),
        )
        before = name


def _definitions(project: Project) -> rules.Changes:
    modules: list[rules.Changes] = [
        {f"{view.module.replace('.', '/')}.py": (view.at("python"),)}
        for view in project.on_demand_views
    ]
    return rules.together({f"{conventions.FEATURE_REPO}/**/*": ()}, *modules)


def _materialize_job(environment: Environment, view: View) -> Jobs:
    if view.materialize is None or not _gitlab_schedules(environment):
        return
    started = " && ".join(
        [
            rules.is_(conventions.TASK_VARIABLE, rules.MATERIALIZE),
            rules.is_(conventions.VIEW_VARIABLE, view.name),
            rules.is_(conventions.ENVIRONMENT_VARIABLE, environment.name),
        ]
    )
    body: Job = {
        "extends": ".python",
        "stage": "feature_engineering",
        "rules": [rules.rule(started)],
        "environment": access(environment, view.name),
        "resource_group": f"{environment.name}/{view.name}",
        "interruptible": False,
        "variables": services(environment),
        "script": [
            f"python {program('materialize')} --view {view.name} --environment {environment.name}"
        ],
    }
    yield (
        pipelines.materialize(view.name, environment.name),
        traced(
            body,
            view.origin,
            environment.platform.at("orchestration"),
            decision("gitlab_task_jobs"),
        ),
    )


def _gitlab_schedules(environment: Environment) -> bool:
    return environment.platform.orchestration == "gitlab"


def access(environment: Environment, what: str) -> Body:
    """An environment whose variables a job reads without deploying to it."""
    return traced(
        {"name": f"{environment.name}/{what}", "action": "access"},
        environment.origin,
        decision("gitlab_access"),
        decision("gitlab_environment_name"),
    )


# --- jobs of a model --------------------------------------------------------------------------


def model_jobs(project: Project, model: Model, training: Training) -> Jobs:
    """Validate what a model learns from, then make its dataset."""
    environment = in_environment(project, training.environment)
    if flow.validates(model):
        yield job_name(model.name, "validate"), _validate(project, model, environment)
    if not flow.trains_in_kubernetes(model):
        yield job_name(model.name, "dataset"), _dataset(project, model, training, environment)


def _validate(project: Project, model: Model, environment: Environment) -> Body:
    body: Job = {
        "extends": [".python", f".{model.name}:training"],
        "stage": "data_validation",
        "needs": needs("check", artifacts=False),
        "script": [
            *pull_data(project, sources_of(model)),
            f"python {program('validate')} --model {model.name} --environment {environment.name}",
        ],
        "artifacts": _validation_report(),
    }
    trained = model.training.origin if model.training is not None else model.origin
    return traced(body, trained, *(source.origin for source in sources_of(model)))


def _validation_report() -> Body:
    return artifacts(
        "build/validate/",
        reports={"junit": "build/validate/junit.xml"},
        when="always",
    )


def _dataset(project: Project, model: Model, training: Training, environment: Environment) -> Body:
    waited = ["check", job_name(model.name, "validate")]
    script: list[Body] = pull_data(project, sources_of(model))
    body: Job = {"extends": [".python", f".{model.name}:training"], "stage": "feature_engineering"}
    if model.uses_feature_store:
        waited.append(pipelines.apply_features(environment.name))
        script.append(traced(_OWN_REGISTRY, decision("gitlab_merge_request_features")))
    body["needs"] = needs(*waited, artifacts=False)
    body["script"] = [
        *script,
        f"python {program('dataset')} --model {model.name} --environment {environment.name}",
    ]
    body["artifacts"] = artifacts(f"build/{model.name}/data/", kept=DATA_KEPT, access="developer")
    return traced(body, training.origin, model.platform.at("training"))


_OWN_REGISTRY = f"""\
if [ -n "${{CI_MERGE_REQUEST_ID:-}}" ]; then
  export {conventions.FEAST_REGISTRY_VARIABLE}="$CI_PROJECT_DIR/build/feast/registry.db"
  mkdir -p build/feast
  (cd {conventions.FEATURE_REPO} && feast apply --skip-source-validation)
fi
"""
