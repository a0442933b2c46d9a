"""A compile after a change of some files: what it reaches, instead of everything, where that is certain."""

from __future__ import annotations

import os
from array import array
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from mlopsc.workspace.remembered import HASH, WIDTH, Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlopsc.cli.project import Place
    from mlopsc.compiler import Compilation
    from mlopsc.diagnostics.diagnostic import Diagnostic
    from mlopsc.workspace.change import Plan


def keep_compile(place: Place, compilation: Compilation) -> None:
    """After a whole compile of several files: leave what the next compile can start from."""
    if len(compilation.inputs.patterns) == 0 and len(compilation.inputs.read_so_far) == 1:
        return  # one file: every change is of everything
    known = Remembered.load(os.path.realpath(place.root), place.name)
    if known is None:
        return
    from mlopsc.incremental.memory import Digests, keep
    from mlopsc.incremental.names import names_of
    from mlopsc.incremental.recompile import Before
    from mlopsc.spec.merging import MERGING
    from mlopsc.targets.gitlab.apart import needed

    keep(
        known,
        Before(
            place.name,
            compilation.inputs.read_so_far,
            compilation.inputs.patterns,
            names_of(compilation.document.base, MERGING),
            Digests(known),
            compilation.diagnostics,
            needed(compilation.project),
        ),
    )


def compile_change(
    place: Place,
    apply: Callable[[Plan, str], None],
) -> tuple[Plan, tuple[Diagnostic, ...]] | None:
    """Compile what has changed since the tree was clean; None: everything has to be compiled.

    Args:
        place: the project.
        apply: carries the plan out.

    Raises:
        Rejected: the plan cannot be carried out.
    """
    known = Remembered.load(os.path.realpath(place.root), place.name)
    found = known.differing() if known is not None else None
    if known is None or found is None or not found[0]:
        return None
    from mlopsc.cli.remembering import said_of
    from mlopsc.incremental.memory import keep, recall
    from mlopsc.incremental.recompile import recompile
    from mlopsc.workspace.files import read_bytes
    from mlopsc.workspace.lock import lock_text, read_lock
    from mlopsc.workspace.paths import LOCK_FILE
    from mlopsc.workspace.plan import make_plan

    names, statuses = found
    before = recall(known)
    if before is None or not before.contents.keys() >= set(names):
        return None
    changed = {name: read_bytes(place.root, name) for name in names}
    after = recompile(before, changed, lambda path: read_bytes(place.root, path))
    if after is None:
        return None
    contents = {**before.contents, **changed}
    lock = read_lock(place.root)
    plan = make_plan(after.artifacts, place.root, lock, contents, change=True)
    if plan.findings or plan.litter:
        return None  # to be looked at as a whole
    apply(plan, place.root)
    fresh = {name: sha256(data).digest() for name, data in changed.items()}
    fresh[LOCK_FILE] = sha256(lock_text(plan.after)).digest()
    fresh |= {one.path: bytes.fromhex(one.digest) for one in plan.changes if one.kind != "keep"}
    now = _renewed(known, statuses, fresh, said_of(after.diagnostics, len(plan.after.files)))
    if now.save():
        keep(now, replace(before, contents=contents, diagnostics=after.diagnostics))
    return plan, after.diagnostics


def _renewed(
    known: Remembered,
    statuses: array[int],
    fresh: Mapping[str, bytes],
    said: dict[str, tuple[str, str]],
) -> Remembered:
    """What is remembered, with new content of some files: whether it is theirs still is found out later."""
    hashes, now = bytearray(known.hashes), array("Q", statuses)
    for index, path in enumerate(known.paths):
        if path in fresh:
            hashes[index * HASH : (index + 1) * HASH] = fresh[path]
            now[index * WIDTH : (index + 1) * WIDTH] = array("Q", [0] * WIDTH)
    return Remembered(
        known.root,
        known.name,
        known.compiler,
        known.found,
        known.absent,
        known.folders,
        known.paths,
        now,
        bytes(hashes),
        said,
    )
