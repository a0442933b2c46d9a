"""A clean tree remembered: what `check` found out, and whether nothing it rests on has changed since.

Only one verdict is kept: that every file is what the spec compiles to. It rests on the compiler, the
inputs, which files an `include` finds, the lock, and the generated files; each of these is recorded
with its SHA-256 and with its *signature*: inode, size, and the times of change of content and inode.

- A signature as recorded means the same content. No program can set the time of change of the inode,
  and the clock turned back only makes times differ.
- A file changed so shortly before it was recorded that a further change could bear the same time has
  no signature there: it is hashed each time, until it is older.
- A file with another signature is hashed, and if its content is the same the verdict stands.
- Anything else, and the project is compiled as if nothing had been remembered.

Imports are few on purpose: the answer is there in the time Python takes to start.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from array import array

from mlopsc.workspace.cache import load, name_for, save
from mlopsc.workspace.signature import UNKNOWN, settled, signature

TYPE_CHECKING = False  # as in `typing`, whose import takes a third of the time of a look
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mlopsc.workspace.signature import Signature

WIDTH = 4  # numbers of a signature
HASH = 32  # bytes of a SHA-256
KIND = "clean"
LOCK = "mlops.lock"  # as in `paths`, which imports `typing`
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# pathlib costs more than everything this module does.
# ruff: noqa: PTH116, PTH118

Said = dict[str, tuple[str, str]]
"""By command and its options: what it wrote to stdout and to stderr. It ended with 0."""


class Remembered:
    """A clean tree: what it rests on, and what the commands said of it.

    Attributes:
        root: the project's folder, without links.
        name: the spec's name in it.
        compiler: what tells this compiler from another: a text, and files with their signatures.
        found: pattern → the names that fitted it, and what tells that these are still all.
        absent: paths where nothing stood.
        folders: path → inode; none of them a link.
        paths: inputs, lock and generated files.
        statuses: their signatures, four numbers each; zeros where there is none.
        hashes: their SHA-256s, 32 bytes each.
        said: see `Said`.
    """

    __slots__ = (
        "absent",
        "compiler",
        "folders",
        "found",
        "hashes",
        "name",
        "paths",
        "root",
        "said",
        "statuses",
    )

    def __init__(
        self,
        root: str,
        name: str,
        compiler: tuple[str, Mapping[str, Signature]],
        found: Mapping[str, tuple[tuple[str, ...], Signature]],
        absent: Sequence[str],
        folders: Mapping[str, int],
        paths: Sequence[str],
        statuses: array[int],
        hashes: bytes,
        said: Said,
    ) -> None:
        self.root = root
        self.name = name
        self.compiler = compiler
        self.found = found
        self.absent = absent
        self.folders = folders
        self.paths = paths
        self.statuses = statuses
        self.hashes = hashes
        self.said = said

    # --- kept --------------------------------------------------------------------------------

    def save(self) -> bool:
        """Keep it for the next command; whether that worked."""
        text, files = self.compiler
        return save(
            name_for(KIND, self.root, self.name),
            [
                _lines((self.root, self.name, text)),
                _lines(files),
                _numbers(files.values()),
                _lines("\0".join((pattern, *names)) for pattern, (names, _) in self.found.items()),
                _numbers(status for _, status in self.found.values()),
                _lines(self.absent),
                _lines(self.folders),
                array("Q", self.folders.values()).tobytes(),
                _lines(self.paths),
                self.statuses.tobytes(),
                self.hashes,
                *(_coded(part) for key, texts in self.said.items() for part in (key, *texts)),
            ],
        )

    @classmethod
    def load(cls, root: str, name: str) -> Remembered | None:
        """What is remembered of the project in `root` (a real path); None if nothing is."""
        parts = load(name_for(KIND, root, name))
        try:
            whose, files, file_statuses, found, found_statuses, absent, *rest = parts
            folders, inodes, paths, statuses, hashes, *said = rest
            own_root, own_name, text = _split(whose)
            if (own_root, own_name) != (root, name):
                return None
            patterns = [line.split("\0") for line in _split(found)]
            texts = [part.decode(errors="surrogateescape") for part in said]
            made = cls(
                root,
                name,
                (text, dict(zip(_split(files), _signatures(file_statuses), strict=True))),
                {
                    pattern: (tuple(names), status)
                    for (pattern, *names), status in zip(
                        patterns, _signatures(found_statuses), strict=True
                    )
                },
                _split(absent),
                dict(zip(_split(folders), array("Q", inodes), strict=True)),
                _split(paths),
                array("Q", statuses),
                hashes,
                {
                    key: (out, err)
                    for key, out, err in zip(texts[::3], texts[1::3], texts[2::3], strict=True)
                },
            )
        except ValueError:
            return None
        whole = len(made.paths)
        sound = len(made.statuses) == WIDTH * whole and len(hashes) == HASH * whole
        return made if sound else None

    def rests_on_the_same(self, other: Remembered) -> bool:
        """Whether what was said of one tree holds for the other."""
        return (
            self.compiler == other.compiler
            and self.paths == other.paths
            and self.hashes == other.hashes
            and {pattern: names for pattern, (names, _) in self.found.items()}
            == {pattern: names for pattern, (names, _) in other.found.items()}
        )

    # --- looked at again ---------------------------------------------------------------------

    def still_holds(self, *, every: bool = False) -> bool:
        """Whether the tree is the one remembered.

        Args:
            every: hash every file, also where its signature says that it has not changed.
        """
        begun = time.time_ns()
        found, statuses = self.found, self.statuses
        try:
            with _Inside(self.root):
                holds = (
                    self._all_but_files_hold(begun)
                    and self._inputs_hold()
                    and self._files_hold(begun, every=every)
                )
        except OSError:
            return False
        if holds and (found != self.found or statuses != self.statuses):
            self.save()
        return holds

    def differing(self) -> tuple[tuple[str, ...], array[int]] | None:
        """The files whose content is not what is remembered, and the signatures of all as they are now.

        None: something else is not as it was, or a file is gone.
        """
        begun = time.time_ns()
        found = []
        try:
            with _Inside(self.root):
                if not self._all_but_files_hold(begun):
                    return None
                now = self._statuses_now()
                if now == self.statuses:
                    return (), now
                for index, path in enumerate(self.paths):
                    here = slice(index * WIDTH, (index + 1) * WIDTH)
                    if now[here] == self.statuses[here]:
                        continue
                    taken = hashed(path)
                    if taken is None:
                        return None
                    now[here] = array("Q", settled(taken[0], begun))
                    if taken[1] != self.hashes[index * HASH : (index + 1) * HASH]:
                        found.append(path)
        except OSError:
            return None
        return tuple(found), now

    def _all_but_files_hold(self, begun: int) -> bool:
        return (
            same_compiler(self.compiler)
            and not any(os.path.lexists(path) for path in self.absent)
            and self._folders_hold()
            and self._patterns_hold(begun)
        )

    def _statuses_now(self) -> array[int]:
        now = array("Q")
        extend, look = now.extend, os.lstat
        for path in self.paths:
            status = look(path)
            extend((status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        return now

    def _folders_hold(self) -> bool:
        for path, inode in self.folders.items():
            status = os.lstat(path)
            if status.st_ino != inode or not stat.S_ISDIR(status.st_mode):
                return False
        return True

    def _patterns_hold(self, begun: int) -> bool:
        """Whether the patterns fit the same names; notes what tells so without looking them up."""
        found = {}
        for pattern, (names, seen) in self.found.items():
            folder = plain_folder(pattern)
            if seen != UNKNOWN and signature(os.lstat(folder or ".")) == seen:
                found[pattern] = (names, seen)
                continue
            from mlopsc.workspace.folder import Folder

            found[pattern] = (names, listed(pattern, begun))
            if Folder(".").find(pattern) != names:
                return False
        self.found = found
        return True

    def _inputs_hold(self) -> bool:
        """Whether the inputs have the content they had: the usual change is seen without all the rest."""
        for index, path in enumerate(self.paths):
            if path == LOCK:  # the inputs come before it
                return True
            here = slice(index * WIDTH, (index + 1) * WIDTH)
            if array("Q", signature(os.lstat(path))) != self.statuses[here]:
                taken = hashed(path)
                if taken is None or taken[1] != self.hashes[index * HASH : (index + 1) * HASH]:
                    return False
        return False

    def _files_hold(self, begun: int, *, every: bool) -> bool:
        """Whether the files have the content they had; notes signatures that have become believable."""
        # Who hashes every file takes the signatures while at it.
        now = array("Q", self.statuses) if every else self._statuses_now()
        if now == self.statuses and not every:
            return True
        for index, path in enumerate(self.paths):
            here = slice(index * WIDTH, (index + 1) * WIDTH)
            if now[here] == self.statuses[here] and not every:
                continue
            taken = hashed(path)
            if taken is None or taken[1] != self.hashes[index * HASH : (index + 1) * HASH]:
                return False
            now[here] = array("Q", settled(taken[0], begun))
        self.statuses = now
        return True


def hashed(path: str) -> tuple[Signature, bytes] | None:
    """The signature and SHA-256 of a file; None if it is none, or cannot be read.

    The signature is taken first: content that comes later comes with another one.
    """
    from hashlib import sha256

    try:
        descriptor = os.open(path, READ)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        data = os.read(descriptor, status.st_size + 1)
        hash_ = sha256(data)
        if len(data) != status.st_size:  # it grows, or comes in pieces
            while piece := os.read(descriptor, 1 << 20):
                hash_.update(piece)
        return signature(status), hash_.digest()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def plain_folder(pattern: str) -> str | None:
    """The one folder a pattern looks into; None if it may be several."""
    folder, _, last = pattern.rpartition("/")
    several = "**" in last or any(sign in folder for sign in "*?[")
    return None if several else folder


def listed(pattern: str, begun: int) -> Signature:
    """A signature that tells that a pattern (below the working folder) still fits the same names.

    A folder's own changes whenever a name in it comes, goes or means another file. Not so if the
    name is a link, whose goal may come and go.
    """
    folder = plain_folder(pattern)
    if folder is None:
        return UNKNOWN
    status = signature(os.lstat(folder or "."))
    with os.scandir(folder or ".") as entries:
        if any(entry.is_symlink() for entry in entries):
            return UNKNOWN
    return settled(status, begun)


# --- the compiler ---------------------------------------------------------------------------------


def this_compiler(resources: str) -> tuple[str, dict[str, Signature]]:
    """What tells this compiler, as it has been loaded, from another, or from itself with an edit.

    The files of all modules but Python's own; those of the resources; and the folders packages are
    installed into, which change whenever one comes or goes.
    """
    own = os.path.dirname(os.__file__)  # noqa: PTH120
    modules = [getattr(module, "__file__", None) or "" for module in tuple(sys.modules.values())]
    files = {
        file
        for file in modules
        if os.path.isabs(file)  # noqa: PTH117
        and (not file.startswith(own + os.sep) or "-packages" in file)
    }
    folders = {
        folder
        for folder in sys.path
        if os.path.isabs(folder) and any(file.startswith(folder + os.sep) for file in files)  # noqa: PTH117
    }
    for name in ("templates", "schemas"):
        top = os.path.join(resources, name)
        for folder, _, names in os.walk(top):
            files.update(os.path.join(folder, name) for name in names)
            folders.add(folder)
    return _interpreter(), {
        path: signature(os.stat(path)) for path in sorted(files | folders) if "\n" not in path
    }


def _interpreter() -> str:
    path = "\0".join(sys.path[1:])  # the first is where the command lies, or the working folder
    return f"{sys.version!r} {sys.platform} {sys.byteorder} {sys.flags.optimize}\0{path!r}"


def same_compiler(compiler: tuple[str, Mapping[str, Signature]]) -> bool:
    """Whether this is the compiler that is told by `this_compiler`."""
    text, files = compiler
    if text != _interpreter():
        return False
    look = os.stat
    try:
        return all(signature(look(path)) == status for path, status in files.items())
    except OSError:
        return False


# --- made ----------------------------------------------------------------------------------------


def remember(
    root: str,
    name: str,
    begun: int,
    compiler: tuple[str, Mapping[str, Signature]],
    inputs: Mapping[str, bytes],
    patterns: Mapping[str, tuple[str, ...]],
    lock: tuple[str, bytes],
    absent: Sequence[str],
    outputs: Sequence[tuple[str, str, Signature | None]],
    said: Said,
) -> bool:
    """Keep the verdict that a tree is clean; whether it was kept.

    Args:
        root: the project's folder.
        name: the spec's name in it.
        begun: when the command began, before it read anything; ns since 1970.
        compiler: see `this_compiler`.
        inputs: name → content of every file that was read.
        patterns: pattern → the names that fitted, of every `include`.
        lock: its path and its content.
        absent: paths where something would change the verdict.
        outputs: path, SHA-256 (hexadecimal) and, if it was taken before the content was read, the
            signature of every generated file.
        said: see `Said`.
    """
    if UNKNOWN in (settled(seen, begun) for seen in compiler[1].values()):
        return False  # edited or installed a moment ago: nobody knows whether before it was loaded
    try:
        root = os.path.realpath(root)
        with _Inside(root):
            read = _read_again((*inputs.items(), lock), begun)
            paths = (*(path for path, _, _ in read), *(path for path, _, _ in outputs))
            made = Remembered(
                root,
                name,
                compiler,
                {pattern: (names, listed(pattern, begun)) for pattern, names in patterns.items()},
                absent,
                {folder: _inode(folder) for folder in _above((*paths, *_looked_into(patterns)))},
                paths,
                array("Q", _joined(read, outputs, begun)),
                b"".join(
                    [hash_ for _, hash_, _ in read]
                    + [bytes.fromhex(hexadecimal) for _, hexadecimal, _ in outputs]
                ),
                said,
            )
    except OSError:
        return False
    known = Remembered.load(root, name)
    if known is not None and known.rests_on_the_same(made):
        made.said = {**known.said, **said}
    return made.save()


class _Inside:
    """The project's folder as the working folder: finding a file by a long path is half of a look."""

    __slots__ = ("_before", "_folder")

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        self._before = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.chdir(self._folder)
        except BaseException:
            os.close(self._before)
            raise

    def __exit__(self, *_error: object) -> None:
        os.fchdir(self._before)
        os.close(self._before)


def _read_again(
    files: Iterable[tuple[str, bytes]], begun: int
) -> list[tuple[str, bytes, Signature]]:
    """Path, SHA-256 and signature of each.

    Raises:
        OSError: a file is behind a link, or is no longer what was compiled: nothing is sure of it.
    """
    from hashlib import sha256

    read = []
    for path, data in files:
        taken = hashed(path)
        if taken is None or taken[1] != sha256(data).digest():
            raise OSError(f"{path} has changed")
        read.append((path, taken[1], settled(taken[0], begun)))
    return read


def _joined(
    read: Iterable[tuple[str, bytes, Signature]],
    outputs: Iterable[tuple[str, str, Signature | None]],
    begun: int,
) -> Iterator[int]:
    for _, _, seen in read:
        yield from seen
    for _, _, taken in outputs:
        yield from UNKNOWN if taken is None else settled(taken, begun)


def _inode(folder: str) -> int:
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(folder)
    return status.st_ino


def _looked_into(patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        if folder := plain_folder(pattern):
            yield f"{folder}/*"


def _above(paths: Iterable[str]) -> list[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(folders)


# --- written and read --------------------------------------------------------------------------


def _coded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _lines(texts: Iterable[str]) -> bytes:
    return _coded("\n".join(texts))


def _split(data: bytes) -> list[str]:
    return data.decode(errors="surrogateescape").split("\n") if data else []


def _numbers(statuses: Iterable[Signature]) -> bytes:
    return array("Q", [number for status in statuses for number in status]).tobytes()


def _signatures(data: bytes) -> list[Signature]:
    numbers = array("Q", data)
    step = iter(numbers)
    return [(a, b, c, d) for a, b, c, d in zip(step, step, step, step, strict=True)]
