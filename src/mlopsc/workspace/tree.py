"""The project folder, held open: every access goes down from it and follows no symbolic link."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from mlopsc.frozen import frozen
from mlopsc.workspace.paths import split
from mlopsc.workspace.signature import signature

if TYPE_CHECKING:
    from types import TracebackType

    from mlopsc.workspace.signature import Signature

READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
# O_NONBLOCK: opening a pipe nobody writes to would wait for ever. It means nothing to real files.
READ_FILE: Final = READ | os.O_NOFOLLOW | os.O_NONBLOCK
READ_FOLDER: Final = READ | os.O_NOFOLLOW | os.O_DIRECTORY
NEW_FILE: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
FILE_MODE: Final = 0o644  # the user's umask may take more away
OPEN_FOLDERS: Final = 64  # far below the 256 open files that macOS allows
CHUNK: Final = 1 << 20

What = Literal["absent", "file", "folder", "link", "special", "unreadable"]


@frozen
class Seen:
    """What stands at a path: for a file also its content and its signature."""

    what: What
    data: bytes = b""
    signature: Signature | None = None


class Tree:
    """A folder and what lies below it, reached name by name from one descriptor.

    A symbolic link put into the path, before or while we work, is refused by the kernel and never
    leads a write out of the project.
    """

    def __init__(self, root: str) -> None:
        self.descriptor = os.open(root, READ | os.O_DIRECTORY)
        self._open = {"": self.descriptor}
        self._absent: set[str] = set()  # folders that did not exist when asked for

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.forget()
        os.close(self.descriptor)

    def forget(self) -> None:
        """Close every folder below the project: some may have been removed or replaced."""
        for path, descriptor in self._open.items():
            if path:
                os.close(descriptor)
        self._open = {"": self.descriptor}
        self._absent.clear()

    def folder(self, path: str) -> int:
        """The descriptor of a folder, good until the next call.

        Raises:
            FileNotFoundError: it does not exist.
            NotADirectoryError: something else, a link for one, stands at it or above it.
            OSError: it cannot be opened.
        """
        found = self._open.get(path)
        if found is not None:
            return found
        if path in self._absent:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if len(self._open) >= OPEN_FOLDERS:
            self.forget()
        parent, name = split(path)
        try:
            descriptor = os.open(name, READ_FOLDER, dir_fd=self.folder(parent))
        except FileNotFoundError:
            self._absent.add(path)
            raise
        self._open[path] = descriptor
        return descriptor

    def has_folder(self, path: str) -> bool:
        """Whether `path` is a folder that can be opened."""
        try:
            self.folder(path)
        except OSError:
            return False
        return True

    def make_folder(self, path: str, made: list[str]) -> None:
        """Make the folder at `path` and those above it; notes in `made` each that is new.

        Raises:
            OSError: one of them cannot be made.
        """
        if self.has_folder(path):
            return
        parent, name = split(path)
        self.make_folder(parent, made)
        self._absent.discard(path)
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=self.folder(parent))
            made.append(path)

    def holds(self, path: str, data: bytes) -> Signature | None:
        """The signature of the file at `path` if it holds exactly `data`: the common case, made short."""
        folder, name = split(path)
        try:
            descriptor = os.open(name, READ_FILE, dir_fd=self.folder(folder))
        except OSError:
            return None
        try:
            # First the signature: content that comes later comes with another one.
            status = os.fstat(descriptor)
            # An idle pipe reads as empty, so an empty file is left to `look`.
            same = os.read(descriptor, len(data) + 1) == data != b""
            return signature(status) if same else None
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def status(self, path: str) -> os.stat_result | None:
        """The status of what stands at `path` itself, links not followed; None if nothing does.

        Raises:
            OSError: a folder above it cannot be searched.
        """
        folder, name = split(path)
        try:
            return os.stat(name, dir_fd=self.folder(folder), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def look(self, path: str) -> Seen:
        """What stands at `path`; a file is read whole."""
        try:
            status = self.status(path)
        except OSError:
            return Seen("unreadable")
        if status is None:
            return Seen("absent")
        what = what_is(status)
        if what != "file":
            return Seen(what)
        try:
            return Seen("file", self.read(path), signature(status))
        except OSError:
            return Seen("unreadable", signature=signature(status))

    def what(self, path: str) -> What:
        """The kind of thing at `path`."""
        try:
            status = self.status(path)
        except OSError:
            return "unreadable"
        return "absent" if status is None else what_is(status)

    def read(self, path: str) -> bytes:
        """The content of the file at `path`.

        Raises:
            OSError: it is no file, or cannot be read.
        """
        folder, name = split(path)
        descriptor = os.open(name, READ_FILE, dir_fd=self.folder(folder))
        try:
            return read_all(descriptor)
        finally:
            os.close(descriptor)

    def obstacle(self, path: str) -> tuple[str, What]:
        """The first thing on the way to `path`, itself not looked at, that is no folder."""
        parts = path.split("/")
        for count in range(1, len(parts)):
            place = "/".join(parts[:count])
            try:
                status = self.status(place)
            except OSError:
                return "/".join(parts[: count - 1]), "unreadable"
            if status is None:
                return place, "absent"
            if not stat.S_ISDIR(status.st_mode):
                return place, what_is(status)
        return split(path)[0], "folder"

    def link(self, path: str) -> str:
        """Where the symbolic link at `path` points, as it is written."""
        folder, name = split(path)
        return os.readlink(name, dir_fd=self.folder(folder))

    def names(self, path: str) -> list[str]:
        """The names in the folder at `path`."""
        return os.listdir(self.folder(path))  # noqa: PTH208 (pathlib knows no descriptors)

    def is_writable(self, path: str) -> bool:
        """Whether names may be made and removed in the folder at `path`."""
        # The kernel answers for read-only file systems and access lists as well as for modes.
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self.folder(path))


def what_is(status: os.stat_result) -> What:
    """The kind of thing a status speaks of."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "special"


def read_all(descriptor: int, limit: int | None = None) -> bytes:
    """Everything a descriptor gives, or a little more than `limit` bytes of it."""
    pieces = []
    left = limit
    while piece := os.read(descriptor, CHUNK):
        pieces.append(piece)
        if left is not None and (left := left - len(piece)) < 0:
            break
    return b"".join(pieces)


def digest(data: bytes) -> str:
    """The SHA-256 of `data`, in hexadecimal."""
    return sha256(data).hexdigest()
