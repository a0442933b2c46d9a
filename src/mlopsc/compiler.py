"""The way through: text → Document → Spec → Project → findings → Drafts → Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.render import render
from mlopsc.diagnostics.diagnostic import Diagnostic, Refused, locate_all
from mlopsc.diagnostics.finding import Rejected, sound
from mlopsc.extending import Extended, extend
from mlopsc.frozen import frozen
from mlopsc.patching import Patched, apply_patches
from mlopsc.project.resolve import resolve
from mlopsc.rules import check
from mlopsc.source.compose import compose
from mlopsc.source.files import NO_FILES, Inputs
from mlopsc.source.include import gather
from mlopsc.spec.differing import check_differences
from mlopsc.spec.merging import MERGING
from mlopsc.spec.parse import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.artifacts.draft import Artifact
    from mlopsc.project.model import Project
    from mlopsc.source.compose import Composition
    from mlopsc.source.document import Document, Source


__all__ = ["Compilation", "Refused", "compile_spec"]


@frozen
class Compilation:
    """What a spec compiles to, and what is worth saying about it."""

    document: Composition
    inputs: Inputs  # every file that was read on the way, for the lock
    project: Project
    extended: Extended  # whose targets and templates make the files
    patched: Patched  # the files that are not as their target made them
    diagnostics: tuple[Diagnostic, ...]  # warnings and infos; nothing here stops anybody

    def artifacts(
        self, wanted: Callable[[str, str], bool] = lambda *_: True, *, causes: bool = True
    ) -> Iterator[Artifact]:
        """The wanted files one at a time, so that no more than one is held; `causes` are for reviews."""
        for target, draft in self.extended.drafts():
            if wanted(draft.path, target):
                yield self.patched.changed.get(draft.path) or render(draft, target, causes=causes)
        yield from (each for each in self.patched.created if wanted(each.path, each.target))


def compile_spec(source: Source, inputs: Inputs | None = None) -> Compilation:
    """What `source` means; what it includes is read from `inputs`, which remembers it.

    Raises:
        Refused: the spec is wrong.
    """
    inputs = inputs or Inputs(NO_FILES)
    document: Document | Composition | None = None
    texts = {source.name: source.text}
    try:
        # fmt: off
        document = gather(source, inputs, MERGING, texts)  # text     → data with places
        document = compose(document, MERGING, inputs.rest.names)  # data   → by environment
        specs = document.map(parse_spec)                   # data     → what the user asked for
        check_differences(document)
        project = resolve(specs, inputs.rest)              # the asking → the facts, names followed
        unused = document.unused if inputs.whole else ()
        findings = sound((*unused, *check(project)))       # the facts  → what does not hold
        extended = extend(project, inputs, texts)          # the facts  → who makes files of them
        patched = apply_patches(project, extended.drafts(), inputs, texts)
        # fmt: on
        findings = (*findings, *extended.findings, *patched.findings)
    except Rejected as rejected:
        raise Refused(locate_all(rejected.findings, document, texts)) from None
    diagnostics = locate_all(findings, document, texts)
    return Compilation(document, inputs, project, extended, patched, diagnostics)
