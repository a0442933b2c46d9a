"""`compile --watch` compiles after every save, however it comes about, and survives what a person does."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlopsc.cli.watch import Asked, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINIMAL = Path(__file__).resolve().parents[1] / "examples" / "minimal" / "mlops.yaml"
PATIENCE = 60  # seconds; a busy machine
QUIET = 0.6  # seconds in which a watcher with nothing to do says nothing


class Watcher:
    """A running `mlopsc compile --watch`, and what it has said since it was last asked."""

    def __init__(self, root: Path, *options: str) -> None:
        self.reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlopsc", "compile", str(root), "--watch", *options],
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        self.said = ""

    def turn(self) -> str:
        """What it says up to the end of the next turn."""
        return self.until(r"watching \d+ files?; end with Ctrl-C\n")

    def until(self, pattern: str) -> str:
        end = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.said)) is None:
            assert self._more(end - time.monotonic()), f"{self.process.poll()}: {self.said}"
        said, self.said = self.said[: found.end()], self.said[found.end() :]
        return said

    def stays_quiet(self) -> bool:
        return not self.said and not self._more(QUIET)

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.reading], [], [], max(seconds, 0))
        data = os.read(self.reading, 1 << 16) if ready else b""
        self.said += data.decode()
        return bool(data)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.reading)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "parts").mkdir(parents=True)
    head, chapter, models = MINIMAL.read_text().partition("\nmodels:")
    (root / "mlops.yaml").write_text(f"{head}\ninclude: ['parts/*.yaml']\n")
    (root / "parts" / "models.yaml").write_text(chapter.lstrip() + models)
    return root


@pytest.fixture
def watcher(project: Path) -> Iterator[Watcher]:
    started = Watcher(project)
    try:
        assert "created" in started.turn()
        yield started
    finally:
        started.stop()


def _edit(path: Path, old: str, new: str) -> str:
    text = path.read_text()
    assert old in text
    return text.replace(old, new)


def _in_place(path: Path, text: str) -> None:
    path.write_text(text)


def _slowly(path: Path, text: str) -> None:
    """As editors do that empty the file first and fill it in pieces."""
    with path.open("w") as file:
        for start in range(0, len(text), len(text) // 3):
            file.write(text[start : start + len(text) // 3])
            file.flush()
            time.sleep(0.005)


def _by_rename(path: Path, text: str) -> None:
    """As editors do that write another file and rename it; Vim also keeps the old one for a moment."""
    new = path.with_name(f".{path.name}.swp")
    new.write_text(text)
    path.rename(path.with_name(f"{path.name}~"))
    new.rename(path)
    path.with_name(f"{path.name}~").unlink()


@pytest.mark.parametrize("save", [_in_place, _slowly, _by_rename])
@pytest.mark.parametrize(
    ("name", "old", "new", "made", "holds"),
    [
        ("mlops.yaml", "min: 0", "min: 7", "gx/expectations/flights.json", '"min_value": 7'),
        ("parts/models.yaml", "max: 30", "max: 31", "mlops/models/delay.json", "31"),
    ],
)
def test_a_save_is_compiled(
    project: Path,
    watcher: Watcher,
    save: Callable[[Path, str], None],
    name: str,
    old: str,
    new: str,
    made: str,
    holds: str,
) -> None:
    assert holds not in (project / made).read_text()
    save(project / name, _edit(project / name, old, new))
    said = watcher.turn()
    if "error" in said:  # a busy machine took a break while the file was half written
        said = watcher.turn()
    assert re.search(r"^\d+ updated", said, re.MULTILINE), said
    assert "error" not in said
    assert watcher.stays_quiet(), watcher.said
    assert holds in (project / made).read_text()


def test_an_error_is_shown_and_mended(project: Path, watcher: Watcher) -> None:
    spec = project / "mlops.yaml"
    good = spec.read_text()
    spec.write_text(good.replace("distance:", "distance: ["))
    said = watcher.turn()
    assert "error[Y" in said
    assert "mlops.yaml:" in said
    spec.write_text(good.replace("flights:\n    parquet", "trains:\n    parquet"))
    assert "error[" in watcher.turn()
    (project / "parts" / "models.yaml").write_text("models: 3\n")
    assert "error[" in watcher.turn()
    spec.write_text(good)
    (project / "parts" / "models.yaml").write_text(MINIMAL.read_text().partition("\nmodels:")[2])
    watcher.turn()


def test_the_code_is_that_of_the_last_turn(project: Path, watcher: Watcher) -> None:
    spec = project / "mlops.yaml"
    good = spec.read_text()
    spec.write_text("project: 3\n")
    assert "error[" in watcher.turn()
    spec.write_text(good)
    assert "unchanged" in watcher.turn()
    assert watcher.end() == 0


def test_an_error_last_ends_with_1(project: Path, watcher: Watcher) -> None:
    (project / "mlops.yaml").write_text("project: 3\n")
    watcher.turn()
    assert watcher.end() == 1


def test_a_spec_that_goes_and_comes_back(project: Path, watcher: Watcher) -> None:
    spec = project / "mlops.yaml"
    spec.rename(project / "away.yaml")
    assert "error[W001]" in watcher.turn()
    (project / "away.yaml").rename(spec)
    assert "unchanged" in watcher.turn()


def test_files_that_an_include_finds_come_and_go(project: Path, watcher: Watcher) -> None:
    more = project / "parts" / "more.yaml"
    more.write_text("sources:\n  other:\n    parquet: x.parquet\n    nonsense: 1\n")
    assert "parts/more.yaml:4" in watcher.turn()
    more.rename(project / "parts" / "renamed.yaml")
    assert "parts/renamed.yaml:4" in watcher.turn()
    (project / "parts" / "renamed.yaml").unlink()
    assert "unchanged" in watcher.turn()


def test_other_files_are_nobodys_business(project: Path, watcher: Watcher) -> None:
    (project / "notes.txt").write_text("mine\n")
    (project / "parts" / "notes.txt").write_text("mine\n")
    (project / "dvc.yaml").touch()
    assert watcher.stays_quiet(), watcher.said


def test_what_is_no_terminal_gets_plain_lines(project: Path, watcher: Watcher) -> None:
    (project / "mlops.yaml").write_text("project: 3\n")
    said = watcher.turn()
    assert "\x1b" not in said
    assert said.endswith("\nwatching 2 files; end with Ctrl-C\n")


def test_a_terminal_is_cleared_for_each_turn(project: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlopsc", "compile", str(project), "--watch", "--dry-run"],
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        said = ""
        while "Ctrl-C" not in said:
            assert select.select([ours], [], [], PATIENCE)[0]
            said += os.read(ours, 1 << 16).decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert said.startswith("\x1b[2J\x1b[3J\x1b[H")
    assert re.search(r"\d\d:\d\d:\d\d watching 2 files", said)


def test_a_look_shows_every_change(project: Path) -> None:
    asked = Asked(str(project))
    asked.read("mlops.yaml")
    asked.contents["absent.yaml"] = None
    assert asked.find("parts/*.yaml") == ("parts/models.yaml",)
    asked.find("**/*.yml")
    before = View(asked)
    assert before == View(asked, before)
    assert before.shows(asked)
    changes: list[Callable[[], object]] = [
        lambda: (project / "absent.yaml").write_text("x-a: 1\n"),
        lambda: (project / "mlops.yaml").write_text("x-a: 1\n"),
        lambda: (project / "parts" / "b.yaml").write_text("x-a: 1\n"),
        lambda: (project / "parts" / "deep.yml").write_text("x-a: 1\n"),
        (project / "mlops.yaml").unlink,
        (project / "parts" / "models.yaml").unlink,
    ]
    for change in changes:
        time.sleep(0.02)
        change()
        now = View(asked, before)
        assert now != before
        assert not now.shows(asked)
        before = now
