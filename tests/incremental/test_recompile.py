"""An incremental compile says what a clean one says, or nothing."""

from __future__ import annotations

import os
import random
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from attribution.leaves import leaves, replaced
from attribution.values import others
from incremental.projects import compiled, digests, project, remembered, written
from mlopsc.compiler import Refused
from mlopsc.incremental.recompile import recompile
from mlopsc.spec.local import is_local
from mlopsc.targets.gitlab.limits import PARTS_TOGETHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path

FILES = project("returns", "refunds", "repeats")
BEFORE = remembered(FILES)
TREE = written(FILES)
DRAWS = int(os.environ.get("MLOPSC_DRAWS", "0")) or 120


def edits() -> Iterator[tuple[Path, str, bytes]]:
    """Every leaf of every file, changed to another value: path, file and its new content."""
    made = compiled(FILES)
    for leaf in leaves(made.document.base):
        file = leaf.place.file
        text = FILES[file].decode()
        for value in islice(others(leaf.paths[0], leaf.value, made.document.data), 3):
            yield leaf.paths[0], file, replaced(text, leaf.place, value).encode()


EDITS = list(edits())


def held_against_a_clean_compile(changed: dict[str, bytes]) -> bool | None:
    """Whether the incremental compile answered; None if the spec is wrong after the change.

    What it answers has to be what a clean compile gives.
    """
    try:
        clean = compiled({**FILES, **changed})
        wanted = digests(clean)
    except Refused:
        assert recompile(BEFORE, changed, TREE.__getitem__) is None
        return None
    after = recompile(BEFORE, changed, TREE.__getitem__)
    if after is None:
        return False
    got = dict(BEFORE.digests)
    for artifact in after.artifacts:
        got[artifact.path] = sha256(artifact.text.encode()).hexdigest()
    assert got == wanted
    assert after.diagnostics == clean.diagnostics
    return True


def test_the_edits_are_of_all_files() -> None:
    assert {file for _, file, _ in EDITS} == set(FILES)
    assert len(EDITS) > 300


def test_random_edits() -> None:
    drawn = random.Random(3).sample(EDITS, min(DRAWS, len(EDITS)))
    answered = []
    for path, file, content in drawn:
        answer = held_against_a_clean_compile({file: content})
        if answer is not None and is_local(path) and file != "mlops.yaml":
            answered.append(answer)
    assert answered
    assert sum(answered) / len(answered) > 0.7, "hardly anything is compiled by itself"


def test_two_files_at_once() -> None:
    for _ in range(5):
        (_, one, content), (_, other, content2) = random.Random(7).sample(EDITS, 2)
        if one != other:
            held_against_a_clean_compile({one: content, other: content2})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("min: 0.8,", "min: 0.81,"),
        ("max: 6}", "max: 8}"),
        ("threshold: 0.2", "threshold: 0.25"),
        ("memory: 4Gi", "memory: 8Gi"),
        ("max_iter: 200", "max_iter: 300"),
        ("src/train.py", "src/fit.py"),
        ("drift: retrain", "drift: alert"),
        ("max: 10000}", "max: 20000}"),
    ],
)
def test_what_concerns_one_model_is_compiled_by_itself(old: str, new: str) -> None:
    file = "models/returns.yaml"
    text = FILES[file].decode()
    assert old in text
    assert held_against_a_clean_compile({file: text.replace(old, new).encode()}) is True


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  returns:\n", "  returned:\n"),
        ("target: returns_orders:sent_back", "target: refunds_orders:sent_back"),
        ("key: customer", "key: client"),
        ("image: train", "image: registry.example.com/train:1"),
        ("habits, ", ""),
    ],
)
def test_what_others_may_speak_of_is_left_to_the_whole(old: str, new: str) -> None:
    file = "models/returns.yaml"
    text = FILES[file].decode()
    assert old in text
    assert not held_against_a_clean_compile({file: text.replace(old, new).encode()})


def test_a_comment_changes_nothing() -> None:
    file = "models/returns.yaml"
    assert held_against_a_clean_compile({file: b"# a word\n" + FILES[file]}) is True


def test_a_change_of_the_first_file_is_left_to_the_whole() -> None:
    changed = FILES["mlops.yaml"].replace(b"low: 2", b"low: 3")
    assert recompile(BEFORE, {"mlops.yaml": changed}, TREE.__getitem__) is None


def test_a_file_everybody_reads_reaches_everybody() -> None:
    assert BEFORE.names.reached(["shared.yaml"], "mlops.yaml") == set(FILES) - {"mlops.yaml"}
    assert BEFORE.names.reached(["models/returns.yaml"], "mlops.yaml") == {"models/returns.yaml"}


def test_files_that_are_no_specs() -> None:
    """A patch takes its text from a file of the project: it is there in every part, and reaches everything."""
    patched = dict(FILES)
    patched["mlops.yaml"] += b"patches: [{create: NOTES.md, from: docs/notes.txt}]\n"
    patched["docs/notes.txt"] = b"some words\n"
    before, tree = remembered(patched), written(patched)
    model = patched["models/returns.yaml"].replace(b"threshold: 0.2", b"threshold: 0.25")
    assert recompile(before, {"models/returns.yaml": model}, tree.__getitem__) is not None
    assert recompile(before, {"docs/notes.txt": b"others\n"}, tree.__getitem__) is None


def test_more_models_than_one_pipeline_holds() -> None:
    """A part of a large project has the pipelines of a large project."""
    many = project(*(f"number_{number}" for number in range(PARTS_TOGETHER + 1)))
    many["mlops.yaml"] = (
        many["mlops.yaml"].replace(b"returns", b"number_1").replace(b"refunds", b"number_2")
    )
    before, tree = remembered(many), written(many)
    file = "models/number_7.yaml"
    edited = many[file].replace(b"max_iter: 200", b"max_iter: 300")
    after = recompile(before, {file: edited}, tree.__getitem__)
    assert after is not None
    tree |= {each.path: each.text.encode() for each in after.artifacts}
    assert tree == written({**many, file: edited})
