"""Several processes make the same files as one, whatever becomes of the processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlopsc.cli import jobs
from mlopsc.cli.main import run
from mlopsc.cli.project import Place, compile_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Artifact, Draft
    from mlopsc.compiler import Compilation

MINIMAL = Path(__file__).resolve().parents[1] / "examples" / "minimal" / "mlops.yaml"
MODELS = jobs.FEWEST_MODELS + 5


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("jobs")
    head, chapter, rest = MINIMAL.read_text().partition("models:\n")
    model = rest.partition("\n#")[0]
    models = "".join(f"{model.replace('delay', f'delay_{n}', 1)}\n" for n in range(MODELS))
    patch = "patches:\n  - create: notes/made.txt\n    text: |\n      made\n"
    (root / "mlops.yaml").write_text(f"{head}{patch}{chapter}{models}")
    return root


@pytest.fixture(scope="module")
def compilation(project: Path) -> Compilation:
    return compile_at(Place(str(project), "mlops.yaml"))


def everything(_path: str, _target: str) -> bool:
    return True


def texts(made: Iterator[Artifact]) -> dict[str, str]:
    found = [(artifact.path, artifact.text) for artifact in made]
    assert len(found) == len({path for path, _ in found}), "a file was made twice"
    return dict(found)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    before = set(os.listdir("/dev/fd"))  # noqa: PTH208 (numbers, no paths)
    others = children()
    yield
    assert set(os.listdir("/dev/fd")) == before  # noqa: PTH208
    assert children() <= others


def children() -> set[str]:
    """The processes this one has started and not yet seen end; other tests may have some of their own."""
    lists = Path("/proc/self/task").glob("*/children")
    return {number for each in lists for number in each.read_text("ascii").split()}


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_the_files_are_the_same(compilation: Compilation, count: int) -> None:
    assert texts(jobs.artifacts(compilation, everything, count)) == texts(compilation.artifacts())


def test_only_wanted_files_are_made(compilation: Compilation) -> None:
    def wanted(path: str, target: str) -> bool:
        return target in ("dvc", "great_expectations") and "delay_1" in path

    made = texts(jobs.artifacts(compilation, wanted, 2))
    assert made == texts(compilation.artifacts(wanted))


def test_processes_are_not_parted_for_a_few_models(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FEWEST_MODELS", MODELS + 1)
    monkeypatch.delattr(os, "fork")
    assert texts(jobs.artifacts(compilation, everything, 2)) == texts(compilation.artifacts())


def _stop_in_a_worker(monkeypatch: pytest.MonkeyPatch, how: signal.Signals | None) -> list[str]:
    """Rendering of one file fails in the workers, and only there."""
    from mlopsc import compiler

    first, render, failed = os.getpid(), compiler.render, []

    def failing(draft: Draft, target: str, *, causes: bool) -> Artifact:
        if draft.path == "dvc.yaml" and os.getpid() != first:
            if how is not None:
                os.kill(os.getpid(), how)
            raise ValueError("a mistake of ours")
        failed.append(draft.path)
        return render(draft, target, causes=causes)

    monkeypatch.setattr(compiler, "render", failing)
    return failed


@pytest.mark.parametrize("how", [None, signal.SIGKILL, signal.SIGINT])
def test_what_a_worker_fails_at_is_made_anew(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch, how: signal.Signals | None
) -> None:
    expected = texts(compilation.artifacts())
    again = _stop_in_a_worker(monkeypatch, how)
    assert texts(jobs.artifacts(compilation, everything, 2)) == expected
    assert "dvc.yaml" in again


def test_a_mistake_of_ours_is_told_as_ever(
    compilation: Compilation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlopsc import compiler

    def failing(_draft: Draft, _target: str, *, causes: bool) -> Artifact:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(compiler, "render", failing)
    with pytest.raises(ValueError, match="a mistake of ours"):
        texts(jobs.artifacts(compilation, everything, 2))


def test_who_stops_early_leaves_no_process(compilation: Compilation) -> None:
    made = jobs.artifacts(compilation, everything, 3)
    assert next(made).path
    made.close()  # type: ignore[attr-defined]


def test_a_tree_compiled_by_several_is_clean(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(project), "--jobs", "2"]) == 0
    assert (project / "notes" / "made.txt").read_text() == "made\n"
    assert run(["compile", str(project)]) == 0
    assert "updated" not in capsys.readouterr().out
    assert run(["check", str(project), "--jobs", "2"]) == 0
    (project / "dvc.yaml").write_text("mine\n")
    assert run(["check", str(project), "--jobs", "2"]) == 1
    assert "W020" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_number_of_processes_is_positive(project: Path, count: str) -> None:
    assert run(["compile", str(project), "--jobs", count]) == 2
