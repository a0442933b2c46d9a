"""What `check` says of the files that are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlopsc.workspace.apply import apply
from mlopsc.workspace.lock import Lock, lock_text, read_lock
from mlopsc.workspace.plan import make_plan
from mlopsc.workspace.stale import stale
from workspace.projects import artifacts, compile_into, plan_for

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = {"a": "a1\n", "b": "b1\n", "c": "c1\n", "d": "d1\n"}
AFTER = {"a": "a1\n", "b": "b2\n", "d": "d2\n", "e": "e1\n", "f": "f1\n"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    compile_into(tmp_path, BEFORE)
    return tmp_path


def said(root: Path, texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(f.code, f.at.file) for f in stale(plan_for(root, texts))]  # type: ignore[union-attr]


def test_nothing_of_a_tree_as_compiled(project: Path) -> None:
    assert stale(plan_for(project, BEFORE)) == ()


def test_each_kind(project: Path) -> None:
    (project / "d").write_text("mine\n")
    (project / "e").write_text("mine\n")
    assert said(project, AFTER) == [
        ("W031", "b"),
        ("W032", "c"),
        ("W020", "d"),
        ("W021", "e"),
        ("W030", "f"),
    ]


def test_each_names_the_command(project: Path) -> None:
    findings = stale(plan_for(project, AFTER), "mlopsc compile models/mlops.yaml")
    assert findings
    assert all("mlopsc compile models/mlops.yaml" in (finding.help or "") for finding in findings)


def test_another_spec_with_the_same_files(project: Path) -> None:
    lock = read_lock(str(project))
    plan = make_plan(artifacts(BEFORE), str(project), lock, {"mlops.yaml": b"# another\n"})
    assert [finding.code for finding in stale(plan)] == ["W033"]
    apply(plan, str(project))
    plan = make_plan(artifacts(BEFORE), str(project), read_lock(str(project)), {"mlops.yaml": b""})
    assert [finding.code for finding in stale(plan)] == ["W033"]


def test_no_lock(project: Path) -> None:
    (project / "mlops.lock").unlink()
    assert said(project, BEFORE) == [("W033", "mlops.lock")]


def test_a_lock_in_conflict(project: Path) -> None:
    (project / "mlops.lock").write_text("<<<<<<< HEAD\n")
    assert said(project, BEFORE) == [("W010", "mlops.lock")]


def test_a_compile_that_was_stopped(project: Path) -> None:
    lock = read_lock(str(project))
    stopped = Lock(lock.version, lock.inputs, lock.files, {"b": "0" * 64})
    (project / "mlops.lock").write_bytes(lock_text(stopped))
    assert said(project, BEFORE) == [("W033", "mlops.lock")]


def test_another_compiler_with_the_same_files_is_no_reason_to_fail(project: Path) -> None:
    lock = read_lock(str(project))
    (project / "mlops.lock").write_bytes(lock_text(Lock("0.0.9", lock.inputs, lock.files)))
    assert said(project, BEFORE) == []


def test_a_part_says_nothing_of_the_rest(project: Path) -> None:
    (project / "b").write_text("mine\n")
    assert not stale(plan_for(project, {"a": "a1\n"}, partial=True))
