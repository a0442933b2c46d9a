"""Files people write: every way one can be wrong has its code, and none of them waits."""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from mlopsc.diagnostics.finding import Place, Rejected
from mlopsc.workspace.files import SIZE_LIMIT, read_bytes, write_spec

if TYPE_CHECKING:
    from pathlib import Path


def refusal(root: Path, name: str) -> str:
    with pytest.raises(Rejected) as caught:
        read_bytes(str(root), name)
    (finding,) = caught.value.findings
    assert isinstance(finding.at, Place)
    assert (finding.at.line, finding.at.column, finding.at.end) == (1, 1, 1)
    assert finding.help
    assert "\n" not in finding.message
    assert "\n" not in finding.at.file
    return finding.code


def test_reads_bytes_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/churn.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\n\x00")
    assert read_bytes(str(tmp_path), "models/churn.yaml") == b"\xef\xbb\xbfa: 1\r\n\x00"


def test_the_largest_file_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    spec = tmp_path / "mlops.yaml"
    spec.write_bytes(b"#" * SIZE_LIMIT)
    assert len(read_bytes(str(tmp_path), "mlops.yaml")) == SIZE_LIMIT
    spec.write_bytes(b"#" * (SIZE_LIMIT + 1))
    assert refusal(tmp_path, "mlops.yaml") == "W004"


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "mlops.yaml").open("wb") as spec:
        spec.truncate(1 << 40)  # a hole: reading it would take minutes and the machine's memory
    assert refusal(tmp_path, "mlops.yaml") == "W004"


@pytest.mark.parametrize("name", ["mlops.yaml", "models/churn.yaml"])
def test_missing(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, name) == "W001"


def test_missing_project(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere", "mlops.yaml") == "W001"


def test_a_file_where_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    assert refusal(tmp_path, "models/churn.yaml") == "W001"


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mlops.yaml").mkdir()
    assert refusal(tmp_path, "mlops.yaml") == "W003"


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mlops.yaml")
    assert refusal(tmp_path, "mlops.yaml") == "W003"


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short by law
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("mlops.yaml")
        assert refusal(tmp_path, "mlops.yaml") == "W003"


def test_a_device(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "mlops.yaml", 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root may make a device")
    assert refusal(tmp_path, "mlops.yaml") in ("W002", "W003")  # W002 where mounted without devices


@pytest.mark.parametrize("name", ["../spec.yaml", "/etc/passwd", "a/../../b", ".."])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, name) == "W005"


@pytest.mark.parametrize(
    "name", ["", "a\nb", "a\0b", "a//b", ".git/config", "\udcff", "a\\b", "x" * 256, "./a"]
)
def test_names_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, name) == "W006"


class TestSymbolicLinks:
    def test_inside_the_project_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "specs").mkdir()
        (tmp_path / "specs/a.yaml").write_bytes(b"a")
        (tmp_path / "mlops.yaml").symlink_to("specs/a.yaml")
        (tmp_path / "linked").symlink_to("specs")
        assert read_bytes(str(tmp_path), "mlops.yaml") == b"a"
        assert read_bytes(str(tmp_path), "linked/a.yaml") == b"a"

    def test_the_project_itself_may_be_reached_by_one(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real/specs").mkdir()
        (tmp_path / "real/specs/a.yaml").write_bytes(b"a")
        (tmp_path / "real/mlops.yaml").symlink_to("specs/a.yaml")
        (tmp_path / "project").symlink_to("real")
        assert read_bytes(str(tmp_path / "project"), "mlops.yaml") == b"a"

    @pytest.mark.parametrize("goal", ["../outside.yaml", "{absolute}"])
    def test_out_of_the_project_is_refused(self, tmp_path: Path, goal: str) -> None:
        (tmp_path / "outside.yaml").write_text("secret")
        project = tmp_path / "project"
        project.mkdir()
        (project / "mlops.yaml").symlink_to(goal.format(absolute=tmp_path / "outside.yaml"))
        assert refusal(project, "mlops.yaml") == "W005"

    def test_a_folder_out_of_the_project_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/a.yaml").write_text("secret")
        project = tmp_path / "project"
        project.mkdir()
        (project / "models").symlink_to("../outside")
        assert refusal(project, "models/a.yaml") == "W005"

    def test_a_sibling_whose_name_begins_alike_is_outside(self, tmp_path: Path) -> None:
        (tmp_path / "project-b").mkdir()
        (tmp_path / "project-b/a.yaml").write_text("secret")
        (tmp_path / "project").mkdir()
        (tmp_path / "project/mlops.yaml").symlink_to("../project-b/a.yaml")
        assert refusal(tmp_path / "project", "mlops.yaml") == "W005"

    def test_to_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "mlops.yaml").symlink_to("gone.yaml")
        assert refusal(tmp_path, "mlops.yaml") == "W001"

    def test_in_a_circle(self, tmp_path: Path) -> None:
        (tmp_path / "mlops.yaml").symlink_to("b.yaml")
        (tmp_path / "b.yaml").symlink_to("mlops.yaml")
        assert refusal(tmp_path, "mlops.yaml") == "W002"

    def test_to_the_project(self, tmp_path: Path) -> None:
        (tmp_path / "mlops.yaml").symlink_to(".")
        assert refusal(tmp_path, "mlops.yaml") == "W003"


class TestWritingASpec:
    def test_keeps_the_mode_and_nothing_else(self, tmp_path: Path) -> None:
        spec = tmp_path / "mlops.yaml"
        spec.write_text("a: 1\n")
        spec.chmod(0o640)
        write_spec(str(tmp_path), "mlops.yaml", "a: 2\r\nä: 1\n")
        assert spec.read_bytes() == b"a: 2\r\n\xc3\xa4: 1\n"
        assert stat.S_IMODE(spec.stat().st_mode) == 0o640
        assert [path.name for path in tmp_path.iterdir()] == ["mlops.yaml"]

    def test_equal_text_is_not_written(self, tmp_path: Path) -> None:
        spec = tmp_path / "mlops.yaml"
        spec.write_text("a: 1\n")
        before = spec.stat()
        write_spec(str(tmp_path), "mlops.yaml", "a: 1\n")
        assert spec.stat().st_ino == before.st_ino

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "specs").mkdir()
        (tmp_path / "specs/a.yaml").write_text("a: 1\n")
        (tmp_path / "mlops.yaml").symlink_to("specs/a.yaml")
        write_spec(str(tmp_path), "mlops.yaml", "a: 2\n")
        assert (tmp_path / "mlops.yaml").is_symlink()
        assert (tmp_path / "specs/a.yaml").read_text() == "a: 2\n"

    def test_a_link_out_of_the_project_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "outside.yaml").write_text("a: 1\n")
        (tmp_path / "project").mkdir()
        (tmp_path / "project/mlops.yaml").symlink_to("../outside.yaml")
        with pytest.raises(Rejected) as caught:
            write_spec(str(tmp_path / "project"), "mlops.yaml", "a: 2\n")
        assert caught.value.findings[0].code == "W005"
        assert (tmp_path / "outside.yaml").read_text() == "a: 1\n"

    def test_somebody_elses_temporary_file_stays(self, tmp_path: Path) -> None:
        (tmp_path / "mlops.yaml").write_text("a: 1\n")
        (tmp_path / ".mlops.yaml.mlopsc-new").write_text("mine")
        with pytest.raises(Rejected) as caught:
            write_spec(str(tmp_path), "mlops.yaml", "a: 2\n")
        assert caught.value.findings[0].code == "W028"
        assert (tmp_path / ".mlops.yaml.mlopsc-new").read_text() == "mine"

    @pytest.mark.parametrize("operation", ["write", "replace", "fchmod"])
    def test_a_full_disk_leaves_it_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
    ) -> None:
        (tmp_path / "mlops.yaml").write_text("a: 1\n")

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "")

        monkeypatch.setattr(os, operation, fail)
        with pytest.raises(Rejected) as caught:
            write_spec(str(tmp_path), "mlops.yaml", "a: 2\n")
        assert caught.value.findings[0].code == "W040"
        assert [path.name for path in tmp_path.iterdir()] == ["mlops.yaml"]
        assert (tmp_path / "mlops.yaml").read_text() == "a: 1\n"
