"""JSON Merge Patch (RFC 7396) on a draft, and the part of a file a patch expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Traced
from mlopsc.patching.refusal import unfitting
from mlopsc.patching.structure import bare, dotted, equal, identical, opened, said, shown

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Body
    from mlopsc.diagnostics.finding import Path
    from mlopsc.patching.structure import Origins, Plain


def merged(body: Body, patch: Plain, at: Path, behind: Origins = (), into: Path = ()) -> Body:
    """`body` with `patch` laid over it.

    A value a patch replaces stays among the causes of its line. A value that is there already keeps
    its own cause.

    Args:
        body: a draft's data, or a part of it.
        patch: what is laid over it.
        at: the spec path of `patch`.
        behind: the cause of `body` where it names none.
        into: where `body` stands in the file, for messages.

    Raises:
        Unfitting: A004: a mapping over a list. The RFC would throw the list away, and what people
            mean is one of its items.
    """
    if isinstance(body, Traced):
        return Traced(merged(body.body, patch, at, body.origins, into), body.origins)
    if not isinstance(patch, dict):
        return body if identical(bare(body), patch) else said(patch, at, behind)
    if isinstance(body, list):
        raise unfitting(
            "A004",
            f"a mapping is laid over {dotted(into)}, which is a list",
            at,
            "write the whole list, or change an item with `json` in place of `merge`:"
            f" `{{op: replace, path: /{'/'.join(map(str, into))}/0/…, value: …}}`",
            on_key=True,
        )
    if not isinstance(body, dict):
        return said(_without_nulls(patch), at, behind)
    result = dict(body)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif key in result:
            result[key] = merged(result[key], value, (*at, key), behind, (*into, key))
        else:
            result[key] = said(_without_nulls(value), (*at, key))
    return result


def _without_nulls(patch: Plain) -> Plain:
    """A patch over nothing: what it would remove is not there. Lists are taken as they are."""
    if isinstance(patch, dict):
        return {key: _without_nulls(value) for key, value in patch.items() if value is not None}
    return patch


def expect(body: Body, expected: Plain, at: Path, into: Path = ()) -> None:
    """Nothing, where `body` holds what is `expected`: maps in part, all else whole, null for no key.

    Raises:
        Unfitting: A003 at the first value that is another.
    """
    value, _ = opened(body, ())
    if isinstance(expected, dict) and isinstance(value, dict):
        for key, wanted in expected.items():
            here, there = (*at, key), (*into, key)
            if wanted is None and key in value:
                raise _unexpected(here, f"there is {dotted(there)}: {shown(bare(value[key]))}")
            if wanted is None:
                continue
            if key not in value:
                raise _unexpected(here, f"there is no {dotted(there)}")
            expect(value[key], wanted, here, there)
    elif not equal(bare(value), expected):
        raise _unexpected(at, f"{dotted(into)} is {shown(bare(value))}")


def _unexpected(at: Path, what: str) -> Exception:
    return unfitting(
        "A003",
        f"what the patch expects does not hold: {what}",
        at,
        "see whether the patch is still needed, then write what is there now",
        on_key=True,
    )
