"""Deployment: manifests applied to a cluster, one environment after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions
from mlopsc.project.alerting import project_rule_groups
from mlopsc.project.conventions import decision
from mlopsc.project.model import Environment, Model, Project
from mlopsc.targets.gitlab import flow, images, pins, promotion, rules
from mlopsc.targets.gitlab.runtime import (
    DATA_KEPT,
    Job,
    artifacts,
    job_name,
    needs,
    shell,
    time_limit,
)

Jobs = Iterator[tuple[str, Body]]

_SETTLE: Final = 1800  # seconds for pulling images and draining old pods
_KINDS: Final = (
    "deployments.apps", "services", "serviceaccounts", "configmaps", "cronjobs.batch",
    "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy",
    "networkpolicies.networking.k8s.io",
)  # fmt: skip
_OPERATOR_KINDS: Final = (
    "servicemonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
)

_CONTEXT: Final = """\
kubectl config use-context \\
  "${KUBE_CONTEXT:?the GitLab agent of this environment, as PROJECT_PATH:AGENT_NAME}"
"""

_APPLY: Final = """\
kubectl kustomize build/deploy > build/deploy/objects.yaml
kubectl apply --server-side --force-conflicts --field-manager=mlopsc --filename build/deploy/objects.yaml
"""

_CLEAN: Final = """\
kubectl get --filename build/deploy/objects.yaml --output name | sort > build/deploy/wanted
kubectl --namespace "$NAMESPACE" get "$KINDS" --selector "$SELECTOR" --output name | sort > build/deploy/there
comm -13 build/deploy/wanted build/deploy/there | xargs -r kubectl --namespace "$NAMESPACE" delete
"""


def template() -> Body:
    """What jobs share that talk to a cluster. The agent's context needs no secret."""
    body: Job = {
        "image": {"name": pins.KUBECTL, "entrypoint": [""]},
        "before_script": [
            _CONTEXT,
            'git config --global --add safe.directory "$CI_PROJECT_DIR"',
        ],
    }
    return traced(body, decision("gitlab_deploy"))


def needed(project: Project) -> bool:
    """Whether any job talks to a cluster."""
    return any(
        flow.has_manifests(project, environment, model)
        for environment in project.environments
        for model in environment.models
    ) or any(_shared(project, environment) for environment in project.environments)


def _shared(project: Project, environment: Environment) -> bool:
    operator = environment.platform.metrics == "prometheus_operator"
    return operator and bool(project_rule_groups(project, environment))


def project_jobs(project: Project) -> Jobs:
    """What an environment has that is no model's: the rules under `alerts`."""
    for environment in project.environments:
        if not _shared(project, environment):
            continue
        file = f"{conventions.environment_manifests(environment.name)}/prometheusrule.yaml"
        body: Job = {
            "extends": ".kubernetes",
            "stage": "model_deployment",
            "needs": needs("check", artifacts=False),
            "rules": [
                rules.never(f"${conventions.MODEL_VARIABLE} || ${rules.TASK_VARIABLE}"),
                _gated(environment, rules.rule(rules.PUSH, [file])),
            ],
            "environment": _environment(environment, "alerts"),
            "resource_group": traced(
                f"{environment.name}/alerts", decision("gitlab_resource_group")
            ),
            "interruptible": False,
            "script": [
                "kubectl apply --server-side --force-conflicts --field-manager=mlopsc"
                f" --filename {file}"
            ],
        }
        yield f"deploy alerts {environment.name}", traced(body, ("alerts", "rules"))


def model_jobs(project: Project, model: Model) -> Jobs:
    """Each environment in its order: image, deployment, the proposal to the next, the way back."""
    before: str | None = None
    for environment in project.environments:
        there = flow.model_in(environment, model.name)
        if there is None or not flow.has_manifests(project, environment, there):
            continue
        yield from _environment_jobs(project, environment, there, before)
        before = environment.name


def _environment_jobs(
    project: Project, environment: Environment, model: Model, before: str | None
) -> Jobs:
    started = _rules(project, environment, model)
    built = _existing_version(project, environment, model, started)
    yield from built
    name = job_name(model.name, "deploy", environment.name)
    body = _deploy(project, environment, model, before, [job for job, _ in built])
    # Who waits for an image by hand has been asked already.
    body["rules"] = traced(_follow(started) if built else started, decision("gitlab_rules"))
    stop = environment.tier != "production"
    body["environment"] = _environment(
        environment,
        model.name,
        **({"on_stop": job_name(model.name, "stop", environment.name)} if stop else {}),
    )
    yield name, traced(body, environment.origin, environment.at("deploy"), decision("gitlab_deploy"))
    yield from promotion.next_(project, model, environment, _follow(started))
    yield from promotion.rollback(model, environment, _rollback_rules(project, environment, model))
    if stop:
        yield job_name(model.name, "stop", environment.name), _stop(environment, model, started)


# --- when ------------------------------------------------------------------------------------


def _rules(project: Project, environment: Environment, model: Model) -> list[rules.Rule]:
    changes = flow.deployment_changes(project, environment, model)
    found = rules.only_for(model.name, (rules.DEPLOY,), environment.name)
    if flow.retrains(model):
        found.append(rules.never(f"${conventions.ALERT_VARIABLE}"))
    asked = f"{rules.DEFAULT_BRANCH} && {rules.named(model.name, rules.DEPLOY)}"
    found.append(_gated(environment, rules.rule(asked)))
    found.append(rules.never(f"${conventions.MODEL_VARIABLE}"))
    pushed = rules.rule(rules.PUSH, changes)
    if environment.pinned(model) or not flow.packs_serving_image(project, model):
        found.append(_gated(environment, pushed))
    else:
        pushed["when"] = traced("manual", decision("gitlab_champion"))
        found.append({**pushed, "allow_failure": True})
    return found


def _gated(environment: Environment, rule: rules.Rule) -> rules.Rule:
    if environment.deploy == "automatic":
        return rule
    manual = traced("manual", environment.at("deploy"), decision("gitlab_manual"))
    return {**rule, "when": manual, "allow_failure": False}


def _follow(started: list[rules.Rule]) -> list[rules.Rule]:
    """The same occasions without a click of their own: what the job needs has had it."""
    return [
        rule if rule.get("when") == "never" else {k: v for k, v in rule.items() if k not in _CLICK}
        for rule in started
    ]


_CLICK: Final = ("when", "allow_failure")


def _rollback_rules(
    project: Project, environment: Environment, model: Model
) -> list[rules.Rule]:
    asked = rules.named(model.name, rules.ROLLBACK, environment.name)
    changes = flow.deployment_changes(project, environment, model)
    return [
        rules.rule(f"{rules.DEFAULT_BRANCH} && {asked}"),
        rules.never(f"${conventions.MODEL_VARIABLE} || ${rules.TASK_VARIABLE}"),
        rules.rule(rules.PUSH, changes, when="manual", allow_failure=True),
    ]


# --- what ------------------------------------------------------------------------------------


def _environment(environment: Environment, what: str, **more: Body) -> Body:
    body: Job = {
        "name": traced(f"{environment.name}/{what}", decision("gitlab_environment_name")),
        "deployment_tier": environment.tier,
    }
    if environment.url is not None:
        body["url"] = traced(environment.url, environment.at("url"))
    return traced({**body, **more}, environment.origin)


def _existing_version(
    project: Project, environment: Environment, model: Model, started: list[rules.Rule]
) -> list[tuple[str, Body]]:
    """Fetching and packing a version that no job of this project trained just now."""
    if not flow.packs_serving_image(project, model):
        return []
    version = environment.version(model)
    if environment.pinned(model) and model.artifact is None:
        return []  # its image was built when it was registered
    address = model.artifact or f"models:/{model.name}@{version}"
    at = model.at("artifact") if model.artifact else environment.at("versions", model.name)
    fetched = job_name(model.name, "fetch", environment.name)
    packed = job_name(model.name, "serving-image", environment.name)
    fetch: Job = {
        "extends": ".python",
        "stage": "model_deployment",
        "needs": needs("check", artifacts=False),
        "rules": started,
        "variables": traced(_tracking(environment), environment.services.at("mlflow", "url")),
        "script": images.download(model, shell(address)),
        "artifacts": artifacts(f"build/{model.name}/out/", kept=DATA_KEPT, access="developer"),
    }
    pack = images.named_version_job(
        project, model, version, moves=not environment.pinned(model)
    )
    pack["needs"] = needs(fetched, optional=False)
    pack["rules"] = _follow(started)
    return [
        (fetched, traced(fetch, at, decision("gitlab_champion"))),
        (packed, traced(pack, at, decision("gitlab_champion"))),
    ]


def _tracking(environment: Environment) -> dict[str, Body]:
    mlflow = environment.services.mlflow
    return {} if mlflow is None else {conventions.TRACKING_VARIABLE: mlflow}


def _deploy(
    project: Project,
    environment: Environment,
    model: Model,
    before: str | None,
    built: list[str],
) -> Job:
    own = flow.own_images(project, environment, model)
    kinds = _KINDS
    if model.platform.metrics == "prometheus_operator":
        kinds = (*kinds, *_OPERATOR_KINDS)
    labels = conventions.kubernetes_labels(project.name, model.name, "")
    selector = ",".join(
        f"{key}={labels[key]}"
        for key in ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
    )
    waited = [job_name(model.name, "gate"), job_name(model.name, "serving-image")]
    if model.training is None:
        waited = []
    elif not flow.packs_serving_image(project, model) or not flow.registers(project):
        waited = waited[:1]
    if flow.trains_in_kubernetes(model):
        waited = [name for name in waited if not name.endswith(":gate")]
    waited += [flow.image_job(model, image) for image in own]
    if before is not None:
        waited.append(job_name(model.name, "deploy", before))
    load_time = model.serving.load_time if model.serving is not None else 0
    replicas = model.serving.replicas.minimum if model.serving is not None else 0
    return {
        "extends": ".kubernetes",
        "stage": "model_deployment",
        "needs": [
            *needs("check", *waited, artifacts=False),
            *needs(*built[-1:], optional=False, artifacts=False),
        ],
        "resource_group": traced(
            f"{environment.name}/{model.name}", decision("gitlab_resource_group")
        ),
        "interruptible": False,
        "timeout": time_limit(load_time * max(replicas, 1) + _SETTLE),
        "variables": {
            "NAMESPACE": traced(environment.namespace, environment.at("namespace")),
            "SELECTOR": selector,
            "KINDS": ",".join(kinds),
        },
        "script": _script(project, environment, model),
    }


def _script(project: Project, environment: Environment, model: Model) -> list[Body]:
    folder = conventions.model_manifests(environment.name, model.name)
    own = flow.own_images(project, environment, model)
    lines: list[Body] = ["mkdir -p build/deploy"]
    lines += [images.content_tag(project, image, f"{image.name}_tag") for image in own]
    overlay = ["cat > build/deploy/kustomization.yaml <<END", f"resources: [../../{folder}]"]
    if own:
        overlay.append("images:")
        overlay += [f'- {{name: "{i.reference}", newTag: "${i.name}_tag"}}' for i in own]
    lines.append("\n".join([*overlay, "END", ""]))
    lines.append(_APPLY)
    if flow.serves(model):
        deployment = f"deployment/{conventions.object_name(model.name)}"
        if not environment.pinned(model):
            lines.append(
                traced(
                    f'kubectl --namespace "$NAMESPACE" rollout restart {deployment}',
                    decision("gitlab_champion"),
                )
            )
        lines.append(f'kubectl --namespace "$NAMESPACE" rollout status {deployment}')
    lines.append(traced(_CLEAN, decision("gitlab_deploy")))
    return lines


def _stop(environment: Environment, model: Model, started: list[rules.Rule]) -> Body:
    folder = conventions.model_manifests(environment.name, model.name)
    manual: list[rules.Rule] = [
        rule if rule.get("when") == "never" else {**rule, "when": "manual", "allow_failure": True}
        for rule in started
    ]
    body: Job = {
        "extends": ".kubernetes",
        "stage": "model_deployment",
        "needs": [],
        "rules": manual,
        "environment": {"name": f"{environment.name}/{model.name}", "action": "stop"},
        "resource_group": f"{environment.name}/{model.name}",
        "interruptible": False,
        "script": [f"kubectl delete --ignore-not-found --kustomize {folder}"],
    }
    return traced(body, environment.origin, decision("gitlab_stop"))
