"""From a generated line back to what decides it: a spec line, a default, or a choice of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.trace import causes_of
from mlopsc.diagnostics.lines import split_lines
from mlopsc.diagnostics.paths import as_written
from mlopsc.project.conventions import DECISION
from mlopsc.review.keys import key
from mlopsc.targets import TARGETS, Target

PATCHES: Final = "patches"

if TYPE_CHECKING:
    from mlopsc.compiler import Compilation
    from mlopsc.diagnostics.finding import Path


def explain(compilation: Compilation, path: str, line: int) -> str | None:
    """The answer for a person; None: the spec compiles to no such file."""
    artifact = next(compilation.artifacts(lambda each, _target: each == path), None)
    if artifact is None:
        return None
    lines = artifact.text.split("\n")[:-1]
    if not 1 <= line <= len(lines):
        return f"{path} has {len(lines)} lines\n"
    shown = [f"{path}:{line}", f"  {line:>4} | {lines[line - 1]}", ""]
    for origin in dict.fromkeys(causes_of(artifact, line)):
        shown += _reason(compilation, origin)
    return "\n".join(shown).rstrip("\n") + "\n"


def _reason(compilation: Compilation, origin: Path) -> list[str]:
    if origin[:1] == (DECISION,):
        name = str(origin[1])
        return [f"our choice, {name}:", f"  {reason_of(name, compilation.extended.targets)}", ""]
    document = compilation.document
    origin = _written_above(compilation, origin)
    if document.has(origin):
        place = document.place(origin, on_key=isinstance(origin[-1], str) if origin else False)
        text = split_lines(document.texts[place.file])[place.line - 1]
        how = "patched at" if as_written(origin)[:1] == (PATCHES,) else "from"
        return [
            f"{how} {place.file}:{place.line}:{place.column}",
            f"  {place.line:>4} | {text}",
            "",
        ]
    return _default(compilation, origin)


def _written_above(compilation: Compilation, origin: Path) -> Path:
    """The path itself, or the written one it follows from.

    What follows from a name, such as the columns of a table a model writes, has no keys of its own.
    """
    document = compilation.document
    while origin and not document.has(origin) and key(origin) is None:
        origin = origin[:-1]
    return origin


def _default(compilation: Compilation, origin: Path) -> list[str]:
    """A key nobody wrote: the default that stands in, and where one would write it."""
    name = ".".join(map(str, origin))
    place = compilation.document.place(origin)
    known = key(origin)
    told = [f"the default of {name}, which {place.file} does not set"]
    if known is not None:
        told.append(f"  {known.description}")
        if known.has_default and known.default is not None:
            told.append(f"  default: {json.dumps(known.default)}")
    told += [f"  it would stand below {place.file}:{place.line}", ""]
    return told


def reason_of(decision: str, targets: tuple[Target, ...] = TARGETS) -> str:
    """Why one of `targets` chose so.

    Raises:
        KeyError: no target explains it; a test sees to it that none is missing.
    """
    for target in targets:
        if decision in target.DECISIONS:
            return target.DECISIONS[decision]
    raise KeyError(decision)
