"""Rules about what a spec adds to its pipelines: `ci.jobs` and `ci.include`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mlopsc.project import pipelines
from mlopsc.rules.rule import Hit, Key, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Project


@rule("R510")
def own_jobs_have_names_of_their_own(project: Project) -> Iterator[Hit]:
    """A job of your own has a name of its own."""
    for name, said in _refused(project).items():
        yield said, Key(project.ci.at("jobs", name)), "give the job another name"


def _refused(project: Project) -> dict[str, str]:
    """Names under `ci.jobs` that no job of the user's may have, and why."""
    found: dict[str, str] = {}
    taken = pipelines.taken(project) if project.ci.jobs else frozenset[str]()
    models = {model.name for model in project.models}
    for name in project.ci.jobs:
        model = pipelines.model_of(name)
        if name in pipelines.KEYWORDS:
            found[name] = f"`{name}` is a keyword of GitLab's, and no job"
        elif name in taken:
            found[name] = f"`{name}` is a job of the generated pipeline"
        elif model in models:
            found[name] = (
                f"`{name}` reads like a job of model '{model}', whose names begin with `{model}:`"
            )
        elif len(name) > pipelines.NAME_LENGTH:
            found[name] = (
                f"a job's name has at most {pipelines.NAME_LENGTH} characters, this one has {len(name)}"
            )
    return found


KINDS: Final = ("local", "project", "template", "component", "remote")


@rule("R511")
def includes_name_what_they_include(project: Project) -> Iterator[Hit]:
    """An entry of `include` names one thing."""
    for inclusion in project.ci.include:
        entry, at = inclusion.entry, inclusion.origin
        if isinstance(entry, str) and entry:
            continue
        if not isinstance(entry, Mapping):
            yield "an entry is a path, an address or a mapping", at, "such as `ci/tests.yml`"
            continue
        kinds = [kind for kind in KINDS if kind in entry]
        if len(kinds) != 1:
            listed = ", ".join(f"`{kind}`" for kind in KINDS)
            said = " and ".join(f"`{kind}`" for kind in kinds)
            yield (
                f"an entry has one of {listed}, this one has {said or 'none of them'}",
                at,
                "write an entry for each file" if kinds else "say where the file is",
            )
        elif kinds == ["project"] and "file" not in entry:
            yield (
                f"nothing says which file of `{entry['project']}` is included",
                at,
                "add `file: /PATH/IN/THAT/PROJECT.yml`",
            )


_WHEN: Final = frozenset(("rules", "only", "except", "extends"))


@rule("R512", "info")
def own_jobs_say_when_they_run(project: Project) -> Iterator[Hit]:
    """A job of your own says when it runs."""
    if not any(pipelines.scheduled(project)):
        return
    refused = _refused(project)
    for name, job in project.ci.jobs.items():
        if not name.startswith(".") and name not in refused and not _WHEN & job.keys():
            yield (
                f"`{name}` has no `rules`, so it runs in every pipeline, those of schedules and alerts too",
                Key(project.ci.at("jobs", name)),
                "add `rules: [{if: $MLOPS_MODEL || $MLOPS_TASK, when: never}, {when: on_success}]`"
                " for merge requests and pushes alone",
            )


@rule("R513", "info")
def schedules_are_as_many_as_gitlab_takes(project: Project) -> Iterator[Hit]:
    """GitLab takes as many schedules as there are."""
    found = list(pipelines.scheduled(project))
    if len(found) > pipelines.SCHEDULES:
        yield (
            f"{len(found)} tasks have a schedule, and GitLab takes {pipelines.SCHEDULES} a project unless it is told otherwise",
            found[pipelines.SCHEDULES].schedule.origin,
            'let an administrator raise "Maximum number of pipeline schedules" (GitLab.com\'s paid plans have 50), or'
            " write `platform: {orchestration: kubernetes}`, whose CronJobs nobody counts",
        )
