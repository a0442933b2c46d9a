"""A generated file and the same file as somebody edited it: the patch that lies between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.patching.differences import of_data, of_text
from mlopsc.patching.structure import identical
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Artifact
    from mlopsc.patching.structure import Plain

CODE: Final = "W051"


def adopted(artifact: Artifact, edited: str) -> dict[str, Plain]:
    """The patch that makes `edited`, up to its comments and layout, of what is generated.

    Raises:
        Rejected: W051: nothing that a patch could say was edited, or the text is not data of its kind
            any more; Y…: it is no YAML.
    """
    if artifact.form == "text":
        if not artifact.text:
            raise not_adopted(
                artifact.path,
                f"'{artifact.path}' is generated empty, and a patch replaces text that is there",
                "put the text into a file of your own",
            )
        return of_text(artifact.path, artifact.text, edited)
    before, after = data_of(artifact, artifact.text), data_of(artifact, edited)
    if identical(before, after):
        raise not_adopted(
            artifact.path,
            f"only comments or the layout of '{artifact.path}' were edited, which a compile writes anew",
            f"put the comment into the spec; to undo the edit, delete '{artifact.path}' and run:"
            " mlopsc compile",
        )
    return of_data(artifact.path, before, after)


def is_alike(artifact: Artifact, edited: str) -> bool:
    """Whether `artifact` is what was edited, up to comments and layout."""
    if artifact.form == "text":
        return artifact.text == edited
    return identical(data_of(artifact, artifact.text), data_of(artifact, edited))


def comments_lost(artifact: Artifact, edited: str) -> tuple[str, ...]:
    """The comments of an edited YAML file that `artifact`, which takes its place, does not have."""
    if artifact.form != "yaml":
        return ()
    kept = {line.strip() for line in artifact.text.split("\n")}
    found = (_comment(line.strip(), kept) for line in edited.split("\n"))
    return tuple(comment for comment in found if comment)


def _comment(line: str, kept: set[str]) -> str | None:
    """What of a line is a comment: all of it, or what stands behind a line that is kept."""
    if line in kept:
        return None
    if line.startswith("#"):
        return line
    content, sign, rest = line.partition(" #")
    return f"#{rest}" if sign and content.rstrip() in kept else None


def data_of(artifact: Artifact, text: str) -> Plain:
    """The data a text of the artifact's kind holds.

    Raises:
        Rejected: Y…: it is no YAML mapping; W051: it is no JSON.
    """
    if artifact.form == "yaml":
        data: Plain = read_yaml(Source(artifact.path, text)).data
        return data
    try:
        value: Plain = json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise not_adopted(
            artifact.path,
            f"'{artifact.path}' is no JSON any more: {error or 'nested too deep'}",
            "mend it, then adopt it",
            line=getattr(error, "lineno", 1),
        ) from None
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def not_adopted(path: str, message: str, help_: str, line: int = 1) -> Rejected:
    """W051, at a line of the edited file."""
    return Rejected((Finding(CODE, message, Place(path, line, 1, 1), help_),))
