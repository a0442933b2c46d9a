"""The pipeline's own file: when a pipeline is made, what jobs share, and the jobs of no model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, YamlDraft, traced
from mlopsc.project import conventions, pipelines
from mlopsc.project.conventions import decision
from mlopsc.targets.gitlab import (
    apart,
    data,
    deployment,
    evaluation,
    flow,
    images,
    monitoring,
    own,
    pins,
    promotion,
    rules,
    schedules,
    training,
)
from mlopsc.targets.gitlab.runtime import (
    Job,
    artifacts,
    id_tokens,
    identity_script,
    in_environment,
    python_setup,
    services,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model, Project

STAGES: Final = (
    "check",
    "data_validation",
    "feature_engineering",
    "model_training",
    "model_evaluation",
    "model_deployment",
    "monitoring",
)
STAGES_APART: Final = (*STAGES[:3], apart.STAGE, *STAGES[3:])
"""The same where models have pipelines of their own; whatever they wait for comes before."""


def emit(project: Project) -> Iterator[YamlDraft]:
    """The root file, and for each model one that trains it and one that brings it out."""
    files = {model.name: list(_model_files(project, model)) for model in project.models}
    if apart.needed(project):
        drafts = list(apart.emit(project, files))
        body = {
            "include": [*own.includes(project), *apart.root(drafts)],
            **dict(_project_jobs(project, by_name=True)),
            **dict(own.jobs(project)),
        }
        yield YamlDraft(project.ci.file, project.origin, body)
        yield YamlDraft(apart.SHARED, project.origin, dict(_shared(project, STAGES_APART)))
        yield from drafts
    else:
        yield YamlDraft(project.ci.file, project.origin, _together(project, files))
    for model in project.models:
        yield from files[model.name]


def _together(project: Project, files: dict[str, list[YamlDraft]]) -> dict[str, Body]:
    """The root of a pipeline that holds everything."""
    included = own.includes(project)
    included += [
        traced({"local": f"/{draft.path}"}, model.origin, decision("gitlab_include"))
        for model in project.models
        for draft in files[model.name]
    ]
    return {
        **dict(_shared(project, STAGES, included)),
        **dict(_project_jobs(project, by_name=False)),
        **dict(own.jobs(project)),
    }


def _shared(
    project: Project, stages: tuple[str, ...], included: Sequence[Body] = ()
) -> Iterator[tuple[str, Body]]:
    """What a pipeline begins with: stages, when it is made, and what its jobs share."""
    yield "stages", traced(own.stages(project, stages), decision("gitlab_stages"))
    yield "workflow", traced(_workflow(), decision("gitlab_one_pipeline"))
    yield "default", _default(project)
    if included:
        yield "include", included
    yield from _templates(project)


def _project_jobs(project: Project, *, by_name: bool) -> Iterator[tuple[str, Body]]:
    """The jobs of no model; with those of sources and views unless they are included by name."""
    yield pipelines.CHECK, _check()
    if not by_name:
        yield from ((name, job) for _, name, job in data.source_jobs(project))
    yield from data.apply_jobs(project)
    if not by_name:
        yield from ((name, job) for _, name, job in data.view_jobs(project))
    yield from deployment.project_jobs(project)
    if schedules.needed(project):
        yield pipelines.RECONCILE, schedules.job(project)


def _workflow() -> Body:
    cancel = traced({"on_new_commit": "interruptible"}, decision("gitlab_auto_cancel"))
    keep = traced({"on_new_commit": "none"}, decision("gitlab_auto_cancel"))
    return {
        "rules": [
            rules.rule(rules.MERGE_REQUEST, auto_cancel=cancel),
            rules.rule(rules.DEFAULT_BRANCH, auto_cancel=keep),
        ]
    }


def _default(project: Project) -> Body:
    body: Job = {
        "image": traced(pins.PYTHON, decision("gitlab_pinned_images")),
        "interruptible": traced(True, decision("gitlab_interruptible")),
        "retry": traced(
            {"max": 2, "when": ["runner_system_failure", "scheduler_failure", "api_failure"]},
            decision("gitlab_retry"),
        ),
        "timeout": "1h",
    }
    chosen = project.ci.tags.get("default", ())
    if chosen:
        at = project.ci.at("tags", "default")
        body["tags"] = [traced(tag, (*at, number)) for number, tag in enumerate(chosen)]
    return traced(body, decision("gitlab_retry"))


# --- hidden jobs that others extend ------------------------------------------------------------


def _templates(project: Project) -> Iterator[tuple[str, Body]]:
    tokens = id_tokens(project)
    identity = identity_script(project)
    shared: Job = {
        **({"id_tokens": tokens} if tokens else {}),
        **({"before_script": identity} if identity else {}),
    }
    if shared:
        yield ".identity", traced(shared, decision("gitlab_id_tokens"))
    cache: Job = {
        "key": {"files": [conventions.PROGRAM_REQUIREMENTS, "requirements.txt"]},
        "paths": [".cache/pip"],
    }
    python: Job = {
        **({"extends": ".identity"} if shared else {}),
        "variables": {
            "PIP_CACHE_DIR": "$CI_PROJECT_DIR/.cache/pip",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        "cache": traced(cache, decision("gitlab_cache")),
        "before_script": [*identity, *python_setup()],
    }
    yield ".python", traced(python, decision("gitlab_python"))
    if images.needed(project):
        yield ".image", images.template(project)
    if deployment.needed(project):
        yield from deployment.templates(project)
    if promotion.needed(project):
        yield from promotion.templates()


def _check() -> Body:
    quality, junit = "gl-code-quality-report.json", "mlopsc-junit.xml"
    body: Job = {
        "stage": "check",
        "rules": [
            rules.never(f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"),
            rules.rule(rules.MERGE_REQUEST),
            rules.rule(rules.PUSH),
        ],
        "timeout": "10m",
        "before_script": [promotion.INSTALL],
        "script": [
            "status=0",
            f"mlopsc check --format gitlab > {quality} || status=$?",
            f"mlopsc check --format junit > {junit} || status=$?",
            "mlopsc check || status=$?",
            'exit "$status"',
        ],
        "artifacts": artifacts(
            quality, when="always", reports={"codequality": quality, "junit": junit}
        ),
    }
    return traced(body, decision("gitlab_check"))


# --- a model's two files ------------------------------------------------------------------------


def _model_files(project: Project, shared: Model) -> Iterator[YamlDraft]:
    model = flow.as_trained(project, shared)
    trained = _training_jobs(project, model)
    if trained:
        path = conventions.model_pipeline(model.name)
        yield YamlDraft(path, model.origin, trained, mentions=_pushed_to(project))
    brought: dict[str, Body] = {
        **dict(deployment.model_jobs(project, model)),
        **dict(monitoring.model_jobs(project, model)),
    }
    if brought:
        path = flow.deployments(model.name)
        yield YamlDraft(path, model.origin, brought, mentions=_pushed_to(project))


def _pushed_to(project: Project) -> tuple[tuple[str, Path], ...]:
    """Where images go: named within scripts."""
    return ((project.registry, project.at("registry")),) if project.registry else ()


def _training_jobs(project: Project, model: Model) -> dict[str, Body]:
    made = model.training
    if made is None:
        return dict(images.model_jobs(project, model))
    environment = in_environment(project, made.environment)
    folder = f"build/{model.name}"  # as in dvc.yaml; jobs start in the project's folder
    shared = services(environment)
    variables: dict[str, Body] = {
        conventions.DATA_VARIABLE: f"{folder}/data",
        conventions.OUT_VARIABLE: f"{folder}/out",
        conventions.ENVIRONMENT_VARIABLE: traced(environment.name, made.at("environment")),
        "MLOPS_CONTRACT": flow.contract(model, made),
        **shared,
    }
    jobs: dict[str, Body] = {
        f".{model.name}:training": {
            "rules": traced(
                flow.training_rules(project, model, merge_requests=_in_merge_requests(model)),
                decision("gitlab_rules"),
            ),
            "variables": variables,
        },
    }
    if flow.registers(project):
        jobs[f".{model.name}:release"] = {
            "rules": traced(
                flow.training_rules(project, model, merge_requests=False), decision("gitlab_rules")
            ),
            "variables": variables,
        }
    for made_jobs in (
        images.model_jobs(project, model),
        data.model_jobs(project, model, made),
        training.model_jobs(project, model, made),
        evaluation.model_jobs(project, model, made),
        images.serving_jobs(project, model),
        promotion.first(project, model),
    ):
        jobs.update(made_jobs)
    return jobs


def _in_merge_requests(model: Model) -> bool:
    """A Job in the cluster ends with a version; a merge request must not make one."""
    return not flow.trains_in_kubernetes(model)
