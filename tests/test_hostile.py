"""Hostile input at the command line: a clear error of its own, exit code 1, and no file changed."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = """\
apiVersion: mlopsc/v1
project: flights
sources:
  flights:
    parquet: data/flights.parquet
    timestamp: time_hour
    columns:
      carrier: string
      arr_delay: float32
models:
  delay:
    target: flights:arr_delay
    features: [flights:carrier]
    training: {command: python src/train.py}
"""
PYTHON = sys.executable
MLOPSC = (PYTHON, "-m", "mlopsc")
SECONDS = 20
MEMORY = 512 << 20  # bytes a run may take at its largest; a spec has at most 10 MiB
NOBODY = 65534
COMMANDS = ("compile", "check")


class Done:
    """How a run ended, what it said, and the most memory it had."""

    def __init__(self, code: int, out: str, err: str, memory: int) -> None:
        self.code, self.out, self.err, self.memory = code, out, err, memory

    @property
    def said(self) -> str:
        return self.out + self.err


def mlopsc(
    *arguments: str,
    cwd: Path,
    env: dict[str, str | None] | None = None,
    limits: tuple[int, int] | None = None,
) -> Done:
    """Run the command line; a run that takes too long is killed, which is no code of ours."""
    environment = {**os.environ, **(env or {})}
    command = [PYTHON, "-c", _LIMITED.format(*limits)] if limits else [PYTHON, "-m", "mlopsc"]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=cwd,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        clock = threading.Timer(SECONDS, process.kill)
        clock.start()
        _, status, usage = os.wait4(process.pid, 0)
        clock.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        return Done(process.returncode, _read(out), _read(err), usage.ru_maxrss * 1024)


_LIMITED = """
import resource, runpy, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit({}, ({}, resource.RLIM_INFINITY))
runpy.run_module("mlopsc", run_name="__main__", alter_sys=True)
"""


def _read(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(1 << 20).decode("utf-8", "replace")


def as_nobody(*arguments: str, project: Path) -> Done:
    """Run by a user whom modes hold back, in a fork: another user may not reach the interpreter."""
    from mlopsc.cli.main import run

    with suppress(SystemExit):
        run(["check", str(project)])  # loads what a run needs
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.chdir(project)
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            code = 99
            try:
                sys.stdout = open(os.dup(out.fileno()), "w", encoding="utf-8")  # noqa: PTH123, SIM115
                sys.stderr = open(os.dup(err.fileno()), "w", encoding="utf-8")  # noqa: PTH123, SIM115
                code = run(list(arguments))
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        return Done(os.waitstatus_to_exitcode(status), _read(out), _read(err), 0)


def tree(root: Path) -> dict[str, str]:
    """Every entry under `root`: kind, mode and what it holds; FIFOs are not opened."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            status = path.lstat()
            holds = ""
            if path.is_symlink():
                holds = str(path.readlink())
            elif path.is_file():
                digest = hashlib.sha256()
                with path.open("rb") as file:
                    while block := file.read(1 << 20):
                        digest.update(block)
                holds = digest.hexdigest()
            found[str(path.relative_to(root))] = f"{status.st_mode:o} {status.st_mtime_ns} {holds}"
    return found


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("once") / "project"
    root.mkdir()
    (root / "mlops.yaml").write_text(SPEC)
    done = mlopsc("compile", cwd=root)
    assert done.code == 0, done.said
    return root


@pytest.fixture
def project(compiled_once: Path, tmp_path: Path) -> Iterator[Path]:
    """A compiled project, alone in a folder that tells when something was written beside it."""
    root = tmp_path / "outside" / "project"
    shutil.copytree(compiled_once, root)
    (root / "notes.txt").write_text("mine\n")
    yield root
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)


def refuses(project: Path, code: str, says: str = "") -> None:
    """Both commands refuse with this code and no other; nothing is changed."""
    before = tree(project.parent)
    for command in COMMANDS:
        done = mlopsc(command, cwd=project)
        assert done.code == 1, (command, done.said)
        assert "Traceback" not in done.said
        codes = set(re.findall(r"error\[(\w+)\]", done.said))
        assert codes == {code}, (command, done.said)
        assert "= help: " in done.said
        assert says in done.said, done.said
        assert len(done.said) < 10_000
        assert done.memory < MEMORY, f"{done.memory >> 20} MiB"
        assert tree(project.parent) == before, command


def nested(depth: int) -> str:
    return SPEC + "x-deep: " + "[" * depth + "]" * depth + "\n"


BOMB = (
    SPEC
    + "x-a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
)
MERGE_BOMB = (
    SPEC
    + "x-a0: &a0 {k0: 1}\n"
    + "".join(f"x-a{n}: &a{n} {{k: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10))
)


def changed(old: str, new: str) -> str:
    assert SPEC.count(old) == 1
    return SPEC.replace(old, new)


TEXTS: dict[str, tuple[str, bytes]] = {
    "empty": ("Y005", b""),
    "only comments": ("Y005", b"# nothing\n\n"),
    "a zero byte": ("Y002", SPEC.encode() + b"\0"),
    "a program": ("Y002", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"),
    "latin 1": ("Y001", SPEC.encode() + "x-\u00fc: 1\n".encode("latin-1")),
    "UTF-16": ("Y001", SPEC.encode("utf-16")),
    "UTF-32": ("Y001", SPEC.encode("utf-32")),
    "half a character": ("Y001", SPEC.encode() + b"x-a: \xe2\x82\n"),
    "a control character": ("Y003", SPEC.encode() + b"x-a: \x1b[31m\n"),
    "11 MiB": ("W004", SPEC.encode() + b"#" * (11 << 20) + b"\n"),
    "deep lists": ("Y0", nested(100_000).encode()),
    "deep mappings": ("Y0", (SPEC + "x-d: " + "{a: " * 5000 + "1" + "}" * 5000 + "\n").encode()),
    "unclosed lists": ("Y0", (SPEC + "x-d: " + "[" * 100_000).encode()),
    "an alias bomb": ("Y0", BOMB.encode()),
    "a merge bomb": ("Y0", MERGE_BOMB.encode()),
    "a loop": ("Y0", (SPEC + "x-a: &a [*a]\n").encode()),
    "a loop of merges": ("Y0", (SPEC + "x-a: &a {<<: *a}\n").encode()),
    "an unknown alias": ("Y0", (SPEC + "x-a: *nowhere\n").encode()),
    "a tag": ("Y0", (SPEC + "x-a: !!python/object/apply:os.system [touch pwned]\n").encode()),
    "a tag of one's own": ("Y0", (SPEC + "x-a: !secret abc\n").encode()),
    "two keys": ("Y0", (SPEC + "project: other\n").encode()),
    "a tab": ("Y0", changed("  delay:", "\tdelay:").encode()),
    "two documents": ("Y0", (SPEC + "---\na: 1\n").encode()),
    "no YAML": ("Y0", b"a: [1\nb: }\n"),
    "a huge number of lines": ("Y0", SPEC.encode() + b"x-a: [\n" + b"1,\n" * 1_100_000 + b"]\n"),
    "a list": ("Y006", b"- a\n- b\n"),
    "a text": ("Y006", b"hello\n"),
    "a wrong type": ("S", changed("string", "[string]").encode()),
    "a number for a name": ("S", changed("project: flights", "project: 12").encode()),
    "a null": ("S", changed("project: flights", "project:").encode()),
    "an unknown key": ("S", (SPEC + "modles: {}\n").encode()),
    "a name with quotes": ("S", changed("  delay:", '  "de\'lay":').encode()),
    "a name with a newline": ("S", changed("  delay:", '  "de\\nlay":').encode()),
    "a name that climbs": ("S", changed("  delay:", '  "../../delay":').encode()),
    "a name like a path": ("S", changed("  delay:", '  "/etc/delay":').encode()),
    "a path that climbs": ("S", changed("data/flights", "../data/flights").encode()),
    "a long name": ("S", changed("  delay:", f"  {'d' * 41}:").encode()),
    "a pipeline outside": ("S", (SPEC + "ci: {file: ../.gitlab-ci.yml}\n").encode()),
    "an absolute pipeline": ("S", (SPEC + "ci: {file: /tmp/.gitlab-ci.yml}\n").encode()),
    "a dangling source": ("N001", changed("target: flights:", "target: nights:").encode()),
    "a dangling column": ("N002", changed("flights:arr_delay", "flights:dep_delay").encode()),
    "a dangling feature": ("N002", changed("[flights:carrier]", "[flights:carier]").encode()),
    "a cycle": (
        "N004",
        changed(
            "    timestamp:",
            "    build: {command: x, from: [b]}\n    timestamp:",
        )
        .replace("models:", "  b: {csv: b.csv, build: {command: y, from: [flights]}}\nmodels:")
        .encode(),
    ),
    "a huge line": ("S", SPEC.encode() + b"zz: '" + b"x" * 5_000_000 + b"'\n"),
    "a huge key": ("Y019", SPEC.encode() + b"z" * 1_000_000 + b": 1\n"),
    "not built yet": ("S", (SPEC + "endpoints: {a: {split: {delay: 100%}}}\n").encode()),
    "a variable nobody uses": ("N012", (SPEC + "variables: {a: 1}\n").encode()),
    "variables of variables of variables": (
        "Y025",
        SPEC.encode()
        + b"variables:\n"
        + b"".join(b"  v%d: '${var.v%d}${var.v%d}'\n" % (n, n + 1, n + 1) for n in range(45))
        + b"  v45: xxxxxxxxxx\ndescription: ${var.v0}\n",
    ),
    "an include of itself": ("Y031", SPEC.encode() + b"include: [mlops.yaml]\n"),
    "an include of everything": ("Y031", SPEC.encode() + b"include: ['**']\n"),
    "an include from outside": ("Y030", SPEC.encode() + b"include: [../../etc/passwd]\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_spec_that_is_none(name: str, project: Path) -> None:
    code, data = TEXTS[name]
    (project / "mlops.yaml").write_bytes(data)
    before = tree(project.parent)
    done = mlopsc("compile", cwd=project)
    assert done.code == 1, done.said
    assert "Traceback" not in done.said
    codes = set(re.findall(r"error\[(\w+)\]", done.said))
    assert len(codes) == 1, done.said
    assert codes.pop().startswith(code), done.said
    assert re.search(r"--> mlops\.yaml:\d+:\d+", done.said)
    assert "= help: " in done.said or " must be " in done.said
    assert len(done.said) < 10_000
    assert done.memory < MEMORY, f"{done.memory >> 20} MiB"
    assert tree(project.parent) == before
    if len(data) < 1 << 20:
        checked = mlopsc("check", "--format", "json", cwd=project)
        assert checked.code == 1
        assert f'"{code}' in checked.out
        assert tree(project.parent) == before


def test_100_megabytes(project: Path) -> None:
    with (project / "mlops.yaml").open("ab") as file:
        for _ in range(100):
            file.write(b"# " + b"x" * (1 << 20) + b"\n")
    before = tree(project.parent)
    done = mlopsc("compile", cwd=project)
    assert done.code == 1
    assert "error[W004]" in done.err
    assert done.memory < MEMORY
    assert tree(project.parent) == before


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + SPEC.encode(),
        SPEC.replace("\n", "\r\n").encode(),
        SPEC.rstrip("\n").encode(),
        (SPEC + "x-free: {any: [thing, 1, null]}\n").encode(),
        ("# \u540d\u524d\n" + SPEC).encode(),
    ],
    ids=["BOM", "CRLF", "no last newline", "free keys", "not ASCII"],
)
def test_a_spec_that_is_one(data: bytes, project: Path) -> None:
    before = {path: text for path, text in tree(project).items() if path != "mlops.lock"}
    (project / "mlops.yaml").write_bytes(data)
    done = mlopsc("compile", cwd=project, env={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.code == 0, done.said
    after = {path: text for path, text in tree(project).items() if path != "mlops.lock"}
    assert {k for k in after if before.get(k) != after[k]} == {"mlops.yaml"}


# --- files that are not what their names say ----------------------------------------------------


@pytest.fixture
def open_project(compiled_once: Path) -> Iterator[Path]:
    """A compiled project that any user can walk to, and that nobody in particular owns."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(folder, "project")
        shutil.copytree(compiled_once, root)
        if os.geteuid() == 0:
            for place in (root, *root.rglob("*")):
                os.chown(place, NOBODY, NOBODY)
        yield root
        root.chmod(0o755)


def test_an_unreadable_spec(open_project: Path) -> None:
    (open_project / "mlops.yaml").chmod(0)
    before = tree(open_project.parent)
    for command in COMMANDS:
        done = as_nobody(command, project=open_project)
        assert done.code == 1, done.said
        assert "error[W002]" in done.said, done.said
        assert "Traceback" not in done.said
        assert tree(open_project.parent) == before


def test_a_folder_that_cannot_be_written_to(open_project: Path) -> None:
    (open_project / "mlops.yaml").write_text(changed("  delay:", "  late:"))
    open_project.chmod(0o555)
    before = tree(open_project.parent)
    done = as_nobody("compile", project=open_project)
    assert done.code == 1, done.said
    assert "error[W027]" in done.said, done.said
    assert "Traceback" not in done.said
    assert tree(open_project.parent) == before


def test_no_spec(project: Path) -> None:
    (project / "mlops.yaml").unlink()
    refuses(project, "W001", says="mlopsc init")


def test_a_folder_as_the_spec(project: Path) -> None:
    (project / "mlops.yaml").unlink()
    (project / "mlops.yaml").mkdir()
    refuses(project, "W003")


def test_a_fifo_as_the_spec(project: Path) -> None:
    (project / "mlops.yaml").unlink()
    os.mkfifo(project / "mlops.yaml")
    refuses(project, "W003")


def test_a_device_as_the_spec(project: Path) -> None:
    (project / "mlops.yaml").unlink()
    (project / "mlops.yaml").symlink_to("/dev/zero")
    refuses(project, "W005")


def test_a_link_to_nowhere_as_the_spec(project: Path) -> None:
    (project / "mlops.yaml").unlink()
    (project / "mlops.yaml").symlink_to("gone.yaml")
    refuses(project, "W001")


def test_a_fifo_where_a_file_goes(project: Path) -> None:
    (project / ".gitlab-ci.yml").unlink()
    os.mkfifo(project / ".gitlab-ci.yml")
    _refused_and_unchanged(project)


def test_a_file_where_a_folder_goes(project: Path) -> None:
    shutil.rmtree(project / "gx")
    (project / "gx").write_text("mine\n")
    _refused_and_unchanged(project)


def test_a_folder_where_a_file_goes(project: Path) -> None:
    (project / "dvc.yaml").unlink()
    (project / "dvc.yaml").mkdir()
    (project / "dvc.yaml/mine").write_text("mine\n")
    _refused_and_unchanged(project)


def test_a_link_out_of_the_project(project: Path) -> None:
    outside = project.parent / "elsewhere"
    outside.mkdir()
    shutil.rmtree(project / "gx")
    (project / "gx").symlink_to(outside)
    _refused_and_unchanged(project)
    assert not list(outside.iterdir())


def test_a_lock_that_is_none(project: Path) -> None:
    """Every file is what would be written, so all are taken over, and the lock is made anew."""
    before = contents(project.parent)
    (project / "mlops.lock").write_bytes(b"\xff\xfe binary \0")
    done = mlopsc("compile", cwd=project)
    assert done.code == 0, done.said
    assert "W010" in done.said
    assert contents(project.parent) == before


def _refused_and_unchanged(project: Path) -> None:
    before = tree(project.parent)
    for command in COMMANDS:
        done = mlopsc(command, cwd=project)
        assert done.code == 1, (command, done.said)
        assert re.search(r"error\[W0\d\d\]", done.said), done.said
        assert "Traceback" not in done.said
    after = tree(project.parent)
    assert {k: v for k, v in after.items() if k in before} == before


def test_a_file_as_the_output_folder(project: Path) -> None:
    (project / "out").write_text("mine\n")
    before = tree(project.parent)
    done = mlopsc("compile", "--output", "out", cwd=project)
    assert done.code == 1, done.said
    assert re.search(r"error\[W0\d\d\]", done.err), done.said
    assert tree(project.parent) == before


# --- disks --------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only a user who may mount can make a small disk")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk(compiled_once: Path, small_disk: Path) -> None:
    root = small_disk / "project"
    root.mkdir()
    (root / "mlops.yaml").write_text(SPEC)
    with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - 20 * 4096)
    before = contents(root)
    done = mlopsc("compile", cwd=root)
    assert done.code == 1, done.said
    assert set(re.findall(r"error\[(\w+)\]", done.err)) == {"W040"}, done.said
    assert contents(root) == before
    (small_disk / "filler").unlink()
    assert mlopsc("compile", cwd=root).code == 0
    assert contents(root) == contents(compiled_once)


def test_a_limit_on_the_size_of_files(project: Path) -> None:
    (project / "mlops.yaml").write_text(changed("  delay:", "  late:"))

    before = contents(project)
    done = mlopsc("compile", cwd=project, limits=(resource.RLIMIT_FSIZE, 3000))
    assert done.code == 1, done.said
    assert "error[W040]" in done.err, done.said
    assert contents(project) == before


# --- surroundings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        {"HOME": None, "USER": None, "XDG_CACHE_HOME": None},
        {"HOME": "/nonexistent"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": None},
        {"PATH": ""},
        {"TERM": None, "COLUMNS": "1"},
    ],
    ids=["no HOME", "a HOME that is none", "C locale", "no PATH", "one column"],
)
def test_poor_surroundings(env: dict[str, str | None], project: Path) -> None:
    (project / "mlops.yaml").write_text("# \u540d\u524d\n" + SPEC, encoding="utf-8")
    done = mlopsc("check", cwd=project, env=env)
    assert done.code in {0, 1}, done.said
    assert "Traceback" not in done.said
    done = mlopsc("compile", cwd=project, env=env)
    assert done.code == 0, done.said


def test_a_message_that_the_locale_cannot_say(project: Path) -> None:
    spec = changed("[flights:carrier]", "[flights:carier] # \u540d\u524d \u2192 \U0001f600")
    (project / "mlops.yaml").write_text(spec, encoding="utf-8")
    env: dict[str, str | None] = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for arguments in (("compile",), ("check",), ("check", "--format", "json")):
        done = mlopsc(*arguments, cwd=project, env=env)
        assert done.code == 1, done.said
        assert "N002" in done.said
        assert "Traceback" not in done.said


def _shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("mlopsc", f"'{PYTHON}' -m mlopsc", 1)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        ("mlopsc compile <&-", {0}),
        ("mlopsc compile --dry-run >&-", {0, 1}),
        ("mlopsc compile 2>&-", {0}),
        ("mlopsc compile <&- >&- 2>&-", {0, 1}),
        ("mlopsc schema | head -1", {0}),
        ("mlopsc compile --dry-run --output other | head -1", {0}),
        ("mlopsc check --format json | head -c 1", {0, 1}),
        ("mlopsc schema > /dev/full", {1}),
    ],
)
def test_streams_that_are_closed_or_full(command: str, codes: set[int], project: Path) -> None:
    done = _shell(command, project)
    assert done.returncode in codes, (done.returncode, done.stdout[-300:], done.stderr)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_an_interrupt(project: Path) -> None:
    (project / "mlops.yaml").write_bytes(SPEC.encode() + b"x-a: [\n" + b"1,\n" * 900_000 + b"]\n")
    before = tree(project.parent)
    with subprocess.Popen([*MLOPSC, "compile"], cwd=project, stderr=subprocess.PIPE) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.6)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
    if process.returncode:  # else it was done before
        assert process.returncode in {130, -signal.SIGINT}, err  # a shell sees 130 both times
        assert b"Traceback" not in err
        assert tree(project.parent) == before
