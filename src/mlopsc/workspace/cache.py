"""Files in the user's cache folder: what can be found out again, so that it need not be.

Nothing here may fail a command. A folder that cannot be written to, a file cut off, of another
version or somebody else's: all of it counts as nothing remembered. Deleting everything costs time alone.

Imports are few on purpose: whoever looks here wants to be quick.
"""

from __future__ import annotations

import os
import sys
import zlib

TYPE_CHECKING = False  # as in `typing`, whose import takes a third of the time of a look
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = b"mlopsc cache 1"
LARGEST = 256 << 20  # bytes; beyond it nothing is kept and nothing is believed
MOST_FILES = 200  # then the ones not written to for the longest go

# pathlib costs more than reading the whole file does.
# ruff: noqa: PTH103, PTH105, PTH108, PTH118


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Where caches of mlopsc lie; empty if this user has no such place.

    `MLOPSC_CACHE_DIR` names another place, such as the folder that a pipeline keeps.

    Source: XDG Base Directory Specification (a relative `XDG_CACHE_HOME` is to be ignored); Apple's
    File System Programming Guide for `~/Library/Caches`.
    """
    own = environ.get("MLOPSC_CACHE_DIR", "")
    if os.path.isabs(own):  # noqa: PTH117
        return own
    given = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # noqa: PTH117
        return os.path.join(given, "mlopsc")
    home = environ.get("HOME", "")
    if not os.path.isabs(home):  # noqa: PTH117
        return ""
    caches = ("Library", "Caches") if platform == "darwin" else (".cache",)
    return os.path.join(home, *caches, "mlopsc")


def name_for(kind: str, *key: str) -> str:
    """The name of a cache file. Two keys may meet in one name: what is in a file says whose it is."""
    data = "\0".join(key).encode(errors="surrogateescape")
    return f"{kind}-{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def load(name: str, folder: str | None = None) -> list[bytes]:
    """The parts `save` was given; empty if there is nothing that can be believed."""
    folder = cache_folder() if folder is None else folder
    if not folder:
        return []
    try:
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or not 0 < status.st_size <= LARGEST:
            return []
        return _parts(_read(descriptor, status.st_size))
    except (OSError, ValueError):
        return []
    finally:
        os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, size + 1):
        pieces.append(piece)
    return b"".join(pieces)


def _parts(data: bytes) -> list[bytes]:
    head, _, body = data.partition(b"\n")
    if not head.startswith(FORMAT + b" "):
        return []
    sum_, *lengths = map(int, head[len(FORMAT) :].split())
    if zlib.crc32(body) != sum_ or sum(lengths) != len(body):
        return []
    parts, start = [], 0
    for length in lengths:
        parts.append(body[start : start + length])
        start += length
    return parts


def save(name: str, parts: Iterable[bytes], folder: str | None = None) -> bool:
    """Keep `parts` under `name`, in the place of what was there; whether that worked.

    The file appears whole: who reads meanwhile, in whichever process, sees the old or the new one.
    """
    folder = cache_folder() if folder is None else folder
    parts = list(parts)
    body = b"".join(parts)
    if not folder or len(body) > LARGEST:
        return False
    lengths = " ".join(str(len(part)) for part in parts)
    head = b"%s %d %s\n" % (FORMAT, zlib.crc32(body), lengths.encode())
    new = os.path.join(folder, f".{name}-{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _discard(new)  # of an earlier process with this number
        descriptor = os.open(new, flags, 0o600)
        try:
            view = memoryview(head + body)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        os.replace(new, os.path.join(folder, name))
        _prune(folder)
    except OSError:
        _discard(new)
        return False
    return True


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _prune(folder: str) -> None:
    try:
        with os.scandir(folder) as entries:
            files = [
                (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries
            ]
    except OSError:  # another process replaces or prunes at the same time
        return
    for _, path in sorted(files)[: max(len(files) - MOST_FILES, 0)]:
        _discard(path)
