"""What `check` says of a work tree: every file that is not what the spec compiles to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.workspace.codes import about
from mlopsc.workspace.paths import LOCK_FILE
from mlopsc.workspace.standing import UNWRITABLE

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding
    from mlopsc.workspace.change import Kind, Plan

SAYS: Final[dict[Kind, tuple[str, str]]] = {
    "create": ("W030", "'{path}' is missing: the spec compiles to it"),
    "update": ("W031", "'{path}' is not what the spec compiles to"),
    "delete": ("W032", "'{path}' is no longer generated"),
}


def stale(plan: Plan, command: str = "mlopsc compile") -> tuple[Finding, ...]:
    """Why the tree is not what the spec compiles to, by path; empty if it is.

    Only the compiler's version may differ from the one in the lock: where all files are equal,
    another version is no reason to stop anybody.
    """
    findings = [finding for finding in plan.findings if finding.code != UNWRITABLE]
    fix = f"run: {command}, and commit what it changes"
    for change in plan.changes:
        if change.kind in SAYS:
            code, message = SAYS[change.kind]
            findings.append(about(code, change.path, message.format(path=change.path), fix))
    if not findings and _lock_differs(plan):
        findings.append(
            about("W033", LOCK_FILE, f"{LOCK_FILE} does not describe this spec and its files", fix)
        )
    return tuple(sorted(findings, key=lambda finding: getattr(finding.at, "file", "")))


def _lock_differs(plan: Plan) -> bool:
    before, after = plan.before, plan.after
    return (
        bool(before.writing)
        or dict(before.inputs) != dict(after.inputs)
        or dict(before.files) != dict(after.files)
    )
