"""A spec with everything it leaves unsaid: the documented defaults in the place of absent keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlopsc.spec.parse import without_free_keys

if TYPE_CHECKING:
    from mlopsc.source.document import Data, Document


def with_defaults(document: Document) -> dict[str, Data]:
    """The data of a valid document, every key that has a default included, in the language's order.

    Keys that may be absent and are stay absent, and so do empty chapters.
    """
    from mlopsc.spec.root import Spec  # only this needs the models of a spec that is right

    made: dict[str, Any] = Spec.model_validate(without_free_keys(document.data)).model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    return {key: value for key, value in made.items() if value or document.has((key,))}
