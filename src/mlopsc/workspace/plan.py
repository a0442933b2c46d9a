"""Artifacts against the work tree and the lock: what would be written, and what stands in the way.

Planning only reads. Nothing of the user's is ever written to: a file is created where nothing is,
updated or deleted where its content is one the lock knows, and everything else is a finding.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from mlopsc.workspace import standing
from mlopsc.workspace.change import Change, Plan
from mlopsc.workspace.contents import Contents
from mlopsc.workspace.lock import HEADER, Lock, input_hash, this_version
from mlopsc.workspace.paths import LOCK_FILE, above, is_usable, split, temporary, temporary_path
from mlopsc.workspace.tree import Seen, Tree, What, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlopsc.artifacts.draft import Artifact
    from mlopsc.diagnostics.finding import Finding

RESERVED: Final = frozenset({LOCK_FILE, temporary(LOCK_FILE)})


def make_plan(
    artifacts: Iterable[Artifact],
    root: str,
    lock: Lock,
    inputs: Mapping[str, bytes],
    *,
    partial: bool = False,
    change: bool = False,
    command: str = "mlopsc compile",
) -> Plan:
    """Compare `artifacts` with the folder `root`.

    Args:
        artifacts: what the spec compiles to, in any order; each is let go before the next.
        root: the project's folder; it need not exist.
        lock: what `read_lock(root)` gave.
        inputs: name → content of every file the compile started from.
        partial: only a part of the targets or environments was compiled: what else the lock
            lists, its inputs too, stays as it is.
        change: `artifacts` are all that a change of the inputs reaches: what else the lock lists
            stays as it is, and the inputs are those given.
        command: the command that compiles, for findings that tell what to do.

    Raises:
        ValueError: two artifacts have one path, or one is the folder of another: the compiler's
            mistake, not the user's.
    """
    hashes = {name: input_hash(data) for name, data in inputs.items()}
    try:
        tree = Tree(root)
    except FileNotFoundError:
        tree = None
    planner = _Planner(tree, lock, hashes, command)
    with tree or nullcontext():
        for artifact in artifacts:
            planner.add(artifact.path, artifact.text.encode())
        return planner.plan(partial=partial, change=change)


class _Planner:
    """One run of `make_plan`, and what it has found out so far."""

    def __init__(
        self, tree: Tree | None, lock: Lock, inputs: Mapping[str, str], command: str
    ) -> None:
        self.tree = tree
        self.lock = lock
        self.inputs = inputs
        self.command = command
        self.contents = Contents()
        self.paths: set[str] = set()  # of all artifacts
        self.folders: set[str] = set()  # of all artifacts
        self.differing: list[Change] = []  # artifacts that are not there yet, still to be judged
        self.changes: list[Change] = []
        self.findings: list[Finding] = []
        self.reported: set[tuple[str, object]] = set()  # code and place of those of single paths
        self.files: dict[str, str] = {}  # of the lock when all is done
        self.present: dict[str, str] = {}  # path → hash of our content that is there now
        self.clearing: set[str] = set()  # files deleted before others are written
        self.litter: list[str] = []
        self.asked: set[str] = set()  # folders whose rights were looked at
        self.needed: set[str] = set()  # folders for which the nearest one that exists was looked at
        self.reachable: set[str] = set()  # folders that are there or can be made

    def add(self, path: str, data: bytes) -> None:
        """One more artifact. Its content is only held on to if it is not there already."""
        if path in self.paths:
            raise ValueError(f"two artifacts have the path {path!r}")
        self.paths.add(path)
        self.folders.update(above(path))
        held = None
        if self.tree is not None and _is_ours_to_make(path):
            held = self.tree.holds(path, data)
        if held is not None:
            self._keep(Change("keep", path, digest=digest(data), seen=held))
        else:
            content = self.contents.keep(data)
            self.differing.append(Change("create", path, content, digest(data)))

    def plan(self, *, partial: bool, change: bool) -> Plan:
        if both := self.folders & self.paths:
            raise ValueError(f"a file and a folder of artifacts have the path {min(both)!r}")
        self._lock_itself()
        self._left_by_a_stopped_run()
        self._no_longer_wanted(partial=partial or change)
        for wanted in sorted(self.differing, key=_by_path):
            self._differs(wanted)
        self.changes.sort(key=_by_path)
        self.findings.sort(key=_by_place)
        return Plan(
            changes=tuple(self.changes),
            findings=tuple(self.findings),
            before=self.lock,
            journal=self._journal(),
            after=Lock(
                this_version(), self.lock.inputs if partial else self.inputs, files=self.files
            ),
            litter=tuple(self.litter),
        )

    def _journal(self) -> Lock:
        return Lock(
            version=this_version(),
            inputs=self.lock.inputs,
            files={**self.lock.writing, **self.lock.files, **self.present},
            writing={
                change.path: change.digest
                for change in self.changes
                if change.kind in ("create", "update")
            },
        )

    def _lock_itself(self) -> None:
        if self.lock.damage is not None:
            self.findings.append(standing.damaged_lock(self.lock.damage))
        name = temporary(LOCK_FILE)
        seen = self._look(name)
        if seen.what == "file" and _begins_alike(seen.data, HEADER.encode()):
            self.litter.append(name)
        elif seen.what != "absent":
            self.findings.append(standing.temporary_in_the_way(LOCK_FILE, self.command))

    # --- files no longer generated -----------------------------------------------------------

    def _no_longer_wanted(self, *, partial: bool) -> None:
        known = {**self.lock.writing, **self.lock.files}
        # A lock that lists a file the user wrote was changed by hand, or by malice.
        leaving = sorted(known.keys() - self.paths - self.inputs.keys() - RESERVED)
        if partial:
            self._keep_in_the_lock(leaving)
            return
        for path in leaving:
            in_the_way = path in self.folders or not self.paths.isdisjoint(above(path))
            self._leaving(path, in_the_way=in_the_way)

    def _keep_in_the_lock(self, paths: Iterable[str]) -> None:
        for path in paths:
            recorded = self.lock.files.get(path)
            if path in self.lock.writing:  # a stopped run may have written it, or not yet
                seen = self._look(path)
                if seen.what == "file" and digest(seen.data) == self.lock.writing[path]:
                    recorded = self.lock.writing[path]
            if recorded is not None:
                self.files[path] = self.present[path] = recorded

    def _leaving(self, path: str, *, in_the_way: bool) -> None:
        seen = self._look(path)
        if seen.what == "unreadable":
            self._leave("blocked", Change("delete", path), standing.unreadable(path))
        elif seen.what == "file" and not self._is_ours(path, seen.data):
            self._leave("edited", Change("delete", path), standing.edited_and_gone(path))
        elif seen.what == "file":
            self._need_folder(path)
            self.present[path] = digest(seen.data)
            self.changes.append(Change("delete", path, seen=seen.signature, in_the_way=in_the_way))
            if in_the_way:
                self.clearing.add(path)

    # --- artifacts ---------------------------------------------------------------------------

    def _differs(self, wanted: Change) -> None:
        path = wanted.path
        if not _is_ours_to_make(path):
            self._leave("blocked", wanted, standing.unusable_path(path))
            return
        seen = self._look(path)
        if seen.what == "absent":
            self._create(wanted)
        elif seen.what == "file":
            self._replace(wanted, seen)
        elif seen.what == "folder" and self._is_cleared(path):
            self._write(wanted)
        else:
            self._leave("blocked", wanted, self._obstacle(path, seen.what))

    def _keep(self, wanted: Change) -> None:
        self.changes.append(wanted)
        self.files[wanted.path] = self.present[wanted.path] = wanted.digest

    def _create(self, wanted: Change) -> None:
        path = wanted.path
        folder = split(path)[0]
        if self.tree is not None and folder not in self.reachable:
            if not self.tree.has_folder(folder):
                place, what = self.tree.obstacle(path)
                if what == "file" and place not in self.clearing:
                    finding = standing.file_for_folder(place, path, self.command)
                    self._leave("blocked", wanted, finding)
                    return
                if what in ("link", "special", "unreadable"):
                    self._leave("blocked", wanted, self._obstacle(place, what))
                    return
            self.reachable.add(folder)
        self._write(wanted)

    def _replace(self, wanted: Change, seen: Seen) -> None:
        path = wanted.path
        here = digest(seen.data)
        if here == wanted.digest:
            self._keep(Change("keep", path, digest=here, seen=seen.signature))
        elif self._is_ours(path, seen.data) or digest(_unix(seen.data)) == wanted.digest:
            self.present[path] = here
            self._write(replace(wanted, kind="update", seen=seen.signature))
        elif self.lock.knows(path) and path not in self.inputs:
            self._leave("edited", wanted, standing.edited(path, self.command))
        else:
            self._leave("foreign", wanted, standing.foreign(path, self.command))

    def _write(self, change: Change) -> None:
        self._need_folder(change.path)
        what = self._what(temporary_path(change.path))
        if what != "absent" and not (what == "file" and change.path in self.lock.writing):
            self.findings.append(standing.temporary_in_the_way(change.path, self.command))
        self.changes.append(change)
        self.files[change.path] = change.digest

    def _leave(
        self, kind: Literal["edited", "foreign", "blocked"], change: Change, finding: Finding
    ) -> None:
        """Not to be written: the lock goes on saying of it what it says."""
        path = change.path
        self.changes.append(replace(change, kind=kind))
        # One link, or one file where a folder should be, keeps out all that belongs below it.
        if (finding.code, finding.at) not in self.reported:
            self.reported.add((finding.code, finding.at))
            self.findings.append(finding)
        recorded = self.lock.files.get(path, self.lock.writing.get(path))
        if recorded is not None:
            self.files[path] = recorded

    # --- what stands at a path ---------------------------------------------------------------

    def _look(self, path: str) -> Seen:
        return Seen("absent") if self.tree is None else self.tree.look(path)

    def _what(self, path: str) -> What:
        return "absent" if self.tree is None else self.tree.what(path)

    def _obstacle(self, path: str, what: What) -> Finding:
        if what == "link":
            goal = "" if self.tree is None else self.tree.link(path)
            return standing.link(path, goal, self.command)
        if what == "folder":
            return standing.folder_for_file(path, self.command)
        if what == "special":
            return standing.special(path, self.command)
        return standing.unreadable(path)

    def _is_ours(self, path: str, data: bytes) -> bool:
        """Whether we made this content, also where git or an editor changed its line ends.

        Of a file we made, nothing but empty space is ours too: it is what a power cut leaves, and
        nobody's work is in it.
        """
        if path in self.inputs or not self.lock.knows(path):
            return False
        return (
            self.lock.is_ours(path, digest(data))
            or not data.strip(b"\0")
            or (b"\r\n" in data and self.lock.is_ours(path, digest(_unix(data))))
        )

    def _is_cleared(self, folder: str) -> bool:
        """Whether nothing is left of a folder once the files in the way of others are deleted."""
        if self.tree is None:
            return False
        try:
            paths = [f"{folder}/{name}" for name in self.tree.names(folder)]
        except OSError:
            return False
        if not paths:
            known = (*self.lock.files, *self.lock.writing)
            return any(path.startswith(f"{folder}/") for path in known)
        return all(
            path in self.clearing
            or path in self.litter
            or (self._what(path) == "folder" and self._is_cleared(path))
            for path in paths
        )

    def _need_folder(self, path: str) -> None:
        """Report, once a folder, that names cannot be made in the nearest one above `path`."""
        own = split(path)[0]
        if self.tree is None or own in self.needed:
            return
        self.needed.add(own)
        folder = next((f for f in above(path) if self.tree.has_folder(f)), "")
        if folder not in self.asked:
            self.asked.add(folder)
            if not self.tree.is_writable(folder):
                self.findings.append(standing.unwritable(folder, path))

    def _left_by_a_stopped_run(self) -> None:
        for path in sorted(self.lock.writing):
            name = temporary_path(path)
            if self._what(name) == "file":
                self.litter.append(name)


def _is_ours_to_make(path: str) -> bool:
    return is_usable(path) and path not in RESERVED


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _begins_alike(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def _by_path(change: Change) -> str:
    return change.path


def _by_place(finding: Finding) -> tuple[str, str]:
    return getattr(finding.at, "file", ""), finding.code
