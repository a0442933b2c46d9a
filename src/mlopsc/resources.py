"""Finds the files of templates/ and schemas/: inside an installed wheel, or at a checkout's top.

Plain paths on purpose: the package is never run from a zip, and `importlib.resources` costs more
start-up time than everything this module does.
"""

from __future__ import annotations

import os
import os.path
from typing import Final


def _root() -> str:
    package = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - no pathlib at start
    packaged = os.path.join(package, "_resources")  # noqa: PTH118
    if os.path.isdir(packaged):  # noqa: PTH112
        return packaged
    return os.path.dirname(os.path.dirname(package))  # noqa: PTH120


ROOT: Final = _root()
"""The folder that holds `templates/` and `schemas/`."""


def resource_path(name: str) -> str:
    """The file of a resource, such as `templates/feast/definitions.py.j2`.

    Raises:
        ValueError: for a name that leads out of `ROOT`.
    """
    steps = name.split("/")
    if not all(steps) or ".." in steps:
        raise ValueError(f"{name!r} is no name of a resource")
    return os.path.join(ROOT, *steps)  # noqa: PTH118


def read_bytes(name: str) -> bytes:
    """A resource's content.

    Raises:
        FileNotFoundError: if the installation lacks it, which is a mistake of ours.
    """
    with open(resource_path(name), "rb") as file:  # noqa: PTH123
        return file.read()


def names(folder: str, ending: str) -> tuple[str, ...]:
    """The files below a resource folder whose names end so: relative to it, with `/`, sorted."""
    top = resource_path(folder)
    found = [
        os.path.relpath(os.path.join(above, file), top).replace(os.sep, "/")  # noqa: PTH118
        for above, _, files in os.walk(top)
        for file in files
        if file.endswith(ending)
    ]
    return tuple(sorted(found))


def read_text(name: str) -> str:
    r"""A resource's text, which is UTF-8 with `\n` line ends on every system."""
    return read_bytes(name).decode("utf-8")
