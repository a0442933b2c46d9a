"""Replacements in a text that is no data: each found exactly once, and a cause for its lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Cause
from mlopsc.artifacts.trace import causes_of
from mlopsc.patching.refusal import unfitting

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Artifact
    from mlopsc.project.model import Replacement

_SHOWN: Final = 5  # line numbers in a message


def replaced(artifact: Artifact, replacement: Replacement) -> Artifact:
    """`artifact` with one piece of its text replaced.

    The lines of the new text are decided by the patch, and by what decided those they replace.

    Raises:
        Unfitting: A006: the text to replace is not there, or there more than once.
    """
    text, find = artifact.text, replacement.find
    start = text.find(find)
    if start < 0 or text.find(find, start + 1) >= 0:
        raise _not_once(artifact, replacement)
    end = start + len(find)
    after = text[:start] + replacement.text + text[end:]
    if after and not after.endswith("\n"):
        after += "\n"
    first = text.count("\n", 0, start) + 1
    old_last = text.count("\n", 0, max(end - 1, start)) + 1
    new_last = first + (old_last - first) + after.count("\n") - text.count("\n")
    origins = (replacement.at("with"), *_behind(artifact, first, old_last))
    kept = (
        moved for cause in artifact.causes if (moved := _moved(cause, first, old_last, new_last))
    )
    own = (Cause(first, new_last, origins),) if new_last >= first else ()
    return replace(artifact, text=after, causes=(*kept, *own))


def _behind(artifact: Artifact, first: int, last: int) -> tuple[tuple[str | int, ...], ...]:
    """What decided lines `first` to `last`, each cause once."""
    lines = range(first, last + 1)
    return tuple(dict.fromkeys(origin for line in lines for origin in causes_of(artifact, line)))


def _moved(cause: Cause, first: int, last: int, new_last: int) -> Cause | None:
    """`cause` where its lines are once lines `first` to `last` end at `new_last`; None: all gone."""
    begin, end = cause.first, cause.last
    if end >= last:
        end += new_last - last
    elif end >= first:
        end = first - 1
    if begin > last:
        begin += new_last - last
    elif begin > first:
        begin = new_last + 1
    return cause._replace(first=begin, last=end) if begin <= end else None


def _not_once(artifact: Artifact, replacement: Replacement) -> Exception:
    lines, start = [], artifact.text.find(replacement.find)
    while start >= 0:
        lines.append(artifact.text.count("\n", 0, start) + 1)
        start = artifact.text.find(replacement.find, start + 1)
    if not lines:
        return unfitting(
            "A006",
            f"{artifact.path} does not hold this text",
            replacement.at("find"),
            "copy the text from the generated file, spaces and line ends included",
        )
    where = ", ".join(map(str, lines[:_SHOWN])) + (", …" if len(lines) > _SHOWN else "")
    return unfitting(
        "A006",
        f"{artifact.path} holds this text {len(lines)} times, in lines {where}",
        replacement.at("find"),
        "add the lines around it, until it is there once",
    )
