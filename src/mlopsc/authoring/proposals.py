"""What a column's values suggest. Only proposals: a file shows what was, not what may be."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from mlopsc.authoring.facts import MOST_VALUES
from mlopsc.authoring.words import is_printable, name_from, number, rough, scalar
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.authoring.facts import ColumnFacts, Value

MOST_CATEGORIES: Final = 20
CATEGORY_SHARE: Final = 0.05  # of the rows: more different values than that are no categories
LONGEST_CATEGORY: Final = 40  # characters
FEWEST_TO_IDENTIFY: Final = 100  # rows, below which being unique is chance
LARGEST_EXACT: Final = 2**53  # beyond, JSON readers and floats lose digits

_NULL_STEPS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

_IDENTIFIES: Final = frozenset({"id", "uuid", "guid", "key"})
_PERSONAL: Final = frozenset(
    {"email", "mail", "phone", "mobile", "telephone", "fax", "address", "street", "ssn", "iban"}
    | {"passport", "birth", "birthday", "birthdate", "dob", "firstname", "lastname", "surname"}
    | {"fullname", "forename", "username", "nickname", "gender", "sex", "religion", "ethnicity"}
    | {"nationality"}
)
_OF_A_PERSON: Final = frozenset(
    {"first", "last", "full", "middle", "family", "given", "maiden", "user", "customer", "client"}
    | {"patient", "person", "employee", "contact", "member"}
)


def words_of(name: str) -> list[str]:
    """The words of a column's name: `customerId` and `customer_id` have the same two."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")


def looks_personal(name: str) -> bool:
    """Whether a column of this name is likely to be about a person."""
    words = words_of(name)
    if "name" in words and (words == ["name"] or not _OF_A_PERSON.isdisjoint(words)):
        return True
    return not _PERSONAL.isdisjoint(words)


def null_bound(share: float) -> float:
    """The share of missing values to allow: the next step well above what was seen."""
    return next((step for step in _NULL_STEPS if step >= share * 1.25), 1.0)


def percentage(share: float) -> str:
    """0.05 as `5%`."""
    return f"{share * 100:.6g}%"


@frozen
class Proposal:
    """What stands in a column's comment.

    Attributes:
        remarks: what was seen, in a few words each.
        keys: what could be written beside the type: key of the language → YAML text.
        no_feature: why the column is not among the first spec's features; None if it is.
    """

    remarks: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)
    no_feature: str | None = None


def propose(column: ColumnFacts, rows: int) -> Proposal:
    """What the values of one column, in a table of so many rows, suggest."""
    if looks_personal(column.name) or _holds_mail_addresses(column):
        return _about_a_person(column, rows)
    remarks: list[str] = []
    keys: dict[str, str] = {}
    no_feature = None
    categories = _categories(column, rows)
    if column.values is not None and len(column.values) == 1 and rows > 1:
        remarks.append(f"always {_shown(column.values[0])}")
        no_feature = "always the same"
    elif _identifies(column, rows):
        keys["key"] = _entity(column.name)
        remarks.append("no value twice" if column.unique else f"which {keys['key']}?")
        no_feature = "identifies rows"
    elif categories is not None:
        remarks.append(f"{len(categories)} values")
        keys["one_of"] = f"[{', '.join(map(scalar, categories))}]"
    elif column.low is not None and column.high is not None:
        remarks.append(f"{rough(column.low)} to {rough(column.high)}")
        keys |= _range(column)
    elif column.type == "string" and rows:
        count = f"more than {MOST_VALUES}" if column.values is None else len(column.values)
        remarks.append(f"{count} values")
    if column.remark:
        remarks.append(column.remark)
    if column.type == "timestamp":
        no_feature = "a time"
    return Proposal(tuple(remarks), keys, no_feature)


def _holds_mail_addresses(column: ColumnFacts) -> bool:
    return column.type == "string" and any("@" in str(value) for value in column.values or ())


def _about_a_person(column: ColumnFacts, rows: int) -> Proposal:
    """No value of such a column is shown: a spec is committed, and read by many."""
    keys = {"key": _entity(column.name)} if _identifies(column, rows) else {}
    remark = "about a person?"
    return Proposal((remark,), {**keys, "personal": "true"}, remark)


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return scalar(value) if _short(value) else "the same text"
    return "true" if value is True else "false" if value is False else rough(value)


def _short(value: str) -> bool:
    return len(value) <= LONGEST_CATEGORY and is_printable(value)


def _identifies(column: ColumnFacts, rows: int) -> bool:
    if column.type not in ("string", "int32", "int64"):
        return False
    if words_of(column.name)[-1] in _IDENTIFIES:
        return True
    return column.unique and column.null_share == 0 and rows >= FEWEST_TO_IDENTIFY


def _entity(column: str) -> str:
    """The entity a key column names: `customer_id` is about a customer."""
    words = words_of(column)
    stem = "_".join(words[:-1]) if words[-1] in _IDENTIFIES else column
    return name_from(stem, name_from(column, "entity"))


def _categories(column: ColumnFacts, rows: int) -> tuple[Value, ...] | None:
    """The values of a column that has few of them, and is not a range of whole numbers."""
    values = column.values
    if values is None or not (column.is_whole or column.type == "string"):
        return None
    if not 1 < len(values) <= min(MOST_CATEGORIES, rows * CATEGORY_SHARE):
        return None
    if column.is_whole:
        return None if _is_run(column) and len(values) > 2 else values  # noqa: PLR2004
    return values if all(_short(str(value)) for value in values) else None


def _is_run(column: ColumnFacts) -> bool:
    """Whether the whole numbers from the smallest to the largest occur: hours, months.

    A few may be missing if there are no more than categories: at 2 to 4 o'clock no plane leaves.
    """
    if column.values is None or column.low is None or column.high is None:
        return False
    span = column.high - column.low + 1
    count = len(column.values)
    return count == span or (count <= MOST_CATEGORIES and count >= span / 2)


def _range(column: ColumnFacts) -> dict[str, str]:
    """Bounds that are likely to hold for values not seen yet.

    Whole numbers with few gaps keep their ends; otherwise zero bounds what does not cross it, and
    what does gets the next round number on either side. A range that crosses nothing has no
    natural other end: none is proposed.
    """
    low, high = column.low, column.high
    assert low is not None  # noqa: S101 (the caller has seen it)
    assert high is not None  # noqa: S101
    if max(abs(low), abs(high)) > LARGEST_EXACT:
        return {}
    if column.is_whole and _is_run(column) and len(column.values or ()) > 2:  # noqa: PLR2004
        return {"min": number(low), "max": number(high)}
    if low >= 0:
        return {"min": "0", "max": "1"} if high <= 1 and not column.is_whole else {"min": "0"}
    if high <= 0:
        return {"max": "0"}
    return {"min": number(-_round_up(-low)), "max": number(_round_up(high))}


def _round_up(value: float) -> float:
    """The next number above with one digit that is not zero: 1301 → 2000, 40 → 50."""
    digit, _, power = f"{value:.0e}".partition("e")
    near = float(f"{digit}e{power}")
    return near if near > value else float(f"{int(digit) + 1}e{power}")
