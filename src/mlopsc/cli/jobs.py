"""`--jobs`: several processes make the files of one compile, each of them a target at a time.

What is read, resolved and checked is there once, when the processes part; each then takes the next target
that nobody has taken, and hands its files to the first process, which compares and writes them.
"""

from __future__ import annotations

import os
import selectors
import struct
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.compiler import Compilation

LONGEST_FIRST: Final = ("prometheus", "gitlab", "great_expectations", "kubernetes")
"""Measured with a thousand models: more than half of the time goes into the first, so it may not come last."""

FEWEST_MODELS: Final = 50
"""With fewer, parting takes longer than what is saved."""

_HEAD: Final = struct.Struct("<II")  # the lengths of a path and of the text after it
_PIECE: Final = 1 << 20  # bytes


def artifacts(
    compilation: Compilation, wanted: Callable[[str, str], bool], jobs: int
) -> Iterator[Artifact]:
    """The files of `compilation.artifacts(wanted)` in any order, without their causes."""
    few = len(compilation.project.models) < FEWEST_MODELS
    if jobs < 2 or few or not hasattr(os, "fork"):  # noqa: PLR2004 (two is where sharing begins)
        yield from compilation.artifacts(wanted, causes=False)
        return
    made: set[str] = set()
    with _Workers(compilation, wanted, jobs) as workers:
        for artifact in workers.artifacts():
            made.add(artifact.path)
            yield artifact
        whole = workers.finished()
    # A worker that fails says nothing: what it failed at is done again here, and fails where it can be told.
    rest = compilation if not whole else _of(compilation, ())

    def left(path: str, target: str) -> bool:
        return path not in made and wanted(path, target)

    yield from rest.artifacts(left, causes=False)


def _of(compilation: Compilation, targets: tuple[str, ...], *, created: bool = True) -> Compilation:
    """The same with the files of some targets alone, and of the files that patches create, if wanted."""
    chosen = tuple(each for each in compilation.extended.targets if each.name in targets)
    patched = compilation.patched
    return replace(
        compilation,
        extended=replace(compilation.extended, targets=chosen),
        patched=patched if created else replace(patched, created=()),
    )


class _Workers:
    """The processes of one compile; none of them is left behind."""

    def __init__(
        self, compilation: Compilation, wanted: Callable[[str, str], bool], jobs: int
    ) -> None:
        names = [each.name for each in compilation.extended.targets]
        names.sort(key=lambda name: LONGEST_FIRST.index(name) if name in LONGEST_FIRST else 99)
        self._compilation = compilation
        self._wanted = wanted
        self._names = names
        self._jobs = min(jobs, len(names))
        self._running: dict[int, int] = {}  # what a worker writes to → its process
        self._failed = False

    def __enter__(self) -> _Workers:
        queue, fill = os.pipe()
        os.write(fill, bytes(range(len(self._names))))  # far less than a pipe holds
        os.close(fill)
        for _ in range(self._jobs):
            reading, writing = os.pipe()
            process = os.fork()
            if process == 0:
                for other in (reading, *self._running):
                    os.close(other)
                self._work(queue, writing)
            os.close(writing)
            self._running[reading] = process
        os.close(queue)
        return self

    def __exit__(self, *_error: object) -> None:
        for reading, process in self._running.items():
            os.close(reading)  # one that still writes is ended by that
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
        self._running.clear()

    def _work(self, queue: int, writing: int) -> None:
        """What a worker does; it ends here, whatever happens."""
        code = 1
        try:
            while taken := os.read(queue, 1):
                part = _of(self._compilation, (self._names[taken[0]],), created=False)
                for artifact in part.artifacts(self._wanted, causes=False):
                    path, text = artifact.path.encode(), artifact.text.encode()
                    _write(writing, _HEAD.pack(len(path), len(text)) + path + text)
            code = 0
        except BaseException:  # noqa: S110 (an interrupt too: the first process tells of it)
            pass
        finally:
            os._exit(code)

    def artifacts(self) -> Iterator[Artifact]:
        """What the workers make, as it comes."""
        buffers = {reading: bytearray() for reading in self._running}
        with selectors.DefaultSelector() as selector:
            for reading in buffers:
                selector.register(reading, selectors.EVENT_READ)
            while buffers:
                for key, _ in selector.select():
                    reading = key.fd
                    piece = os.read(reading, _PIECE)
                    buffers[reading] += piece
                    yield from _taken_out(buffers[reading])
                    if not piece:
                        selector.unregister(reading)
                        self._failed |= bool(buffers.pop(reading))

    def finished(self) -> bool:
        """Whether every worker came to its end; waits for them."""
        for reading, process in tuple(self._running.items()):
            _, status = os.waitpid(process, 0)
            self._failed |= status != 0
            os.close(reading)
            del self._running[reading]
        return not self._failed


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _taken_out(buffer: bytearray) -> Iterator[Artifact]:
    """The whole files at the beginning of `buffer`, which keeps what is not whole yet."""
    start = 0
    while len(buffer) >= start + _HEAD.size:
        path, text = _HEAD.unpack_from(buffer, start)
        body = start + _HEAD.size
        end = body + path + text
        if len(buffer) < end:
            break
        yield Artifact(
            buffer[body : body + path].decode(), buffer[body + path : end].decode(), (), ""
        )
        start = end
    del buffer[:start]
