"""The codes of this room and what they mean: `S`, for the shape of what was written."""

from __future__ import annotations

from typing import Final

UNKNOWN_KEY: Final = "S001"
WRONG_TYPE: Final = "S002"
MISSING_KEY: Final = "S003"
UNKNOWN_WORD: Final = "S004"
WRONG_FORMAT: Final = "S005"
OUT_OF_RANGE: Final = "S006"
WRONG_GROUP: Final = "S007"
MISPLACED_KEY: Final = "S008"
WRONG_VERSION: Final = "S009"
NOT_BUILT: Final = "S010"
DIFFERS: Final = "S011"

MEANINGS: Final[dict[str, str]] = {
    UNKNOWN_KEY: "The language has no such key here.",
    WRONG_TYPE: "A value is of another kind than the key takes: a number for a text, a list for a"
    " mapping, nothing at all.",
    MISSING_KEY: "A key that has no default is missing.",
    UNKNOWN_WORD: "A value is none of the words the key knows.",
    WRONG_FORMAT: "A text is not written the way the key takes it.",
    OUT_OF_RANGE: "A number is too small or too large, or a list or mapping has too few or too many"
    " entries.",
    WRONG_GROUP: "Of keys that exclude each other there is not exactly one.",
    MISPLACED_KEY: "A key is known here, but means nothing beside what else is written.",
    WRONG_VERSION: "The spec does not say which version of the language it is written in, or one"
    " that this compiler does not read.",
    NOT_BUILT: "A part of the language that this release does not compile yet. It is refused so"
    " that nothing is silently left out.",
    DIFFERS: "A value differs between environments, and files that all of them share are made from it.",
}
