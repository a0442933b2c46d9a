"""Which paths may be read or made, and what the temporary file beside a path is called."""

from __future__ import annotations

from typing import Final

LOCK_FILE: Final = "mlops.lock"
SUFFIX: Final = ".mlopsc-new"
NAME_MAX: Final = 255  # bytes of one name: the limit of ext4, XFS, APFS and NTFS alike


def is_usable(path: str) -> bool:
    """Whether `path` (relative, with `/`) stays below the project and can be one line of the lock.

    `.git` is refused at any depth: its hooks and configuration run programs. A backslash divides
    folders on other systems, and characters nobody can see make two paths look alike.
    """
    if not path.isprintable() or "\\" in path:
        return False
    return all(map(_is_name, path.split("/")))


def _is_name(part: str) -> bool:
    if part in ("", ".", "..") or part.lower() == ".git":
        return False
    return len(part) <= NAME_MAX if part.isascii() else len(part.encode()) <= NAME_MAX


def split(path: str) -> tuple[str, str]:
    """`path` as its folder (`""` is the project) and its name."""
    folder, _, name = path.rpartition("/")
    return folder, name


def above(path: str) -> list[str]:
    """The folders a path lies in, the nearest first, the project itself not among them."""
    folders = []
    while path := path.rpartition("/")[0]:
        folders.append(path)
    return folders


def temporary(name: str) -> str:
    """The name a file is written under before it takes its place: the same in every run.

    A name that would grow too long loses its own end; such a name can only meet that of a
    sibling equal in its first two hundred bytes, and then creating it fails and nothing is lost.
    """
    room = NAME_MAX - len(SUFFIX) - 1
    return f".{name.encode()[:room].decode(errors='ignore')}{SUFFIX}"


def temporary_path(path: str) -> str:
    """The path of the temporary file beside `path`."""
    folder, name = split(path)
    return f"{folder}/{temporary(name)}" if folder else temporary(name)
