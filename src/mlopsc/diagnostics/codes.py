"""Codes of findings: each is stable, has a title and a page that `mlopsc explain` shows."""

from __future__ import annotations

from typing import Final

from mlopsc.frozen import frozen


@frozen
class Code:
    """What a code stands for.

    Attributes:
        title: in one short line, as a heading.
        page: the page that explains it, relative to docs/.
    """

    title: str
    page: str


def code_table(titles: dict[str, str]) -> dict[str, Code]:
    """`titles` (code → title) as a table of codes whose pages are `rules/CODE.md`."""
    return {code: Code(title, f"rules/{code}.md") for code, title in titles.items()}


TEXT_CODES: Final = code_table(
    {
        "Y001": "The file is not UTF-8",
        "Y002": "The file is not text",
        "Y003": "A character nobody can see",
        "Y004": "The file is too large",
        "Y005": "The file is empty",
        "Y006": "The top level is not a mapping",
        "Y007": "More than one document",
        "Y010": "A tab as indentation",
        "Y011": "The indentation does not fit",
        "Y012": "A colon, or the space after it, is missing",
        "Y013": "A second colon on one line",
        "Y014": "A quote is not closed",
        "Y015": "Brackets or commas do not match",
        "Y016": "A reserved character begins a value",
        "Y017": "An unknown escape in double quotes",
        "Y018": "Something follows after a value",
        "Y019": "The text breaks YAML's rules",
        "Y020": "A key is written twice",
        "Y021": "A key is not text",
        "Y022": "A tag",
        "Y023": "An alias without its anchor",
        "Y024": "A value that contains itself",
        "Y025": "Too many values",
        "Y026": "Nested too deep",
        "Y027": "A merge of something that is not a mapping",
        "Y028": "A number that is not finite",
        "Y029": "A number too long to keep",
        "Y030": "An include that meets no file",
        "Y031": "Files that include each other",
        "Y032": "A name defined in two files",
        "Y033": "Nothing to fill in",
        "Y034": "Variables that lead back to themselves",
        "Y035": "`${…}` that is not of the language",
        "Y036": "A change to what is not there",
        "Y037": "An override of what composes the spec",
    }
)
"""Y: text. What the reader refuses before anything of the language is looked at."""
