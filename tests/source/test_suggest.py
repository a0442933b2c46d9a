"""Did you mean."""

from __future__ import annotations

import pytest

from mlopsc.source.suggest import closest


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("total_purchase", ["total_purchases", "ttl"], "total_purchases"),
        ("Model-Registry", ["model_registry", "models"], "model_registry"),
        ("replica", ["replicas", "request"], "replicas"),
        ("xyz", ["replicas", "request"], None),
        ("ab", ["abd", "abc"], "abc"),
        ("", ["abc"], None),
        ("anything", [], None),
    ],
)
def test_the_nearest_name_is_meant(word: str, known: list[str], meant: str | None) -> None:
    assert closest(word, known) == meant
    assert closest(word, reversed(known)) == meant
