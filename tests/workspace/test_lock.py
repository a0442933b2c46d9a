"""The lock: the same facts are the same bytes, and nothing damaged is believed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlopsc import __version__
from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.lock import Lock, input_hash, lock_text, parse_lock, read_lock
from mlopsc.workspace.paths import is_usable, temporary
from workspace.projects import INPUTS, compile_into

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "1" * 64, "2" * 64
paths = st.text(min_size=1, max_size=12).filter(is_usable)
hashes = st.binary(max_size=3).map(lambda data: hashlib.sha256(data).hexdigest())
tables = st.dictionaries(paths, hashes, max_size=4)


def test_its_text(tmp_path: Path) -> None:
    compile_into(tmp_path, {"k8s/b.yaml": "b\n", ".gitlab-ci.yml": "a\n"})
    assert (tmp_path / "mlops.lock").read_text().splitlines() == [
        "# The files mlopsc made, and may change and remove. Commit it; do not edit it.",
        f"mlopsc {__version__}",
        f"input {hashlib.sha256(INPUTS['mlops.yaml']).hexdigest()}  mlops.yaml",
        f"{hashlib.sha256(b'a' + bytes([10])).hexdigest()}  .gitlab-ci.yml",
        f"{hashlib.sha256(b'b' + bytes([10])).hexdigest()}  k8s/b.yaml",
    ]


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="coreutils are not here")
def test_sha256sum_reads_it(tmp_path: Path) -> None:
    compile_into(tmp_path, {"k8s/b.yaml": "b\n", "a b.yml": "ä\n"})
    command = ["sha256sum", "--check", "mlops.lock"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["a b.yml: OK", "k8s/b.yaml: OK"]


@settings(deadline=None)
@given(inputs=tables, files=tables, writing=tables)
def test_read_is_the_inverse_of_write(
    inputs: dict[str, str], files: dict[str, str], writing: dict[str, str]
) -> None:
    text = lock_text(Lock("1.2.3", inputs, files, writing))
    assert parse_lock(text) == Lock("1.2.3", inputs, files, writing, raw=text)


@settings(deadline=None)
@given(files=tables)
def test_order_of_facts_does_not_matter(files: dict[str, str]) -> None:
    backwards = dict(reversed(files.items()))
    assert lock_text(Lock("1", files=files)) == lock_text(Lock("1", files=backwards))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(raw: bytes) -> None:
    lock = parse_lock(raw)
    assert lock.damage
    assert not lock.files


@settings(deadline=None)
@given(files=tables, cut=st.integers(min_value=1, max_value=300))
def test_cut_off_it_never_says_more_than_before(files: dict[str, str], cut: int) -> None:
    lock = parse_lock(lock_text(Lock("1", files=files))[:-cut])
    assert lock.files.items() <= files.items()


def test_line_ends_do_not_matter() -> None:
    lock = Lock("1", {"mlops.yaml": ONE}, {"a": TWO})
    read = parse_lock(lock_text(lock).replace(b"\n", b"\r\n"))
    assert (read.inputs, read.files, read.damage) == (lock.inputs, lock.files, None)
    assert input_hash(b"a: 1\r\nb: 2\r\n") == input_hash(b"a: 1\nb: 2\n")


@pytest.mark.parametrize(
    "line",
    [
        f"{ONE}  ../outside",
        f"{ONE}  /etc/passwd",
        f"{ONE}  a/../../b",
        f"{ONE}  .git/hooks/post-checkout",
        f"{ONE}  a\\b",
        f"{ONE}  a\x1b[2J",
        f"{ONE}  ",
        f"{ONE} a",
        f"{ONE[1:]}  a",
        f"{'A' * 64}  a",
        f"{ONE}  twice\n{TWO}  twice",
        f"input {ONE}  ../mlops.yaml",
        f"writing {ONE}  ../a",
        "mlopsc 2.0",
        "",
        "<<<<<<< HEAD",
        "=======",
        ">>>>>>> feature",
        "||||||| base",
        "a line of a later version",
    ],
)
def test_damage(line: str) -> None:
    lock = parse_lock(f"# c\nmlopsc 1\n{line}\n{TWO}  fine\n".encode())
    assert lock.damage
    assert not lock.files
    assert not lock.inputs


@pytest.mark.parametrize("raw", [b"", b"\0" * 40, b"\xff\n", b"mlopsc 1", b"# only\n"])
def test_more_damage(raw: bytes) -> None:
    assert parse_lock(raw).damage


def test_missing(tmp_path: Path) -> None:
    assert read_lock(str(tmp_path)) == Lock()
    assert read_lock(str(tmp_path / "nowhere")) == Lock()


@pytest.mark.parametrize("what", ["folder", "pipe", "link"])
def test_something_else_in_its_place(tmp_path: Path, what: str) -> None:
    lock = tmp_path / "mlops.lock"
    (tmp_path / "real").write_bytes(lock_text(Lock("1")))
    if what == "folder":
        lock.mkdir()
    elif what == "pipe":
        os.mkfifo(lock)
    else:
        lock.symlink_to("real")
    with pytest.raises(Rejected) as caught:
        read_lock(str(tmp_path))
    assert caught.value.findings[0].code == "W003"


def test_the_project_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Rejected) as caught:
        read_lock(str(tmp_path / "file"))
    assert caught.value.findings[0].code == "W002"


@settings(deadline=None)
@given(st.text(min_size=1, max_size=400).filter(lambda name: "/" not in name and is_usable(name)))
def test_a_temporary_name_fits_and_is_its_own(name: str) -> None:
    assert len(temporary(name).encode()) <= 255
    assert temporary(name) != name
    assert is_usable(temporary(name))
