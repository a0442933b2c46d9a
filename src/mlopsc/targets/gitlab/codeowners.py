"""CODEOWNERS: who owns a model or a source is asked when something made from it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import TextDraft
from mlopsc.frozen import frozen
from mlopsc.project import containers, conventions
from mlopsc.project.conventions import decision
from mlopsc.targets.gitlab import apart, flow
from mlopsc.targets.gitlab.runtime import is_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model, Project, Source
    from mlopsc.targets.gitlab.rules import Changes

PATH = ".gitlab/CODEOWNERS"


@frozen
class Section:
    """A heading with owners, and the patterns they own; each with what of the spec it follows from."""

    title: str
    owners: str
    origins: tuple[Path, ...]
    patterns: tuple[tuple[str, tuple[Path, ...]], ...]


def emit(project: Project) -> Iterator[TextDraft]:
    """The file, when the spec names anybody."""
    sections = tuple(_sections(project))
    if sections:
        yield TextDraft(PATH, project.origin, "gitlab/CODEOWNERS.j2", {"sections": sections})


def _sections(project: Project) -> Iterator[Section]:
    if project.owner is not None:
        files: Changes = {
            conventions.SPEC_FILE: (),
            conventions.LOCK_FILE: (),
            project.ci.file: (project.ci.at("file"),),
            ".gitlab/": (),
            f"{conventions.PROGRAMS}/": (),
        }
        at = (project.at("owner"), project.at("project"))
        yield _section(project.name, project.owner, at, project.origin, files)
    for source in project.sources:
        if source.owner is not None and source.owner != project.owner:
            at, title = (source.at("owner"), source.origin), f"source {source.name}"
            yield _section(title, source.owner, at, source.origin, _source_files(project, source))
    for model in project.models:
        if model.owner is not None:
            # Without an owner of its own a model has the project's.
            owned = model.at("owner") if model.owner != project.owner else project.at("owner")
            at, title = (owned, model.origin), f"model {model.name}"
            yield _section(title, model.owner, at, model.origin, _model_files(project, model))


def _section(
    title: str, owner: str, origins: tuple[Path, ...], about: Path, files: Changes
) -> Section:
    patterns = {f"/{_escaped(file)}": named or (about,) for file, named in files.items()}
    named_owner = owner if "@" in owner else f"@{owner}"
    return Section(title, named_owner, (*origins, _CHOICE), tuple(patterns.items()))


_CHOICE: Final = decision("gitlab_codeowners")


def _source_files(project: Project, source: Source) -> Changes:
    found: dict[str, tuple[Path, ...]] = {
        conventions.source_facts(source.name): (),
        f"{conventions.GX}/expectations/{source.name}.json": (),
    }
    for environment in project.environments:
        for there in environment.sources:
            if there.name == source.name and is_local(there) and there.location:
                found[there.location] = (there.at(there.kind or ""),)
    return found


def _model_files(project: Project, model: Model) -> Changes:
    found: dict[str, tuple[Path, ...]] = dict.fromkeys(
        (conventions.model_facts(model.name), flow.deployments(model.name)), ()
    )
    if apart.needed(project):
        found[apart.entry(model.name)] = ()
    if model.training is not None:
        found[conventions.model_pipeline(model.name)] = ()
        found |= containers.path_causes(model.training)
    for environment in project.environments:
        there = flow.model_in(environment, model.name)
        if there is not None and flow.has_manifests(project, environment, there):
            found[f"{conventions.model_manifests(environment.name, model.name)}/"] = ()
    return found


def _escaped(path: str) -> str:
    """Spaces end a pattern, and `#` begins a comment.

    Source: docs.gitlab.com/user/project/codeowners/reference, "Entries with spaces".
    """
    return path.lstrip("/").replace("\\", "\\\\").replace(" ", "\\ ").replace("#", "\\#")
