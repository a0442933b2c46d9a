"""What `check` and `compile` leave for the next command: that the tree is clean, and what they say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.cli.unchanged import above, check_key, compile_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlopsc.cli.project import Place
    from mlopsc.compiler import Compilation
    from mlopsc.diagnostics.diagnostic import Diagnostic
    from mlopsc.workspace.change import Plan

CLEAN = "clean"


def report(diagnostics: Sequence[Diagnostic], format_: str, root: str) -> str:
    """A report of `check` for a tool: a merge request shows files by their path from the repository's root."""
    from mlopsc.diagnostics.diagnostic import rooted
    from mlopsc.diagnostics.printers import PRINTERS

    return PRINTERS[format_](rooted(diagnostics, above(root)))


def remember_clean(
    place: Place, begun: int, compilation: Compilation, plan: Plan, format_: str = "text"
) -> None:
    """Keep it, if the tree is clean once `plan` is applied, and if nothing else has a say in the verdict.

    Args:
        place: the project.
        begun: when the command began, before it read anything; ns since 1970.
        compilation: what the spec means.
        plan: what was, or did not have to be, done.
        format_: the report that was asked for, which is kept besides the usual ones.
    """
    if plan.findings or plan.litter or compilation.document.data.get("targets"):
        return  # a package's target may read what nobody here knows of
    from mlopsc.resources import ROOT
    from mlopsc.workspace.lock import lock_text
    from mlopsc.workspace.paths import LOCK_FILE, temporary
    from mlopsc.workspace.remembered import remember, this_compiler

    settled = lock_text(plan.after)
    lock = settled if plan.changes_files or plan.before.raw is None else plan.before.raw
    kept = [change for change in plan.changes if change.kind != "delete"]
    said = said_of(compilation.diagnostics, len(kept) if lock == settled else None)
    if format_ != "text":
        key = check_key(format_, place.root, color=False)
        said[key] = (report(compilation.diagnostics, format_, place.root), "")
    remember(
        place.root,
        place.name,
        begun,
        this_compiler(ROOT),
        compilation.inputs.read_so_far,
        compilation.inputs.patterns,
        (LOCK_FILE, lock),
        (temporary(LOCK_FILE),),
        [
            (change.path, change.digest, change.seen if change.kind == "keep" else None)
            for change in kept
        ],
        said,
    )


def said_of(diagnostics: Sequence[Diagnostic], files: int | None) -> dict[str, tuple[str, str]]:
    """What `check`, and `compile` unless `files` is None, say of a clean tree of so many files."""
    from mlopsc.diagnostics.printers import each, joined, summary

    total = (summary(diagnostics) or CLEAN) + "\n"
    said = {}
    for color in (False, True):
        painted = each(diagnostics, color=color)
        said[check_key("text", "", color=color)] = (total, _ended(joined(painted)))
        if files is not None:
            pairs = zip(diagnostics, painted, strict=True)
            warnings = [text for one, text in pairs if one.severity == "warning"]
            said[compile_key(color=color)] = (f"{files} unchanged\n", _ended(joined(warnings)))
    return said


def _ended(text: str) -> str:
    return text + "\n" if text else ""
