"""Puts together what a project asks for, and tries it once before anything is made of it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import TextDraft
from mlopsc.artifacts.render import render
from mlopsc.diagnostics.finding import Finding, Rejected, sound
from mlopsc.extending import Extended, own_templates
from mlopsc.extending.installed import installed
from mlopsc.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Project
    from mlopsc.source.files import Inputs
    from mlopsc.targets import Target


def extended(project: Project, inputs: Inputs, texts: dict[str, str]) -> Extended:
    """See `mlopsc.extending.extend`."""
    found: list[Finding] = []
    templates = own_templates.read(project, inputs, texts, found)
    targets: list[Target] = []
    for extension in project.extensions:
        try:
            targets.append(installed(extension))
        except Rejected as rejected:
            found += rejected.findings
    sound(tuple(found))

    @cache
    def used(name: str) -> frozenset[str]:
        return own_templates.within(name, templates)

    made = Extended(project, (*TARGETS, *targets), templates, used)
    if templates:
        found += _generated(made)
    sound(tuple(found))
    if targets:
        found += _collisions(made, {*texts, *inputs.read_so_far})
    if templates:
        found += _tried(made)
    return Extended(project, made.targets, templates, used, sound(tuple(found)))


def _generated(made: Extended) -> Iterator[Finding]:
    """A107 for each file of a template that is generated itself, and would be made from what it is."""
    paths = {draft.path for _, draft in made.drafts()}
    for template in made.project.templates:
        for key, file in (("file", template.file), ("base", template.base)):
            if file in paths:
                yield Finding(
                    "A107",
                    f"'{file}' is generated",
                    template.at(key),
                    "name a file of your own, such as one in templates/",
                )


def _collisions(made: Extended, inputs: set[str]) -> Iterator[Finding]:
    """A204 for each file of a package's target that something else has the path of."""
    owners = {path.casefold(): f"'{path}' is a file the spec is made from" for path in inputs}
    ours = {target.name for target in TARGETS}
    for target, draft in made.drafts():
        path = draft.path.casefold()
        taken = owners.get(path) or _folder(path, owners)
        if taken is not None and target not in ours:
            yield Finding(
                "A204",
                f"{taken}, and the target '{target}' makes it too"
                if path in owners
                else f"{taken}, and the target '{target}' makes '{draft.path}'",
                ("targets", target),
                "leave one of the two out, or ask its package for a setting that moves the file",
                on_key=True,
            )
        owners.setdefault(path, f"'{draft.path}' is made by '{target}'")


def _folder(path: str, owners: dict[str, str]) -> str | None:
    """What already is a file where `path` needs a folder."""
    while path := path.rpartition("/")[0]:
        if path in owners:
            return owners[path]
    return None


def _tried(made: Extended) -> Iterator[Finding]:
    """What rendering the project's own templates comes up with; and A106 for those nobody uses."""
    needed: set[str] = set()
    found: dict[Finding, None] = {}
    for target, draft in made.drafts():
        if not isinstance(draft, TextDraft) or not draft.templates:
            continue
        needed |= made.used(draft.template)
        try:
            render(draft, target)
        except Rejected as rejected:
            found.update(dict.fromkeys(rejected.findings))
    yield from found
    for template in made.project.templates:
        if template.name not in needed and not found:
            yield Finding(
                "A106",
                f"no file of this project is made from '{template.name}'",
                template.origin,
                "take it out, or name the template of what the project has",
                severity="warning",
                on_key=True,
            )
