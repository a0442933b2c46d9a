"""The A codes: what can be wrong with patches. Each has a page of its own, docs/rules/CODE.md."""

from __future__ import annotations

from typing import Final

TITLES: Final[dict[str, str]] = {
    "A001": "A patch names no generated file",
    "A002": "A patch changes nothing",
    "A003": "What a patch expects is not there",
    "A004": "A patch does not fit what it changes",
    "A005": "A JSON patch names a place that is not there",
    "A006": "The text to replace does not occur exactly once",
    "A007": "A file of one's own cannot stand where `create` puts it",
    "A008": "The file to create from cannot be read",
}
