"""The files a lock file names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILE = re.compile(r"([0-9a-f]{64})  (.+)")


def generated_paths(lock: Path) -> list[str]:
    """Return the paths ``mlops.lock`` lists: the lines ``sha256  path``.

    Comments and the lines of the inputs stand above them and begin with a word of their own.

    Raises:
        ValueError: a line is neither.
    """
    paths = []
    for number, line in enumerate(lock.read_text("utf-8").splitlines(), start=1):
        entry = _FILE.fullmatch(line)
        if entry:
            paths.append(entry[2])
        elif line and not re.match(r"#|[a-z]+[ :]", line):
            raise ValueError(f"{lock.name}:{number}: neither a file nor a head line: {line}")
    return paths
