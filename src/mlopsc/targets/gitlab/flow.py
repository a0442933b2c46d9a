"""What of a model's life this project has, and which files start it anew."""

from __future__ import annotations

import hashlib
import json
from itertools import chain
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import containers, conventions
from mlopsc.project.alerting import rule_groups
from mlopsc.project.conventions import decision
from mlopsc.project.dashboards import has_dashboard
from mlopsc.project.drift import reports_of
from mlopsc.project.remembered import remembered
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.targets.gitlab.rules import (
    DEPLOY,
    MERGE_REQUEST,
    PUSH,
    TRAIN,
    Changes,
    changed,
    never,
    only_for,
    rule,
    together,
)
from mlopsc.targets.gitlab.runtime import in_environment, is_local, job_name, sources_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import (
        Environment,
        Evaluation,
        Image,
        Model,
        Project,
        Source,
        Training,
    )

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


def retrains(project: Project, model: Model) -> bool:
    """Whether an alert may start training, in whichever environment it comes from."""
    return bool(retrained_by(project, model))


def retrained_by(project: Project, model: Model) -> tuple[Path, ...]:
    """What in the spec says that an alert starts training; of several, no one alone."""
    asked: dict[Path, Path] = {}
    for environment in project.environments:
        there = model_in(environment, model.name)
        watched = there.monitoring if there is not None else None
        if watched is not None:
            for kind, response in watched.respond.items():
                if response == "retrain":
                    asked[watched.at("respond", kind)] = watched.at("respond")
    return tuple(asked) if len(asked) == 1 else tuple(dict.fromkeys(asked.values()))


def as_trained(project: Project, model: Model) -> Model:
    """The model as it is where it is trained: sources may lie elsewhere in another environment."""
    if model.training is None:
        return model
    environment = in_environment(project, model.training.environment)
    return model_in(environment, model.name) or model


@remembered
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
    return _models_in(environment).get(name)


@remembered
def _models_in(environment: Environment) -> dict[str, Model]:
    return {model.name: model for model in environment.models}


def cluster_jobs(project: Project, environment: Environment, model: Model) -> bool:
    """Whether the model has jobs in the environment's cluster.

    What models share belongs to the first one that uses it, as in the Kubernetes target.
    """
    training = model.training if trains_in_kubernetes(model) else None
    if training is not None and training.environment == environment.name:
        return True
    return _scheduled_there(project, environment, model)


def _scheduled_there(project: Project, environment: Environment, model: Model) -> bool:
    """Whether Kubernetes keeps the schedules, and there is anything to keep."""
    if model.platform.orchestration != KUBERNETES:
        return False
    first = _first_users(environment)
    views = [view for view in model.views if first["view", view.name] == model.name]
    runs = bool(model.monitoring or model.batch or any(view.materialize for view in views))
    if runs and containers.job_image(project, model) is not None:
        return True
    return any(
        source.build is not None
        and source.build.image is not None
        and first["source", source.name] == model.name
        for source in _all_sources(model)
    )


@remembered
def _first_users(environment: Environment) -> dict[tuple[str, str], str]:
    """The first model that uses a view or a source."""
    found: dict[tuple[str, str], str] = {}
    for model in environment.models:
        for view in model.views:
            found.setdefault(("view", view.name), model.name)
        for source in _all_sources(model):
            found.setdefault(("source", source.name), model.name)
    return found


def _all_sources(model: Model) -> tuple[Source, ...]:
    found = list(sources_of(model))
    if model.batch is not None:
        found += [model.batch.source, model.batch.destination]
    if model.monitoring is not None:
        found.append(model.monitoring.current)
        if model.monitoring.reference is not None:
            found.append(model.monitoring.reference)
    return tuple({source.name: source for source in found}.values())


def cluster_jobs_by(project: Project, environment: Environment, model: Model) -> tuple[Path, ...]:
    """The word of `platform` that alone brings the model's jobs to the environment's cluster."""
    training = model.training if trains_in_kubernetes(model) else None
    trains = training is not None and training.environment == environment.name
    scheduled = _scheduled_there(project, environment, model)
    if trains == scheduled:
        return ()  # neither, or each would
    return (model.platform.at("training" if trains else "orchestration"),)


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


def owned_by(
    project: Project, environment: Environment, model: Model, image: Image
) -> tuple[Path, ...]:
    """The word of `platform` without which no manifest of the model names the image there."""
    serving = model.serving.image if model.serving is not None and serves(model) else None
    if serving is not None and serving.image is not None and serving.image.name == image.name:
        return ()
    return cluster_jobs_by(project, environment, model)


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


def training_changes(project: Project, model: Model) -> Changes:
    """Files whose change makes a new version worth training."""
    if model.training is None:
        return {}
    found: list[Changes] = [{conventions.model_pipeline(model.name): ()}]
    image = training_image_of(model)
    if image is not None:
        found.append(input_patterns(project, image))
    found.append(containers.path_causes(model.training))
    if packs_serving_image(project, model):
        folder = conventions.serving_dockerfile(model.name).rpartition("/")[0]
        found.append({f"{folder}/**/*": ()})
    found += [_data_patterns(source) for source in sources_of(model)]
    return together(*found)


def input_patterns(project: Project, image: Image) -> Changes:
    """What an image is built from, as patterns: a folder's name alone would match no file in it."""
    return {
        path if path == image.dockerfile else _pattern(path): named
        for path, named in containers.input_causes(project, image).items()
    }


def _pattern(path: str) -> str:
    """A file by its name, a folder by what is in it; only a file's last step has a dot."""
    trimmed = path.rstrip("/")
    return trimmed if "." in trimmed.rpartition("/")[2] else f"{trimmed}/**/*"


def _data_patterns(source: Source) -> Changes:
    path = (source.location or "").rstrip("/")
    if not path or not is_local(source):
        return {}
    return dict.fromkeys((_pattern(path), f"{path}.dvc"), (source.at(source.kind or ""),))


def deployment_changes(project: Project, environment: Environment, model: Model) -> Changes:
    """Files whose change makes an environment differ from git."""
    found: list[Changes] = [
        {f"{conventions.model_manifests(environment.name, model.name)}/**/*": ()}
    ]
    if cluster_jobs(project, environment, model):
        by = cluster_jobs_by(project, environment, model)
        found.append(dict.fromkeys(_configuration(model), by))
    if has_dashboard(environment, model):
        folder = conventions.dashboards(environment.name)
        drawn = (
            conventions.dashboard(environment.name, model.name),
            f"{folder}/kustomization.yaml",
        )
        found.append(dict.fromkeys(drawn, (environment.platform.at("dashboards"),)))
    for image in own_images(project, environment, model):
        by = owned_by(project, environment, model, image)
        found += [{path: (*c, *by)} for path, c in input_patterns(project, image).items()]
    return together(*found)


def _configuration(model: Model) -> list[str]:
    """What jobs in the cluster read beside their image: programs, facts and settings."""
    found = [f"{conventions.PROGRAMS}/*.py", conventions.model_facts(model.name)]
    found += [conventions.source_facts(source.name) for source in _all_sources(model)]
    found += reports_of(model)
    if model.uses_feature_store:
        found.append(f"{conventions.FEATURE_REPO}/**/*")
    return found


def training_rules(project: Project, model: Model, *, merge_requests: bool) -> list[Body]:
    """When a model is trained: on request, on schedule, and when what it is made from changes."""
    changes = training_changes(project, model)
    found: list[Body] = [*only_for(model.name, (TRAIN,)), *_not_by_an_alert(project, model)]
    found.append(rule(f'${conventions.MODEL_VARIABLE} == "{model.name}"'))
    if merge_requests:
        found += _proposed(model, changes)
    return [*found, *changed(PUSH, changes)]


def _proposed(model: Model, changes: Changes) -> list[Body]:
    """In merge requests; a Job in the cluster ends with a version, and is not started there."""
    return [traced(one, model.platform.at("training")) for one in changed(MERGE_REQUEST, changes)]


def _not_by_an_alert(project: Project, model: Model) -> list[Body]:
    """A trigger token is what Alertmanager has: whatever it starts asks for the cool-down first."""
    by = retrained_by(project, model)
    return [traced(never(condition), *by) for condition in ALERTED if by]


ALERTED: Final = (f"${conventions.ALERT_VARIABLE}", '$CI_PIPELINE_SOURCE == "trigger"')


def image_rules(project: Project, model: Model, image: Image) -> list[Body]:
    """When an image is seen to: whenever a job that runs in it may be."""
    deployed: list[Changes] = []
    manifests: dict[str, tuple[Path, ...]] = {}
    for environment in project.environments:
        there = model_in(environment, model.name)
        if there is None or image.name not in {
            own.name for own in own_images(project, environment, there)
        }:
            continue
        by = owned_by(project, environment, there, image)
        looked_at = deployment_changes(project, environment, there)
        manifests |= {path: by for path in looked_at if path.startswith("k8s/")}
        deployed.append({path: (*c, *by) for path, c in looked_at.items()})
    changes = together(training_changes(project, model), input_patterns(project, image))
    tasks = (TRAIN, DEPLOY) if deployed else (TRAIN,)
    found: list[Body] = [*only_for(model.name, tasks), *_not_by_an_alert(project, model)]
    found.append(rule(f'${conventions.MODEL_VARIABLE} == "{model.name}"'))
    if not trains_in_kubernetes(model):
        found += _proposed(model, changes)
    return [*found, *changed(PUSH, together(changes, manifests, *deployed))]


# --- the contract ----------------------------------------------------------------------------


def contract(model: Model, training: Training) -> Body:
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
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    return traced(digest, *dict.fromkeys(_agreed(model, training)), decision("gitlab_contract"))


def _agreed(model: Model, training: Training) -> Iterator[Path]:
    """What of the spec is in the contract."""
    yield from (model.at("task"), model.at("target"), model.at("features"), model.at("prediction"))
    for column in (model.target.column, *(feature.column for feature in model.features)):
        yield column.typed_at
        if column.known_after is not None:
            yield column.at("known_after")
    for source in sources_of(model):
        yield from (source.at(source.kind or ""), source.at("timestamp"))
    for view in model.views:
        yield from (view.at("ttl"), view.at("fields"), view.at("source"))
        yield from (entity.origin for entity in view.entities)
    for function in model.on_demand_views:
        yield function.at("python")
    yield from map(training.at, ("command", "environment", "window", "seed", "parameters"))
    yield from (training.at("parameters", name) for name in training.parameters)
    yield from (training.split.at("validation"), training.split.at("test"))
    if model.evaluation is not None:
        yield from _judged_at(model.evaluation)
    if model.serving is not None:
        yield from (model.serving.at("format"), model.serving.at("runtime"))


def _judged_at(evaluation: Evaluation) -> Iterator[Path]:
    yield from (evaluation.at("metrics"), evaluation.at("slices"), evaluation.at("fairness"))
    bounds = chain(evaluation.metrics, *(fairness.bounds for fairness in evaluation.fairness))
    for bound in bounds:
        yield from map(bound.at, ("min", "max", "max_worse", "severity"))


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
