"""What changed from one version of the language to the next, as edits that keep what a spec meant.

`mlopsc/v1beta1` is the language before its first release. Where it and `mlopsc/v1` differ, a key that is
not written means something else now: what it meant then is written out, where v1 has a word for it, and
said, where it has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.source.document import Data


@frozen
class Added:
    """A key that is written out: `key: value` beside the key at `beside`."""

    beside: Path
    key: str
    value: str  # a plain word, such as an item's name
    why: str


@frozen
class Said:
    """What no edit can keep: something at `at` means another thing now."""

    at: Path
    message: str


@frozen
class Migration:
    """From the version `older` to `newer`."""

    older: str
    newer: str
    steps: Callable[[dict[str, Data]], Iterator[Added | Said]]


def _from_v1beta1(spec: dict[str, Data]) -> Iterator[Added | Said]:
    yield from _only_image(spec)
    for name, model in _items(spec, "models"):
        drift = _below(_below(model, "monitoring"), "drift")
        if isinstance(drift, dict) and "method" not in drift:
            yield Said(
                ("models", name, "monitoring", "drift"),
                "mlopsc/v1beta1 measured each column's drift by a method that fits its type, mlopsc/v1"
                " measures psi: write `method`, and a `threshold` that goes with it, to have another",
            )


def _only_image(spec: dict[str, Data]) -> Iterator[Added]:
    """A step that names no image ran in the only one of `images`; now it runs in a plain Python."""
    images = spec.get("images")
    if not isinstance(images, dict) or len(images) != 1:
        return
    (image,) = images
    for chapter, part in (("sources", "build"), ("models", "training")):
        for name, item in _items(spec, chapter):
            step = _below(item, part)
            if isinstance(step, dict) and "command" in step and "image" not in step:
                yield Added(
                    (chapter, name, part, "command"),
                    "image",
                    image,
                    f"without `image`, mlopsc/v1beta1 ran it in '{image}', the only one of `images`",
                )


def _items(spec: dict[str, Data], chapter: str) -> Iterator[tuple[str, Data]]:
    items = spec.get(chapter)
    if isinstance(items, dict):
        yield from items.items()


def _below(data: Data, key: str) -> Data:
    return data.get(key) if isinstance(data, dict) else None


MIGRATIONS: Final = (Migration("mlopsc/v1beta1", "mlopsc/v1", _from_v1beta1),)
"""Oldest first; a spec goes through all from its own version on."""
