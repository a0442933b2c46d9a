"""The way through: text → Document → Spec → Project → findings → Drafts → Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.render import render
from mlopsc.diagnostics.diagnostic import Diagnostic, locate_all
from mlopsc.diagnostics.finding import Rejected
from mlopsc.frozen import frozen
from mlopsc.project.resolve import resolve
from mlopsc.rules import check
from mlopsc.source.compose import compose
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.parse import parse_spec
from mlopsc.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.artifacts.draft import Artifact
    from mlopsc.project.model import Project
    from mlopsc.source.document import Document, Source


@frozen
class Compilation:
    """What a spec compiles to, and what is worth saying about it."""

    document: Document
    project: Project
    diagnostics: tuple[Diagnostic, ...]  # warnings and infos; nothing here stops anybody

    def artifacts(
        self, wanted: Callable[[str, str], bool] = lambda _path, _target: True
    ) -> Iterator[Artifact]:
        """The files one at a time, so that no more than one is held; only wanted ones are written."""
        for target in TARGETS:
            for draft in target.emit(self.project):
                if wanted(draft.path, target.name):
                    yield render(draft, target.name)


class Refused(Exception):
    """The spec is wrong; `diagnostics` say all that the first stage to object had to say."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(f"{len(diagnostics)} diagnostics")
        self.diagnostics = diagnostics


def compile_spec(source: Source) -> Compilation:
    """What `source` means.

    Raises:
        Refused: the spec is wrong.
    """
    document: Document | None = None
    try:
        # fmt: off
        document = read_yaml(source)               # text       → data with places
        specs = compose(document).map(parse_spec)  # data       → what the user asked for, by environment
        project = resolve(specs)                   # the asking → the facts, names followed
        findings = check(project)                  # the facts  → what does not hold
        # fmt: on
        if any(finding.severity == "error" for finding in findings):
            raise Rejected(findings)
    except Rejected as rejected:
        raise Refused(locate_all(rejected.findings, document, {source.name: source.text})) from None
    return Compilation(document, project, locate_all(findings, document))
