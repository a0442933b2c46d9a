"""Plain data, as the writers look for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_TYPES: Final = frozenset({str, dict, list, int, float, bool, type(None)})


def plain(value: Any) -> Any:
    """`value` as the very type the writers look for: enums, tuples, read-only maps are unwrapped.

    Raises:
        TypeError: for anything that is not plain data.
    """
    kind = type(value)
    if kind in _TYPES:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return list(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"a draft holds {value!r}, which is no plain data")
