"""What is to be written is read back as it was given, wherever it was kept."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

from mlopsc.workspace import contents
from mlopsc.workspace.contents import Contents
from workspace.projects import compile_into, files_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 (a number, no paths)


def test_everything_is_read_back_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_IN_MEMORY", 1000)
    chance = random.Random(1)
    given = [chance.randbytes(chance.choice([0, 1, 7, 400, 5000])) for _ in range(50)]
    kept = Contents()
    where = [(kept.keep(data), data) for data in given]
    chance.shuffle(where)
    assert any(content.kept is not None for content, _ in where)
    assert sum(len(content.data) for content, _ in where) <= 1000
    for content, data in where:
        assert content.read() == data


def test_the_file_is_gone_with_the_last_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(contents, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = open_descriptors()
    content = Contents().keep(b"kept")
    assert open_descriptors() == before + 1
    assert list(tmp_path.iterdir()) == [], "it has a name"
    assert content.read() == b"kept"
    del content
    assert open_descriptors() == before


def test_without_room_memory_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_IN_MEMORY", 0)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    content = Contents().keep(b"kept")
    assert content.kept is None
    assert content.read() == b"kept"


def test_what_was_set_aside_is_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "MOST_IN_MEMORY", 10)
    texts = {f"folder/{number}": f"{number}\n" * number for number in range(1, 40)}
    compile_into(tmp_path, texts)
    assert files_of(tmp_path) == texts
    texts = {path: text.upper() + "more\n" for path, text in texts.items()}
    compile_into(tmp_path, texts)
    assert files_of(tmp_path) == texts


_PLANS = """\
import resource, sys
from mlopsc.artifacts.draft import Artifact
from mlopsc.workspace.lock import Lock
from mlopsc.workspace.plan import make_plan
artifacts = (Artifact(f"{n}", "x" * 1_000_000, (), "test") for n in range(int(sys.argv[1])))
make_plan(artifacts, "nowhere", Lock(), {})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_what_is_to_be_written() -> None:
    small, large = (
        int(
            subprocess.run(
                [sys.executable, "-c", _PLANS, str(megabytes)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for megabytes in (10, 150)
    )
    unit = 1024 if sys.platform == "linux" else 1
    assert (large - small) * unit < 40_000_000
