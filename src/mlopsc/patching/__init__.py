"""`patches`: the user's last word on what was generated, and a hand edit turned into such a word."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlopsc.artifacts.draft import Artifact, Draft
    from mlopsc.diagnostics.finding import Finding
    from mlopsc.project.model import Project
    from mlopsc.source.files import Inputs


@frozen
class Patched:
    """What patches have changed.

    Attributes:
        changed: path → the generated file as patched; a file no patch is about is not here.
        created: files of the user's own, in written order.
        findings: what is worth knowing of patches; nothing here stops anybody.
    """

    changed: Mapping[str, Artifact] = field(default_factory=dict)
    created: tuple[Artifact, ...] = ()
    findings: tuple[Finding, ...] = ()


def apply_patches(
    project: Project, drafts: Iterable[tuple[str, Draft]], inputs: Inputs, names: Iterable[str]
) -> Patched:
    """What the patches of `project` make of what is generated.

    A file of one environment is changed by the patches as they are there; one that all share, by
    those of the last environment. A project without patches pays for nothing.

    Args:
        project: whose patches.
        drafts: everything that is generated, each with its target's name; one is held at a time.
        inputs: the project's files; what `from` names is read from there.
        names: the files of the spec itself.

    Raises:
        Rejected: A001 to A008: patches that cannot be applied.
    """
    if not project.patches:
        return Patched()
    from mlopsc.patching.apply import applied

    return applied(project, drafts, inputs, names)
