"""What resolving collects on its way: findings, and which names somebody used."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mlopsc.diagnostics.finding import Finding, Note, Path, Rejected
from mlopsc.project.conventions import environment_variable
from mlopsc.project.model import Schedule, SecretRef
from mlopsc.project.units import EVEN_DURATIONS, BadSchedule, cron_of, longest_gap, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlopsc.project.resolve.elsewhere import Missing

T = TypeVar("T")


class Unresolvable(Exception):
    """This node cannot be made; why stands in the scope's findings already."""


class Scope:
    """The findings of one resolve, and the helpers that make them alike.

    The one mutable thing in this room; it does not outlive `resolve`.
    """

    def __init__(self, root: Path = ()) -> None:
        self.root = root
        self.findings: list[Finding] = []
        self.used: set[tuple[str, str]] = set()
        self.broken: set[tuple[str, str]] = set()
        self.secrets: Mapping[str, object] = {}
        self.elsewhere: Missing = {}

    def within(self, root: Path, elsewhere: Missing | None = None) -> Scope:
        """A scope for one environment's spec: what it finds and uses counts here as well.

        Args:
            root: what the paths of that spec's nodes begin with.
            elsewhere: what other environments have and this one does not.
        """
        inner = Scope(root)
        inner.findings, inner.used = self.findings, self.used
        inner.elsewhere = elsewhere or {}
        return inner

    def at(self, *keys: str | int) -> Path:
        """The path of what stands at these keys of the spec that is resolved."""
        return (*self.root, *keys)

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
        self,
        code: str,
        message: str,
        at: Path,
        help_: str | None = None,
        *notes: Note,
        on_key: bool = False,
    ) -> Unresolvable:
        """Note a mistake that leaves this node without a meaning; raise what comes back."""
        self.report(code, message, at, help_, *notes, on_key=on_key)
        return Unresolvable()

    def attempt(self, step: Callable[[], T]) -> T | None:
        """What `step` gives; None if it failed, which the findings say already."""
        try:
            return step()
        except Unresolvable:
            return None

    def each(self, steps: Iterable[Callable[[], T]]) -> list[T]:
        """What all steps give, after each had its turn.

        Raises:
            Unresolvable: one of them failed.
        """
        made = [self.attempt(step) for step in steps]
        if any(one is None for one in made):
            raise Unresolvable
        return [one for one in made if one is not None]

    def break_(self, kind: str, name: str) -> None:
        """Remember that `name` is written and could not be made: who uses it is not to blame."""
        self.broken.add((kind, name))

    def find(
        self,
        kind: str,
        name: str,
        among: Mapping[str, T],
        at: Path,
        help_: str | None = None,
        *,
        on_key: bool = False,
    ) -> T:
        """What `name` refers to.

        Raises:
            Unresolvable: nothing is called that (N001, with the nearest name), or what is could not
                be made, which was said where it stands.
        """
        if (kind, name) in self.broken:
            self.used.add((kind, name))
            raise Unresolvable
        if name in among:
            self.used.add((kind, name))
            return among[name]
        for each in kind.split(" or "):
            if (each, name) in self.elsewhere:
                self.used.add((each, name))
                other = self.elsewhere[each, name]
                raise self.fail(
                    "N001", other.message(each, name), at, other.help, other.note, on_key=on_key
                )
        # Who is meant by a misspelled name is not unused on top.
        self.used.add((kind, closest(name, among) or name))
        raise self.fail(
            "N001",
            f"there is no {kind} '{name}'",
            at,
            help_ or nearest(name, among, kind),
            on_key=on_key,
        )

    def column(
        self,
        owner: str,
        name: str,
        among: Mapping[str, T],
        at: Path,
        listed: Path,
        *,
        on_key: bool = False,
    ) -> T:
        """The column `name` of `owner`, such as "source 'flights'", whose columns stand at `listed`.

        Raises:
            Unresolvable: it has no such column (N002, with the nearest name), or none at all (N002,
                once an owner).
        """
        if name in among:
            return among[name]
        if not among and ("columns", owner) in self.broken:
            raise Unresolvable
        if not among:
            self.break_("columns", owner)
            raise self.fail(
                "N002",
                f"{owner} describes no columns, so it has no '{name}'",
                at,
                "add `columns:` to it: names and types of what is read from it",
                Note("it stands here", listed[:-1], on_key=True),
                on_key=on_key,
            )
        raise self.fail(
            "N002",
            f"{owner} has no column '{name}'",
            at,
            nearest(name, among, "column"),
            Note("its columns are listed here", listed, on_key=True),
            on_key=on_key,
        )

    def once(self, names: Sequence[str], at: Path, what: str) -> None:
        """N014 for a name that stands twice in the list at `at`."""
        for position, name in enumerate(names):
            first = names.index(name)
            if first != position:
                self.report(
                    "N014",
                    f"{what} '{name}' stands here twice",
                    (*at, position),
                    "take one of them out",
                    Note("the other one stands here", (*at, first)),
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
    close = closest(name, names)
    if close is not None:
        return f"did you mean '{close}'?"
    if not names:
        return f"the spec has no {kind} yet"
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"there are: {shown}"


_SHOWN = 8


def closest(name: str, among: Iterable[str]) -> str | None:
    """The name that was most likely meant."""
    from difflib import get_close_matches  # only where somebody is wrong

    return next(iter(get_close_matches(name, list(among), n=1, cutoff=0.6)), None)
