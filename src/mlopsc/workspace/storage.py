"""Bytes to the storage, and what to say when it does not take them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from mlopsc.workspace.codes import about

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def fill(descriptor: int, data: bytes) -> None:
    """Write `data` and close. A full disk may show only when a file is closed."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def failure(error: OSError, path: str) -> Finding:
    """What the user is told when writing `path` failed."""
    if error.errno in FULL:
        return about(
            "W040",
            path,
            f"'{path}' could not be written: {_reason(error)}",
            "make room, then compile again: it goes on where it stopped",
        )
    if error.errno in FORBIDDEN:
        return about(
            "W041",
            path,
            f"'{path}' could not be written: {_reason(error)}",
            "give yourself the right to write there, then compile again",
        )
    return about(
        "W042",
        path,
        f"'{path}' could not be written: {_reason(error)}",
        "see that the storage it is on works, then compile again",
    )


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
