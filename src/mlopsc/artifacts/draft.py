"""What a target hands over: files as data (or as a template's name), each part with its cause."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlopsc.diagnostics.finding import Path

Body: TypeAlias = "bool | int | float | str | Sequence[Body] | Mapping[str, Body] | Traced | None"
"""Plain data for the YAML and JSON writers, any part of it wrapped in `Traced`."""


@frozen
class Traced:
    """A part of a draft, with the spec paths that decide it.

    A path says exactly what it names: a scalar its value, a list its items, a mapping that it is
    there (and nothing of the values below it, which are named themselves). A path the user did not write stands for the documented default of that key; a path that starts
    with `DECISION` names an entry of a target's `DECISIONS`: a choice of ours no key can change.
    """

    body: Body
    origins: tuple[Path, ...]


def traced(body: Body, *origins: Path) -> Traced:
    """`body`, decided by the spec paths `origins`."""
    return Traced(body, origins)


Mention: TypeAlias = "tuple[str, Path]"
"""A piece of text, and the spec path behind every line that holds it.

For a value that many lines of a file name, each within text of its own: the project in the labels of
queries, the namespace in an address. The piece is long enough to mean nothing else, such as
`project="churn"`; the line keeps its other causes.
"""


@frozen
class YamlDraft:
    """A YAML file; one document.

    `origin` answers for every line no `Traced` part speaks for. `because` names what else the file
    as a whole follows from, such as the word of `platform` that asks for this system: other values
    there, and the file is gone. `mentions` adds causes to lines by their text. All drafts have them.
    """

    path: str
    origin: Path
    body: Body
    comment: str = ""  # further header lines for the reader, without `#`
    because: tuple[Path, ...] = ()
    mentions: tuple[Mention, ...] = ()


@frozen
class JsonDraft:
    """A JSON file, two-space indented."""

    path: str
    origin: Path
    body: Body
    because: tuple[Path, ...] = ()
    mentions: tuple[Mention, ...] = ()


@frozen
class OwnText:
    """A template that is not ours; `file` is where a project keeps it, None for a package's."""

    text: str
    file: str | None = None


@frozen
class TextDraft:
    """A file in another language, rendered from `template` (a path under templates/).

    Values reach the template through `context`. In the template, `{{ cause(path) }}` at the end of a
    line names the spec path behind that line; it leaves no trace in the text. `templates` are looked
    through before ours, by name; with any, nothing is rendered but in a sandbox.
    """

    path: str
    origin: Path
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, OwnText] = field(default_factory=dict)
    because: tuple[Path, ...] = ()
    mentions: tuple[Mention, ...] = ()


@frozen
class CopyDraft:
    """A constant file, copied byte for byte from templates/ (a program, a runbook page)."""

    path: str
    origin: Path
    template: str
    because: tuple[Path, ...] = ()
    mentions: tuple[Mention, ...] = ()


Draft: TypeAlias = YamlDraft | JsonDraft | TextDraft | CopyDraft


class Cause(NamedTuple):
    """Lines `first` to `last` (from 1, inclusive) of an artifact, and the spec paths behind them."""

    first: int
    last: int
    origins: tuple[Path, ...]


@frozen
class Artifact:
    r"""A file as it will stand on disk.

    Attributes:
        path: relative to the project, with `/`.
        text: the whole content; UTF-8, `\\n` line ends, one at the end.
        causes: outer before inner: the last cause that holds a line speaks for it; those around it
            decide that the line is there at all.
        target: the name of the target that made it.
        mentions: further causes of lines, by their text.
        form: data that a writer of ours wrote, or text of any other kind.
    """

    path: str
    text: str
    causes: tuple[Cause, ...]
    target: str
    mentions: tuple[Mention, ...] = ()
    form: Literal["yaml", "json", "text"] = "text"
