"""Applying: whatever fails, nothing of anybody's is lost and no half file stays."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.apply import apply
from mlopsc.workspace.tree import Tree
from workspace.projects import compile_into, everything, files_of, kinds, plan_for, with_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEFORE = {"a": "a1\n", "k8s/b": "b1\n", "k8s/deep/c": "c1\n", "old/y": "y\n"}
AFTER = {"a": "a2\n", "k8s/b": "b1\n", "k8s/deep/c": "c2\n", "new/x/y": "y\n"}
OPERATIONS = ("open", "write", "replace", "unlink", "mkdir")


class Faults:
    """Operations of `os` that fail when it is their turn."""

    def __init__(self, at: int, error: Callable[[], BaseException], *, for_ever: bool) -> None:
        self.count = itertools.count()
        self.at = at
        self.error = error
        self.for_ever = for_ever
        self.failed = False

    def operation(self, real: Callable[..., Any], *, lasting: bool) -> Callable[..., Any]:
        def run(*parts: Any, **more: Any) -> Any:
            if real.__name__ == "open" and not parts[1] & os.O_CREAT:
                return real(*parts, **more)
            number = next(self.count)
            if number == self.at or (lasting and self.for_ever and number > self.at):
                self.failed = True
                raise self.error()
            return real(*parts, **more)

        return run


def apply_with(faults: Faults, root: Path) -> list[str]:
    """The codes of an apply some operation of which fails."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            # On a full disk files can still be removed and renamed.
            real = getattr(os, name)
            patch.setattr(os, name, faults.operation(real, lasting=name in ("open", "write")))
        try:
            compile_into(root, AFTER)
        except Rejected as rejected:
            return [finding.code for finding in rejected.findings]
    return []


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "W040"),
        (errno.EDQUOT, "W040"),
        (errno.EACCES, "W041"),
        (errno.EROFS, "W041"),
        (errno.EIO, "W042"),
    ],
)
def test_a_fault_at_every_step(tmp_path: Path, number: int, code: str, for_ever: bool) -> None:
    for at in itertools.count():
        root = tmp_path / str(at)
        compile_into(root, BEFORE)
        before = everything(root)
        faults = Faults(at, lambda: OSError(number, os.strerror(number)), for_ever=for_ever)
        said = apply_with(faults, root)
        if not faults.failed:
            break
        found = everything(root)
        if said:
            assert said == [code]
            for path, text in files_of(root).items():
                # A temporary file may only stay where removing it is what failed.
                assert path.endswith(".mlopsc-new") or text in (BEFORE.get(path), AFTER.get(path))
        if not for_ever and found["a"] == "a1\n" and "new/" not in found:
            assert {**found, "mlops.lock": ""} == {**before, "mlops.lock": ""}
        compile_into(root, AFTER)
        assert {**everything(root), "mlops.lock": ""} == with_folders({**AFTER, "mlops.lock": ""})
    assert at > 12


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_the_new_files_leaves_everything_as_it_was(tmp_path: Path, number: int) -> None:
    """Room is asked for before anything is replaced; the old lock fits, for it fitted before."""
    for at in range(10):
        root = tmp_path / str(at)
        compile_into(root, BEFORE)
        before = everything(root)
        faults = Faults(at, lambda: OSError(number, ""), for_ever=False)
        if apply_with(faults, root) and everything(root)["a"] == "a1\n":
            assert everything(root) == before
    assert before


def test_an_interrupt_at_every_step(tmp_path: Path) -> None:
    for at in itertools.count():
        root = tmp_path / str(at)
        compile_into(root, BEFORE)
        faults = Faults(at, KeyboardInterrupt, for_ever=False)
        try:
            apply_with(faults, root)
        except KeyboardInterrupt:
            assert not [path for path in everything(root) if path.endswith(".mlopsc-new")]
        if not faults.failed:
            break
        compile_into(root, AFTER)
        assert {**everything(root), "mlops.lock": ""} == with_folders({**AFTER, "mlops.lock": ""})
    assert at > 12


def test_another_compile_at_work(tmp_path: Path) -> None:
    compile_into(tmp_path, BEFORE)
    before = everything(tmp_path)
    plan = plan_for(tmp_path, AFTER)
    with Tree(str(tmp_path)) as other:
        fcntl = pytest.importorskip("fcntl")
        fcntl.flock(other.descriptor, fcntl.LOCK_EX)
        with pytest.raises(Rejected) as caught:
            apply(plan, str(tmp_path))
        assert [finding.code for finding in caught.value.findings] == ["W043"]
        assert everything(tmp_path) == before
    apply(plan, str(tmp_path))
    assert files_of(tmp_path) == AFTER


def test_where_folders_cannot_be_locked_it_still_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "no locks on this file system")

    monkeypatch.setattr(fcntl, "flock", refuse)
    compile_into(tmp_path, BEFORE)
    assert files_of(tmp_path) == BEFORE


def test_a_plan_older_than_another_compile(tmp_path: Path) -> None:
    compile_into(tmp_path, BEFORE)
    plan = plan_for(tmp_path, {"a": "late\n"})
    compile_into(tmp_path, AFTER)
    with pytest.raises(Rejected) as caught:
        apply(plan, str(tmp_path))
    assert [finding.code for finding in caught.value.findings] == ["W044"]
    assert files_of(tmp_path) == AFTER


def test_another_compile_of_other_files_is_not_forgotten(tmp_path: Path) -> None:
    plan = plan_for(tmp_path, {"a": "a1\n"}, partial=True)
    compile_into(tmp_path, {"b": "b1\n"}, partial=True)
    with pytest.raises(Rejected) as caught:
        apply(plan, str(tmp_path))
    assert [finding.code for finding in caught.value.findings] == ["W044"]
    compile_into(tmp_path, {})
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("path", ["a", "old/y", "new/x/y"])
def test_an_edit_between_plan_and_apply_is_not_lost(tmp_path: Path, path: str) -> None:
    compile_into(tmp_path, BEFORE)
    plan = plan_for(tmp_path, AFTER)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("typed just now\n")
    with pytest.raises(Rejected) as caught:
        apply(plan, str(tmp_path))
    assert [finding.code for finding in caught.value.findings] == ["W044"]
    assert (tmp_path / path).read_text() == "typed just now\n"
    assert [f.code for f in plan_for(tmp_path, AFTER).findings] in (["W020"], ["W021"], ["W022"])
    (tmp_path / path).unlink()
    compile_into(tmp_path, AFTER)
    assert files_of(tmp_path) == AFTER


def test_a_link_put_in_after_the_plan_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "b").write_text("b1\n")
    root = tmp_path / "project"
    compile_into(root, BEFORE)
    plan = plan_for(root, {"k8s/b": "b2\n", "k8s/deep/new": "new\n"})
    (root / "k8s").rename(root / "moved")
    (root / "k8s").symlink_to(outside)
    with pytest.raises(Rejected):
        apply(plan, str(root))
    assert everything(outside) == {"b": "b1\n", "deep/": "folder"}


def test_modes(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        compile_into(tmp_path, {"a": "1\n", "k8s/b": "2\n"})
    finally:
        os.umask(mask)
    for path in ("a", "k8s/b", "mlops.lock"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o644


def test_a_temporary_file_of_a_lost_journal_is_reported_not_removed(tmp_path: Path) -> None:
    compile_into(tmp_path, BEFORE)
    (tmp_path / ".a.mlopsc-new").write_text("a2")
    assert [finding.code for finding in plan_for(tmp_path, AFTER).findings] == ["W028"]
    assert (tmp_path / ".a.mlopsc-new").exists()


def test_nothing_to_do_opens_nothing_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_into(tmp_path, BEFORE)
    plan = plan_for(tmp_path, BEFORE)
    assert set(kinds(plan).values()) == {"keep"}
    for name in OPERATIONS:
        monkeypatch.delattr(os, name)
    apply(plan, str(tmp_path))
