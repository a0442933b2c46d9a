"""What a rule is: a function from a project to findings, labelled with its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mlopsc.diagnostics.finding import Finding, Note, Path, Severity
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlopsc.project.model import Project


@frozen
class Key:
    """A place for a hit: the key of the mapping at `path`, for what is wrong with all of it.

    The place of a mapping itself is its first entry, which is seldom what a rule is about.
    """

    path: Path


Hit: TypeAlias = (
    "tuple[str, Path | Key] | tuple[str, Path | Key, str]"
    " | tuple[str, Path | Key, str, tuple[Note, ...]]"
)
"""What a rule yields: message, place, and what would be right."""


@frozen
class Rule:
    """A code, how grave it is, its one-line title, and the function that looks for it.

    Attributes:
        whole: it is about the project as a whole, not about what holds in one environment.
    """

    code: str
    severity: Severity
    title: str
    look: Callable[[Project], Iterator[Hit]]
    whole: bool = False

    def findings(self, project: Project) -> Iterator[Finding]:
        """Everything in `project` that this rule objects to."""
        for message, place, *rest in self.look(project):
            on_key = isinstance(place, Key)
            at = place.path if isinstance(place, Key) else place
            help_ = rest[0] if rest else None
            notes = rest[1] if len(rest) > 1 else ()
            yield Finding(self.code, message, at, help_, notes, self.severity, on_key)  # type: ignore[arg-type]


def rule(
    code: str, severity: Severity = "error", *, whole: bool = False
) -> Callable[[Callable[[Project], Iterator[Hit]]], Rule]:
    """Label a function as a rule; the first line of its docstring is its title."""

    def label(look: Callable[[Project], Iterator[Hit]]) -> Rule:
        return Rule(code, severity, (look.__doc__ or "").strip().splitlines()[0], look, whole)

    return label


@frozen
class Need:
    """Something in the spec that asks for what is missing: who it is, and where it stands."""

    who: str
    at: Path | Key


_NAMED = 3  # of those who need a missing line too; a hundred models would only be noise


def missing(needs: Iterable[Need], what: str, help_: str) -> Iterator[Hit]:
    """One hit for one missing line, however many ask for it: at the first, with notes of the others.

    The message reads `WHO, and WHAT`.
    """
    found = list(needs)
    if not found:
        return
    notes = [_note(need) for need in found[1 : _NAMED + 1]]
    unnamed = len(found) - 1 - _NAMED
    if unnamed > 0:
        notes.append(Note(f"{unnamed} more need it, too"))
    yield f"{found[0].who}, and {what}", found[0].at, help_, tuple(notes)


def _note(need: Need) -> Note:
    on_key = isinstance(need.at, Key)
    at = need.at.path if isinstance(need.at, Key) else need.at
    return Note(f"{need.who}, too,", at, on_key=on_key)


def spelled(value: float | str) -> str:
    """A number or a text of the spec, as a spec writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else f"{value:.12g}"
