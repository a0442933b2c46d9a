"""The files people write: read without waiting and within a limit, and replaced whole."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Final

from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.codes import about
from mlopsc.workspace.paths import is_usable, split, temporary
from mlopsc.workspace.standing import temporary_in_the_way
from mlopsc.workspace.storage import failure, fill
from mlopsc.workspace.tree import FILE_MODE, NEW_FILE, READ_FILE, Tree, read_all

SIZE_LIMIT: Final = 10 * 1024 * 1024  # bytes


def read_bytes(root: str, name: str) -> bytes:
    """The content of the file `name` (relative to the folder `root`, with `/`).

    A symbolic link is followed as long as it stays below `root`.

    Raises:
        Rejected: W001 to W006: missing, unreadable, not a file, too large, outside, badly named.
    """
    _check_name(name)
    try:
        with Tree(root) as tree:
            return _read(tree, root, name)
    except OSError as error:
        raise _unreadable(name, error) from error


def write_spec(root: str, name: str, text: str) -> None:
    """Replace the content of the existing file `name`, whole or not at all.

    Its mode stays, and so does a symbolic link to it: what changes is the file at the link's end.

    Raises:
        Rejected: W001 to W006 where `read_bytes` would; W028 if the name for the new content is
            taken; W040 to W042 if the storage does not take it.
    """
    data = text.encode()
    if read_bytes(root, name) == data:
        return
    top = os.path.realpath(root)
    path = os.path.relpath(os.path.realpath(os.path.join(top, name)), top)  # noqa: PTH118
    try:
        with Tree(top) as tree:
            _replace(tree, path, data)
    except FileExistsError as error:
        raise Rejected((temporary_in_the_way(path, "mlopsc promote"),)) from error
    except OSError as error:
        raise Rejected((failure(error, path),)) from error


def _replace(tree: Tree, path: str, data: bytes) -> None:
    folder = tree.folder(split(path)[0])
    name = split(path)[1]
    new = temporary(name)
    mode = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    descriptor = os.open(new, NEW_FILE, FILE_MODE, dir_fd=folder)
    try:
        os.fchmod(descriptor, mode)
        fill(descriptor, data)
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:  # an interrupt too must not leave the temporary file
        with suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise


def _check_name(name: str) -> None:
    if name.startswith("/") or ".." in name.split("/"):
        raise _rejected(
            "W005",
            name,
            f"'{name}' leads out of the project",
            "name a file below the folder of the spec, relative to it",
        )
    if not is_usable(name):
        raise _rejected(
            "W006",
            name,
            f"{name!r} cannot be used as a file name",
            "name a file below the folder of the spec, with '/' between folders and without '.git'"
            " or characters that cannot be seen",
        )


def _read(tree: Tree, root: str, name: str) -> bytes:
    folder, last = split(name)
    try:
        descriptor = os.open(last, READ_FILE, dir_fd=tree.folder(folder))
    except OSError as error:
        # A link on the way shows as one of these two; where it leads is looked up, and that path,
        # free of links, is opened as strictly as the first.
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        descriptor = _open_through_links(tree, root, name)
    try:
        return _checked(descriptor, name)
    finally:
        os.close(descriptor)


def _open_through_links(tree: Tree, root: str, name: str) -> int:
    top = os.path.realpath(root)
    real = os.path.realpath(os.path.join(top, name))  # noqa: PTH118 (pathlib costs start-up time)
    if real != top and not real.startswith(top.rstrip("/") + "/"):
        raise _rejected(
            "W005",
            name,
            f"'{name}' is a symbolic link out of the project, to '{real}'",
            "put a copy of the file into the project, so that everybody compiles the same",
        )
    folder, last = split(os.path.relpath(real, top))
    return os.open(last, READ_FILE, dir_fd=tree.folder(folder))


def _checked(descriptor: int, name: str) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise _rejected(
            "W003", name, f"'{name}' is {kind}, not a file", "name a regular file with the text"
        )
    if status.st_size <= SIZE_LIMIT:
        data = read_all(descriptor, SIZE_LIMIT)
        if len(data) <= SIZE_LIMIT:
            return data
    size = max(status.st_size, SIZE_LIMIT + 1)
    raise _rejected(
        "W004",
        name,
        f"'{name}' holds {size:,} bytes; the limit is {SIZE_LIMIT:,} (10 MiB)",
        "a spec describes data and holds none; see whether this is the file you meant",
    )


def _unreadable(name: str, error: OSError) -> Rejected:
    if error.errno == errno.ENOENT:
        return _rejected(
            "W001",
            name,
            f"there is no file '{name}'",
            "check the name and the folder, or start a project with: mlopsc init",
        )
    if error.errno in (errno.ENXIO, errno.EOPNOTSUPP):  # what opening a socket gives
        return _rejected(
            "W003",
            name,
            f"'{name}' is a pipe, socket or device, not a file",
            "name a regular file with the text",
        )
    if error.errno == errno.ENOTDIR:
        return _rejected(
            "W001",
            name,
            f"there is no file '{name}': a name before the last '/' is not a folder",
            "check the path",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return _rejected(
            "W002",
            name,
            f"'{name}' cannot be read: permission denied",
            f"give yourself the right to read it: chmod u+r {name}",
        )
    if error.errno == errno.ELOOP:
        return _rejected(
            "W002",
            name,
            f"'{name}' cannot be read: its symbolic links lead in a circle",
            "put the file itself in the place of the link",
        )
    return _rejected(
        "W002",
        name,
        f"'{name}' cannot be read: {error.strerror}",
        "see that the storage it is on works, then try again",
    )


def _rejected(code: str, name: str, message: str, help_: str) -> Rejected:
    # A name may hold anything: what the finding shows must stay one line.
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return Rejected((about(code, shown, message, help_),))
