"""Folders that may not be written to, and disks that are full: tried for real where possible."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.files import read_bytes
from mlopsc.workspace.stale import stale
from workspace.projects import compile_into, everything, files_of, plan_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534
BEFORE = {"a": "a1\n", "k8s/b": "b1\n"}
AFTER = {"a": "a2\n", "k8s/b": "b2\n", "k8s/c": "c1\n"}


def in_a_child(work: Callable[[], Any], prepare: Callable[[], None]) -> Any:
    """What `work` gives in a forked process that has first run `prepare`."""
    import fcntl  # noqa: F401 (loaded here: an unprivileged child may not reach the library)

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prepare()
            answer = json.dumps(work())
        except Rejected as rejected:
            answer = json.dumps([finding.code for finding in rejected.findings])
        except BaseException as error:
            answer = json.dumps(repr(error))
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def as_nobody(project: Path, work: Callable[[], Any]) -> Any:
    """What `work` gives, run in `project` by a user whom modes hold back; root they do not."""

    def become_nobody() -> None:
        os.chdir(project)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    if os.geteuid() == 0:
        for folder, folders, files in os.walk(project):
            for name in (".", *folders, *files):
                os.chown(Path(folder, name), NOBODY, NOBODY)
    return in_a_child(work, become_nobody)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "project"
    compile_into(root, BEFORE)
    (root / "mlops.yaml").write_text("a: 1\n")
    yield root
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)


def codes_of_plan() -> list[str]:
    return [finding.code for finding in plan_for(".", AFTER).findings]


@pytest.mark.parametrize(("folder", "mode"), [(".", 0o555), ("k8s", 0o555), ("k8s", 0o444)])
def test_a_folder_without_rights(project: Path, folder: str, mode: int) -> None:
    before = everything(project)
    (project / folder).chmod(mode)
    expected = ["W027"] if mode == 0o555 else ["W002", "W002"]
    assert as_nobody(project, codes_of_plan) == expected
    assert as_nobody(project, lambda: compile_into(".", AFTER) and None) == expected
    (project / folder).chmod(0o755)
    assert everything(project) == before


def test_a_check_needs_no_right_to_write(project: Path) -> None:
    project.chmod(0o555)
    (project / "k8s").chmod(0o555)
    assert as_nobody(project, lambda: [f.code for f in stale(plan_for(".", BEFORE))]) == []
    said = as_nobody(project, lambda: [f.code for f in stale(plan_for(".", AFTER))])
    assert said == ["W031", "W031", "W030"]


def test_a_file_that_cannot_be_read(project: Path) -> None:
    (project / "k8s/b").chmod(0)
    (project / "mlops.yaml").chmod(0)
    assert as_nobody(project, codes_of_plan) == ["W002"]
    assert as_nobody(project, lambda: len(read_bytes(".", "mlops.yaml"))) == ["W002"]
    assert as_nobody(project, lambda: compile_into(".", {}) and None) == ["W002"]


def test_a_file_without_the_right_to_write_is_replaced(project: Path) -> None:
    """The folder's rights decide, as for every program that replaces a file whole."""
    (project / "k8s/b").chmod(0o444)
    assert as_nobody(project, lambda: compile_into(".", AFTER) and None) is None
    assert files_of(project) == {**AFTER, "mlops.yaml": "a: 1\n"}


def test_a_limit_on_the_size_of_files(project: Path) -> None:
    before = everything(project)
    large = {**AFTER, "k8s/large": "x" * 100_000 + "\n"}

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    said = in_a_child(lambda: compile_into(str(project), large) and None, limit)
    assert said == ["W040"]
    assert everything(project) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    root = small_disk / "project"
    compile_into(root, BEFORE)
    before = everything(root)
    many = {**AFTER, **{f"k8s/{number}": "x" * 20_000 + "\n" for number in range(20)}}
    with pytest.raises(Rejected) as caught:
        compile_into(root, many)
    assert [finding.code for finding in caught.value.findings] == ["W040"]
    assert everything(root) == before
    compile_into(root, AFTER)
    assert files_of(root) == AFTER


def test_a_disk_without_a_single_byte_left(small_disk: Path) -> None:
    root = small_disk / "project"
    compile_into(root, BEFORE)
    before = everything(root)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(Rejected) as caught:
        compile_into(root, AFTER)
    assert [finding.code for finding in caught.value.findings] == ["W040"]
    assert everything(root) == before
    filler.unlink()
    compile_into(root, AFTER)
    assert files_of(root) == AFTER
