"""Choices of ours in Great Expectations' files."""

from __future__ import annotations

from typing import Final

DECISIONS: Final = {
    "great_expectations.stores": "results and data docs are local and ignored by git; what is checked is committed",
    "great_expectations.analytics": "a pipeline tells nobody else that it ran",
    "great_expectations.ids": "Great Expectations links its files by id; ours follow from the names, so they never move",
    "great_expectations.exists": "a column that is gone is said as such, not as an error of some other check",
    "great_expectations.not_empty": "an empty table would pass every other check",
    "great_expectations.timestamp": "a row without a time belongs to no window",
    "great_expectations.types": "the types that pandas gives the spec's type when it reads a file",
}
