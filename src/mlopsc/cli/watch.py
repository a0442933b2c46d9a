"""`mlopsc compile --watch`: compiles again whenever a file of the spec is saved.

It looks a few times a second at the times and sizes of the files the last compile asked for, also of those it
did not find, and at the names that patterns find: that works on every file system, and however an editor
saves. Generated files are not watched.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Final

import click

from mlopsc.workspace.folder import Folder
from mlopsc.workspace.remembered import plain_folder
from mlopsc.workspace.signature import signature

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlopsc.cli.project import Place
    from mlopsc.workspace.signature import Signature

EVERY: Final = 0.1  # seconds between two looks
SHARE: Final = 20  # a look takes at most this part of the time, however many files there are
SETTLED: Final = (
    0.02  # seconds without a further change: an editor may empty a file before it fills it
)
LONGEST: Final = 1.0  # seconds; whoever writes without end is compiled in between
CLEAR: Final = (
    "\x1b[2J\x1b[3J\x1b[H"  # the screen, what has scrolled away, and the cursor to the top
)


class Asked(Folder):
    """The files of a project (see `Files`), with a memory of every question, answered or not."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root
        self.contents: dict[str, bytes | None] = {}
        self.patterns: dict[str, tuple[str, ...]] = {}

    def read(self, name: str) -> bytes:
        """See `Folder.read`."""
        self.contents[name] = None
        data = self.contents[name] = super().read(name)
        return data

    def find(self, pattern: str) -> tuple[str, ...]:
        """See `Folder.find`."""
        found = self.patterns[pattern] = super().find(pattern)
        return found

    def besides(self, others: Asked) -> Asked:
        """What was asked for here or there."""
        both = Asked(self.root)
        both.contents = {**others.contents, **self.contents}
        both.patterns = {**others.patterns, **self.patterns}
        return both


class View:
    """What a look at the asked files shows."""

    def __init__(self, asked: Asked, before: View | None = None) -> None:
        self.files = {name: _signature(asked.root, name) for name in asked.contents}
        self.folders: dict[str, Signature | None] = {}
        self.found: dict[str, tuple[str, ...]] = {}
        for pattern in asked.patterns:
            folder = plain_folder(pattern)
            seen = None if folder is None else _signature(asked.root, folder)
            self.folders[pattern] = seen
            if before is not None and seen is not None and before.folders.get(pattern) == seen:
                self.found[pattern] = before.found[pattern]  # no name has come or gone
            else:
                self.found[pattern] = Folder(asked.root).find(pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self.files == other.files and self.found == other.found

    __hash__ = None  # type: ignore[assignment]  # a look is compared and forgotten

    def shows(self, asked: Asked) -> bool:
        """Whether this is what the compile was told: nothing changed between its look and this one."""
        return self.found == asked.patterns and all(
            data == _content(asked.root, name) for name, data in asked.contents.items()
        )


def _signature(root: str, name: str) -> Signature | None:
    try:
        return signature(os.stat(os.path.join(root, name)))  # noqa: PTH116, PTH118
    except (OSError, ValueError):
        return None


def _content(root: str, name: str) -> bytes | None:
    from mlopsc.diagnostics.finding import Rejected

    try:
        return Folder(root).read(name)
    except Rejected:
        return None


def watch(place: Place, turn: Callable[[Asked, bool], int]) -> int:
    """Take a turn, and another one after each change, until interrupted; the code of the last turn.

    Args:
        place: the project.
        turn: compiles, says what is to be said, and gives an exit code. It is told whom to ask for files, and
            whether all that count are known from an earlier turn: then it may find out that they still are
            the ones that count, and ask for none.
    """
    gc.enable()  # one compile is over before garbage could matter; a day of them is not
    code, asked, complete = 0, Asked(place.root), False
    try:
        while True:
            told = Asked(place.root)
            before = View(asked)
            _clear()
            try:
                code = turn(told, complete)
            except click.ClickException as wrong:
                if not complete:
                    raise
                wrong.show()  # an edit took away what an option names
                code = wrong.exit_code
            gc.collect()
            if told.contents:
                if not View(told).shows(told):
                    continue  # saved while it was being compiled
                if code == 0:
                    asked, complete = told, True
                else:  # it may have stopped before it asked for all
                    asked = told.besides(asked)
                before = View(asked)
            _say(len(asked.contents))
            _await_change(asked, before)
    except KeyboardInterrupt:
        return code


def _await_change(asked: Asked, before: View) -> None:
    now = before
    while now == before:
        start = time.monotonic()
        now = View(asked, now)
        time.sleep(max(EVERY, SHARE * (time.monotonic() - start)) if now == before else 0)
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        time.sleep(SETTLED)
        later = View(asked, now)
        if later == now:
            return
        now = later


def _clear() -> None:
    if sys.stdout.isatty():
        click.echo(CLEAR, nl=False)


def _say(files: int) -> None:
    moment = f"{time.strftime('%H:%M:%S')} " if sys.stdout.isatty() else ""
    what = "1 file" if files == 1 else f"{files} files"
    click.echo(f"{moment}watching {what}; end with Ctrl-C")
    sys.stdout.flush()
