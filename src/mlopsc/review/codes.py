"""Every code a diagnostic can have, with its title: the tables of all rooms as one."""

from __future__ import annotations

from typing import Final

from mlopsc.diagnostics.codes import TEXT_CODES
from mlopsc.extending import codes as extensions
from mlopsc.patching import codes as patches
from mlopsc.project.resolve import codes as names
from mlopsc.rules import RULES
from mlopsc.spec import codes as shapes
from mlopsc.workspace import codes as files


def _titles() -> dict[str, str]:
    """Code → title, in the order of the way through: text, shape, names, rules, patches, files.

    Raises:
        ValueError: two rooms, or two rules, use one code.
    """
    pairs = [
        *((code, known.title) for code, known in TEXT_CODES.items()),
        *((code, _first_sentence(meaning)) for code, meaning in shapes.MEANINGS.items()),
        *names.TITLES.items(),
        *((rule.code, rule.title.removesuffix(".")) for rule in RULES),
        *patches.TITLES.items(),
        *extensions.TITLES.items(),
        *files.TITLES.items(),
    ]
    titles = dict(pairs)
    if len(titles) != len(pairs):
        raise ValueError("a code is used twice")
    return titles


def _first_sentence(meaning: str) -> str:
    """A meaning as a heading: its examples and what follows from it are left to the page."""
    return meaning.partition(". ")[0].partition(": ")[0].removesuffix(".")


CODES: Final = _titles()
"""Code → title. Each has a page, docs/rules/CODE.md, which `mlopsc explain CODE` shows."""
