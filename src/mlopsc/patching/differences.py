"""What was edited by hand in a generated file, as the smallest patch that says it."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from mlopsc.patching.structure import identical
from mlopsc.source.interpolation import OPENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.patching.structure import Plain

FREE_KEY: Final = "x-"  # below such a key nothing is filled in, and so nothing needs an escape


def of_data(path: str, before: Plain, after: Plain) -> dict[str, Plain]:
    """The patch that makes the data `after` of `before`; both are mappings, or both are lists.

    A merge patch, with what it replaces as `expect`, where one can say it: not into lists of
    mappings, and not a null. There a JSON patch, which tests what it replaces.
    """
    if isinstance(before, dict) and isinstance(after, dict) and _can_merge(before, after):
        expected, laid = _merge(before, after)
        patch: dict[str, Plain] = {"artifact": path}
        if expected:
            patch["expect"] = _escaped(expected)
        return {**patch, "merge": _escaped(laid)}
    steps: list[Plain] = [_escaped(step) for step in _operations(before, after, "")]
    return {"artifact": path, "json": steps}


def of_text(path: str, before: str, after: str) -> dict[str, Plain]:
    """The patch that makes the text `after` of `before`, which is not empty: whole lines replaced."""
    pieces: list[Plain] = [
        {"find": _escaped(find), "with": _escaped(instead)}
        for find, instead in _replacements(before, after)
    ]
    return {"artifact": path, "replace": pieces}


def _escaped(value: Plain) -> Plain:
    """`value` as a spec writes it: there `${` asks for something to be filled in."""
    if isinstance(value, str):
        return value.replace(OPENS, f"${OPENS}")
    if isinstance(value, dict):
        return {
            key: child if key.startswith(FREE_KEY) else _escaped(child)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [_escaped(child) for child in value]
    return value


# --- merge patches -----------------------------------------------------------------------------


def _can_merge(before: Plain, after: Plain) -> bool:
    if identical(before, after):
        return True
    if isinstance(before, dict) and isinstance(after, dict):
        return all(
            _can_merge(before[key], value) if key in before else _holds_no_null(value)
            for key, value in after.items()
        )
    if isinstance(before, list) and isinstance(after, list):
        return not any(isinstance(item, dict | list) for item in (*before, *after))
    # What a mapping is laid over has to be one, or the patch would not be what people mean by it.
    return _holds_no_null(after) and not (isinstance(before, list) and isinstance(after, dict))


def _holds_no_null(value: Plain) -> bool:
    if isinstance(value, dict):
        return all(map(_holds_no_null, value.values()))
    return value is not None


def _merge(before: dict[str, Plain], after: dict[str, Plain]) -> tuple[Any, Any]:
    """What is expected before, and what is laid over it."""
    expected: dict[str, Plain] = {}
    laid: dict[str, Plain] = {}
    for key, value in before.items():
        if key not in after:
            laid[key] = None
            expected[key] = value
            continue
        now = after[key]
        if identical(value, now):
            continue
        if isinstance(value, dict) and isinstance(now, dict):
            was, is_ = _merge(value, now)
            laid[key] = is_
            if was:
                expected[key] = was
        else:
            laid[key] = now
            expected[key] = value
    for key, value in after.items():
        if key not in before:
            laid[key] = value
    return _without_nulls(expected), laid


def _without_nulls(expected: dict[str, Plain]) -> dict[str, Plain]:
    """What was null before cannot be expected: null there says that there is no such key."""
    return {key: value for key, value in expected.items() if _holds_no_null(value)}


# --- JSON patches ------------------------------------------------------------------------------


def _operations(before: Plain, after: Plain, at: str) -> Iterator[dict[str, Plain]]:
    """Steps in an order in which each finds what the ones before have left."""
    if identical(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            below = f"{at}/{_step(key)}"
            if key in after:
                yield from _operations(value, after[key], below)
            else:
                yield from _tested(below, value)
                yield {"op": "remove", "path": below}
        for key, value in after.items():
            if key not in before:
                yield {"op": "add", "path": f"{at}/{_step(key)}", "value": value}
    elif isinstance(before, list) and isinstance(after, list):
        yield from _in_list(before, after, at)
    else:
        yield from _tested(at, before)
        yield {"op": "replace", "path": at, "value": after}


def _in_list(before: list[Plain], after: list[Plain], at: str) -> Iterator[dict[str, Plain]]:
    """Steps from the end to the start, so that none moves what another is about.

    Items that are named are told apart by their names: a container that changed is that container.
    """
    matcher = SequenceMatcher(None, _marks(before), _marks(after), autojunk=False)
    for tag, i, j, k, m in reversed(matcher.get_opcodes()):
        if tag == "equal" or (tag == "replace" and not _named(before[i:j] + after[k:m])):
            paired = min(j - i, m - k)
            yield from _longer_or_shorter(before, after[k + paired : m], (i + paired, j), at)
            for offset in reversed(range(paired)):
                yield from _item(before[i + offset], after[k + offset], f"{at}/{i + offset}")
        else:
            yield from _longer_or_shorter(before, after[k:m], (i, j), at)


def _longer_or_shorter(
    before: list[Plain], added: list[Plain], gone: tuple[int, int], at: str
) -> Iterator[dict[str, Plain]]:
    """Takes out the items from `gone[0]` to before `gone[1]`, and puts `added` in their place."""
    first, end = gone
    for position in reversed(range(first, end)):
        yield from _recognised(before[position], f"{at}/{position}")
        yield {"op": "remove", "path": f"{at}/{position}"}
    if end == len(before):
        for item in added:
            yield {"op": "add", "path": f"{at}/-", "value": item}
        return
    if added:  # what they are put in front of
        yield from _recognised(before[end], f"{at}/{first}")
    for item in reversed(added):
        yield {"op": "add", "path": f"{at}/{first}", "value": item}


def _item(before: Plain, after: Plain, at: str) -> Iterator[dict[str, Plain]]:
    steps = list(_operations(before, after, at))
    if steps and isinstance(before, dict) and isinstance(after, dict) and "name" in before:
        test = {"op": "test", "path": f"{at}/name", "value": before["name"]}
        if test not in steps:
            yield test
    yield from steps


def _recognised(item: Plain, at: str) -> Iterator[dict[str, Plain]]:
    if isinstance(item, dict) and "name" in item:
        yield {"op": "test", "path": f"{at}/name", "value": item["name"]}
    else:
        yield from _tested(at, item)


def _tested(at: str, value: Plain) -> Iterator[dict[str, Plain]]:
    yield {"op": "test", "path": at, "value": value}


def _named(items: list[Plain]) -> bool:
    return any(isinstance(item, dict) and "name" in item for item in items)


def _marks(items: list[Plain]) -> list[str]:
    """By what items are recognised: their name if they have one, else all they are."""
    return [
        f"name {item['name']!r}" if isinstance(item, dict) and "name" in item else repr(item)
        for item in items
    ]


def _step(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# --- text --------------------------------------------------------------------------------------


def _replacements(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Pieces of whole lines and what stands in their place, for one pass after the other.

    Each piece is looked for in the text the ones before have made, and has lines around it until it
    is there once.
    """
    old, new = _lines(before), _lines(after)
    moved = 0  # by how many lines the text has grown so far
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    current = old
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            continue
        first, end = i + moved, j + moved
        low, high = _once(current, first, end)
        find = "".join(current[low:high])
        instead = "".join((*current[low:first], *new[k:m], *current[end:high]))
        yield find, instead
        current = [*current[:first], *new[k:m], *current[end:]]
        moved += (m - k) - (j - i)


def _lines(text: str) -> list[str]:
    """Lines with their ends; not `splitlines`, which also divides at characters within a line."""
    *ended, rest = text.split("\n")
    return [f"{line}\n" for line in ended] + ([rest] if rest else [])


def _once(lines: list[str], first: int, end: int) -> tuple[int, int]:
    """The lines from `first` to before `end` with as many around them as make them unique."""
    text = "".join(lines)
    low, high = first, end
    while low == high or _occurs_twice(text, "".join(lines[low:high])):
        if low > 0:
            low -= 1
        if high < len(lines) and (low == 0 or _occurs_twice(text, "".join(lines[low:high]))):
            high += 1
    return low, high


def _occurs_twice(text: str, piece: str) -> bool:
    return text.find(piece, text.find(piece) + 1) >= 0
