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

    from mlopsc.artifacts.draft import Draft
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
    trial = _Trial(made, {*texts, *inputs.read_so_far})
    for target, draft in made.drafts():
        trial.look(target, draft)
    return Extended(project, made.targets, templates, used, sound((*found, *trial.outcome())))


class _Trial:
    """One look at every draft: whether its path is free, and whether the project's templates make it."""

    def __init__(self, made: Extended, inputs: set[str]) -> None:
        self._made = made
        self._ours = {target.name for target in TARGETS}
        self._owners = {
            path.casefold(): f"'{path}' is a file the spec is made from" for path in inputs
        }
        self._paths: set[str] = set()
        self._needed: set[str] = set()
        self._found: dict[Finding, None] = {}

    def look(self, target: str, draft: Draft) -> None:
        """Take in one draft, in the order they are made."""
        if target not in self._ours:
            self._check_path(target, draft.path)
        self._paths.add(draft.path)
        self._owners.setdefault(draft.path.casefold(), f"'{draft.path}' is made by '{target}'")
        if isinstance(draft, TextDraft) and draft.templates:
            self._needed |= self._made.used(draft.template)
            try:
                render(draft, target)
            except Rejected as rejected:
                self._found.update(dict.fromkeys(rejected.findings))

    def _check_path(self, target: str, path: str) -> None:
        """A204, if something else has the path, or is a file where it needs a folder."""
        folded = path.casefold()
        same = self._owners.get(folded)
        taken = same or self._above(folded)
        if taken is not None:
            also = f"makes it too: '{path}'" if same and path not in same else "makes it too"
            finding = Finding(
                "A204",
                f"{taken}, and the target '{target}' {also if same else f'makes {path!r}'}",
                ("targets", target),
                "leave one of the two out, or ask its package for a setting that moves the file",
                on_key=True,
            )
            self._found[finding] = None

    def _above(self, path: str) -> str | None:
        while path := path.rpartition("/")[0]:
            if path in self._owners:
                return self._owners[path]
        return None

    def outcome(self) -> Iterator[Finding]:
        """What there is to say once every draft was looked at."""
        yield from self._found
        faulty = any(finding.severity == "error" for finding in self._found)
        for template in self._made.project.templates:
            for key, file in (("file", template.file), ("base", template.base)):
                if file in self._paths:
                    yield Finding(
                        "A107",
                        f"'{file}' is generated",
                        template.at(key),
                        "name a file of your own, such as one in templates/",
                    )
            if template.name not in self._needed and not faulty:
                yield Finding(
                    "A106",
                    f"no file of this project is made from '{template.name}'",
                    template.origin,
                    "take it out, or name the template of what the project has",
                    severity="warning",
                    on_key=True,
                )
