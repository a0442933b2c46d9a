"""What the user is told about each thing that can stand in the way of a generated file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.workspace.codes import about
from mlopsc.workspace.paths import LOCK_FILE, temporary_path

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Finding

UNWRITABLE: Final = "W027"  # stops an apply; a check of what is committed does not mind


def damaged_lock(damage: str) -> Finding:
    """The lock counts as missing."""
    return about(
        "W010",
        LOCK_FILE,
        f"{LOCK_FILE} is taken as missing: {damage}",
        "a compile takes over the files that are what the spec compiles to, reports any other and"
        " writes the lock anew",
        "warning",
    )


def unusable_path(path: str) -> Finding:
    """A name of the spec makes a path that leads out, hides or cannot be recorded."""
    shown = path if path.isprintable() else ascii(path)[1:-1]
    return about(
        "W006",
        shown,
        f"nothing can be generated at '{shown}'",
        "give the thing it is named after another name",
    )


def unreadable(path: str) -> Finding:
    """What stands at `path` cannot be looked at."""
    return about(
        "W002",
        path,
        f"'{path}' cannot be read, so mlopsc cannot tell whether it is its own",
        f"give yourself the right to read it: chmod u+r {path}",
    )


def edited(path: str, command: str) -> Finding:
    """A generated file is not as we left it."""
    return about(
        "W020",
        path,
        f"'{path}' is generated from the spec and was edited by hand",
        f"to keep the edit as a patch in the spec, run: mlopsc adopt {path}; to undo it, delete '{path}'"
        f" and run: {command}",
    )


def foreign(path: str, command: str) -> Finding:
    """A file that is none of ours is where we would write."""
    return about(
        "W021",
        path,
        f"'{path}' is generated from the spec, and a file that mlopsc did not make stands there",
        f"move it away, or delete it, then run: {command}",
    )


def edited_and_gone(path: str) -> Finding:
    """A file the spec no longer asks for has somebody's work in it."""
    return about(
        "W022",
        path,
        f"'{path}' is no longer generated, and was edited by hand",
        f"delete it; or keep it as your own: remove its line from {LOCK_FILE}",
    )


def file_for_folder(file: str, path: str, command: str) -> Finding:
    """`file` stands where the folder of the generated `path` should be."""
    return about(
        "W023",
        file,
        f"'{file}' is a file, and the folder of the generated '{path}' should be there",
        f"move the file away, then run: {command}",
    )


def folder_for_file(path: str, command: str) -> Finding:
    """A folder stands where a file is generated."""
    return about(
        "W024",
        path,
        f"'{path}' is a folder, and a file of that name is generated",
        f"move the folder away, then run: {command}",
    )


def link(path: str, goal: str, command: str) -> Finding:
    """A symbolic link: a write through it would land somewhere else, maybe outside."""
    return about(
        "W025",
        path,
        f"'{path}' is a symbolic link to {goal!r}; generated files are not written through links",
        f"put a real file or folder in its place, or remove it, then run: {command}",
    )


def special(path: str, command: str) -> Finding:
    """A pipe, socket or device."""
    return about(
        "W026",
        path,
        f"'{path}' is a pipe, socket or device where a generated file or its folder should be",
        f"remove it, then run: {command}",
    )


def unwritable(folder: str, path: str) -> Finding:
    """No names can be made in the folder that `path` needs."""
    name = f"the folder '{folder}'" if folder else "the project's folder"
    return about(
        UNWRITABLE,
        path,
        f"{name} cannot be written to",
        f"give yourself the right to write there: chmod u+rwx {folder or '.'}",
    )


def temporary_in_the_way(path: str, command: str) -> Finding:
    """Something we did not make has the name the new `path` is first written under."""
    name = temporary_path(path)
    return about(
        "W028",
        name,
        f"'{name}' is in the way: the new '{path}' is first written under that name",
        f"see whether anybody needs it, delete it, then run: {command}",
    )
