"""Changes every leaf of a spec and holds what changed against what `affects` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from attribution.leaves import Leaf, leaves, replaced
from attribution.lines import changed
from attribution.values import others
from mlopsc.artifacts.render import render
from mlopsc.artifacts.trace import lines_by_path
from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.review.affects import decided_by
from mlopsc.source.document import Source
from mlopsc.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attribution.leaves import Scalar
    from mlopsc.artifacts.draft import Artifact, Draft
    from mlopsc.diagnostics.finding import Path

TRIED = 60
"""Candidates of a leaf that are compiled until enough are accepted."""
KEPT = 4
"""Accepted values of a leaf: what any of them changes, the leaf decides."""


@dataclass(frozen=True)
class Line:
    """A line of a generated file, of the compile with `value` in the leaf's place (None: as written)."""

    target: str
    path: str
    number: int
    text: str
    causes: tuple[Path, ...]
    value: Scalar = None
    new: bool = False


@dataclass
class Verdict:
    """What one leaf decides, and what `affects` says of it.

    Attributes:
        values: those the compiler took.
        refused: why the last candidate was not taken, if none was.
        missed: changed lines that are not attributed to the leaf.
        idle: lines attributed to the leaf that no value changed.
        hits: changed lines that are attributed; by target, as the next two.
        changes: changed lines of all values.
        claims: lines as written that are attributed.
    """

    leaf: Leaf
    values: list[Scalar] = field(default_factory=list)
    refused: str = ""
    missed: list[Line] = field(default_factory=list)
    idle: list[Line] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)


Files = dict[str, "File"]


@dataclass
class File:
    """A generated file, read into lines and causes when it is asked for."""

    target: str
    draft: Draft
    _artifact: Artifact | None = None
    _causes: dict[Path, set[int]] | None = None

    @property
    def artifact(self) -> Artifact:
        if self._artifact is None:
            self._artifact = render(self.draft, self.target)
        return self._artifact

    @property
    def causes(self) -> dict[Path, set[int]]:
        if self._causes is None:
            self._causes = lines_by_path(self.artifact)
        return self._causes


def files(compilation: Compilation) -> Files:
    """All files, none of them rendered yet."""
    return {
        draft.path: File(target.name, draft)
        for target in TARGETS
        for draft in target.emit(compilation.project)
    }


class Proof:
    """The leaves of one spec."""

    def __init__(self, text: str, name: str = "mlops.yaml") -> None:
        self._text = text
        self._name = name
        self._compilation = compile_spec(Source(name, text))
        self._files = files(self._compilation)
        self.leaves = leaves(self._compilation.document)

    def verdicts(self, wanted: Callable[[Leaf], bool] = lambda _leaf: True) -> Iterator[Verdict]:
        """One a leaf that is `wanted`, in order of place."""
        for leaf in self.leaves:
            if wanted(leaf):
                yield self.of(leaf)

    def of(self, leaf: Leaf) -> Verdict:
        """What `leaf` decides, by up to `KEPT` other values."""
        verdict = Verdict(leaf)
        moved: dict[str, set[int]] = {}
        for value, other in islice(self._variants(leaf, verdict), KEPT):
            verdict.values.append(value)
            self._compare(verdict, value, other, moved)
        if verdict.values:
            verdict.refused = ""
            self._weigh(verdict, moved)
        return verdict

    def _variants(self, leaf: Leaf, verdict: Verdict) -> Iterator[tuple[Scalar, Compilation]]:
        data = self._compilation.document.data
        verdict.refused = "there is no other value"
        for value in islice(others(leaf.paths[0], leaf.value, data), TRIED):
            text = replaced(self._text, leaf.place, value)
            try:
                yield value, compile_spec(Source(self._name, text))
            except Refused as refused:
                said = refused.diagnostics[0]
                verdict.refused = f"{value!r}: {said.code} {said.message}"

    def _compare(
        self, verdict: Verdict, value: Scalar, other: Compilation, moved: dict[str, set[int]]
    ) -> None:
        document = self._compilation.document
        news = files(other)
        for path in dict.fromkeys((*self._files, *news)):
            old, new = self._files.get(path), news.get(path)
            if old is not None and new is not None and old.draft == new.draft:
                continue
            decided = decided_by(old.causes, verdict.leaf.value_paths, document) if old else set()
            decides = (
                decided_by(new.causes, verdict.leaf.value_paths, other.document) if new else set()
            )
            gone, come = changed(
                old.artifact.text if old else "",
                new.artifact.text if new else "",
                decided,
                decides,
            )
            moved.setdefault(path, set()).update(gone)
            if old:
                _count(verdict, old, gone, decided, value, new=False)
            if new:
                _count(verdict, new, come, decides, value, new=True)

    def _weigh(self, verdict: Verdict, moved: dict[str, set[int]]) -> None:
        document = self._compilation.document
        for path, file in self._files.items():
            claimed = decided_by(file.causes, verdict.leaf.value_paths, document)
            used = claimed & moved.get(path, set())
            _add(verdict.claims, file.target, len(claimed))
            _add(verdict.used, file.target, len(used))
            verdict.idle += _told(file, claimed - used, None, new=False)


def _count(
    verdict: Verdict, file: File, lines: set[int], attributed: set[int], value: Scalar, *, new: bool
) -> None:
    _add(verdict.changes, file.target, len(lines))
    _add(verdict.hits, file.target, len(lines & attributed))
    verdict.missed += _told(file, lines - attributed, value, new=new)


def _add(counts: dict[str, int], target: str, number: int) -> None:
    if number:
        counts[target] = counts.get(target, 0) + number


def _told(file: File, numbers: set[int], value: Scalar, *, new: bool) -> list[Line]:
    if not numbers:
        return []
    texts = file.artifact.text.split("\n")
    return [
        Line(
            file.target,
            file.artifact.path,
            number,
            texts[number - 1],
            tuple(origin for origin, lines in file.causes.items() if number in lines),
            value,
            new,
        )
        for number in sorted(numbers)
    ]
