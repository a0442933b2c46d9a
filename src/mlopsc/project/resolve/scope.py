"""What resolving collects on its way: findings, and which names somebody used."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from mlopsc.diagnostics.finding import Finding, Note, Path, Rejected
from mlopsc.project.conventions import environment_variable
from mlopsc.project.model import Schedule, SecretRef
from mlopsc.project.units import EVEN_DURATIONS, BadSchedule, cron_of, longest_gap, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")


class Unresolvable(Exception):
    """This node cannot be made; why stands in the scope's findings already."""


class Scope:
    """The findings of one resolve, and the helpers that make them alike.

    The one mutable thing in this room; it does not outlive `resolve`.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.used: set[tuple[str, str]] = set()
        self.secrets: Mapping[str, object] = {}

    def report(
        self,
        code: str,
        message: str,
        at: Path,
        help_: str | None = None,
        *notes: Note,
        on_key: bool = False,
    ) -> None:
        """Note a mistake and go on."""
        self.findings.append(Finding(code, message, at, help_, notes, on_key=on_key))

    def fail(
        self, code: str, message: str, at: Path, help_: str | None = None, *notes: Note
    ) -> Unresolvable:
        """Note a mistake that leaves this node without a meaning; raise what comes back."""
        self.report(code, message, at, help_, *notes)
        return Unresolvable()

    def find(
        self, kind: str, name: str, among: Mapping[str, T], at: Path, help_: str | None = None
    ) -> T:
        """What `name` refers to.

        Raises:
            Unresolvable: nothing is called that (N001, with the nearest name).
        """
        if name in among:
            self.used.add((kind, name))
            return among[name]
        raise self.fail(
            "N001", f"there is no {kind} '{name}'", at, help_ or nearest(name, among, kind)
        )

    def secret(self, reference: object, at: Path) -> SecretRef:
        """A use of `{secret: NAME}`, followed to its definition."""
        name: str = reference.secret  # type: ignore[attr-defined]
        self.find("secret", name, self.secrets, (*at, "secret"), None)
        return SecretRef((*at, "secret"), name, environment_variable(name))

    def schedule(self, text: str, at: Path, owner: str) -> Schedule:
        """A cron line or a duration; the owner's name draws a duration's offset.

        Raises:
            Unresolvable: it never runs, or not evenly (N007).
        """
        try:
            cron = text if " " in text else cron_of(seconds(text), owner)
            return Schedule(at, cron, longest_gap(cron))
        except BadSchedule as bad:
            raise self.fail(
                "N007",
                f"'{text}' is no schedule: {bad}",
                at,
                f"write a cron line (minute hour day month weekday), or one of {EVEN_DURATIONS}",
            ) from None

    def finish(self) -> None:
        """Raise `Rejected` if anything was found."""
        if self.findings:
            raise Rejected(tuple(self.findings))


def nearest(name: str, among: Iterable[str], kind: str) -> str:
    """Help for an unknown name: the nearest one, or all there are."""
    names = list(among)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if not names:
        return f"the spec has no {kind} yet"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004
    return f"there are: {shown}"
