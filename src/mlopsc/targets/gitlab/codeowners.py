"""CODEOWNERS: who owns a model or a source is asked when something made from it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import TextDraft
from mlopsc.frozen import frozen
from mlopsc.project import conventions
from mlopsc.targets.gitlab import flow
from mlopsc.targets.gitlab.runtime import is_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model, Project, Source

PATH = ".gitlab/CODEOWNERS"


@frozen
class Section:
    """A heading with owners, and the patterns they own."""

    title: str
    owners: str
    at: Path
    patterns: tuple[str, ...]


def emit(project: Project) -> Iterator[TextDraft]:
    """The file, when the spec names anybody."""
    sections = tuple(_sections(project))
    if sections:
        yield TextDraft(PATH, project.at("owner"), "gitlab/CODEOWNERS.j2", {"sections": sections})


def _sections(project: Project) -> Iterator[Section]:
    if project.owner is not None:
        files = (
            conventions.SPEC_FILE,
            conventions.LOCK_FILE,
            project.ci.file,
            ".gitlab/",
            f"{conventions.PROGRAMS}/",
        )
        yield _section(project.name, project.owner, project.at("owner"), files)
    for source in project.sources:
        if source.owner is not None and source.owner != project.owner:
            at = source.at("owner")
            yield _section(f"source {source.name}", source.owner, at, _source_files(source))
    for model in project.models:
        if model.owner is not None:
            at = model.at("owner") if model.owner != project.owner else project.at("owner")
            yield _section(f"model {model.name}", model.owner, at, _model_files(project, model))


def _section(title: str, owner: str, at: Path, files: tuple[str, ...]) -> Section:
    patterns = tuple(dict.fromkeys(f"/{_escaped(file)}" for file in files))
    return Section(title, owner if "@" in owner else f"@{owner}", at, patterns)


def _source_files(source: Source) -> tuple[str, ...]:
    found = [
        conventions.source_facts(source.name),
        f"{conventions.GX}/expectations/{source.name}.json",
    ]
    if is_local(source) and source.location:
        found.append(source.location)
    return tuple(found)


def _model_files(project: Project, model: Model) -> tuple[str, ...]:
    found = [conventions.model_facts(model.name), flow.deployments(model.name)]
    if model.training is not None:
        found += [conventions.model_pipeline(model.name), *model.training.paths]
    for environment in project.environments:
        there = flow.model_in(environment, model.name)
        if there is not None and flow.has_manifests(project, environment, there):
            found.append(f"{conventions.model_manifests(environment.name, model.name)}/")
    return tuple(found)


def _escaped(path: str) -> str:
    """Spaces end a pattern, and `#` begins a comment.

    Source: docs.gitlab.com/user/project/codeowners/reference, "Entries with spaces".
    """
    return path.lstrip("/").replace("\\", "\\\\").replace(" ", "\\ ").replace("#", "\\#")
