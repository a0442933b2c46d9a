"""Deployment: manifests applied to a cluster, one environment after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions, pipelines
from mlopsc.project.alerting import project_rule_groups
from mlopsc.project.conventions import decision
from mlopsc.targets.gitlab import flow, images, pins, promotion, rules
from mlopsc.targets.gitlab.runtime import (
    DATA_KEPT,
    Job,
    artifacts,
    decided,
    job_name,
    needs,
    shell,
    time_limit,
)

if TYPE_CHECKING:
    from mlopsc.project.model import Environment, Image, Model, Project

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

_SERVER_SIDE: Final = "kubectl apply --server-side --force-conflicts --field-manager=mlopsc"

_APPLY: Final = """\
kubectl kustomize build/deploy > build/deploy/objects.yaml
kubectl apply --server-side --force-conflicts --field-manager=mlopsc \\
  --filename build/deploy/objects.yaml
"""

_ROLL_OUT: Final = """\
for workload in ${WORKLOADS:-}; do
  if [ -n "${RESTART:-}" ]; then kubectl --namespace "$NAMESPACE" rollout restart "$workload"; fi
  kubectl --namespace "$NAMESPACE" rollout status "$workload"
done
"""

_CLEAN: Final = """\
kubectl get --filename build/deploy/objects.yaml --output name | sort > build/deploy/wanted
kubectl --namespace "$NAMESPACE" get "$KINDS" --selector "$SELECTOR" --output name \\
  | sort > build/deploy/there
comm -13 build/deploy/wanted build/deploy/there | xargs -r kubectl --namespace "$NAMESPACE" delete
"""


def templates(project: Project) -> Jobs:
    """What jobs share that talk to a cluster. The agent's context needs no secret."""
    kubernetes: Job = {
        "image": {"name": pins.KUBECTL, "entrypoint": [""]},
        "before_script": [
            _CONTEXT,
            'git config --global --add safe.directory "$CI_PROJECT_DIR"',
        ],
    }
    yield ".kubernetes", traced(kubernetes, decision("gitlab_deploy"))
    if not _deploys_models(project):
        return
    kinds: tuple[str, ...] = _KINDS
    if project.platform.metrics == "prometheus_operator":
        kinds = (*kinds, *_OPERATOR_KINDS)
    deploy: Job = {
        "extends": ".kubernetes",
        "stage": "model_deployment",
        "interruptible": False,
        "variables": {"KINDS": traced(",".join(kinds), project.platform.at("metrics"))},
        "script": _steps("resources: [../../$MANIFESTS]"),
    }
    yield ".deploy", traced(deploy, decision("gitlab_deploy"))
    if any(
        flow.own_images(project, environment, model)
        for environment in project.environments
        for model in environment.models
    ):
        yield ".mark", images.mark_template(project)


def _steps(*overlay: str) -> list[Body]:
    written = "\n".join(["cat > build/deploy/kustomization.yaml <<END", *overlay, "END", ""])
    clean = traced(_CLEAN, decision("gitlab_deploy"))
    return ["mkdir -p build/deploy", written, _APPLY, _ROLL_OUT, clean]


def _deploys_models(project: Project) -> bool:
    return any(
        flow.has_manifests(project, environment, model)
        for environment in project.environments
        for model in environment.models
    )


def needed(project: Project) -> bool:
    """Whether any job talks to a cluster."""
    return (
        _deploys_models(project)
        or any(_shared(project, environment) for environment in project.environments)
        or any(map(flow.trains_in_kubernetes, project.models))
    )


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
                rules.never(f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"),
                *_gated(environment, rules.changed(rules.PUSH, {file: ()})),
            ],
            "environment": _environment(environment, "alerts"),
            "resource_group": traced(
                f"{environment.name}/alerts", decision("gitlab_resource_group")
            ),
            "interruptible": False,
            "script": [f"{_SERVER_SIDE} --filename {file}"],
        }
        at = (environment.alerts.at("rules"), environment.platform.at("metrics"))
        yield pipelines.deploy_alerts(environment.name), traced(body, *at)


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
    follow = f".{job_name(model.name, environment.name)}"
    yield follow, {"rules": traced(_follow(started), environment.origin, decision("gitlab_rules"))}
    packed = _existing_version(project, environment, model, started, follow)
    yield from packed
    clicked = environment.deploy == "manual" and not packed
    body: Job = {
        "extends": decided(
            ".deploy" if clicked else [".deploy", follow],
            () if packed else (environment.at("deploy"),),
        ),
        **(
            {"rules": traced(started, environment.at("deploy"), decision("gitlab_rules"))}
            if clicked
            else {}
        ),
        **_deploy(project, environment, model, before, [job for job, _ in packed]),
    }
    at = (environment.origin, decision("gitlab_deploy"))
    yield job_name(model.name, "deploy", environment.name), traced(body, *at)
    yield from _mark(project, environment, model, follow)
    yield from promotion.next_(project, model, environment, follow)
    yield from promotion.rollback(model, environment, _rollback_rules(project, environment, model))
    if environment.tier != "production":
        yield job_name(model.name, "stop", environment.name), _stop(environment, model, started)


def _mark(project: Project, environment: Environment, model: Model, follow: str) -> Jobs:
    own = flow.own_images(project, environment, model)
    if not own:
        return
    tag = conventions.dns(environment.name)
    body: Job = {
        "extends": [".mark", follow],
        "needs": needs(job_name(model.name, "deploy", environment.name), optional=False),
        "script": [
            f'skopeo copy --all "docker://{i.reference}:${_tag_variable(i)}" docker://{i.reference}:{tag}'
            for i in own
        ],
    }
    yield (
        job_name(model.name, "mark", environment.name),
        traced(
            body,
            *(image.origin for image in own),
            *dict.fromkeys(
                path for i in own for path in flow.owned_by(project, environment, model, i)
            ),
            decision("gitlab_mark"),
        ),
    )


def _tag_variable(image: Image) -> str:
    return f"MLOPS_TAG_{image.name.upper()}"


# --- when ------------------------------------------------------------------------------------


def _rules(project: Project, environment: Environment, model: Model) -> list[rules.Rule]:
    changes = flow.deployment_changes(project, environment, model)
    found = rules.only_for(model.name, (rules.DEPLOY,), environment.name)
    if flow.retrains(project, model):
        found.append(rules.never(f"${conventions.ALERT_VARIABLE}"))
    asked = f"{rules.DEFAULT_BRANCH} && {rules.named(model.name, rules.DEPLOY)}"
    found += _gated(environment, [rules.rule(asked)])
    found.append(rules.never(f"${conventions.MODEL_VARIABLE}"))
    pushed = rules.changed(rules.PUSH, changes)
    if environment.pinned(model) or not flow.packs_serving_image(project, model):
        return [*found, *_gated(environment, pushed)]
    manual = traced("manual", decision("gitlab_champion"))
    return [*found, *({**rule, "when": manual, "allow_failure": True} for rule in pushed)]


def _gated(environment: Environment, started: list[rules.Rule]) -> list[rules.Rule]:
    if environment.deploy == "automatic":
        return started
    manual = traced("manual", environment.at("deploy"), decision("gitlab_manual"))
    waits = traced(False, environment.at("deploy"))
    return [{**rule, "when": manual, "allow_failure": waits} for rule in started]


def _follow(started: list[rules.Rule]) -> list[rules.Rule]:
    """The same occasions without a click of their own: what the job needs has had it."""
    return [
        rule if rule.get("when") == "never" else {k: v for k, v in rule.items() if k not in _CLICK}
        for rule in started
    ]


_CLICK: Final = ("when", "allow_failure")


def _rollback_rules(project: Project, environment: Environment, model: Model) -> list[rules.Rule]:
    asked = rules.named(model.name, rules.ROLLBACK, environment.name)
    changes = flow.deployment_changes(project, environment, model)
    return [
        rules.rule(f"{rules.DEFAULT_BRANCH} && {asked}"),
        rules.never(f"${conventions.MODEL_VARIABLE} || ${conventions.TASK_VARIABLE}"),
        *rules.changed(rules.PUSH, changes, when="manual", allow_failure=True),
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
    project: Project,
    environment: Environment,
    model: Model,
    started: list[rules.Rule],
    follow: str,
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
    fetch: Job = {
        "extends": ".python",
        "stage": "model_deployment",
        "needs": needs("check", artifacts=False),
        "rules": started,
        **_tracking(environment),
        "script": images.download(model, shell(address)),
        "artifacts": artifacts(f"build/{model.name}/out/", kept=DATA_KEPT, access="developer"),
    }
    pack: Job = {
        "extends": [".image", follow],
        "needs": needs(fetched, optional=False),
        **images.named_version_job(project, model, version, moves=not environment.pinned(model)),
    }
    return [
        (fetched, traced(fetch, at, decision("gitlab_champion"))),
        (
            job_name(model.name, "serving-image", environment.name),
            traced(pack, at, decision("gitlab_champion")),
        ),
    ]


def _tracking(environment: Environment) -> Job:
    mlflow = environment.services.mlflow
    if mlflow is None:
        return {}
    at = environment.services.at("mlflow", "url")
    return {"variables": {conventions.TRACKING_VARIABLE: traced(mlflow, at)}}


def _deploy(
    project: Project,
    environment: Environment,
    model: Model,
    before: str | None,
    packed: list[str],
) -> Job:
    own = flow.own_images(project, environment, model)
    stop = environment.tier != "production"
    body: Job = {
        "needs": [
            *needs("check", artifacts=False),
            *_waited(project, environment, model, own, before),
            *needs(*packed[-1:], optional=False, artifacts=False),
        ],
        "environment": _environment(
            environment,
            model.name,
            **({"on_stop": job_name(model.name, "stop", environment.name)} if stop else {}),
        ),
        "resource_group": traced(
            f"{environment.name}/{model.name}", decision("gitlab_resource_group")
        ),
        **_time(model),
        "variables": _variables(project, environment, model),
    }
    if own:
        by = {i.name: flow.owned_by(project, environment, model, i) for i in own}
        all_by = dict.fromkeys(path for paths in by.values() for path in paths)
        tags = [
            decided(images.content_tag(project, image, _tag_variable(image)), by[image.name])
            for image in own
        ]
        file = "build/deploy/images.env"
        named = "".join(f"{v}=${v}\\n" for v in map(_tag_variable, own))
        overlay = ["resources: [../../$MANIFESTS]", "images:"]
        overlay += [f'- {{name: "{i.reference}", newTag: "${_tag_variable(i)}"}}' for i in own]
        script = [*tags, *_steps(*overlay), f'printf "{named}" > {file}']
        body["script"] = decided(script, all_by)
        body["artifacts"] = decided(artifacts(reports={"dotenv": file}), all_by)
    return body


def _waited(
    project: Project,
    environment: Environment,
    model: Model,
    own: tuple[Image, ...],
    before: str | None,
) -> list[Body]:
    """What goes before a deployment: gate, images, the environment before; where they are there."""
    found: list[Body] = []
    if model.training is not None and not flow.trains_in_kubernetes(model):
        judged = [job_name(model.name, "gate")]
        if flow.packs_serving_image(project, model) and flow.registers(project):
            judged.append(job_name(model.name, "serving-image"))
        at = model.platform.at("training")
        found += [traced(need, at) for need in needs(*judged, artifacts=False)]
    for image in own:
        by = flow.owned_by(project, environment, model, image)
        waited = needs(flow.image_job(model, image), artifacts=False)
        found += [traced(need, image.origin, *by) for need in waited]
    if before is not None:
        found += needs(job_name(model.name, "deploy", before), artifacts=False)
    return found


def _time(model: Model) -> Job:
    """New pods start a quarter at a time, and each may load for as long as the spec says."""
    serving = model.serving
    if serving is None:
        return {}
    rounds = min(serving.replicas.maximum, 4) if serving.replicas.maximum > 1 else 1
    limit = time_limit(serving.load_time * rounds + _SETTLE)
    at = (serving.at("load_time"), serving.replicas.at("max"))
    return {"timeout": traced(limit, *at)}


def _variables(project: Project, environment: Environment, model: Model) -> dict[str, Body]:
    labels = conventions.kubernetes_labels(project.name, model.name, "")
    keys = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
    found: dict[str, Body] = {
        "MANIFESTS": conventions.model_manifests(environment.name, model.name),
        "NAMESPACE": traced(environment.namespace, environment.at("namespace")),
        "SELECTOR": traced(",".join(f"{key}={labels[key]}" for key in keys), project.at("project")),
    }
    if flow.serves(model):
        found["WORKLOADS"] = f"deployment/{conventions.object_name(model.name)}"
        if not environment.pinned(model):
            at = environment.at("versions", model.name)
            found["RESTART"] = traced("true", at, decision("gitlab_champion"))
    return found


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
