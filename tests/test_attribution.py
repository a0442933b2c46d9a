"""Who decides a line: every leaf of every example is changed, and the lines that move are held against it."""

from __future__ import annotations

import pytest

import tools
from attribution.proof import Proof
from attribution.totals import Totals

EXAMPLES = sorted(path.parent.name for path in (tools.ROOT / "examples").glob("*/mlops.yaml"))
PROVEN = ("gitlab", "great_expectations", "prometheus")
"""Targets of whose lines each says all that decides it."""
PRECISION = 88.0
"""Per cent of the lines attributed to a leaf that some other value of it moves; the least of any example."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_line_that_moves_with_a_leaf_is_attributed_to_it(name: str) -> None:
    text = (tools.ROOT / "examples" / name / "mlops.yaml").read_text("utf-8")
    totals = Totals()
    for verdict in Proof(text).verdicts():
        totals.add(verdict)
    print(totals)
    assert totals.leaves > 10
    for target in PROVEN:
        assert totals.hits[target] == totals.changes[target], target
        assert 100 * totals.used[target] >= PRECISION * totals.claims[target], target
