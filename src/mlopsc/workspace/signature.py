"""What tells a file from what it was without reading it; free of imports, for whoever is in a hurry."""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`, whose import takes a third of the time of a look
if TYPE_CHECKING:
    import os

    Signature = tuple[int, int, int, int]
    """Inode, size, and when its content and its inode last changed (ns since 1970).

    Equal as long as nobody wrote to the file: no program sets the last of them.
    """

UNKNOWN: Signature = (0, 0, 0, 0)
"""Of a file that may have changed without another signature: no real file has it."""

YOUNG = 2 * 10**9
"""Nanoseconds. A file changed so shortly before it is looked at may change again and bear the same time: the
coarsest clock of a file system, FAT's, ticks every two seconds."""


def signature(status: os.stat_result) -> Signature:
    """The signature of a file with that status."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def settled(seen: Signature, begun: int) -> Signature:
    """The signature, if the file was of some age when looking began (ns since 1970); else `UNKNOWN`.

    With a clock turned back files seem younger than they are, which costs time and nothing else.
    """
    return seen if max(seen[2:]) < begun - YOUNG else UNKNOWN
