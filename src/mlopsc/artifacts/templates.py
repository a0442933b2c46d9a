"""The only Jinja environment: text that is not data, each line able to name its cause.

Jinja is loaded when the first template is rendered: a compile without any never pays for it.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts.draft import Cause, TextDraft
from mlopsc.artifacts.literals import markdown, one_line, python_literal, shell_word, toml_value
from mlopsc.resources import read_text, resource_path

if TYPE_CHECKING:
    from jinja2 import Environment

    from mlopsc.diagnostics.finding import Path

OWN_FILTERS: Final = {
    "py": python_literal,
    "toml": toml_value,
    "sh": shell_word,
    "md": markdown,
    "line": one_line,
}
"""Filters of ours: a value as a literal of the language a template is written in."""

OPTIONS: Final[dict[str, Any]] = {
    "keep_trailing_newline": True,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "autoescape": False,  # no HTML here; each language has its own filter
}
"""How every template is read; with `StrictUndefined`, which only Jinja itself can name."""


def write_text(draft: TextDraft, header: str) -> tuple[str, tuple[Cause, ...]]:
    """The text `draft`'s template gives, and the causes its marks named.

    The template sees the draft's context and: `header`, one line without comment signs;
    `cause(path, …)`, which names the spec paths behind the line it stands on; `cause_from(path, …)`
    and `cause_to()` around several lines. A line with nothing but such marks vanishes.

    Raises:
        Rejected: A102 to A104: a template of the project's own cannot be rendered.
        Faulty: a template of a package cannot be rendered.
        jinja2.UndefinedError: for a name the context lacks (a mistake of ours).
        ValueError: for a zero character or half a surrogate pair in the text.
    """
    if draft.templates:
        from mlopsc.artifacts.own import write_own

        return write_own(draft, header)
    marks = Marks()
    functions = {"cause": marks.line, "cause_from": marks.begin, "cause_to": marks.end}
    context: dict[str, Any] = {**draft.context, **functions, "header": header}
    text = template_environment().get_template(draft.template).render(context)
    return marks.removed_from(text, (draft.origin, *draft.because))


@cache
def template_environment() -> Environment:
    """The environment, made once: its templates stay compiled for the next draft."""
    from jinja2 import ChoiceLoader, Environment, FunctionLoader, ModuleLoader, StrictUndefined

    environment = Environment(  # noqa: S701 (see OPTIONS)
        loader=ChoiceLoader(
            [
                ModuleLoader(resource_path(compiled_folder())),
                FunctionLoader(lambda name: read_text(f"templates/{name}")),
            ]
        ),
        undefined=StrictUndefined,
        **OPTIONS,
    )
    environment.filters.update(OWN_FILTERS)
    return environment


def our_text(name: str) -> str | None:
    """One of our templates; None: there is none of this name."""
    try:
        return read_text(f"templates/{name}")
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None


def compiled_folder() -> str:
    """Where a wheel holds the templates compiled: code of one release of Jinja runs under no other."""
    from jinja2 import __version__

    return f"compiled/{__version__}"


class Marks:
    """Causes named by a template, as marks in its text until they are taken out again.

    A mark holds random digits, so text that comes from a spec cannot look like one; the zero
    characters around them are refused in any text that is left.
    """

    def __init__(self) -> None:
        self._nonce = os.urandom(8).hex()
        self._named: list[tuple[str, tuple[Path, ...]]] = []

    def line(self, *paths: Path) -> str:
        """A mark for the line it stands on."""
        return self._mark("line", paths)

    def begin(self, *paths: Path) -> str:
        """A mark for the lines from its own on."""
        return self._mark("begin", paths)

    def end(self) -> str:
        """A mark for the last of the lines since `begin`."""
        return self._mark("end", ())

    def _mark(self, kind: str, paths: tuple[Path, ...]) -> str:
        if kind != "end" and not paths:
            raise ValueError("a cause names at least one spec path")
        self._named.append((kind, tuple(tuple(path) for path in paths)))
        return f"\0{self._nonce}:{len(self._named) - 1}\0"

    def removed_from(self, text: str, origins: tuple[Path, ...]) -> tuple[str, tuple[Cause, ...]]:
        """`text` without marks, and the causes they meant, outer before inner.

        Raises:
            ValueError: marks that do not go together; a character that no text file can hold.
        """
        pattern = re.compile(rf"[ \t]*\x00{self._nonce}:([0-9]+)\x00")
        lines: list[str] = []
        causes: list[Cause] = []
        open_: list[tuple[int, tuple[Path, ...]]] = []
        ended = text.endswith("\n")
        for line in text.removesuffix("\n").split("\n"):
            numbers = [int(number) for number in pattern.findall(line)]
            bare = pattern.sub("", line) if numbers else line
            keep = bool(bare.strip()) or not numbers
            for number in numbers:
                kind, paths = self._named[number]
                if kind == "begin":
                    open_.append((len(lines) + 1, paths))
                elif kind == "end":
                    if not open_:
                        raise ValueError("a template closes a cause that it never opened")
                    first, begun = open_.pop()
                    causes.append(Cause(first, len(lines) + keep, begun))
                else:
                    causes.append(Cause(len(lines) + 1, len(lines) + 1, paths))
            if keep:
                lines.append(bare)
        if open_:
            raise ValueError("a template opens a cause and never closes it")
        written = "\n".join(lines) + ("\n" if ended and lines else "")
        _check(written)
        causes.sort(key=lambda cause: (cause.first, -cause.last))
        whole = Cause(1, max(len(lines), 1), origins)
        return written, (whole, *causes)


def _check(text: str) -> None:
    if "\0" in text:
        raise ValueError("a zero character cannot stand in a text file")
    if re.search("[\ud800-\udfff]", text):
        raise ValueError("half a surrogate pair cannot be written")
