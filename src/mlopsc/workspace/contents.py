"""What is to be written, until it is written: a little of it in memory, the rest in an unnamed file."""

from __future__ import annotations

import os
from typing import Final

from mlopsc.frozen import frozen

MOST_IN_MEMORY: Final = 8 << 20  # bytes


@frozen
class Content:
    """The content of one file, wherever it is kept."""

    data: bytes
    kept: Contents | None = None
    start: int = 0
    length: int = 0

    def read(self) -> bytes:
        """The whole content.

        Raises:
            OSError: the storage does not give it back.
        """
        return self.data if self.kept is None else self.kept.read(self.start, self.length)


class Contents:
    """Takes contents in; the file has no name and is gone with the last who holds on to it."""

    def __init__(self) -> None:
        self._in_memory = 0
        self._descriptor = -1
        self._end = 0

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def keep(self, data: bytes) -> Content:
        """Where `data` can be read again."""
        if self._in_memory + len(data) > MOST_IN_MEMORY:
            try:
                return self._set_aside(data)
            except OSError:  # no room, or no folder for it: memory has to do
                pass
        self._in_memory += len(data)
        return Content(data)

    def _set_aside(self, data: bytes) -> Content:
        if self._descriptor < 0:
            from tempfile import TemporaryFile

            with TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        start = self._end
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, start + len(data) - len(view))
            view = view[written:]
        self._end = start + len(data)
        return Content(b"", self, start, len(data))

    def read(self, start: int, length: int) -> bytes:
        """What was set aside at `start`.

        Raises:
            OSError: the file does not hold it.
        """
        pieces = []
        while length:
            piece = os.pread(self._descriptor, length, start)
            if not piece:
                raise OSError("what was set aside to be written is gone")
            pieces.append(piece)
            start, length = start + len(piece), length - len(piece)
        return b"".join(pieces)
