"""A plan becomes files: all of it, or as little as can be, and never half a file.

The order makes every moment safe to be stopped at:

1. the journal (see `lock`): from here on each file may be what it was or what it will be;
2. files in the way of others go;
3. every new file is written under a temporary name beside its place: a full disk shows here,
   while nothing has changed yet, and all of it is taken back;
4. every new file takes its place, one rename each;
5. files no longer generated go, and the folders that leaves empty;
6. the lock.

Nothing is flushed to the platter: a power cut may leave a file empty, and the next compile writes
an empty file of ours again, as it does a missing one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.codes import about
from mlopsc.workspace.lock import Lock, lock_text
from mlopsc.workspace.paths import LOCK_FILE, above, split, temporary, temporary_path
from mlopsc.workspace.signature import signature
from mlopsc.workspace.storage import failure, fill
from mlopsc.workspace.tree import FILE_MODE, NEW_FILE, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlopsc.workspace.change import Change, Plan


def apply(plan: Plan, root: str) -> None:
    """Do what the plan says to the folder `root`; nothing at all if there is nothing to do.

    Raises:
        Rejected: the plan has an error (nothing was done), or W040 to W044: the disk is full,
            writing is not permitted, the storage failed, another compile is at work, or a file
            changed since the plan was made. What was done is valid; the next compile goes on.
    """
    if any(finding.severity == "error" for finding in plan.findings):
        raise Rejected(plan.findings)
    if not plan.changes_files and not plan.litter and lock_text(plan.after) == plan.before.raw:
        return
    run = _Run(plan, root)
    try:
        run.apply()
    except OSError as error:
        raise Rejected((failure(error, run.at),)) from error


class _Run:
    """One application of a plan, and how far it has come."""

    def __init__(self, plan: Plan, root: str) -> None:
        self.plan = plan
        self.root = root
        self.at = LOCK_FILE  # the path we are at, for a finding
        self.staged: dict[str, Change] = {}  # by temporary path
        self.made: list[str] = []  # folders
        self.touched = False  # whether any file of the project differs from before

    def apply(self) -> None:
        os.makedirs(self.root, exist_ok=True)  # noqa: PTH103 (pathlib costs start-up time)
        with Tree(self.root) as self.tree:
            self._take_turn()
            self._lock_is_as_planned()
            for path in self.plan.litter:
                self._remove(path)
            if self.plan.changes_files:
                self._change_files()
            self._remove_emptied_folders()  # also those of a run that was stopped before this
            self._write_lock(lock_text(self.plan.after))

    def _change_files(self) -> None:
        try:
            self._write_lock(lock_text(self.plan.journal))
            self._delete(change for change in self.plan.of("delete") if change.in_the_way)
            self._remove_emptied_folders()
            self._stage()
            self._replace()
        except BaseException:  # an interrupt too must not leave temporary files
            self._take_back()
            raise
        self._delete(change for change in self.plan.of("delete") if not change.in_the_way)

    # --- before ------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        """One compile at a time; the turn ends when the folder's descriptor is closed."""
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            return
        try:
            fcntl.flock(self.tree.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Rejected(
                (
                    about(
                        "W043",
                        LOCK_FILE,
                        "another compile is writing to this project",
                        "wait until it is done, then compile again",
                    ),
                )
            ) from None
        except OSError:  # a network file system without locks on folders: `_lock_is_as_planned`
            return

    def _lock_is_as_planned(self) -> None:
        seen = self.tree.look(LOCK_FILE)
        if (seen.data if seen.what == "file" else None) != self.plan.before.raw:
            _changed(LOCK_FILE)

    def _is_as_planned(self, change: Change) -> None:
        status = self.tree.status(change.path)
        if (None if status is None else signature(status)) != change.seen:
            _changed(change.path)

    # --- writing -----------------------------------------------------------------------------

    def _stage(self) -> None:
        for change in self.plan.of("create", "update"):
            self.at = change.path
            self.tree.make_folder(split(change.path)[0], self.made)
            path = temporary_path(change.path)
            descriptor = self._open_new(path)
            self.staged[path] = change
            try:
                data = b"" if change.content is None else change.content.read()
            except BaseException:
                os.close(descriptor)
                raise
            fill(descriptor, data)

    def _open_new(self, path: str) -> int:
        folder, name = split(path)
        return os.open(name, NEW_FILE, FILE_MODE, dir_fd=self.tree.folder(folder))

    def _replace(self) -> None:
        for path, change in tuple(self.staged.items()):
            self.at = change.path
            self._is_as_planned(change)
            self.touched = True
            self._rename(path, change.path)
            del self.staged[path]

    def _rename(self, path: str, to: str) -> None:
        folder = self.tree.folder(split(to)[0])
        os.replace(split(path)[1], split(to)[1], src_dir_fd=folder, dst_dir_fd=folder)

    def _write_lock(self, text: bytes) -> None:
        self.at = LOCK_FILE
        name = temporary(LOCK_FILE)
        descriptor = self._open_new(name)
        try:
            fill(descriptor, text)
            self._rename(name, LOCK_FILE)
        except BaseException:
            with suppress(OSError):
                self._remove(name)
            raise

    # --- removing ----------------------------------------------------------------------------

    def _delete(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.at = change.path
            self._is_as_planned(change)
            self.touched = True
            self._remove(change.path)

    def _remove_emptied_folders(self) -> None:
        before, after = self.plan.before, self.plan.after
        gone = {*before.files, *before.writing}.difference(after.files)
        if gone:
            self._remove_folders({folder for path in gone for folder in above(path)})

    def _remove(self, path: str) -> None:
        folder, name = split(path)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.tree.folder(folder))

    def _remove_folders(self, folders: Iterable[str]) -> None:
        """Remove those of the folders that are empty; the caller names only ones of ours."""
        self.tree.forget()
        for path in sorted(folders, key=len, reverse=True):  # what lies deeper is longer
            parent, name = split(path)
            with suppress(OSError):  # it holds something, is gone, or is no folder any more
                os.rmdir(name, dir_fd=self.tree.folder(parent))
        self.tree.forget()

    # --- failing -----------------------------------------------------------------------------

    def _take_back(self) -> None:
        """Remove what is half done. Untouched, the tree is given its old lock back.

        Whatever fails here is left to the journal and the next run.
        """
        at = self.at
        for path in self.staged:
            with suppress(OSError):
                self._remove(path)
        self._remove_folders(self.made)
        if not self.touched:
            with suppress(OSError):
                self._restore_lock(self.plan.before)
        self.at = at

    def _restore_lock(self, lock: Lock) -> None:
        if lock.raw is None:
            self._remove(LOCK_FILE)
        else:
            self._write_lock(lock.raw)


def _changed(path: str) -> NoReturn:
    raise Rejected(
        (
            about(
                "W044",
                path,
                f"'{path}' changed while it was being compiled",
                "compile again",
            ),
        )
    )
