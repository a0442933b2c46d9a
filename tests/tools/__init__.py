"""The real tools that read what mlopsc writes: where they are, what to do when one is missing.

``tests/tools/install.sh`` (``make tools``) installs them. A test that needs one asks for it here:
on a laptop without it the test is skipped with the reason; where CI is set a missing tool is a
failure, because a check that silently did not run is worth nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("MLOPSC_TOOLS") or ROOT / ".tools")


def in_ci() -> bool:
    """Whether this run is the one that decides: CI sets ``CI`` to any text."""
    return bool(os.environ.get("CI"))


def path(name: str) -> Path:
    """Return where the program *name* is installed; it need not exist."""
    return HOME / "bin" / name


def need(name: str) -> Path:
    """Return the installed program *name*, or skip the test (fail it in CI)."""
    return _existing(path(name), f"the tool '{name}'")


def python(environment: str) -> Path:
    """Return the interpreter of the tools' environment *environment* (``core`` or ``k8s``)."""
    interpreter = HOME / environment / "bin" / "python"
    return _existing(interpreter, f"the Python environment '{environment}'")


def need_on(path: str, names: Iterable[str]) -> None:
    """Skip the test (fail it in CI) unless all programs are found on *path*, a PATH of its own."""
    for name in sorted(names):
        if shutil.which(name, path=path) is None:
            _missing(f"the program '{name}' is not installed: run `make tools`")


def packaged(name: str) -> Path:
    """Return the folder in which the data of the package *name* lie; it is for ``PYTHONPATH``."""
    folder = HOME / "data"
    _existing(folder / name, f"the data of the package '{name}'")
    return folder


def shared(name: str) -> Path:
    """Return the data *name* kept beside the checkout (or in ``$MLOPSC_SHARED``), or skip the test.

    The data are schemas too large or too foreign for this repository. A clone alone has none, so
    only what needs them is skipped, in CI too.
    """
    data = Path(os.environ.get("MLOPSC_SHARED") or ROOT.parent / "shared") / name
    if not data.exists():
        pytest.skip(f"no '{name}' in a folder 'shared' beside the checkout or in $MLOPSC_SHARED")
    return data


def _existing(tool: Path, what: str) -> Path:
    return tool if tool.exists() else _missing(f"{what} is not installed: run `make tools`")


def _missing(reason: str) -> NoReturn:
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
