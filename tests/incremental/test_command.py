"""`mlopsc compile` after an edit: the same tree as without a cache, and only what the edit reaches is written."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from incremental.projects import ROOT, compiled, project
from incremental.test_recompile import EDITS, FILES
from mlopsc.cli import compile as compile_command
from mlopsc.cli.main import run
from mlopsc.compiler import Refused
from mlopsc.incremental import memory
from mlopsc.workspace import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODEL = "models/returns.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiled project, and a cache of its own."""
    monkeypatch.setenv("MLOPSC_CACHE_DIR", str(tmp_path / "cache"))
    # The process that runs tests loads modules all the time, and is no compiler to be told by them.
    same = ("", {})
    monkeypatch.setattr(remembered, "this_compiler", lambda _resources: same)
    monkeypatch.setattr(remembered, "same_compiler", lambda compiler: compiler == same)
    monkeypatch.setattr(memory, "same_compiler", lambda compiler: compiler == same)
    root = tmp_path / "project"
    write(root, project("returns", "refunds", "repeats"))
    assert run(["compile", str(root)]) == 0
    return root


def write(root: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def edit(root: Path, old: str, new: str, file: str = MODEL) -> None:
    text = (root / file).read_text("utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), "utf-8")


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def clean(root: Path, tmp_path: Path) -> dict[str, bytes]:
    """What the inputs of the project compile to in an empty folder."""
    other = tmp_path / "clean"
    files = {name: (root / name).read_bytes() for name in FILES}
    write(other, files)
    assert run(["compile", str(other)]) == 0
    return tree(other)


def without_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, compiling everything fails the test."""

    def refused(*_: object) -> None:
        raise AssertionError("everything was compiled")

    monkeypatch.setattr(compile_command, "compile_at", refused)


def test_one_model_is_compiled_and_nothing_else_is_written(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    edit(folder, "threshold: 0.2", "threshold: 0.25")
    with monkeypatch.context() as patch:
        without_the_whole(patch)
        capsys.readouterr()
        assert run(["compile", str(folder)]) == 0
    assert "updated" in capsys.readouterr().out
    written = {
        str(path.relative_to(folder))
        for path, time in before.items()
        if path.stat().st_mtime_ns != time
    }
    assert {MODEL, "mlops.lock"} < written
    assert all("returns" in name for name in written - {"mlops.lock"})
    assert tree(folder) == clean(folder, tmp_path)
    assert run(["check", str(folder)]) == 0


def test_one_edit_after_another(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        without_the_whole(patch)
        for number in range(3, 6):
            edit(folder, f"max_iter: {number - 1}00", f"max_iter: {number}00")
            assert run(["compile", str(folder)]) == 0
        edit(folder, "max: 6}", "max: 7}", "models/refunds.yaml")
        assert run(["compile", str(folder)]) == 0
    assert tree(folder) == clean(folder, tmp_path)


def test_random_edits_one_after_another(folder: Path, tmp_path: Path) -> None:
    drawn = random.Random(11)
    for _ in range(12):
        _, file, content = drawn.choice(EDITS)
        try:
            compiled({**FILES, file: content})
        except Refused:
            continue
        (folder / file).write_bytes(content)
        if run(["compile", str(folder)]) != 0:  # two edits that do not go together
            (folder / file).write_bytes(FILES[file])
            assert run(["compile", str(folder)]) == 0
        found = clean(folder, tmp_path)
        assert tree(folder) == found


@pytest.mark.parametrize(
    "what", ["a generated file", "a generated file is gone", "the lock", "another input"]
)
def test_with_anything_else_changed_everything_is_compiled(
    what: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, "threshold: 0.2", "threshold: 0.25")
    match what:
        case "a generated file":
            edit(folder, "repeats", "repeated", "k8s/production/repeats/service.yaml")
        case "a generated file is gone":
            (folder / "k8s/production/repeats/service.yaml").unlink()
        case "the lock":
            (folder / "mlops.lock").unlink()
        case _:
            edit(folder, "low: 2", "low: 1", ROOT)
    without_the_whole(monkeypatch)
    with pytest.raises(AssertionError, match="everything was compiled"):
        compile_command.command.main([str(folder)], standalone_mode=False)


def test_a_new_file_that_an_include_finds(folder: Path, tmp_path: Path) -> None:
    edit(folder, "threshold: 0.2", "threshold: 0.25")
    more = project("rentals")["models/rentals.yaml"]
    write(folder, {"models/rentals.yaml": more})
    assert run(["compile", str(folder)]) == 0
    assert (folder / "k8s/production/rentals/deployment.yaml").exists()


def test_without_a_cache_nothing_changes_but_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, "threshold: 0.2", "threshold: 0.25")
    for file in (tmp_path / "cache").iterdir():
        if file.name.startswith("before-"):
            file.write_bytes(file.read_bytes()[:-20])
    assert run(["compile", str(folder)]) == 0
    assert tree(folder) == clean(folder, tmp_path)
