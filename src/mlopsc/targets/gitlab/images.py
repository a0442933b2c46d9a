"""Images: those of the spec by their content, serving's by the model's version; each built once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import containers, conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.gitlab import flow, pins
from mlopsc.targets.gitlab.runtime import Job, artifacts, job_name, needs, shell

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Image, Model, Project

Jobs = Iterator[tuple[str, Body]]

LOGIN: Final = """\
if [ "$MLOPS_REGISTRY" = "${CI_REGISTRY:-}" ]; then
  user=$CI_REGISTRY_USER password=$CI_REGISTRY_PASSWORD
else
  user=${MLOPS_REGISTRY_USER:?who may push to $MLOPS_REGISTRY}
  password=${MLOPS_REGISTRY_PASSWORD:?the password of $MLOPS_REGISTRY_USER}
fi
mkdir -p "$DOCKER_CONFIG"
printf '{"auths": {"%s": {"auth": "%s"}}}' "$MLOPS_REGISTRY" \\
  "$(printf '%s:%s' "$user" "$password" | base64 | tr -d '\\n')" > "$DOCKER_CONFIG/config.json"
"""

_BUILD: Final = """\
buildctl-daemonless.sh build --frontend dockerfile.v0 \\
  --local context=. --local dockerfile="$(dirname "$DOCKERFILE")" \\
  --opt filename="$(basename "$DOCKERFILE")" \\
  --import-cache "type=registry,ref=$REPOSITORY:cache" \\
  --export-cache "type=registry,ref=$REPOSITORY:cache,mode=max,ignore-error=true" \\
  --output "type=image,name=$reference,push=true"
"""
_BUILD_ONCE: Final = f"""\
probe=$(mktemp -d)
printf 'FROM %s\\n' "$reference" > "$probe/Dockerfile"
if buildctl-daemonless.sh build --frontend dockerfile.v0 \\
  --local context="$probe" --local dockerfile="$probe" > "$probe/log" 2>&1; then
  echo "$reference is there already"
  exit 0
fi
{_BUILD}"""


def template(project: Project) -> Body:
    """What builds of images share."""
    body: Job = {
        "image": {"name": pins.BUILDKIT, "entrypoint": [""]},
        "variables": {
            "BUILDKITD_FLAGS": "--oci-worker-no-process-sandbox",
            "DOCKER_CONFIG": "/tmp/docker",  # noqa: S108 - in the job's container
            "MLOPS_REGISTRY": traced(_host(project), project.at("registry")),
        },
        "before_script": [
            'git config --global --add safe.directory "$CI_PROJECT_DIR"',
            traced(LOGIN, decision("gitlab_registry_login")),
        ],
    }
    return traced(body, decision("gitlab_build"))


def needed(project: Project) -> bool:
    """Whether any job builds an image."""
    return project.registry is not None and any(
        flow.images_to_build(project, model) or flow.packs_serving_image(project, model)
        for model in project.models
    )


def image_variable(image: Image) -> str:
    """The variable that brings an image with its tag to the jobs that run in it."""
    return f"MLOPS_IMAGE_{image.name.upper()}"


def content_tag(project: Project, image: Image, variable: str) -> Body:
    """A line that computes the tag of an image from what its build reads."""
    inputs = " ".join(shell(path) for path in containers.build_inputs(project, image))
    line = f"{variable}=$(git ls-tree HEAD -- {inputs} | git hash-object --stdin)"
    return traced(line, *_read_by(project, image), decision("gitlab_content_tag"))


def _read_by(project: Project, image: Image) -> dict[Path, None]:
    """What of the spec decides what a build reads; of code, also what lies in a folder read whole."""
    code = chain.from_iterable(containers.code_causes(project, image).values())
    named = chain(containers.input_causes(project, image).values(), code)
    return dict.fromkeys((image.origin, *chain.from_iterable(named)))


def model_jobs(project: Project, model: Model) -> Jobs:
    """The images that jobs of the model run in."""
    for image in flow.images_to_build(project, model):
        yield (
            flow.image_job(model, image),
            content_job(project, image, flow.image_rules(project, model, image)),
        )


def content_job(project: Project, image: Image, started: Sequence[Body]) -> Body:
    """Sees to it that an image with today's content is there, and says under which tag."""
    dockerfile = image.dockerfile or conventions.dockerfile(image.name)
    file = f"build/images/{image.name}.env"
    body: Job = {
        "extends": ".image",
        "stage": "check",
        "rules": traced(started, decision("gitlab_rules")),
        "variables": {
            "DOCKERFILE": traced(dockerfile, image.at("dockerfile")),
            "REPOSITORY": traced(image.reference, project.at("registry")),
        },
        "script": [
            content_tag(project, image, "tag"),
            'reference="$REPOSITORY:$tag"',
            f'mkdir -p build/images && echo "{image_variable(image)}=$reference" > {file}',
            traced(_BUILD_ONCE, decision("gitlab_build")),
        ],
        "artifacts": artifacts(reports={"dotenv": file}),
    }
    return traced(body, image.origin)


def mark_template(project: Project) -> Body:
    """What gives an image in the registry another name."""
    body: Job = {
        "image": {"name": pins.SKOPEO, "entrypoint": [""]},
        "stage": "model_deployment",
        "interruptible": False,
        "variables": {
            "DOCKER_CONFIG": "/tmp/docker",  # noqa: S108 - in the job's container
            "REGISTRY_AUTH_FILE": "/tmp/docker/config.json",  # noqa: S108
            "MLOPS_REGISTRY": traced(_host(project), project.at("registry")),
        },
        "before_script": [traced(LOGIN, decision("gitlab_registry_login"))],
    }
    return traced(body, decision("gitlab_mark"))


def _host(project: Project) -> str:
    return (project.registry or "").partition("/")[0]


def serving_jobs(project: Project, model: Model) -> Jobs:
    """The serving image of a version that was just registered."""
    if not flow.packs_serving_image(project, model) or not flow.registers(project):
        return
    waited = needs(job_name(model.name, "register"), optional=False)
    if flow.trains_in_kubernetes(model):
        fetched = job_name(model.name, "fetch")
        yield fetched, _fetch_trained(model)
        carried = needs(fetched, optional=False)
    else:
        carried = needs(job_name(model.name, "train"), optional=False)
    waited += [traced(need, model.platform.at("training")) for need in carried]
    body: Job = {
        "extends": [".image", f".{model.name}:release"],
        "stage": "model_deployment",
        "needs": waited,
        "interruptible": False,
        "variables": serving_variables(project, model),
        "script": [
            f'reference="$REPOSITORY:${conventions.VERSION_VARIABLE}"',
            traced(_BUILD_ONCE, decision("gitlab_build")),
        ],
    }
    at = model.serving.origin if model.serving is not None else model.origin
    yield job_name(model.name, "serving-image"), traced(body, at, decision("gitlab_register"))


def serving_variables(project: Project, model: Model) -> dict[str, Body]:
    """What is built and where it goes."""
    serving = model.serving
    at = serving.at("runtime") if serving is not None else model.origin
    return {
        "DOCKERFILE": traced(conventions.serving_dockerfile(model.name), at),
        "REPOSITORY": traced(
            conventions.serving_image(project.registry or "", model.name), project.at("registry")
        ),
    }


def _fetch_trained(model: Model) -> Body:
    body: Job = {
        "extends": [".python", f".{model.name}:release"],
        "stage": "model_deployment",
        "needs": needs(job_name(model.name, "register"), optional=False),
        "script": download(model, f'"models:/{model.name}/${conventions.VERSION_VARIABLE}"'),
        "artifacts": artifacts(f"build/{model.name}/out/", kept="7 days", access="developer"),
    }
    at = (model.origin, model.platform.at("training"), decision("gitlab_kubernetes_training"))
    return traced(body, *at)


def download(model: Model, address: str) -> list[Body]:
    """Lines that bring a model from where it lies to where training would have left it."""
    folder = f"build/{model.name}"
    call = (
        "import sys, mlflow;"
        " print(mlflow.artifacts.download_artifacts(sys.argv[1], dst_path=sys.argv[2]))"
    )
    return [
        f"mkdir -p {folder}/download {folder}/out",
        f"fetched=$(python -c '{call}' {address} {folder}/download)",
        f'mv "$fetched" {folder}/out/model',
    ]


def named_version_job(project: Project, model: Model, tag: str, *, moves: bool) -> Job:
    """A serving image of a version that lies somewhere already; `moves`: its tag is pushed over."""
    steps = _BUILD if moves else _BUILD_ONCE
    return {
        "stage": "model_deployment",
        "interruptible": False,
        "variables": serving_variables(project, model),
        "script": [f'reference="$REPOSITORY:{tag}"', traced(steps, decision("gitlab_build"))],
    }
