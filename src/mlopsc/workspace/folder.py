"""A project's folder as the compiler's stages see it: files by name, and names by pattern."""

from __future__ import annotations

import os
import re
from typing import Final

from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.codes import about
from mlopsc.workspace.files import read_bytes

_WILD: Final = frozenset("*?")
_ANY: Final = "**"


class Folder:
    """The files below the folder `root`; nothing outside of it can be named."""

    def __init__(self, root: str) -> None:
        self._root = root

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            Rejected: W001 to W006, see `read_bytes`.
        """
        return read_bytes(self._root, name)

    def find(self, pattern: str) -> tuple[str, ...]:
        """The names of the files that fit, sorted.

        `*` and `?` stay within a folder and `**` goes through folders, though not through symbolic
        links, which may lead in circles. A name that starts with a dot has to be asked for by its
        dot. All else, brackets too, stands for itself.

        Raises:
            Rejected: W002 for a folder on the way that cannot be looked into.
        """
        search = _Search(self._root, tuple(pattern.split("/")))
        search.below("", 0)
        return tuple(sorted(search.found))


class _Search:
    """One look for the files that fit a pattern, given as its parts between `/`."""

    def __init__(self, root: str, parts: tuple[str, ...]) -> None:
        self.found: set[str] = set()
        self._root = root
        self._parts = parts
        self._seen: set[tuple[str, int]] = set()

    def below(self, folder: str, position: int) -> None:
        """Look in `folder` for what fits the parts from `position` on."""
        if (folder, position) in self._seen:  # `**/**` meets each folder in many ways
            return
        self._seen.add((folder, position))
        part = self._parts[position]
        last = position == len(self._parts) - 1
        if part == _ANY:
            self._any(folder, position, last=last)
        elif _WILD.isdisjoint(part):
            self._step(f"{folder}{part}", position, last=last)
        else:
            fits = re.compile("".join(_MEANS.get(sign) or re.escape(sign) for sign in part))
            for entry in self._entries(folder):
                if fits.fullmatch(entry.name) and _is_asked_for(entry.name, part):
                    self._step(f"{folder}{entry.name}", position, last=last)

    def _any(self, folder: str, position: int, *, last: bool) -> None:
        if not last:
            self.below(folder, position + 1)
        for entry in self._entries(folder):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                self.below(f"{folder}{entry.name}/", position)
            elif last and entry.is_file():
                self.found.add(f"{folder}{entry.name}")

    def _step(self, name: str, position: int, *, last: bool) -> None:
        path = os.path.join(self._root, name)  # noqa: PTH118 (start-up time)
        if last:
            if os.path.isfile(path):  # noqa: PTH113
                self.found.add(name)
        elif os.path.isdir(path):  # noqa: PTH112
            self.below(f"{name}/", position + 1)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self._root, folder)) as entries:  # noqa: PTH118
                return list(entries)
        except FileNotFoundError:  # taken away since its name was read
            return []
        except OSError as error:
            name = folder.rstrip("/") or "."
            shown = name if name.isprintable() else ascii(name)[1:-1]
            raise Rejected(
                (
                    about(
                        "W002",
                        shown,
                        f"the folder '{shown}' cannot be read: {error.strerror}",
                        "give yourself the right to look into it, or name the files one by one",
                    ),
                )
            ) from error


_MEANS: Final = {"*": ".*", "?": "."}


def _is_asked_for(name: str, part: str) -> bool:
    return part.startswith(".") or not name.startswith(".")
