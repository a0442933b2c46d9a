"""Document → Spec: whether what was written is of the language, and all that is wrong if not."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.spec import codes
from mlopsc.spec.built import NOT_BUILT
from mlopsc.spec.groups import BESIDE, MISPLACED, ONE_OF, SOME_OF
from mlopsc.spec.patterns import grow, walk
from mlopsc.spec.verdict import Verdict
from mlopsc.spec.versions import API_VERSION, OLDER_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data, Document
    from mlopsc.spec.root import Spec

FREE_KEY: Final = "x-"
"""Keys that begin so are the user's own, at every level."""

_NONE: Final[dict[str, Any]] = {}
_ALL: Final[dict[str, Any]] = {}
_FOREIGN: Final[dict[str, Any]] = {
    "patches": {"merge": _ALL, "expect": _ALL, "json": {"value": _ALL}},
}
"""Where a generated file's own keys stand: `_ALL` below there. Lists have no step of their own."""

_NOTHING_SAYS: Final = "nothing says"
_REFUSED: Final = grow(NOT_BUILT)
_GROUPS: Final = grow((*ONE_OF, *SOME_OF, *BESIDE, *MISPLACED))


def parse_spec(document: Document) -> Spec:
    """The spec that a document holds.

    Raises:
        Rejected: S001 to S010, all of them in order of place, at most one a node, none of them
            caused by another.
    """
    written = without_free_keys(document.data)
    if not isinstance(written, dict) or "apiVersion" in written:
        _check_version(written)
    verdict = _validate(written, document)
    refused = [*walk(_REFUSED, written)]
    groups = [f for f in walk(_GROUPS, written) if not _follows(f, verdict.meant)]
    findings = _thinned(refused, list(verdict.findings), groups)
    if findings:
        raise Rejected(tuple(sorted(findings, key=lambda finding: _position(document, finding))))
    if verdict.spec is None:
        raise AssertionError("the models refused a spec, and nothing says why")
    return verdict.spec


def without_free_keys(data: Data, foreign: dict[str, Any] = _FOREIGN) -> Data:
    """The same data without the keys that are the user's own.

    Args:
        data: a spec, or a part of it.
        foreign: what of it is another tool's language: there a key that begins so is that tool's.
    """
    if foreign is _ALL:
        return data
    if isinstance(data, dict):
        return {
            key: without_free_keys(value, foreign.get(key, _NONE))
            for key, value in data.items()
            if not key.startswith(FREE_KEY)
        }
    if isinstance(data, list):
        return [without_free_keys(item, foreign) for item in data]
    return data


def _check_version(written: Data) -> None:
    """S009 for a spec of another language: nothing else about it can be judged."""
    version = written.get("apiVersion") if isinstance(written, dict) else None
    if isinstance(written, dict) and version == API_VERSION:
        return
    if isinstance(written, dict):
        message = f"this compiler reads apiVersion {API_VERSION}, not {version!r}"
        at: Path = ("apiVersion",)
    else:
        message, at = "a spec is a mapping: keys with values", ()
    help_ = f"write `apiVersion: {API_VERSION}`"
    if version in OLDER_VERSIONS:
        help_ = "run: mlopsc upgrade; it shows what changes before it writes anything"
    raise Rejected((Finding(codes.WRONG_VERSION, message, at, help_),))


# --- validation --------------------------------------------------------------------------------


@cache
def _written_ahead() -> Any:
    """The validator made of the schema written ahead; None if it was written for another release.

    Importing the models costs five times what validating with them does, so they are imported only
    to explain what is wrong.
    """
    import pydantic_core

    from mlopsc.spec import _schema

    if pydantic_core.__version__ != _schema.PYDANTIC_CORE:
        return None
    return pydantic_core.SchemaValidator(_schema.SCHEMA)


def _validate(written: Data, document: Document) -> Verdict:
    validator = _written_ahead()
    if validator is not None:
        try:
            return Verdict(cast("Spec", validator.validate_python(written)))
        except ValueError:  # pydantic_core.ValidationError is one
            pass
    from mlopsc.spec.explain import validate

    return validate(written, document)


# --- one finding a mistake ----------------------------------------------------------------------


def _thinned(
    refused: list[Finding], shape: list[Finding], groups: list[Finding]
) -> Iterable[Finding]:
    """At most one finding a node, and none that another one causes.

    A key that is not built yet answers for all below it; a word that is not built yet has to be a
    word of the language first; all that is missing at one node is said in one breath.
    """
    closed = {finding.at for finding in refused if finding.on_key}
    words = [f for f in refused if not f.on_key]
    kept: dict[Path, Finding] = {}
    for finding in (*(f for f in refused if f.on_key), *shape, *words, *groups):
        at = cast("Path", finding.at)
        itself = finding.code == codes.NOT_BUILT and finding.on_key
        if any(at[:length] in closed for length in range(len(at) + (not itself))):
            continue
        kept[at] = _joined(kept[at], finding) if at in kept else finding
    return kept.values()


def _follows(finding: Finding, meant: frozenset[Path]) -> bool:
    """Whether something is missing only because its key is misspelled."""
    missing = finding.message.startswith(_NOTHING_SAYS)
    return missing and any(path[:-1] == finding.at for path in meant)


def _joined(first: Finding, second: Finding) -> Finding:
    """The first of two findings at a node, and the second with it if both miss something."""
    if first.code != codes.MISSING_KEY or not second.message.startswith(_NOTHING_SAYS):
        return first
    return Finding(
        codes.MISSING_KEY,
        f"{first.message}, and {second.message}",
        first.at,
        help=f"{first.help}; {second.help}",
        on_key=True,
    )


def _position(document: Document, finding: Finding) -> tuple[int, int, int]:
    """File, line and column of a finding, files in the order they were read."""
    place = document.place(cast("Path", finding.at), on_key=finding.on_key)
    return (list(document.texts).index(place.file), place.line, place.column)
