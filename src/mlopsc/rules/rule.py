"""What a rule is: a function from a project to findings, labelled with its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlopsc.diagnostics.finding import Finding, Note, Path, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.project.model import Project

Hit: TypeAlias = (
    "tuple[str, Path] | tuple[str, Path, str] | tuple[str, Path, str, tuple[Note, ...]]"
)
"""What a rule yields: message, path, and what would be right."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A code, how grave it is, its one-line title, and the function that looks for it."""

    code: str
    severity: Severity
    title: str
    look: Callable[[Project], Iterator[Hit]]

    def findings(self, project: Project) -> Iterator[Finding]:
        """Everything in `project` that this rule objects to."""
        for message, at, *rest in self.look(project):
            help_ = rest[0] if rest else None
            notes = rest[1] if len(rest) > 1 else ()
            yield Finding(self.code, message, at, help_, notes, self.severity)  # type: ignore[arg-type]


def rule(
    code: str, severity: Severity = "error"
) -> Callable[[Callable[[Project], Iterator[Hit]]], Rule]:
    """Label a function as a rule; the first line of its docstring is its title."""

    def label(look: Callable[[Project], Iterator[Hit]]) -> Rule:
        return Rule(code, severity, (look.__doc__ or "").strip().splitlines()[0], look)

    return label
