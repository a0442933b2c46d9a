"""The reader of selectors, against expressions whose selectors are known and against promtool."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopsc.project.alerting.reading import (
    Malformed,
    Matcher,
    Selector,
    braced,
    selected,
    selectors,
)
from promql import Maker, Read, refused

if TYPE_CHECKING:
    from pathlib import Path


def plain(selector: Selector) -> Read:
    return selector.metric or "", tuple((m.label, m.operator, m.value) for m in selector.matchers)


def drawn(seed: int) -> tuple[str, list[Read]]:
    maker = Maker(Random(seed))
    return maker.vector(), maker.read


@given(st.integers(0, 2**32))
def test_what_is_read_is_found(seed: int) -> None:
    query, read = drawn(seed)
    assert [plain(found) for found in selectors(query)] == read


def test_promtool_knows_the_same_language(tmp_path: Path) -> None:
    """Else the test above would be about a language of its own."""
    queries = [drawn(seed)[0] for seed in range(400)]
    assert {queries[number] for number in refused(queries, tmp_path)} == set()


def damaged(seed: int) -> str:
    """A drawn query with a piece taken out, doubled or put in."""
    random = Random(seed)
    query = drawn(seed)[0]
    at = random.randrange(len(query))
    put = random.choice(
        ("", "", query[at] * 2, "(", ")", "{", "}", "[", "]", '"', "'", "$", ";", " + ")
    )
    return query[:at] + put + query[at + 1 :]


def test_nothing_is_refused_that_promtool_takes(tmp_path: Path) -> None:
    queries = [damaged(seed) for seed in range(1500)]
    wrong = refused(queries, tmp_path)
    ours = {number for number, query in enumerate(queries) if is_malformed(query)}
    assert {queries[number] for number in ours - wrong} == set()
    assert len(ours) > len(wrong) / 3  # most damage can be told without Prometheus


def is_malformed(query: str) -> bool:
    try:
        selectors(query)
    except Malformed:
        return True
    return False


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    is_malformed(text)


@given(st.text(alphabet="a{}[]()\"'`\\#=~!,:.5 \n", max_size=40))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    is_malformed(text)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "is empty"),
        ("  # nothing\n", "is empty"),
        ("sum(x", "has a ( that is never closed"),
        ("sum by (a (x)", "ends where a value belongs"),
        ("x by (a", "has a ( that is never closed"),
        ("x)", "closes a ) that was never opened"),
        ("x) + (y", "closes a ) that was never opened"),
        ("rate(x[5m)", "has a [ that is never closed"),
        ("x]", "closes a ] that was never opened"),
        ('x{a="b"', "has a { that is never closed"),
        ('x{a="b}', "has a { that is never closed"),
        ('label_replace(x, "a)', 'has a " that is never closed'),
        ("x}", "closes a } that was never opened"),
        ("x +", "ends where a value belongs"),
        ("x / on(a)", "ends where a value belongs"),
        ("x; y", "has a ';', which PromQL does not know"),
        ("x{a}", 'has {a}, and a label is matched like name="value"'),
        ("x{a=b}", 'has {a=b}, and a label is matched like name="value"'),
        ('x{a="b" c="d"}', 'has {a="b" c="d"}, and a label is matched like name="value"'),
        ("x{,}", 'has {,}, and a label is matched like name="value"'),
    ],
)
def test_what_is_wrong_is_said(query: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed) as raised:
        selectors(query)
    assert str(raised.value) == said
    assert refused([query], tmp_path) == {0}


@pytest.mark.parametrize(
    ("matcher", "value", "allowed"),
    [
        (Matcher("l", "=", "a"), "a", True),
        (Matcher("l", "=", "a"), "b", False),
        (Matcher("l", "!=", "a"), "b", True),
        (Matcher("l", "!=", "a"), "a", False),
        (Matcher("l", "=~", "a|b"), "b", True),
        (Matcher("l", "=~", "a|b"), "ab", False),
        (Matcher("l", "=~", ".*_score"), "credit_score", True),
        (Matcher("l", "=~", ".+"), "", False),
        (Matcher("l", "!~", "a.*"), "abc", False),
        (Matcher("l", "!~", "a.*"), "b", True),
        # Beyond words and wildcards, Go decides.
        (Matcher("l", "=~", "[[:alpha:]]+"), "1", True),
        (Matcher("l", "=~", "(a"), "b", True),
        (Matcher("l", "=~", "(a+)+$"), "a" * 60 + "b", True),
        (Matcher("l", "=~", ".*" * 30 + "x"), "a" * 60, True),
    ],
)
def test_matchers(matcher: Matcher, value: str, *, allowed: bool) -> None:
    assert matcher.allows(value) is allowed


def test_escapes_are_those_of_go() -> None:
    (found,) = selectors(r'x{a="\x41\u00fc\U0001F600\101\n\"",b=`\n`}')
    assert [matcher.value for matcher in found.matchers] == ['Aü😀A\n"', "\\n"]


def test_the_short_way_for_queries_of_ours() -> None:
    query = 'sum(rate(a_total{x="}{",y=~"b"}[5m])) / (c{} > 0) or label_replace(d{e="1"}, "f{", "", "", "")'
    assert [selected(*found) for found in braced(query)] == list(selectors(query))
