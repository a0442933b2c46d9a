"""`${…}` in strings: `${var.NAME}`, `${env.name}`, `${project}`, `${model}`, and `$${` for the text itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding
from mlopsc.source.limits import MAX_FILLED, MAX_VARIABLES
from mlopsc.source.refusals import kind_of
from mlopsc.source.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data

OPENS: Final = "${"
ENVIRONMENT: Final = "env.name"
_PIECE: Final = re.compile(r"\$\$\{|\$\{([^{}$]*)\}|\$\{")
_VARIABLE: Final = re.compile(r"var\.([a-z][a-z0-9_]*)")
_WORDS: Final = "${var.NAME}, ${env.name}, ${project} and ${model}"
_LITERAL: Final = "for a shell variable write $NAME; for the text itself, $${"
_SHOWN: Final = 8
_LONGEST: Final = 60
"""Names, and characters of one, that a message shows."""

Value = tuple["Data", "str | None", tuple["Path", ...]]
"""What a `${…}` stands for: the value, the text it was written as where that differs, and from where."""


class Unfilled(Exception):
    """A string cannot be filled in; the scope's findings say why."""


class Scope:
    """What can be filled in at one environment, and what was wrong with what was asked for.

    Variables are filled themselves, once each; one that leads back to itself is refused.

    Attributes:
        findings: what was wrong, at paths.
        used: the names of the variables that were asked for.
    """

    def __init__(
        self,
        environment: str,
        project: Data,
        variables: Mapping[str, tuple[Data, str | None, Path]],
        elsewhere: Mapping[str, str],
    ) -> None:
        """A scope.

        Args:
            environment: its name.
            project: the project's name.
            variables: name → value, its spelling where that differs, and where it is written.
            elsewhere: variables of other environments, each with one that has it.
        """
        self.findings: list[Finding] = []
        self.used: set[str] = set()
        self._environment = environment
        self._project = project
        self._variables = variables
        self._elsewhere = elsewhere
        self._known: dict[str, Value | None] = {}
        self._asking: list[str] = []

    def fill(self, text: str, at: Path, model: str | None = None) -> Value:
        """`text` with everything filled in.

        A string that is nothing but one `${…}` becomes the value itself, a number or truth value
        included; in a longer one, values stand as they were written.

        Raises:
            Unfilled: something in it means nothing.
        """
        whole = _PIECE.fullmatch(text)
        if whole is not None and whole[1] is not None:
            return self._value(whole[1], at, model)
        parts: list[str] = []
        origins: list[Path] = []
        done = size = 0
        failed = False
        for piece in _PIECE.finditer(text):
            parts.append(text[done : piece.start()])
            done = piece.end()
            if piece[0] == "$${":
                parts.append(OPENS)
                continue
            if piece[1] is None:  # where one is not closed, nobody can say where the next begins
                raise self._refuse("Y035", "`${` is not closed by `}`", at, _LITERAL)
            try:
                value, raw, found = self._value(piece[1], at, model)
            except Unfilled:
                failed = True
                continue
            parts.append(written(value) if raw is None else raw)
            origins += found
            size += len(parts[-1])
            if size > MAX_FILLED:
                raise self._refuse(
                    "Y025",
                    f"what is filled in here has more than {MAX_FILLED:,} characters",
                    at,
                    "variables of variables multiply: write this one out",
                )
        if failed:
            raise Unfilled
        return "".join((*parts, text[done:])), None, tuple(dict.fromkeys(origins))

    def _value(self, name: str, at: Path, model: str | None) -> Value:
        if name == "project":
            return self._project, None, (("project",),)
        if name == ENVIRONMENT:
            return self._environment, None, (("environments", self._environment),)
        if name == "model":
            if model is None:
                raise self._refuse(
                    "Y033",
                    "`${model}` means nothing here: it is the name of the model it stands in",
                    at,
                    "use it below `models.NAME`, or in `defaults.models`",
                )
            return model, None, (("models", model),)
        variable = _VARIABLE.fullmatch(name)
        if variable is None:
            shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
            raise self._refuse("Y035", f"`${{{shown}}}` is none of {_WORDS}", at, _LITERAL)
        return self._variable(variable[1], at)

    def _variable(self, name: str, at: Path) -> Value:
        self.used.add(name)
        if name in self._asking:
            chain = [*self._asking[self._asking.index(name) :], name]
            raise self._refuse(
                "Y034",
                f"variables lead back to themselves: {' → '.join(chain)}",
                self._variables[name][2],
                "write one of them out",
            )
        if name not in self._variables:
            raise self._unknown(name, at)
        if name not in self._known:
            self._known[name] = self._look_up(name)
        known = self._known[name]
        if known is None:
            raise Unfilled
        return known

    def _unknown(self, name: str, at: Path) -> Unfilled:
        self.used.add(closest(name, self._variables) or name)  # who is meant is not unused on top
        message = f"there is no variable '{name}'"
        if name in self._elsewhere:
            return self._refuse(
                "Y033",
                f"{message} in environment '{self._environment}'",
                at,
                f"environment '{self._elsewhere[name]}' has one: write one for this environment too,"
                " or one for all in `variables`",
            )
        near = closest(name, self._variables)
        names = sorted(self._variables)
        more = ", …" if len(names) > _SHOWN else ""
        return self._refuse(
            "Y033",
            message,
            at,
            f"did you mean '{near}'?"
            if near
            else f"there are: {', '.join(names[:_SHOWN])}{more}"
            if names
            else f"add it: `variables: {{{name}: …}}`",
        )

    def _look_up(self, name: str) -> Value | None:
        value, raw, origin = self._variables[name]
        if value is None or isinstance(value, (dict, list)):
            self._refuse(
                "S002",
                f"`{'.'.join(map(str, origin))}` must be a number, a text, or true or false, not"
                f" {'nothing' if value is None else kind_of(value)}",
                origin,
                "write one value; a variable fills in one place",
            )
            return None
        if not isinstance(value, str) or OPENS not in value:
            return value, raw, (origin,)
        if len(self._asking) >= MAX_VARIABLES:
            self._refuse(
                "Y034",
                f"variables lead to each other more than {MAX_VARIABLES} deep",
                origin,
                "write this one out",
            )
            return None
        self._asking.append(name)
        try:
            value, raw, origins = self.fill(value, origin)
        except Unfilled:
            return None
        finally:
            self._asking.pop()
        return value, raw, (origin, *origins)

    def _refuse(self, code: str, message: str, at: Path, help_: str) -> Unfilled:
        finding = Finding(code, message, at, help_)
        if finding not in self.findings:
            self.findings.append(finding)
        return Unfilled()


def written(value: Data) -> str:
    """A scalar inside a longer text, as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def mentioned(text: str) -> Iterator[str]:
    """What stands between `${` and `}` in a text, whatever it means."""
    return (piece[1] for piece in _PIECE.finditer(text) if piece[1] is not None)


def variables_in(text: str) -> Iterator[str]:
    """The names of the variables that a text asks for."""
    for name in mentioned(text):
        variable = _VARIABLE.fullmatch(name)
        if variable is not None:
            yield variable[1]
