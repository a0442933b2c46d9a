"""What YAML allows and a spec does not, as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Finding, Note, Place
from mlopsc.source.limits import MAX_DEPTH, MAX_NODES
from mlopsc.source.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlopsc.source.document import Data


def kind_of(data: Data) -> str:
    """What `data` is, in a user's words."""
    match data:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case None:
            return "empty"
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case _:
            return "text"


def empty(at: Place, *, blank: bool) -> Finding:
    """No document, or one without a word in it."""
    message = "the file is empty" if blank else "the file holds no keys"
    return Finding("Y005", message, at, "`mlopsc init` writes a first spec")


def not_a_mapping(data: Data, at: Place) -> Finding:
    """A list or a scalar at the top."""
    return Finding(
        "Y006",
        f"the file holds {kind_of(data)}, a spec is a mapping of keys to values",
        at,
        "start with `apiVersion: mlopsc/v1` and, on the next line, `project: NAME`",
    )


def second_document(at: Place) -> Finding:
    """`---` after the first document."""
    return Finding(
        "Y007",
        "a second document starts here; a spec is one document",
        at,
        "remove this line, or move what follows into a file of its own",
    )


def duplicate(key: str, at: Place, first: Place) -> Finding:
    """One key, two values: YAML readers differ in which they keep."""
    return Finding(
        "Y020",
        f"the key '{key}' is written twice in one mapping",
        at,
        "keep one of the two, or join what stands under them",
        (Note("the first one stands", first),),
    )


def second_merge(at: Place, first: Place) -> Finding:
    """`<<` twice; a list merges several."""
    return Finding(
        "Y020",
        "the key '<<' is written twice in one mapping",
        at,
        "merge several mappings with one list: `<<: [*ONE, *TWO]`",
        (Note("the first one stands", first),),
    )


def key_of_a_kind(text: str, kind: str, at: Place) -> Finding:
    """A number, a truth value or nothing as a key."""
    return Finding(
        "Y021",
        f"the key {text or '(nothing)'} is {kind}, keys are text",
        at,
        f'quote it: "{text}":' if text else "write a name before the colon",
    )


def key_not_a_word(at: Place, *, alias: bool) -> Finding:
    """A list, a mapping or an alias as a key."""
    if alias:
        return Finding(
            "Y021", "an alias cannot be a key", at, "write the key out; an alias repeats a value"
        )
    return Finding(
        "Y021",
        "a list or a mapping cannot be a key",
        at,
        "a key is a name; text that starts with `{` or `[` needs quotes",
    )


def anchor_on_key(name: str, at: Place) -> Finding:
    """`&name key: value`."""
    return Finding(
        "Y021",
        "an anchor cannot stand on a key",
        at,
        f"write it on the value, after the colon: `&{name} VALUE`",
    )


def tag(at: Place) -> Finding:
    """`!name`, `!!type`: data decides its own type here, and no code is named in a spec."""
    return Finding(
        "Y022",
        "tags (`!…`) are not part of the language",
        at,
        "remove it; to make a value text, quote it; text that starts with ! needs quotes",
    )


def no_anchor(name: str, known: Iterable[str], at: Place, below: int | None) -> Finding:
    """An alias whose anchor stands on the line `below` it, or nowhere."""
    guess = closest(name, known)
    if below is not None:
        advice = f"'&{name}' stands on line {below}: an anchor comes before its aliases"
    elif guess is not None:
        advice = f"did you mean '*{guess}'?"
    else:
        advice = f'for text that starts with *, quote it: "*{name}"'
    return Finding("Y023", f"no anchor '&{name}' stands above this alias", at, advice)


def loop(name: str, at: Place, anchor: Place) -> Finding:
    """An alias inside its own anchor."""
    return Finding(
        "Y024",
        f"'*{name}' stands inside '&{name}': the value would contain itself",
        at,
        "move the shared part into a value of its own and refer to that from both",
        (Note(f"'&{name}' starts", anchor),),
    )


def too_many_values(at: Place) -> Finding:
    """An alias bomb, or a file far beyond any spec."""
    return Finding(
        "Y025",
        f"the spec grows beyond {MAX_NODES:,} values here, aliases counted at each use",
        at,
        "an alias repeats its whole value; aliases of aliases multiply",
    )


def too_deep(at: Place) -> Finding:
    """Nesting that would cost memory and exhaust the stacks of readers."""
    return Finding(
        "Y026",
        f"nested more than {MAX_DEPTH} levels deep",
        at,
        "no key of the language is nested nearly as deep; is a bracket left open above?",
    )


def merge_of(data: Data, at: Place) -> Finding:
    """`<<` with something that has no keys."""
    return Finding(
        "Y027",
        f"`<<` merges mappings, this is {kind_of(data)}",
        at,
        "write `<<: *NAME` with the anchor of a mapping, or `<<: [*ONE, *TWO]`",
    )


def number(code: str, problem: str, text: str, at: Place) -> Finding:
    """A number that files cannot hold, or not exactly (`Y028`, `Y029`)."""
    return Finding(code, problem, at, f'if text is meant, quote it: "{text}"')
