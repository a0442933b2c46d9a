"""What of a model's life this project has, and which files start it anew."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, TypeVar

from mlopsc.project import containers, conventions
from mlopsc.project.alerting import rule_groups
from mlopsc.project.dashboards import has_dashboard
from mlopsc.project.drift import reports_of
from mlopsc.project.model import (
    Environment,
    Evaluation,
    Image,
    Model,
    Project,
    Source,
    Training,
    View,
)
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.targets.gitlab.rules import (
    DEPLOY,
    MERGE_REQUEST,
    PUSH,
    TRAIN,
    Rule,
    never,
    only_for,
    rule,
)
from mlopsc.targets.gitlab.runtime import is_local, job_name, sources_of

if TYPE_CHECKING:
    from collections.abc import Callable

KUBERNETES: Final = "kubernetes"
_DIGEST_LENGTH: Final = 16


def deployments(model: str) -> str:
    """The part of the pipeline that brings versions of a model to environments.

    Apart from `conventions.model_pipeline`: an environment's address must not start a training.
    """
    return f".gitlab/ci/deployments/{model}.yml"


def training_image_of(model: Model) -> Image | None:
    """The image of the spec that a model trains in, where it can be pushed."""
    used = model.training.image if model.training is not None else None
    image = used.image if used is not None else None
    return image if image is not None and image.reference is not None else None


def trains_in_kubernetes(model: Model) -> bool:
    """Whether training runs in the cluster and not on a runner."""
    return model.training is not None and model.platform.training == KUBERNETES


def registers(project: Project) -> bool:
    """Whether there is a registry that a passed model becomes a version of."""
    return project.services.mlflow is not None or any(
        environment.services.mlflow is not None for environment in project.environments
    )


def retrains(model: Model) -> bool:
    """Whether an alert may start training."""
    return model.monitoring is not None and "retrain" in model.monitoring.respond.values()


def applies_features(project: Project) -> bool:
    """Whether there are feature definitions to apply."""
    return any(model.uses_feature_store for model in project.models)


def validates(model: Model) -> bool:
    """Whether any of the model's sources is at rest, where it can be checked."""
    return any(source.kind is not None for source in sources_of(model))


def packs_serving_image(project: Project, model: Model) -> bool:
    """Whether CI puts the model into its serving runtime's image and pushes that."""
    if model.serving is None or not serves(model):
        return False
    known = model.serving.image is None and model.serving.runtime in RUNTIMES
    return known and project.registry is not None


def model_in(environment: Environment, name: str) -> Model | None:
    """The model as it is in an environment."""
    return next((model for model in environment.models if model.name == name), None)


def cluster_jobs(project: Project, environment: Environment, model: Model) -> bool:
    """Whether the model has jobs in the environment's cluster.

    What models share belongs to the first one that uses it, as in the Kubernetes target.
    """
    training = model.training if trains_in_kubernetes(model) else None
    if training is not None and training.environment == environment.name:
        return True
    if model.platform.orchestration != KUBERNETES:
        return False
    views = _first_used(environment, model, lambda each: each.views)
    runs = bool(model.monitoring or model.batch or any(view.materialize for view in views))
    if runs and containers.job_image(project, model) is not None:
        return True
    sources = _first_used(environment, model, _all_sources)
    return any(source.build is not None and source.build.image is not None for source in sources)


T = TypeVar("T", View, Source)


def _first_used(
    environment: Environment, model: Model, used: Callable[[Model], tuple[T, ...]]
) -> list[T]:
    before: set[str] = set()
    for each in environment.models:
        if each.name == model.name:
            break
        before.update(one.name for one in used(each))
    return [one for one in used(model) if one.name not in before]


def _all_sources(model: Model) -> tuple[Source, ...]:
    found = list(sources_of(model))
    if model.batch is not None:
        found += [model.batch.source, model.batch.destination]
    if model.monitoring is not None:
        found.append(model.monitoring.current)
        if model.monitoring.reference is not None:
            found.append(model.monitoring.reference)
    return tuple({source.name: source for source in found}.values())


def has_manifests(project: Project, environment: Environment, model: Model) -> bool:
    """Whether there is anything to apply for the model in an environment."""
    if serves(model) or cluster_jobs(project, environment, model):
        return True
    operator = model.platform.metrics == "prometheus_operator"
    return operator and bool(rule_groups(project, environment, model))


def serves(model: Model) -> bool:
    """Whether the model answers requests from Kubernetes."""
    return model.serving is not None and model.platform.serving == KUBERNETES


def own_images(project: Project, environment: Environment, model: Model) -> tuple[Image, ...]:
    """The images of the spec that a model's manifests name in an environment, each once."""
    used = []
    if cluster_jobs(project, environment, model):
        used.append(containers.job_image(project, model))
    if model.serving is not None and serves(model):
        used.append(model.serving.image)
    found = {
        each.image.name: each.image
        for each in used
        if each is not None and each.image is not None and each.image.reference is not None
    }
    return tuple(found.values())


def images_to_build(project: Project, model: Model) -> tuple[Image, ...]:
    """Every image of the spec that some job of the model runs in, each once."""
    found: dict[str, Image] = {}
    trained_in = training_image_of(model)
    if trained_in is not None:
        found[trained_in.name] = trained_in
    for environment in project.environments:
        there = model_in(environment, model.name)
        if there is not None:
            found.update({i.name: i for i in own_images(project, environment, there)})
    return tuple(found.values())


def image_job(model: Model, image: Image) -> str:
    """The job that sees to it that an image is there."""
    return job_name(model.name, "image", image.name)


# --- what starts it --------------------------------------------------------------------------


def training_changes(project: Project, model: Model) -> tuple[str, ...]:
    """Files whose change makes a new version worth training."""
    if model.training is None:
        return ()
    found = [conventions.model_pipeline(model.name), *model.training.paths]
    image = training_image_of(model)
    if image is not None:
        found += input_patterns(project, image)
    if packs_serving_image(project, model):
        found.append(f"{conventions.serving_dockerfile(model.name).rpartition('/')[0]}/**/*")
    for source in sources_of(model):
        found += _data_patterns(source)
    return tuple(dict.fromkeys(found))


def input_patterns(project: Project, image: Image) -> list[str]:
    """What an image is built from, as patterns: a folder's name alone would match no file in it."""
    inputs = containers.build_inputs(project, image)
    return [path if path == image.dockerfile else _pattern(path) for path in inputs]


def _pattern(path: str) -> str:
    """A file by its name, a folder by what is in it; only a file's last step has a dot."""
    trimmed = path.rstrip("/")
    return trimmed if "." in trimmed.rpartition("/")[2] else f"{trimmed}/**/*"


def _data_patterns(source: Source) -> list[str]:
    path = (source.location or "").rstrip("/")
    return [_pattern(path), f"{path}.dvc"] if path and is_local(source) else []


def deployment_changes(project: Project, environment: Environment, model: Model) -> tuple[str, ...]:
    """Files whose change makes an environment differ from git."""
    found = [f"{conventions.model_manifests(environment.name, model.name)}/**/*"]
    if cluster_jobs(project, environment, model):
        found += _configuration(model)
    if has_dashboard(environment, model):
        folder = conventions.dashboards(environment.name)
        found += [
            conventions.dashboard(environment.name, model.name),
            f"{folder}/kustomization.yaml",
        ]
    for image in own_images(project, environment, model):
        found += input_patterns(project, image)
    return tuple(dict.fromkeys(found))


def _configuration(model: Model) -> list[str]:
    """What jobs in the cluster read beside their image: programs, facts and settings."""
    found = [f"{conventions.PROGRAMS}/*.py", conventions.model_facts(model.name)]
    found += [conventions.source_facts(source.name) for source in _all_sources(model)]
    found += reports_of(model)
    if model.uses_feature_store:
        found.append(f"{conventions.FEATURE_REPO}/**/*")
    return found


def training_rules(project: Project, model: Model, *, merge_requests: bool) -> list[Rule]:
    """When a model is trained: on request, on schedule, and when what it is made from changes."""
    changes = training_changes(project, model)
    found = only_for(model.name, (TRAIN,))
    if retrains(model):
        # A trigger token is what Alertmanager has: whatever it starts asks for the cool-down first.
        found += [never(condition) for condition in ALERTED]
    found.append(rule(f'${conventions.MODEL_VARIABLE} == "{model.name}"'))
    if merge_requests:
        found.append(rule(MERGE_REQUEST, changes))
    found.append(rule(PUSH, changes))
    return found


ALERTED: Final = (f"${conventions.ALERT_VARIABLE}", '$CI_PIPELINE_SOURCE == "trigger"')


def image_rules(project: Project, model: Model, image: Image) -> list[Rule]:
    """When an image is seen to: whenever a job that runs in it may be."""
    deployed = [
        environment
        for environment in project.environments
        if (there := model_in(environment, model.name)) is not None
        and any(own.name == image.name for own in own_images(project, environment, there))
    ]
    changes = [*training_changes(project, model), *input_patterns(project, image)]
    manifests = [
        change
        for environment in deployed
        if (there := model_in(environment, model.name)) is not None
        for change in deployment_changes(project, environment, there)
    ]
    found = only_for(model.name, (TRAIN, DEPLOY) if deployed else (TRAIN,))
    if retrains(model):
        found += [never(condition) for condition in ALERTED]
    found.append(rule(f'${conventions.MODEL_VARIABLE} == "{model.name}"'))
    if not trains_in_kubernetes(model):
        found.append(rule(MERGE_REQUEST, changes))
    found.append(rule(PUSH, [*changes, *manifests]))
    return found


# --- the contract ----------------------------------------------------------------------------


def contract(model: Model, training: Training) -> str:
    """A digest of everything in the spec that decides what is trained and how it is judged."""
    said = {
        "task": model.task,
        "target": [model.target.source.name, _column(model.target.column)],
        "features": [[feature.owner.name, _column(feature.column)] for feature in model.features],
        "sources": [[s.name, s.kind, s.location, s.timestamp] for s in sources_of(model)],
        "views": [[view.name, view.ttl, [e.column for e in view.entities]] for view in model.views],
        "functions": [[view.module, view.function] for view in model.on_demand_views],
        "prediction": model.prediction,
        "command": training.command,
        "environment": training.environment,
        "window": training.window,
        "split": [training.split.by, training.split.validation, training.split.test],
        "parameters": training.parameters,
        "seed": training.seed,
        "evaluation": _judged(model.evaluation),
        "serving": model.serving and [model.serving.format, model.serving.runtime],
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


def _column(column: object) -> list[object]:
    return [getattr(column, key) for key in ("name", "type", "known_after")]


def _judged(evaluation: Evaluation | None) -> object:
    if evaluation is None:
        return None
    fair = [(fairness.column.name, fairness.bounds) for fairness in evaluation.fairness]
    return {
        "metrics": [_bound(bound) for bound in evaluation.metrics],
        "slices": [column.name for column in evaluation.slices],
        "fairness": [[name, [_bound(bound) for bound in bounds]] for name, bounds in fair],
    }


def _bound(bound: object) -> list[object]:
    return [getattr(bound, key) for key in ("name", "minimum", "maximum", "max_worse", "severity")]
