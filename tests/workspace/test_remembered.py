"""A clean tree remembered gives the verdict a compile would give, whatever happens to the tree."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlopsc.cli.main import run
from mlopsc.cli.unchanged import said_before
from mlopsc.workspace import remembered, signature
from mlopsc.workspace.cache import cache_folder, load, save

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlopsc.workspace.signature import Signature

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "minimal" / "mlops.yaml"
TICK = 0.03  # seconds: longer than a tick of the file system's clock
SPEC = "mlops.yaml"
PARTS = "parts/*.yaml"

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean project whose spec includes others; the compiler is as it is, and files soon settle."""
    monkeypatch.setenv("MLOPSC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(signature, "YOUNG", int(TICK * 1e9))

    def this_compiler(_resources: str) -> tuple[str, dict[str, Signature]]:
        return remembered._interpreter(), {}

    monkeypatch.setattr(remembered, "this_compiler", this_compiler)
    root = tmp_path / "project"
    (root / "parts").mkdir(parents=True)
    head, chapter, models = EXAMPLE.read_text().partition("\nmodels:")
    (root / SPEC).write_text(f"{head}\ninclude: ['{PARTS}']\n")
    (root / "parts" / "models.yaml").write_text(chapter.lstrip() + models)
    (root / "notes.txt").write_text("not ours\n")
    assert run(["compile", str(root)]) == 0
    return root


def answers(project: Path, capture: Capture, *options: str) -> tuple[int | None, str, str]:
    capture.readouterr()
    code = said_before(["check", str(project), *options])
    said = capture.readouterr()
    return code, said.out, said.err


def whole_check(project: Path, capture: Capture, *options: str) -> tuple[int, str, str]:
    capture.readouterr()
    code = run(["check", str(project), *options])
    said = capture.readouterr()
    return code, said.out, said.err


# --- what is said again ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [(), ("--format", "json"), ("--format=gitlab",), ("--jobs", "2")]
)
def test_a_clean_tree_is_answered_as_a_whole_check_answers(
    project: Path, capsys: Capture, options: tuple[str, ...]
) -> None:
    whole = whole_check(project, capsys, *options)
    assert whole[0] == 0
    assert answers(project, capsys, *options) == whole
    assert answers(project, capsys, *options, "--rehash") == whole


def test_what_compile_leaves_is_enough_for_check_and_for_compile(
    project: Path, capsys: Capture
) -> None:
    assert answers(project, capsys)[0] == 0
    assert said_before(["compile", str(project)]) == 0
    again = capsys.readouterr().out
    assert run(["compile", str(project)]) == 0
    assert capsys.readouterr().out == again


def test_warnings_are_said_again(project: Path, capsys: Capture) -> None:
    spec = project / "parts" / "models.yaml"
    model, _, _ = spec.read_text().partition("\n#")
    spec.write_text(f"{model}\n    serving: {{}}\nregistry: registry.example.com/flights\n")
    run(["compile", str(project)])
    whole = whole_check(project, capsys)
    assert whole[0] == 0
    assert "warning[" in whole[2]
    assert answers(project, capsys) == whole


def test_another_format_was_not_said_yet(project: Path, capsys: Capture) -> None:
    assert answers(project, capsys, "--format", "sarif")[0] is None
    whole_check(project, capsys, "--format", "sarif")
    assert answers(project, capsys, "--format", "sarif")[0] == 0
    assert answers(project, capsys)[0] == 0, "what was known before was forgotten"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["why", "x:1"],
        ["check", "--help"],
        ["check", "--format"],
        ["check", "--format", "nonsense"],
        ["check", "a", "b"],
        ["check", "--jobs", "0"],
        ["check", "--jobs"],
        ["compile", "--dry-run"],
        ["compile", "--output", "elsewhere"],
        ["compile", "--target", "dvc"],
        ["check", "nowhere"],
    ],
    ids=" ".join,
)
def test_what_is_unusual_is_left_to_the_command(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(project)
    assert said_before(arguments) is None


def test_a_project_is_known_by_its_real_folder(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.parent / "link").symlink_to(project)
    assert answers(project.parent / "link", capsys)[0] == 0
    monkeypatch.chdir(project)
    assert said_before(["check"]) == 0
    assert Path.cwd() == project


def test_from_a_folder_that_is_gone(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = project.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    quick = answers(project, capsys)
    whole = whole_check(project, capsys)
    assert whole[0] == 0
    assert quick[0] is None or quick == whole  # Linux can come back to such a folder, others cannot
    assert said_before(["check"]) is None


# --- what changes the verdict --------------------------------------------------------------------


def _settle(project: Path, capture: Capture) -> None:
    """Until no file is too young for its signature to be believed."""
    time.sleep(TICK * 2)
    assert answers(project, capture)[0] == 0
    known = remembered.Remembered.load(os.path.realpath(project), SPEC)
    assert known is not None
    assert 0 not in list(known.statuses[::4])
    assert signature.UNKNOWN not in [seen for _, seen in known.found.values()]


def _edit_behind_its_times(path: Path) -> None:
    """Other content of the same size, with the times it had: only the kernel's own time tells."""
    status = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _behind_a_link(path: Path) -> None:
    away = path.parent.parent / f"{path.name}-away"
    path.rename(away)
    path.symlink_to(away)


CHANGES: dict[str, Callable[[Path], object]] = {
    "spec edited": lambda root: _edit_behind_its_times(root / SPEC),
    "included file edited": lambda root: _edit_behind_its_times(root / "parts" / "models.yaml"),
    "another file to include": lambda root: (root / "parts" / "more.yaml").write_text("x-a: 1\n"),
    "included file gone": lambda root: (root / "parts" / "models.yaml").unlink(),
    "included file renamed": lambda root: (root / "parts" / "models.yaml").rename(
        root / "parts" / "renamed.yaml"
    ),
    "included file is a link": lambda root: _behind_a_link(root / "parts" / "models.yaml"),
    "folder of includes is a link": lambda root: _behind_a_link(root / "parts"),
    "generated file edited": lambda root: _edit_behind_its_times(root / "dvc.yaml"),
    "generated file gone": lambda root: (root / "dvc.yaml").unlink(),
    "generated file cannot be read": lambda root: (root / "dvc.yaml").chmod(0),
    "generated file is a link": lambda root: _behind_a_link(root / "dvc.yaml"),
    "folder of generated files is a link": lambda root: _behind_a_link(root / "mlops"),
    "lock edited": lambda root: _edit_behind_its_times(root / "mlops.lock"),
    "lock gone": lambda root: (root / "mlops.lock").unlink(),
    "temporary lock in the way": lambda root: (root / ".mlops.lock.mlopsc-new").write_text("?"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_a_change_the_project_is_compiled(
    project: Path, capsys: Capture, change: Callable[[Path], object]
) -> None:
    _settle(project, capsys)
    change(project)
    if not (os.geteuid() == 0 and (project / "dvc.yaml").exists() and _mode(project) == 0):
        assert answers(project, capsys)[0] is None


def _mode(project: Path) -> int:
    return (project / "dvc.yaml").stat().st_mode & 0o777


HARMLESS: dict[str, Callable[[Path], object]] = {
    "a foreign file": lambda root: (root / "mine.txt").write_text("mine\n"),
    "an edit of a foreign file": lambda root: (root / "notes.txt").write_text("other\n"),
    "a touch": lambda root: (root / "dvc.yaml").touch(),
    "all touched": lambda root: [p.touch() for p in root.rglob("*") if p.is_file()],
    "other rights": lambda root: (root / "dvc.yaml").chmod(0o600),
    "a copy in its place": lambda root: [
        shutil.copy(root / "dvc.yaml", root / "copy"),
        (root / "copy").rename(root / "dvc.yaml"),
    ],
    "a file that no pattern fits": lambda root: (root / "parts" / "README.md").write_text("read\n"),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_no_content_needs_no_compile(
    project: Path, capsys: Capture, change: Callable[[Path], object]
) -> None:
    _settle(project, capsys)
    change(project)
    assert answers(project, capsys)[0] == 0
    assert whole_check(project, capsys)[0] == 0


def test_a_file_is_hashed_again_only_where_its_signature_cannot_be_believed(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settle(project, capsys)
    read: list[str] = []
    hashed = remembered.hashed

    def noting(path: str) -> tuple[Signature, bytes] | None:
        read.append(path)
        return hashed(path)

    monkeypatch.setattr(remembered, "hashed", noting)
    assert answers(project, capsys)[0] == 0
    assert read == []
    (project / "dvc.yaml").touch()
    assert answers(project, capsys)[0] == 0
    assert read == ["dvc.yaml"]
    assert answers(project, capsys)[0] == 0
    assert read == ["dvc.yaml"] * 2, "as young as it is, it may have changed at the same time"
    time.sleep(TICK * 2)
    assert answers(project, capsys)[0] == 0
    assert answers(project, capsys)[0] == 0
    assert read == ["dvc.yaml"] * 3
    assert answers(project, capsys, "--rehash")[0] == 0
    assert len(read) > 20


def test_an_edit_that_no_signature_shows_is_found_by_rehash(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settle(project, capsys)
    _edit_behind_its_times(project / "dvc.yaml")
    known = remembered.Remembered.load(os.path.realpath(project), SPEC)
    assert known is not None
    place = known.paths.index("dvc.yaml") * remembered.WIDTH
    status = (project / "dvc.yaml").stat()
    known.statuses[place + 2], known.statuses[place + 3] = status.st_mtime_ns, status.st_ctime_ns
    known.save()  # as if the file system had not told
    assert answers(project, capsys)[0] == 0
    assert answers(project, capsys, "--rehash")[0] is None


def test_with_the_clock_turned_back_files_are_hashed(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    whole_check(project, capsys)
    known = remembered.Remembered.load(os.path.realpath(project), SPEC)
    assert known is not None
    assert set(known.statuses) == {0}
    assert answers(project, capsys)[0] == 0


@pytest.mark.parametrize("seed", range(4))
def test_random_changes_never_hide_a_finding(project: Path, capsys: Capture, seed: int) -> None:
    chance = random.Random(seed)
    pristine = project.parent / "pristine"
    shutil.copytree(project, pristine)
    answered = 0
    for _ in range(40):
        _change_something(project, pristine, chance)
        if chance.random() < 0.3:
            time.sleep(TICK * 1.5)
        quick = answers(project, capsys)
        whole = whole_check(project, capsys)
        assert quick[0] is None or quick == whole
        answered += quick[0] is not None
        if whole[0] != 0 and chance.random() < 0.85:
            shutil.rmtree(project)
            shutil.copytree(pristine, project)
    assert answered, "nothing was ever answered: the test shows nothing"


def _change_something(project: Path, pristine: Path, chance: random.Random) -> None:
    files = sorted(p for p in project.rglob("*") if p.is_file())
    path, other = chance.choice(files), chance.choice(files)
    name = path.relative_to(project)

    def restore() -> None:
        if (pristine / name).is_file():
            shutil.copy2(pristine / name, path)

    def swap() -> None:
        path.rename(project / "swapped")
        if other.is_file():
            other.rename(path)
        (project / "swapped").rename(other)

    def replace_by_folder() -> None:
        path.unlink()
        path.mkdir()

    chance.choice(
        [
            path.touch,
            path.touch,
            lambda: path.chmod(chance.choice([0o600, 0o644, 0o755])),
            lambda: os.utime(path, ns=(0, chance.choice([0, 2**62]))),
            restore,
            restore,
            swap,
            replace_by_folder,
            path.unlink,
            lambda: _edit_behind_its_times(path) if path.stat().st_size else None,
            lambda: path.write_bytes(path.read_bytes() + b"\n"),
            lambda: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n")),
            lambda: (project / "parts" / f"{chance.random()}.txt").write_text("any\n"),
            lambda: (project / "parts" / f"a{chance.randrange(3)}.yaml").write_text("x-a: 1\n"),
            lambda: None,
        ]
    )()


# --- the compiler ----------------------------------------------------------------------------------


def test_another_compiler_starts_anew(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = project.parent / "module.py"
    module.write_text("x = 1\n")
    time.sleep(TICK * 2)

    def this_compiler(_resources: str) -> tuple[str, dict[str, Signature]]:
        seen = signature.signature(module.stat())
        return remembered._interpreter(), {str(module): seen}

    monkeypatch.setattr(remembered, "this_compiler", this_compiler)
    whole_check(project, capsys)
    assert answers(project, capsys)[0] == 0
    module.write_text("x = 2\n")
    assert answers(project, capsys)[0] is None
    whole_check(project, capsys)
    assert answers(project, capsys)[0] is None, "edited a moment ago, maybe after it was loaded"


def test_the_compiler_is_its_modules_its_packages_and_its_templates() -> None:
    from mlopsc.resources import ROOT

    text, files = _REAL_COMPILER(ROOT)
    assert sys.version.split()[0] in text
    for path in ("compiler.py", "workspace/remembered.py"):
        assert str(Path(remembered.__file__).parents[1] / path) in files
    assert any(path.endswith("/yaml/__init__.py") for path in files)
    assert any(path.endswith("definitions.py.j2") for path in files)
    assert os.__file__ not in files


_REAL_COMPILER = remembered.this_compiler


# --- the cache folder ---------------------------------------------------------------------------------


def _cached(project: Path) -> Path:
    (found,) = (project.parent / "cache").glob("clean-*")
    return found


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:400] + bytes([data[400] ^ 1]) + data[401:],
        lambda data: data.replace(b"cache 1", b"cache 2", 1),
        lambda data: b"mlopsc cache 1 \n",
        lambda data: b"mlopsc cache 1 nonsense\n",
        lambda data: b"\0" * len(data),
    ],
)
def test_a_damaged_cache_is_no_cache(
    project: Path, capsys: Capture, damage: Callable[[bytes], bytes]
) -> None:
    cached = _cached(project)
    cached.write_bytes(damage(cached.read_bytes()))
    assert answers(project, capsys)[0] is None
    assert whole_check(project, capsys)[0] == 0
    assert answers(project, capsys)[0] == 0


def test_parts_that_do_not_fit_together_are_no_cache(project: Path, capsys: Capture) -> None:
    name = _cached(project).name
    parts = load(name)
    facts = 11  # then comes what was said, three parts each
    assert (len(parts) - facts) % 3 == 0
    for index in range(facts):
        changed = [*parts[:index], parts[index] + b"\nmore", *parts[index + 1 :]]
        assert save(name, changed)
        assert answers(project, capsys)[0] in (None, 0)
        assert save(name, parts[:index])
        assert answers(project, capsys)[0] is None


def test_without_a_cache_everything_is_the_same_but_for_time(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = whole_check(project, capsys)
    shutil.rmtree(project.parent / "cache")
    assert whole_check(project, capsys) == whole
    blocked = project.parent / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("MLOPSC_CACHE_DIR", str(blocked / "cache"))
    assert whole_check(project, capsys) == whole
    assert answers(project, capsys)[0] is None
    for name in ("MLOPSC_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    assert whole_check(project, capsys) == whole


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing keeps root from writing")
def test_a_cache_folder_that_cannot_be_written_to_stops_nobody(
    project: Path, capsys: Capture
) -> None:
    (project.parent / "cache").chmod(0o500)
    (project / "dvc.yaml").touch()
    assert answers(project, capsys)[0] == 0
    assert whole_check(project, capsys)[0] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_somebody_else_wrote_is_not_believed(project: Path, capsys: Capture) -> None:
    os.chown(_cached(project), 12345, -1)
    assert answers(project, capsys)[0] is None


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"HOME": "/h"}, "linux", "/h/.cache/mlopsc"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Caches/mlopsc"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "linux", "/c/mlopsc"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "relative"}, "linux", "/h/.cache/mlopsc"),
        ({"XDG_CACHE_HOME": "/c", "MLOPSC_CACHE_DIR": "/m"}, "linux", "/m"),
        ({}, "linux", ""),
    ],
)
def test_the_cache_lies_where_the_platform_says(
    environ: dict[str, str], platform: str, folder: str
) -> None:
    assert cache_folder(environ, platform) == folder


def test_old_files_of_the_cache_go(tmp_path: Path) -> None:
    for number in range(210):
        assert save(f"clean-{number}", [b"x"], str(tmp_path))
        os.utime(tmp_path / f"clean-{number}", (number, number))
    assert save("clean-new", [b"x"], str(tmp_path))
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 200
    assert "clean-new" in left
    assert "clean-0" not in left


def test_many_processes_at_once_leave_a_whole_file(project: Path, capsys: Capture) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(project.parent / "many"), str(n)])
        for n in range(4)
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        parts = load("clean-x", str(project.parent / "many"))
        seen.add(len(parts))
        assert parts == [] or len(set(parts)) == 1
    assert [writer.returncode for writer in writers] == [0] * 4
    assert load("clean-x", str(project.parent / "many")) != []
    assert [p.name for p in (project.parent / "many").iterdir()] == ["clean-x"]


_WRITER = """\
import sys
from mlopsc.workspace.cache import save
for turn in range(200):
    assert save("clean-x", [sys.argv[2].encode() * (1 + turn)] * 3, sys.argv[1])
"""
