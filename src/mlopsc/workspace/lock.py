"""`mlops.lock`: the files we made and their hashes, so that we change and remove only our own.

While files are being written the lock is also the journal: beside every hash that was, a `writing`
line names the hash that will be. Whenever a run ends before its time, each file is one of the two.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from mlopsc import __version__
from mlopsc.diagnostics.finding import Rejected
from mlopsc.frozen import frozen
from mlopsc.workspace.codes import about
from mlopsc.workspace.files import SIZE_LIMIT
from mlopsc.workspace.paths import LOCK_FILE, NAME_MAX, is_usable
from mlopsc.workspace.tree import Tree, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER: Final = "# The files mlopsc made, and may change and remove. Commit it; do not edit it.\n"
HASH_LENGTH: Final = 64
_USUAL: Final = re.compile(
    r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*)"
)
"""A line like nearly all of the tens of thousands of a large project: its path needs no closer look."""
HEXADECIMAL: Final = frozenset("0123456789abcdef")
CONFLICT: Final = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


@frozen
class Lock:
    """What the lock says.

    Attributes:
        version: the compiler that wrote it; empty if there is none.
        inputs: name → SHA-256 of each file the compile started from.
        files: path → SHA-256 of each file, as a compile left it.
        writing: path → SHA-256 a compile was about to give the file when it was stopped.
        raw: the bytes on the disk; None if there is no lock.
        damage: why nothing could be taken from it, if so.
    """

    version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    writing: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    damage: str | None = None

    def knows(self, path: str) -> bool:
        """Whether we made, or were about to make, a file at `path`."""
        return path in self.files or path in self.writing

    def is_ours(self, path: str, hash_: str) -> bool:
        """Whether content with that hash at `path` is of our making."""
        return self.files.get(path) == hash_ or self.writing.get(path) == hash_


def read_lock(root: str) -> Lock:
    """The lock of the project in the folder `root`; an empty one if there is none.

    A lock in conflict, cut off or otherwise not as we write it counts as missing: its `damage` says
    why, and the plan reports it.

    Raises:
        Rejected: W003 or W002: something else stands in its place, or it cannot be read.
    """
    try:
        with Tree(root) as tree:
            seen = tree.look(LOCK_FILE)
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise Rejected(
            (
                about(
                    "W002",
                    LOCK_FILE,
                    f"the project's folder cannot be read: {error.strerror}",
                    "name a folder you may read and write",
                ),
            )
        ) from error
    if seen.what == "absent":
        return Lock()
    if seen.what == "unreadable":
        raise Rejected(
            (
                about(
                    "W002",
                    LOCK_FILE,
                    f"{LOCK_FILE} cannot be read",
                    f"give yourself the right to read it: chmod u+r {LOCK_FILE}",
                ),
            )
        )
    if seen.what != "file":
        raise Rejected(
            (
                about(
                    "W003",
                    LOCK_FILE,
                    f"{LOCK_FILE} is no file but a {seen.what}",
                    f"move away what stands at {LOCK_FILE}; mlopsc keeps its list of files there",
                ),
            )
        )
    return parse_lock(seen.data)


def parse_lock(raw: bytes) -> Lock:
    """What the bytes of a lock say; see `read_lock` for one that is damaged."""
    try:
        return _parse(raw)
    except _DamagedError as error:
        return Lock(raw=raw, damage=str(error))


class _DamagedError(Exception):
    """The text is not as we write it."""


def _parse(raw: bytes) -> Lock:
    if len(raw) > SIZE_LIMIT:
        raise _DamagedError("it is too large")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _DamagedError("it is not UTF-8 text") from None
    if not text.endswith("\n"):
        raise _DamagedError("it is cut off")
    version = ""
    tables: dict[str, dict[str, str]] = {"input": {}, "": {}, "writing": {}}
    # Not splitlines: it would also divide at characters that may stand in a line.
    files = tables[""]
    usual = _USUAL.fullmatch
    for number, line in enumerate(text.replace("\r\n", "\n")[:-1].split("\n"), start=1):
        if (found := usual(line)) is not None and len(line) < NAME_MAX:
            hash_, path = found.groups()
            if path not in files:
                files[path] = hash_
                continue
        if line.startswith("#"):
            continue
        if line.startswith(CONFLICT):
            raise _DamagedError(f"line {number} is a mark of a merge conflict")
        word, _, rest = line.partition(" ")
        if word == "mlopsc" and not version:
            version = rest
        else:
            kind = word if word in tables else ""
            hash_, _, path = (rest if kind else line).partition("  ")
            if not _is_hash(hash_) or not is_usable(path) or path in tables[kind]:
                raise _DamagedError(f"line {number} cannot be understood")
            tables[kind][path] = hash_
    if not version:
        raise _DamagedError("the line with the compiler's version is missing")
    return Lock(version, tables["input"], tables[""], tables["writing"], raw)


def _is_hash(text: str) -> bool:
    return len(text) == HASH_LENGTH and HEXADECIMAL.issuperset(text)


def lock_text(lock: Lock) -> bytes:
    """The lock as it stands on disk: sorted, so that the same facts are the same bytes."""
    lines = [HEADER, f"mlopsc {lock.version}\n"]
    lines += [f"input {hash_}  {name}\n" for name, hash_ in sorted(lock.inputs.items())]
    lines += [f"writing {hash_}  {path}\n" for path, hash_ in sorted(lock.writing.items())]
    lines += [f"{hash_}  {path}\n" for path, hash_ in sorted(lock.files.items())]
    return "".join(lines).encode()


def input_hash(data: bytes) -> str:
    """The hash of an input. Line ends do not count: git may check them out either way."""
    return digest(data.replace(b"\r\n", b"\n"))


def this_version() -> str:
    """The version the lock names: the one place of the output that does."""
    return __version__
