"""What a project brings along: targets of installed packages, and templates in place of ours."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import TextDraft
from mlopsc.frozen import frozen
from mlopsc.targets import TARGETS, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlopsc.artifacts.draft import Draft, OwnText
    from mlopsc.diagnostics.finding import Finding
    from mlopsc.project.model import Project
    from mlopsc.source.files import Inputs


@frozen
class Extended:
    """What makes a project's files.

    Attributes:
        targets: ours, then those of packages in the order they are written.
        templates: the project's own, by the name of ours they stand in place of.
        used: which of them a template of a given name is made with.
        findings: what is worth knowing; nothing here stops anybody.
    """

    project: Project
    targets: tuple[Target, ...] = TARGETS
    templates: Mapping[str, OwnText] = field(default_factory=dict)
    used: Callable[[str], frozenset[str]] = frozenset
    findings: tuple[Finding, ...] = ()

    def drafts(self) -> Iterator[tuple[str, Draft]]:
        """Every file of every target, each with the target's name."""
        for target in self.targets:
            for draft in target.emit(self.project):
                yield target.name, self._with_own(draft) if self.templates else draft

    def _with_own(self, draft: Draft) -> Draft:
        if not isinstance(draft, TextDraft) or draft.templates:
            return draft
        names = self.used(draft.template)
        if not names:
            return draft
        causes = tuple(("templates", name, "file") for name in sorted(names))
        return replace(draft, templates=self.templates, because=(*draft.because, *causes))


def extend(project: Project, inputs: Inputs, texts: dict[str, str]) -> Extended:
    """The targets and templates of `project`; one that asks for none pays for nothing.

    Args:
        project: what was resolved.
        inputs: the project's files; its own templates are read from there.
        texts: file name → text, for diagnostics; the templates are added.

    Raises:
        Rejected: A101 to A104, A201 to A205: what the project asks for is not there, or does not work.
        PackageFailed: a package it asks for is broken.
    """
    if not project.extensions and not project.templates:
        return Extended(project)
    from mlopsc.extending.extension import extended

    return extended(project, inputs, texts)
