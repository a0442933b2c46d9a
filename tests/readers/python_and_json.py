"""Readers of Python files, JSON files, and the JSON our own programs read."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import tools
from readers.commands import Said, run

if TYPE_CHECKING:
    from pathlib import Path


def compiles(root: Path, paths: list[str]) -> Said:
    """Compile each file as Python does; what is only a warning there (``'\\d'``) is refused too."""
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                compile((root / path).read_bytes(), path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, Warning) as error:
            yield path, f"{type(error).__name__}: {error}"


def parses_as_json(root: Path, paths: list[str]) -> Said:
    """Parse each file strictly: no NaN, no key written twice."""
    for path in paths:
        try:
            json.loads(
                (root / path).read_text("utf-8"),
                parse_constant=_no_constant,
                object_pairs_hook=_unique,
            )
        except ValueError as error:
            yield path, f"not JSON: {error}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"written twice: {', '.join(sorted(twice))}")
    return dict(pairs)


# Which of the programs may read a folder's facts; a project has those it needs.
_PROGRAMS = {
    "mlops/models": ("gate", "dataset", "monitor"),
    "mlops/sources": ("validate", "dataset", "materialize"),
    ".gitlab": ("schedules",),
}


def accepted_by_its_program(root: Path, paths: list[str]) -> Said:
    """Run ``python PROGRAM.py --check FILE`` of a program that reads the file's facts."""
    for path in paths:
        program = _program(root, path)
        if program is None:
            yield path, "no program in mlops/ reads it"
            continue
        result = run(str(tools.python("core")), "-B", program, "--check", path, cwd=root)
        if result.returncode:
            said = (result.stderr or result.stdout).strip()[-600:]
            yield path, f"{program} --check ended with {result.returncode}: {said}"


def _program(root: Path, path: str) -> str | None:
    candidates = _PROGRAMS.get(path.rpartition("/")[0], ())
    existing = (f"mlops/{name}.py" for name in candidates)
    return next((program for program in existing if (root / program).is_file()), None)
