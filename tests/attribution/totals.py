"""Recall and precision, pooled over leaves, for each target."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution.proof import Verdict


class Totals:
    """Counts of many verdicts.

    Recall: of the lines that a leaf's change moved (gone, come, or other), the share that `affects`
    attributes to it. Precision: of the lines attributed to a leaf, the share that some value moved.
    """

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.claims: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        self.leaves = 0
        self.unchanged: list[tuple[str, str]] = []
        self.silent: list[str] = []

    def add(self, verdict: Verdict) -> None:
        self.leaves += 1
        if not verdict.values:
            self.unchanged.append((verdict.leaf.name, verdict.refused))
            return
        if not verdict.changes:
            self.silent.append(verdict.leaf.name)
        self.hits.update(verdict.hits)
        self.changes.update(verdict.changes)
        self.claims.update(verdict.claims)
        self.used.update(verdict.used)

    @property
    def recall(self) -> float:
        return _share(self.hits.total(), self.changes.total())

    @property
    def precision(self) -> float:
        return _share(self.used.total(), self.claims.total())

    def __str__(self) -> str:
        rows = [
            (
                target,
                self.hits[target],
                self.changes[target],
                self.used[target],
                self.claims[target],
            )
            for target in sorted(self.changes.keys() | self.claims.keys())
        ]
        rows.append(
            (
                "all",
                self.hits.total(),
                self.changes.total(),
                self.used.total(),
                self.claims.total(),
            )
        )
        told = [
            f"  {target:<20} recall {_share(hits, changes):7.2%} of {changes:>6}"
            f"   precision {_share(used, claims):7.2%} of {claims:>6}"
            for target, hits, changes, used, claims in rows
        ]
        told.append(
            f"  {self.leaves} leaves: {len(self.unchanged)} could not be changed,"
            f" {len(self.silent)} decide no line"
        )
        told += [f"    not changed: {name} ({why})" for name, why in self.unchanged]
        told += [f"    no line: {name}" for name in self.silent]
        return "\n".join(told)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
