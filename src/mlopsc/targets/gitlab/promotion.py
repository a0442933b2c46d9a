"""Promotion: a version's way into the spec, by merge request, and back out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.gitlab import flow, pins, rules
from mlopsc.targets.gitlab.runtime import Job, job_name, needs

if TYPE_CHECKING:
    from mlopsc.project.model import Environment, Model, Project

Jobs = Iterator[tuple[str, Body]]

INSTALL: Final = """\
version=$(sed -n 's/^mlopsc //p' mlops.lock)
python3 -m venv .venv
. .venv/bin/activate
python -m pip install --quiet "mlopsc==${version:?mlops.lock names no compiler: run mlopsc compile}"
"""
"""The compiler that wrote the committed files; another version might write others."""

_VERSION_IN: Final = (
    "import json, sys;"
    ' print(json.load(sys.stdin)["environments"].get(sys.argv[1], {}).get("version", ""))'
)

_PROPOSE: Final = f"""\
if [ -n "${{FROM:-}}" ]; then
  VERSION=$(python3 -c '{_VERSION_IN}' "$FROM" < "{conventions.PROGRAMS}/models/$MODEL.json")
fi
if [ -z "${{VERSION:-}}" ]; then
  echo "no version of $MODEL to bring to $TO"
  exit 0
fi
: "${{MLOPS_PUSH_TOKEN:?a project access token with write_repository, role Developer}}"
title="$VERB $MODEL in $TO to version $VERSION"
git config user.name mlopsc
git config user.email "mlopsc@noreply.$CI_SERVER_HOST"
git fetch --quiet --depth 1 origin "$CI_DEFAULT_BRANCH"
git checkout --quiet -B "$BRANCH" FETCH_HEAD
mlopsc promote "$MODEL" "$VERSION" --env "$TO"
mlopsc compile
git add --update
sed -n 's/^[0-9a-f]\\{{64\\}}  //p' {conventions.LOCK_FILE} | git add --pathspec-from-file=-
if git diff --cached --quiet; then
  echo "$TO runs $MODEL $VERSION already"
  exit 0
fi
git commit --quiet --message "$title"
git -c credential.helper='!f() {{ echo username=mlopsc; echo "password=$MLOPS_PUSH_TOKEN"; }}; f' \\
  push --force --push-option merge_request.create \\
  --push-option "merge_request.target=$CI_DEFAULT_BRANCH" \\
  --push-option "merge_request.title=$title" \\
  --push-option merge_request.remove_source_branch \\
  ${{AUTO_MERGE:+--push-option merge_request.auto_merge}} \\
  "$CI_SERVER_URL/$CI_PROJECT_PATH.git" "HEAD:refs/heads/$BRANCH"
"""
"""One branch a model and environment, so that a newer version takes the place of one still waiting.

Push options: docs.gitlab.com/topics/git/commit, "Push options for merge requests"; `auto_merge`
since GitLab 17.11, under another name before.
"""

_PREVIOUS: Final = f"""\
runs() {{
  git show "$1:{conventions.PROGRAMS}/models/$MODEL.json" | python3 -c '{_VERSION_IN}' "$TO"
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


def templates() -> Jobs:
    """What jobs share that propose a version."""
    promote: Job = {
        "image": pins.PYTHON_GIT,
        "stage": "model_deployment",
        "interruptible": False,
        "variables": {"VERB": "Promote"},
        "before_script": [INSTALL],
        "script": [_PROPOSE],
    }
    back: Job = {
        "extends": ".promote",
        "variables": {"VERB": "Roll back", "AUTO_MERGE": "true", "GIT_DEPTH": "0"},
        "script": [_PREVIOUS, _PROPOSE],
    }
    yield ".promote", traced(promote, decision("gitlab_promotion"))
    yield ".rollback", traced(back, decision("gitlab_rollback"))


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
    environment = next((e for e in project.environments if flow.model_in(e, model.name)), None)
    if environment is None:
        return
    waited = [job_name(model.name, "register")]
    if flow.packs_serving_image(project, model):
        waited.append(job_name(model.name, "serving-image"))
    body: Job = {
        "extends": [".promote", f".{model.name}:release"],
        "needs": needs(*waited, optional=False),
        "variables": {
            **_variables(model, environment, "promote"),
            "VERSION": f"${conventions.VERSION_VARIABLE}",
        },
    }
    yield (
        job_name(model.name, "promote", environment.name),
        traced(body, environment.at("versions"), environment.origin),
    )


def next_(project: Project, model: Model, environment: Environment, started: str) -> Jobs:
    """The version of an environment, once it is deployed there, to the next environment."""
    names = [each.name for each in project.environments]
    later = project.environments[names.index(environment.name) + 1 :]
    following = next((e for e in later if flow.model_in(e, model.name)), None)
    if following is None:
        return
    deployed = job_name(model.name, "deploy", environment.name)
    body: Job = {
        "extends": [".promote", started],
        "needs": needs(deployed, optional=False, artifacts=False),
        "variables": {
            **_variables(model, following, "promote"),
            "FROM": traced(environment.name, environment.origin),
        },
    }
    yield (
        job_name(model.name, "promote", following.name),
        traced(body, following.at("versions"), following.origin),
    )


def rollback(model: Model, environment: Environment, changed: list[rules.Rule]) -> Jobs:
    """The version before, by hand, or when a run asks for it."""
    body: Job = {
        "extends": ".rollback",
        "needs": [],
        "rules": changed,
        "variables": _variables(model, environment, "roll-back"),
    }
    yield (
        job_name(model.name, "rollback", environment.name),
        traced(body, environment.at("versions"), decision("gitlab_rollback")),
    )


def _variables(model: Model, environment: Environment, verb: str) -> dict[str, Body]:
    found: dict[str, Body] = {
        "MODEL": traced(model.name, model.origin),
        "TO": traced(environment.name, environment.origin),
        "BRANCH": f"mlopsc/{verb}-{model.name}-{environment.name}",
    }
    if environment.deploy == "automatic":
        found["AUTO_MERGE"] = traced("true", environment.at("deploy"))
    return found
