"""The plan as data: what a compile would do to each file of the work tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding
    from mlopsc.workspace.contents import Content
    from mlopsc.workspace.lock import Lock
    from mlopsc.workspace.signature import Signature

Kind = Literal["create", "update", "delete", "keep", "edited", "foreign", "blocked"]
"""create, update, delete: apply does it. keep: the bytes are there already.

edited: ours, but neither what the lock says nor what we would write. foreign: not ours.
blocked: the path cannot be written or looked at. These three have a finding, and are left alone.
"""

WRITES: Final = frozenset({"create", "update", "delete"})


@frozen
class Change:
    """What a compile means for one path.

    Attributes:
        kind: see `Kind`.
        path: relative to the project, with `/`.
        content: what should stand there; None if it stands there already (keep), or if the file is
            no longer generated.
        digest: SHA-256 of what should stand there; empty if the file is no longer generated.
        seen: the signature of the file when it was looked at; None if there was none.
        in_the_way: a file to delete before others can be written: a folder takes its place, or it
            lies in a folder whose place a file takes.
    """

    kind: Kind
    path: str
    content: Content | None = None
    digest: str = ""
    seen: Signature | None = None
    in_the_way: bool = False


@frozen
class Plan:
    """Everything a compile would do to the work tree.

    Attributes:
        changes: one for each artifact and each file no longer generated, by path.
        findings: what must be settled first, and what is worth knowing, by path.
        before: the lock as it was read.
        journal: the lock while files are being written.
        after: the lock when all is done.
        litter: temporary files a run that was stopped left behind.
    """

    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    before: Lock
    journal: Lock
    after: Lock
    litter: tuple[str, ...]

    def of(self, *kinds: Kind) -> tuple[Change, ...]:
        """The changes of these kinds, by path."""
        return tuple(change for change in self.changes if change.kind in kinds)

    @property
    def changes_files(self) -> bool:
        """Whether any generated file would be written or removed."""
        return any(change.kind in WRITES for change in self.changes)
