"""What validation says of the data: a spec, or what is wrong with its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding, Path
    from mlopsc.spec.root import Spec


@frozen
class Verdict:
    """One validation's result.

    Attributes:
        spec: None if something is wrong.
        findings: at most one a node.
        meant: keys that are not there, but that an unknown key beside them was meant to be.
    """

    spec: Spec | None
    findings: tuple[Finding, ...] = ()
    meant: frozenset[Path] = frozenset()
