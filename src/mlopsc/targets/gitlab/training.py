"""Training: the user's command on a runner, or a Job in the cluster; the cool-down before it."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import containers, conventions
from mlopsc.project.conventions import decision, program
from mlopsc.project.model import Image, Model, Project, SecretRef, Training
from mlopsc.targets.gitlab import flow, pins, rules
from mlopsc.targets.gitlab.images import content_tag, image_variable
from mlopsc.targets.gitlab.runtime import (
    DATA_KEPT,
    Job,
    artifacts,
    from_secret,
    identity,
    in_environment,
    job_name,
    literal,
    needs,
    python_setup,
    runner_resources,
    services,
    shell,
    tags,
    time_limit,
)

Jobs = Iterator[tuple[str, Body]]

_ALERT = f"${{{conventions.ALERT_VARIABLE}:-trigger}}"
_POLL = 15  # seconds between two looks at a Job; training takes minutes at least


def model_jobs(project: Project, model: Model, training: Training) -> Jobs:
    """The cool-down that an alert meets, and the training."""
    if flow.retrains(project, model):
        yield job_name(model.name, "cooldown"), _cooldown(project, model, training)
    body = (
        _in_kubernetes(project, model, training)
        if flow.trains_in_kubernetes(model)
        else _on_runner(project, model, training)
    )
    yield job_name(model.name, "train"), body


def _cooldown(project: Project, model: Model, training: Training) -> Body:
    alerted = " || ".join(flow.ALERTED)
    task = (
        f'(${conventions.TASK_VARIABLE} == null || ${conventions.TASK_VARIABLE} == "{rules.TRAIN}")'
    )
    this = rules.is_(conventions.MODEL_VARIABLE, model.name)
    body: Job = {
        "extends": ".python",
        "image": pins.PYTHON_GIT,
        "stage": "check",
        "rules": [rules.rule(f"{this} && ({alerted}) && {task}")],
        "resource_group": f"{model.name}/cooldown",
        "interruptible": False,
        "variables": services(in_environment(project, training.environment)),
        "allow_failure": traced({"exit_codes": [conventions.FAILED]}, decision("gitlab_cooldown")),
        "script": [
            f'python {program("cooldown")} --model {model.name} --alert "{_ALERT}"',
            traced(_start(model.name), decision("gitlab_cooldown")),
        ],
        "artifacts": artifacts(f"build/{model.name}/cooldown/"),
    }
    return traced(body, *flow.retrained_by(project, model), decision("gitlab_cooldown"))


def _start(model: str) -> str:
    """Lines that start the pipeline which trains; `--form-string`, as an alert names no file."""
    variables = {
        conventions.MODEL_VARIABLE: model,
        conventions.TASK_VARIABLE: rules.TRAIN,
        "MLOPS_RESPONSE": _ALERT,
        "MLOPS_RESPONSE_RUN": "$run",
    }
    forms = "".join(f'  --form-string "variables[{k}]={v}" \\\n' for k, v in variables.items())
    return (
        f"run=$(sed -n 's/^MLOPS_RESPONSE_RUN=//p' build/{model}/cooldown/cooldown.env)\n"
        "curl --fail-with-body --silent --show-error --request POST \\\n"
        '  --form-string "token=$CI_JOB_TOKEN" --form-string "ref=$CI_DEFAULT_BRANCH" \\\n'
        f"{forms}"
        '  "$CI_API_V4_URL/projects/$CI_PROJECT_ID/trigger/pipeline"\n'
    )


def _on_runner(project: Project, model: Model, training: Training) -> Body:
    image = flow.training_image_of(model)
    body: Job = {
        **_container(project, model, training, image),
        "stage": "model_training",
        "needs": [
            *(needs(flow.image_job(model, image), optional=False) if image is not None else []),
            *needs(job_name(model.name, "dataset"), optional=False),
        ],
        "timeout": traced(time_limit(training.timeout), training.at("timeout")),
        **tags(project, training.resources),
        "variables": {**runner_resources(training.resources), **command_variables(training)},
        "script": [
            traced(training.command, training.at("command")),
        ],
        "artifacts": artifacts(f"build/{model.name}/out/", kept=DATA_KEPT, access="developer"),
    }
    return traced(body, training.origin, model.platform.at("training"))


def command_variables(training: Training) -> dict[str, Body]:
    """What the user's command finds in its environment; its parameters stand in `params.yaml`."""
    found: dict[str, Body] = {}
    for name, setting in training.env.items():
        if isinstance(setting, SecretRef):
            found |= from_secret(name, setting)
        else:
            found[name] = traced(literal(setting), training.at("env", name))
    return found


def _container(project: Project, model: Model, training: Training, image: Image | None) -> Job:
    """What training runs in: the spec's image, or a Python with the project's requirements."""
    base = f".{model.name}:training"
    used = training.image
    if image is not None:
        name: Body = traced(f"${image_variable(image)}", training.at("image"), image.origin)
    elif used is not None and used.reference is not None:
        name = traced(used.reference, training.at("image"))
    else:
        return _plain_python(base, training)
    return {
        "extends": [*identity(project), base],
        "image": {"name": name, "entrypoint": [""]},
    }


def _plain_python(base: str, training: Training) -> Job:
    image = training.image.image if training.image is not None else None
    if image is None or image.requirements in (None, "requirements.txt"):
        return {"extends": [".python", base]}
    installed = f"python -m pip install --quiet --requirement {shell(image.requirements or '')}"
    return {
        "extends": [".python", base],
        "before_script": [*python_setup(), traced(installed, image.at("requirements"))],
    }


def _in_kubernetes(project: Project, model: Model, training: Training) -> Body:
    environment = in_environment(project, training.environment)
    used = containers.job_image(project, model)
    image = used.image if used is not None and used.image is not None else None
    pushed = image is not None and image.reference is not None
    deployed = job_name(model.name, "deploy", environment.name)
    cron_job = conventions.object_name(model.name, "train")
    pinned = ""
    if image is not None and pushed:
        local = "kubectl set image --local --filename - --output json"
        pinned = f" | {local} '*={image.reference}:'\"$tag\""
    tag: list[Body] = [content_tag(project, image, "tag")] if image is not None and pushed else []
    body: Job = {
        "extends": [".kubernetes", f".{model.name}:training"],
        "stage": "model_training",
        "needs": [
            *needs("check", artifacts=False),
            *needs(job_name(model.name, "validate"), artifacts=False),
            *(
                needs(flow.image_job(model, image), optional=False, artifacts=False)
                if image is not None and pushed
                else []
            ),
        ],
        "environment": traced(
            {"name": f"{environment.name}/{model.name}", "action": "access"},
            training.at("environment"),
            decision("gitlab_access"),
        ),
        "resource_group": f"{environment.name}/{model.name}/train",
        "interruptible": False,
        "timeout": traced(time_limit(training.timeout + 600), training.at("timeout")),
        "variables": {"NAMESPACE": traced(environment.namespace, environment.at("namespace"))},
        "script": [
            (
                f'kubectl --namespace "$NAMESPACE" get cronjob/{cron_job}'
                f' || {{ echo "not deployed yet: run {deployed}, then this again" >&2; exit 2; }}'
            ),
            *tag,
            f'job="{cron_job}-$CI_JOB_ID"',
            " ".join(
                (
                    f'kubectl --namespace "$NAMESPACE" create job "$job" --from=cronjob/{cron_job}',
                    f"--dry-run=client --output json{pinned}",
                    '| kubectl --namespace "$NAMESPACE" create --filename -',
                )
            ),
            _WAIT,
        ],
    }
    at = (training.origin, model.platform.at("training"), decision("gitlab_kubernetes_training"))
    return traced(body, *at)


_WAIT = f"""\
until conditions=$(kubectl --namespace "$NAMESPACE" get job "$job" \\
    --output 'jsonpath={{.status.conditions[*].type}}') \\
  && echo "$conditions" | grep --quiet --word-regexp --extended-regexp 'Complete|Failed'; do
  sleep {_POLL}
done
kubectl --namespace "$NAMESPACE" logs "job/$job" --all-containers --tail=-1 || true
echo "$conditions" | grep --quiet --word-regexp Complete
"""
