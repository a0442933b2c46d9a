"""Many models: a pipeline each, started by a change, so that no pipeline holds more than a few.

GitLab reads all files of a pipeline before it looks at the first rule, and takes 150 of them. So the
root names no model: a run that names one includes that one's file by the variable, and a push or a
merge request starts a child pipeline for each model whose files changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Traced, YamlDraft, traced
from mlopsc.project import conventions, pipelines
from mlopsc.project.conventions import decision
from mlopsc.project.remembered import remembered
from mlopsc.targets.gitlab import data, limits, rules
from mlopsc.targets.gitlab.runtime import Job, job_name, needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model, Project

SHARED: Final = ".gitlab/ci/shared.yml"
"""What all pipelines of the project share."""
STAGE: Final = "models"
"""The stage of the jobs that start a model's pipeline."""
_FOLDER: Final = ".gitlab/ci"
_LETTERS: Final = 1
"""How many letters of a digest of a model's name say which file its trigger stands in: sixteen files.
The file follows from the name alone, so a model more or less moves no other."""


@remembered
def needed(project: Project) -> bool:
    """Whether there are more parts than one pipeline should hold."""
    built = sum(
        source.build is not None and source.build.schedule is not None for source in project.sources
    )
    looked_up = sum(view.materialize is not None for view in project.views)
    parts = len(project.models) + built + looked_up
    return project.crowded or parts > limits.PARTS_TOGETHER


def entry(model: str) -> str:
    """The file of a model's own pipeline."""
    return f"{_FOLDER}/pipelines/{model}.yml"


def _source(source: str) -> str:
    return f"{_FOLDER}/sources/{source}.yml"


def _view(view: str) -> str:
    return f"{_FOLDER}/views/{view}.yml"


def _triggers(letter: str) -> str:
    return f"{_FOLDER}/changes/{letter}.yml"


def root(drafts: Iterable[YamlDraft]) -> list[Body]:
    """What the root includes of the files that `emit` made: what a run names, or what changes start."""
    folders = {draft.path.rpartition("/")[0] for draft in drafts}
    model, task = conventions.MODEL_VARIABLE, conventions.TASK_VARIABLE
    source, view = conventions.SOURCE_VARIABLE, conventions.VIEW_VARIABLE
    occasions: tuple[tuple[str, list[Body]], ...] = (
        (entry(f"${model}"), [rules.rule(f"${model}")]),
        (_source(f"${source}"), [rules.rule(_named(rules.BUILD, source))]),
        (_view(f"${view}"), [rules.rule(_named(rules.MATERIALIZE, view))]),
        (_triggers("*"), [rules.never(f"${model} || ${task}"), {"when": "always"}]),
    )
    chosen: list[Body] = [
        {"local": f"/{path}", "rules": started}
        for path, started in occasions
        if path.rpartition("/")[0] in folders
    ]
    return [traced(one, decision("gitlab_apart")) for one in ({"local": f"/{SHARED}"}, *chosen)]


def _named(task: str, variable: str) -> str:
    return f"{rules.is_(conventions.TASK_VARIABLE, task)} && ${variable}"


def emit(project: Project, parts: Mapping[str, Sequence[YamlDraft]]) -> Iterator[YamlDraft]:
    """The file of each model's pipeline, those of what starts them, and one a source and a view.

    `parts` are the files with the jobs of each model.
    """
    triggers: dict[str, dict[str, Body]] = {}
    for model in project.models:
        if parts[model.name]:
            yield _pipeline(model, parts[model.name])
            started = _occasions(parts[model.name])
            if started:  # otherwise all of its jobs wait for a run that names the model
                letter = hashlib.sha256(model.name.encode()).hexdigest()[:_LETTERS]
                name = job_name(model.name, "pipeline")
                triggers.setdefault(letter, {})[name] = _trigger(model, started)
    for letter, jobs in sorted(triggers.items()):
        yield YamlDraft(_triggers(letter), project.origin, jobs)
    yield from _by_name(_source, data.source_jobs(project))
    yield from _by_name(_view, data.view_jobs(project))


def _pipeline(model: Model, parts: Sequence[YamlDraft]) -> YamlDraft:
    included: list[Body] = [{"local": f"/{path}"} for path in (SHARED, *(p.path for p in parts))]
    body: dict[str, Body] = {"include": traced(included, decision("gitlab_apart"))}
    return YamlDraft(entry(model.name), model.origin, body)


def _trigger(model: Model, started: list[Body]) -> Body:
    """The job that starts a model's pipeline."""
    waited = [pipelines.CHECK]
    if model.training is not None and model.uses_feature_store:
        waited.append(pipelines.apply_features(model.training.environment))
    body: Job = {
        "stage": STAGE,
        "needs": needs(*waited, artifacts=False),
        "rules": traced(started, decision("gitlab_rules")),
        "trigger": {"include": [{"local": f"/{entry(model.name)}"}], "strategy": "depend"},
    }
    return traced(body, model.origin, decision("gitlab_apart"))


def _occasions(parts: Sequence[YamlDraft]) -> list[Body]:
    """The rules by which a change starts any job of these files, without clicks.

    A job's patterns stay one rule: where GitLab gives up comparing and takes all for changed, it does so
    for the job as well, and starts no pipeline that turns out to have none. Patterns that are among
    another job's are left out.
    """
    found: dict[tuple[str, frozenset[str]], Body] = {}
    for rule in (rule for part in parts for rule in _rules_of(part)):
        condition, changes = _bare(rule["if"]), _bare(rule.get("changes"))
        if isinstance(condition, str) and isinstance(changes, Sequence):
            patterns = frozenset(str(_bare(pattern)) for pattern in changes)
            found[condition, patterns] = {"if": condition, "changes": changes}
    return [
        rule
        for (condition, patterns), rule in found.items()
        if not any(condition == other and patterns < more for other, more in found)
    ]


def _rules_of(part: YamlDraft) -> Iterator[Mapping[str, Body]]:
    """The rules of all jobs of a file."""
    jobs = _bare(part.body)
    for job in map(_bare, jobs.values()) if isinstance(jobs, Mapping) else ():
        listed = _bare(job.get("rules")) if isinstance(job, Mapping) else None
        for rule in map(_bare, listed) if isinstance(listed, Sequence) else ():
            if isinstance(rule, Mapping):
                yield rule


def _bare(body: Body) -> Body:
    """Without what it is traced to."""
    while isinstance(body, Traced):
        body = body.body
    return body


def _by_name(path: Callable[[str], str], jobs: Iterable[data.Owned]) -> Iterator[YamlDraft]:
    """A file for each source or view that has jobs."""
    found: dict[str, tuple[Path, dict[str, Body]]] = {}
    for owner, name, job in jobs:
        found.setdefault(owner.name, (owner.origin, {}))[1][name] = job
    for owner_name, (origin, named) in found.items():
        yield YamlDraft(path(owner_name), origin, named)
