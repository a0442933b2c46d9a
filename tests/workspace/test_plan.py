"""The plan: what is ours, what is not, and what stands in the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mlopsc.diagnostics.finding import Place, Rejected
from mlopsc.workspace.apply import apply
from mlopsc.workspace.lock import Lock, lock_text, read_lock
from mlopsc.workspace.plan import make_plan
from mlopsc.workspace.tree import digest
from workspace.projects import (
    INPUTS,
    artifacts,
    codes,
    compile_into,
    everything,
    files_of,
    kinds,
    plan_for,
)

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = {"a.yaml": "a1\n", "k8s/b.yaml": "b1\n", "k8s/c.yaml": "c1\n"}
AFTER = {"a.yaml": "a1\n", "k8s/b.yaml": "b2\n", "k8s/d.yaml": "d1\n"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    compile_into(tmp_path, BEFORE)
    return tmp_path


def refused(root: Path, texts: dict[str, str]) -> list[str]:
    """The codes of a plan that must change nothing, also when it is applied."""
    before = everything(root)
    plan = plan_for(root, texts)
    with pytest.raises(Rejected) as caught:
        apply(plan, str(root))
    assert everything(root) == before
    assert all(isinstance(finding.at, Place) for finding in plan.findings)
    assert all(finding.help for finding in plan.findings)
    return [finding.code for finding in caught.value.findings]


def test_a_project_that_does_not_exist_yet(tmp_path: Path) -> None:
    root = tmp_path / "new/project"
    assert kinds(plan_for(root, BEFORE)) == dict.fromkeys(BEFORE, "create")
    compile_into(root, BEFORE)
    assert files_of(root) == BEFORE


def test_create_update_delete_keep(project: Path) -> None:
    plan = compile_into(project, AFTER)
    assert kinds(plan) == {
        "a.yaml": "keep",
        "k8s/b.yaml": "update",
        "k8s/c.yaml": "delete",
        "k8s/d.yaml": "create",
    }
    assert files_of(project) == AFTER
    assert kinds(plan_for(project, AFTER)) == dict.fromkeys(AFTER, "keep")


def test_planning_changes_nothing(project: Path) -> None:
    before = everything(project)
    plan_for(project, AFTER)
    assert everything(project) == before


def test_equal_files_are_not_written_again(project: Path) -> None:
    for path in (*BEFORE, "mlops.lock"):
        os.utime(project / path, ns=(1, 1))
    inodes = {path: (project / path).stat().st_ino for path in BEFORE}
    compile_into(project, BEFORE)
    for path in (*BEFORE, "mlops.lock"):
        assert (project / path).stat().st_mtime_ns == 1
    assert inodes == {path: (project / path).stat().st_ino for path in BEFORE}


def test_a_missing_generated_file_is_written_again(project: Path) -> None:
    (project / "k8s/b.yaml").unlink()
    assert kinds(compile_into(project, BEFORE))["k8s/b.yaml"] == "create"
    assert files_of(project) == BEFORE


def test_an_edited_file_is_reported_and_left(project: Path) -> None:
    (project / "k8s/b.yaml").write_text("mine\n")
    assert refused(project, AFTER) == ["W020"]
    assert kinds(plan_for(project, AFTER))["k8s/b.yaml"] == "edited"
    (project / "k8s/b.yaml").unlink()  # the way out the finding names
    compile_into(project, AFTER)
    assert files_of(project) == AFTER


def test_an_edit_that_equals_what_we_would_write_is_kept(project: Path) -> None:
    (project / "k8s/b.yaml").write_text("b2\n")
    assert kinds(compile_into(project, AFTER))["k8s/b.yaml"] == "keep"
    assert kinds(compile_into(project, BEFORE))["k8s/b.yaml"] == "update"


def test_a_foreign_file_is_reported_and_left(project: Path) -> None:
    (project / "k8s/d.yaml").write_text("mine\n")
    assert refused(project, AFTER) == ["W021"]
    assert kinds(plan_for(project, AFTER))["k8s/d.yaml"] == "foreign"


def test_an_equal_foreign_file_is_taken_over(project: Path) -> None:
    (project / "k8s/d.yaml").write_text("d1\n")
    assert kinds(compile_into(project, AFTER))["k8s/d.yaml"] == "keep"
    compile_into(project, BEFORE)
    assert files_of(project) == BEFORE


def test_foreign_files_beside_ours_are_left(project: Path) -> None:
    (project / "k8s/mine.yaml").write_text("mine\n")
    (project / "k8s/empty").mkdir()
    compile_into(project, {})
    assert everything(project).keys() == {"mlops.lock", "k8s/", "k8s/mine.yaml", "k8s/empty/"}


def test_folders_we_emptied_go(project: Path) -> None:
    compile_into(project, {"a.yaml": "a1\n", "deep/er/still/x.yaml": "x\n"})
    assert "k8s/" not in everything(project)
    compile_into(project, {"a.yaml": "a1\n"})
    assert everything(project).keys() == {"a.yaml", "mlops.lock"}


def test_an_edited_file_no_longer_generated_is_left(project: Path) -> None:
    (project / "k8s/c.yaml").write_text("mine\n")
    assert refused(project, AFTER) == ["W022"]
    lock = project / "mlops.lock"  # the way out the finding names
    lock.write_text("".join(x for x in lock.read_text().splitlines(True) if "c.yaml" not in x))
    compile_into(project, AFTER)
    assert files_of(project) == {**AFTER, "k8s/c.yaml": "mine\n"}


@pytest.mark.parametrize("torn", ["", "\0" * 3])
def test_what_a_power_cut_leaves_is_written_again(project: Path, torn: str) -> None:
    (project / "k8s/b.yaml").write_text(torn)
    (project / "k8s/c.yaml").write_text(torn)
    compile_into(project, AFTER)
    assert files_of(project) == AFTER


def test_an_empty_file_that_is_not_ours_is_foreign(project: Path) -> None:
    (project / "k8s/d.yaml").write_text("")
    assert refused(project, AFTER) == ["W021"]


def test_an_empty_artifact(tmp_path: Path) -> None:
    texts = {"feature_repo/__init__.py": ""}
    compile_into(tmp_path, texts)
    assert kinds(plan_for(tmp_path, texts)) == {"feature_repo/__init__.py": "keep"}
    compile_into(tmp_path, {})
    assert files_of(tmp_path) == {}


def test_a_checkout_with_other_line_ends_is_ours(project: Path) -> None:
    for path in BEFORE:
        (project / path).write_bytes((project / path).read_bytes().replace(b"\n", b"\r\n"))
    (project / "mlops.lock").write_bytes(
        (project / "mlops.lock").read_bytes().replace(b"\n", b"\r\n")
    )
    assert not plan_for(project, AFTER).findings
    compile_into(project, AFTER)
    assert files_of(project) == AFTER
    assert b"\r" not in (project / "mlops.lock").read_bytes()


class TestLock:
    def test_missing_takes_over_equal_files_and_reports_others(self, project: Path) -> None:
        (project / "mlops.lock").unlink()
        assert refused(project, AFTER) == ["W021"]  # b.yaml: equal to nothing that we know
        (project / "k8s/b.yaml").unlink()
        compile_into(project, AFTER)
        assert files_of(project) == {**AFTER, "k8s/c.yaml": "c1\n"}  # no longer known as ours

    def test_in_conflict_counts_as_missing(self, project: Path) -> None:
        lock = project / "mlops.lock"
        lock.write_text(f"<<<<<<< HEAD\n{lock.read_text()}=======\n>>>>>>> other\n")
        plan = compile_into(project, BEFORE)
        assert codes(plan) == ["W010"]
        assert plan.findings[0].severity == "warning"
        assert not plan_for(project, BEFORE).findings

    def test_naming_what_the_user_wrote_deletes_nothing(self, project: Path) -> None:
        spec = INPUTS["mlops.yaml"]
        (project / "mlops.yaml").write_bytes(spec)
        lock = read_lock(str(project))
        files = {**lock.files, "mlops.yaml": digest(spec), "mlops.lock": digest(lock.raw or b"")}
        (project / "mlops.lock").write_bytes(lock_text(Lock("1", lock.inputs, files)))
        compile_into(project, {})
        assert files_of(project) == {"mlops.yaml": spec.decode()}

    def test_only_the_lock_changes_when_only_the_spec_did(self, project: Path) -> None:
        lock = read_lock(str(project))
        plan = make_plan(artifacts(BEFORE), str(project), lock, {"mlops.yaml": b"# new\n"})
        assert not plan.changes_files
        apply(plan, str(project))
        assert read_lock(str(project)).inputs != lock.inputs


class TestPartial:
    def test_what_was_not_selected_stays_and_stays_known(self, project: Path) -> None:
        inputs = read_lock(str(project)).inputs
        plan = make_plan(
            artifacts({"k8s/b.yaml": "b2\n"}),
            str(project),
            read_lock(str(project)),
            {"mlops.yaml": b"new"},
            partial=True,
        )
        apply(plan, str(project))
        assert files_of(project) == {**BEFORE, "k8s/b.yaml": "b2\n"}
        assert read_lock(str(project)).files.keys() == BEFORE.keys()
        assert read_lock(str(project)).inputs == inputs
        compile_into(project, AFTER)
        assert files_of(project) == AFTER

    def test_after_a_compile_that_was_stopped(self, project: Path) -> None:
        (project / "k8s/b.yaml").write_text("b2\n")
        lock = read_lock(str(project))
        writing = {"k8s/b.yaml": digest(b"b2\n"), "k8s/new.yaml": digest(b"n\n")}
        (project / "mlops.lock").write_bytes(lock_text(Lock("1", lock.inputs, lock.files, writing)))
        plan = compile_into(project, {"a.yaml": "a2\n"}, partial=True)
        assert plan.journal.is_ours("k8s/b.yaml", digest(b"b2\n"))
        assert read_lock(str(project)).files.keys() == BEFORE.keys()
        assert read_lock(str(project)).files["k8s/b.yaml"] == digest(b"b2\n")
        compile_into(project, {})
        assert files_of(project) == {}

    def test_an_edit_elsewhere_is_no_concern(self, project: Path) -> None:
        (project / "k8s/c.yaml").write_text("mine\n")
        assert not compile_into(project, {"a.yaml": "a2\n"}, partial=True).findings
        assert refused(project, AFTER) == ["W022"]


class TestObstacles:
    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "k8s").write_text("mine\n")
        assert refused(tmp_path, AFTER) == ["W023"]

    def test_a_folder_where_a_file_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").mkdir()
        assert refused(tmp_path, AFTER) == ["W024"]

    @pytest.mark.parametrize("goal", ["../outside", "inside", "missing"])
    def test_a_linked_folder(self, tmp_path: Path, goal: str) -> None:
        root = tmp_path / "project"
        (root / "inside").mkdir(parents=True)
        (tmp_path / "outside").mkdir()
        (root / "k8s").symlink_to(goal)
        assert refused(root, AFTER) == ["W025"]
        assert not any((tmp_path / "outside").iterdir())

    @pytest.mark.parametrize("text", ["a1\n", "other\n"])
    def test_a_linked_file(self, tmp_path: Path, text: str) -> None:
        root = tmp_path / "project"
        root.mkdir()
        (tmp_path / "outside").write_text(text)
        (root / "a.yaml").symlink_to("../outside")
        assert refused(root, AFTER) == ["W025"]
        assert (tmp_path / "outside").read_text() == text

    def test_a_linked_file_in_the_place_of_ours(self, project: Path) -> None:
        (project / "k8s/b.yaml").unlink()
        (project / "k8s/b.yaml").symlink_to("c.yaml")
        assert refused(project, AFTER) == ["W025"]

    def test_files_of_ours_behind_a_link_are_not_deleted(self, project: Path) -> None:
        (project / "k8s").rename(project / "moved")
        (project / "k8s").symlink_to("moved")
        compile_into(project, {"a.yaml": "a1\n"})
        assert files_of(project) == {
            "a.yaml": "a1\n",
            "k8s": "link to moved",
            "moved/b.yaml": "b1\n",
            "moved/c.yaml": "c1\n",
        }

    @pytest.mark.parametrize("texts", [{"a.yaml": "a1\n"}, {"a.yaml": ""}, {"a.yaml/b": "b\n"}])
    def test_a_pipe(self, tmp_path: Path, texts: dict[str, str]) -> None:
        os.mkfifo(tmp_path / "a.yaml")
        assert refused(tmp_path, texts) == ["W026"]

    @pytest.mark.parametrize(
        "path",
        ["../a", "/a", "a/../b", "", "a\nb", ".git/config", "mlops.lock", "a//b", "x" * 256],
    )
    def test_a_path_that_cannot_be_used(self, tmp_path: Path, path: str) -> None:
        root = tmp_path / "project"
        root.mkdir()
        (tmp_path / "a").write_text("text\n")
        assert refused(root, {path: "text\n"}) == ["W006"]

    def test_a_foreign_file_with_our_temporary_name(self, project: Path) -> None:
        (project / "k8s/.b.yaml.mlopsc-new").write_text("mine\n")
        assert refused(project, AFTER) == ["W028"]
        compile_into(project, BEFORE)  # nothing to write there: nobody minds

    def test_a_foreign_file_with_the_locks_temporary_name(self, project: Path) -> None:
        (project / ".mlops.lock.mlopsc-new").write_text("mine\n")
        assert refused(project, AFTER) == ["W028"]

    def test_the_longest_names(self, tmp_path: Path) -> None:
        texts = {"x" * 255: "a\n", "d" * 255 + "/" + "ä" * 127: "b\n"}
        compile_into(tmp_path, texts)
        compile_into(tmp_path, {path: text * 2 for path, text in texts.items()})
        assert files_of(tmp_path) == {path: text * 2 for path, text in texts.items()}


class TestFilesAndFoldersTradePlaces:
    def test_a_file_of_ours_becomes_a_folder(self, tmp_path: Path) -> None:
        compile_into(tmp_path, {"a": "1\n"})
        compile_into(tmp_path, {"a/b/c": "2\n"})
        assert files_of(tmp_path) == {"a/b/c": "2\n"}

    def test_a_folder_of_ours_becomes_a_file(self, tmp_path: Path) -> None:
        compile_into(tmp_path, {"a/b/c": "2\n", "a/d": "3\n"})
        compile_into(tmp_path, {"a": "1\n"})
        assert files_of(tmp_path) == {"a": "1\n"}

    def test_not_when_somebody_elses_file_is_in_it(self, tmp_path: Path) -> None:
        compile_into(tmp_path, {"a/b/c": "2\n"})
        (tmp_path / "a/mine").write_text("mine\n")
        assert refused(tmp_path, {"a": "1\n"}) == ["W024"]

    def test_not_when_somebody_elses_empty_folder_is_in_it(self, tmp_path: Path) -> None:
        compile_into(tmp_path, {"a/b/c": "2\n"})
        (tmp_path / "a/mine").mkdir()
        assert refused(tmp_path, {"a": "1\n"}) == ["W024"]

    def test_not_when_the_file_was_edited(self, tmp_path: Path) -> None:
        compile_into(tmp_path, {"a": "1\n"})
        (tmp_path / "a").write_text("mine\n")
        assert refused(tmp_path, {"a/b": "2\n"}) == ["W022", "W023"]


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b")])
def test_artifacts_that_exclude_each_other_are_our_mistake(
    tmp_path: Path, paths: tuple[str, str]
) -> None:
    both = [*artifacts({paths[0]: "1\n"}), *artifacts({paths[1]: "2\n"})]
    with pytest.raises(ValueError, match="path 'a'"):
        make_plan(both, str(tmp_path), Lock(), {})


def test_findings_and_changes_are_in_the_order_of_paths(tmp_path: Path) -> None:
    for name in "cab":
        (tmp_path / name).write_text("mine\n")
    plan = plan_for(tmp_path, dict.fromkeys("bca", "ours\n"))
    assert [change.path for change in plan.changes] == ["a", "b", "c"]
    assert [getattr(finding.at, "file", "") for finding in plan.findings] == ["a", "b", "c"]
