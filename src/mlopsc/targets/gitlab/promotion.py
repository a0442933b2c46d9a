"""Promotion: a version's way into the spec, by merge request, and back out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision
from mlopsc.project.model import Environment, Model, Project
from mlopsc.targets.gitlab import flow, pins, rules
from mlopsc.targets.gitlab.runtime import Job, job_name, needs

Jobs = Iterator[tuple[str, Body]]

INSTALL: Final = """\
version=$(sed -n 's/^mlopsc //p' mlops.lock)
python3 -m venv .venv
. .venv/bin/activate
python -m pip install --quiet "mlopsc==${version:?mlops.lock names no compiler: run mlopsc compile}"
"""
"""The compiler that wrote the committed files; another version might write others."""

_PROPOSE: Final = f"""\
if [ -z "${{VERSION:-}}" ]; then
  echo "no version of $MODEL to bring to $TO"
  exit 0
fi
: "${{MLOPS_PUSH_TOKEN:?a project access token with write_repository, role Developer}}"
git config user.name "mlopsc"
git config user.email "mlopsc@noreply.$CI_SERVER_HOST"
git fetch --quiet --depth 1 origin "$CI_DEFAULT_BRANCH"
git checkout --quiet -B "$BRANCH" FETCH_HEAD
mlopsc promote "$MODEL" "$VERSION" --env "$TO"
git add --update
sed -n 's/^[0-9a-f]\\{{64\\}}  //p' {conventions.LOCK_FILE} | git add --pathspec-from-file=-
if git diff --cached --quiet; then
  echo "$TO runs $MODEL $VERSION already"
  exit 0
fi
git commit --quiet --message "$TITLE $VERSION"
git -c credential.helper='!f() {{ echo username=mlopsc; echo "password=$MLOPS_PUSH_TOKEN"; }}; f' \\
  push --force --push-option merge_request.create \\
  --push-option "merge_request.target=$CI_DEFAULT_BRANCH" \\
  --push-option "merge_request.title=$TITLE $VERSION" \\
  --push-option merge_request.remove_source_branch \\
  ${{AUTO_MERGE:+--push-option merge_request.auto_merge}} \\
  "$CI_SERVER_URL/$CI_PROJECT_PATH.git" "HEAD:refs/heads/$BRANCH"
"""
"""`git push` with GitLab's push options; `auto_merge` since GitLab 17.11.

Source: docs.gitlab.com/topics/git/commit, "Push options for merge requests".
"""

_PREVIOUS: Final = f"""\
runs() {{
  git show "$1:{conventions.PROGRAMS}/models/$MODEL.json" | python3 -c \\
    'import json, sys; print(json.load(sys.stdin)["environments"].get(sys.argv[1], {{}}).get("version", ""))' "$TO"
}}
now=$(runs HEAD)
VERSION=
for commit in $(git log --format=%H -- "{conventions.PROGRAMS}/models/$MODEL.json"); do
  before=$(runs "$commit")
  if [ -n "$before" ] && [ "$before" != "$now" ]; then
    VERSION=$before
    break
  fi
done
: "${{VERSION:?git knows no version of $MODEL before $now in $TO}}"
"""


def template() -> Body:
    """What jobs share that propose a version."""
    body: Job = {
        "image": pins.PYTHON_GIT,
        "interruptible": False,
        "before_script": [INSTALL],
        "script": [_PROPOSE],
    }
    return traced(body, decision("gitlab_promotion"))


def needed(project: Project) -> bool:
    """Whether any job proposes a version."""
    return any(
        flow.has_manifests(project, environment, there)
        for environment in project.environments
        for model in project.models
        if (there := flow.model_in(environment, model.name)) is not None
    ) or (flow.registers(project) and any(model.training for model in project.models))


def first(project: Project, model: Model) -> Jobs:
    """A version that was just registered, to the first environment."""
    if not flow.registers(project):
        return
    environment = project.environments[0]
    waited = [job_name(model.name, "register")]
    if flow.packs_serving_image(project, model):
        waited.append(job_name(model.name, "serving-image"))
    body: Job = {
        "extends": [".promote", f".{model.name}:release"],
        "stage": "model_deployment",
        "needs": needs(*waited, optional=False),
        "variables": {
            **_variables(model, environment, "Promote"),
            "VERSION": f"${conventions.VERSION_VARIABLE}",
        },
    }
    yield (
        job_name(model.name, "promote", environment.name),
        traced(body, environment.at("versions"), environment.at("deploy")),
    )


def next_(
    project: Project, model: Model, environment: Environment, deployed: list[rules.Rule]
) -> Jobs:
    """The version of an environment, once it is deployed there, to the next environment."""
    position = project.environments.index(environment) + 1
    if position == len(project.environments):
        return
    following = project.environments[position]
    facts = conventions.model_facts(model.name)
    read = (
        "import json, sys; print(json.load(open(sys.argv[1]))"
        '["environments"][sys.argv[2]].get("version", ""))'
    )
    body: Job = {
        "extends": ".promote",
        "stage": "model_deployment",
        "needs": needs(
            job_name(model.name, "deploy", environment.name), optional=False, artifacts=False
        ),
        "rules": deployed,
        "variables": _variables(model, following, "Promote"),
        "script": [f"VERSION=$(python3 -c '{read}' {facts} {environment.name})", _PROPOSE],
    }
    yield (
        job_name(model.name, "promote", following.name),
        traced(body, following.at("versions"), following.at("deploy")),
    )


def rollback(model: Model, environment: Environment, changed: list[rules.Rule]) -> Jobs:
    """The version before, by hand, or when a run asks for it."""
    body: Job = {
        "extends": ".promote",
        "stage": "model_deployment",
        "needs": [],
        "rules": changed,
        "variables": {
            **_variables(model, environment, "Roll back"),
            "AUTO_MERGE": "true",
            "GIT_DEPTH": "0",
        },
        "script": [_PREVIOUS, _PROPOSE],
    }
    yield (
        job_name(model.name, "rollback", environment.name),
        traced(body, environment.at("versions"), decision("gitlab_rollback")),
    )


def _variables(model: Model, environment: Environment, verb: str) -> dict[str, Body]:
    branch = f"mlopsc/{verb.lower().replace(' ', '-')}-{model.name}-{environment.name}"
    found: dict[str, Body] = {
        "MODEL": traced(model.name, model.origin),
        "TO": traced(environment.name, environment.origin),
        "BRANCH": branch,
        "TITLE": f"{verb} {environment.name} to {model.name}",
    }
    if environment.deploy == "automatic":
        found["AUTO_MERGE"] = traced("true", environment.at("deploy"))
    return found
