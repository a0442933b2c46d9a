"""Where nothing has changed: says at once what a command said before, without loading the compiler.

Whatever is unusual is left to the commands themselves: options not known here, a stream that is no UTF-8, a
tree that is not the one remembered.
"""

from __future__ import annotations

import os
import sys

from mlopsc.workspace.remembered import Remembered

SPEC_FILE = "mlops.yaml"

# pathlib costs more than everything this module does.
# ruff: noqa: PTH112, PTH117


def folder_and_name(spec: str) -> tuple[str, str]:
    """A spec file, or the folder that holds `mlops.yaml`: its folder, and the spec's name in it."""
    if os.path.isdir(spec):
        return spec, SPEC_FILE
    root, name = os.path.split(spec)
    return root or ".", name


def colored() -> bool:
    """Whether diagnostics are for eyes: stderr is a terminal, and nobody said no (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def check_key(format_: str, root: str, *, color: bool) -> str:
    """What `check` says depends on, the project apart."""
    if format_ == "text":
        return "check text color" if color else "check text"
    return f"check {format_} {above(root)}"


def compile_key(*, color: bool) -> str:
    """What `compile` says depends on, the project apart."""
    return "compile color" if color else "compile"


def above(root: str) -> str:
    """The project's folder as a report names it: from where the report is made; empty if it cannot."""
    return "" if os.path.isabs(root) else os.path.normpath(root)


def said_before(arguments: list[str]) -> int | None:
    """Say again what the command said, and give its exit code; None if it has to run."""
    asked = _asked(arguments)
    if asked is None:
        return None
    spec, format_, every = asked
    root, name = folder_and_name(spec)
    try:
        known = Remembered.load(os.path.realpath(root), name)
    except OSError:  # the working folder is gone
        return None
    if known is None:
        return None
    key = (
        compile_key(color=colored())
        if format_ is None
        else check_key(format_, root, color=colored())
    )
    if key not in known.said or not known.still_holds(every=every):
        return None
    return _say(*known.said[key])


def _asked(arguments: list[str]) -> tuple[str, str | None, bool] | None:
    """The spec, the report's format (None: a compile), and whether every file is to be read."""
    command, *rest = arguments or [""]
    if command not in ("check", "compile"):
        return None
    format_ = "text" if command == "check" else None
    every = False
    specs = []
    words = iter(rest)
    for word in words:
        if not word.startswith("-"):
            specs.append(word)
        elif word == "--jobs" and next(words, "").lstrip("0").isdecimal():
            continue  # nothing is made
        elif command == "compile":
            return None
        elif word == "--rehash":
            every = True
        elif word == "--format":
            format_ = next(words, "")
        elif word.startswith("--format="):
            format_ = word.partition("=")[2]
        else:
            return None
    if len(specs) > 1:
        return None
    return (specs or ["."])[0], format_, every


def _say(out: str, err: str) -> int | None:
    if any(stream.encoding.lower() != "utf-8" for stream in (sys.stdout, sys.stderr)):
        return None
    try:
        sys.stderr.write(err)
        sys.stderr.flush()
        sys.stdout.write(out)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as `head` does: no finding of ours. Python must not find out again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        return None  # the command says what is wrong with the stream
    return 0
