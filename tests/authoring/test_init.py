"""`mlopsc init` on the command line: flags, questions, and what it refuses."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from authoring.specs import accepted
from mlopsc.cli import init
from mlopsc.compiler import compile_spec
from mlopsc.source.document import Source

FLIGHTS = Path(__file__).parent / "flights"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder called flights with data/flights.csv, in which the commands run."""
    folder = tmp_path / "flights"
    (folder / "data").mkdir(parents=True)
    shutil.copy(FLIGHTS / "flights.csv", folder / "data")
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str, answers: list[str] | None = None) -> tuple[int, Result]:
    """The exit code and the output; with `answers`, as on a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(init, "_is_terminal", lambda: answers is not None)
        text = "".join(f"{answer}\n" for answer in answers or [])
        result = CliRunner().invoke(init.command, arguments, input=text, standalone_mode=False)
    assert result.exception is None, result.exc_info
    assert "Traceback" not in result.output
    return result.return_value, result


def refused(project: Path, code: int, *arguments: str, says: str, way_out: str) -> None:
    """The command ends with `code` and both texts, and leaves the folder as it was."""
    before = sorted(os.walk(project))
    found, result = run(*arguments)
    assert (found, result.stdout) == (code, "")
    assert says in result.stderr
    assert way_out in result.stderr
    assert sorted(os.walk(project)) == before


def test_from_a_file_it_writes_what_compiles(project: Path) -> None:
    code, result = run("--from", "data/flights.csv", "--target", "arr_delay")
    assert code == 0
    text = (project / "mlops.yaml").read_text("utf-8")
    assert text == (FLIGHTS / "mlops.yaml").read_text("utf-8")
    assert list(compile_spec(Source("mlops.yaml", text)).artifacts())
    assert "mlopsc compile" in result.stdout
    assert "1 left out" in result.stdout
    assert stat.S_IMODE((project / "mlops.yaml").stat().st_mode) & 0o133 == 0
    assert sorted(path.name for path in project.iterdir()) == ["data", "mlops.yaml"]


def test_flags_are_in_the_spec(project: Path) -> None:
    code, _ = run(
        *("--from", "./data/flights.csv", "--target", "diverted", "--project", "delays"),
        *("--timestamp", "-", "--key", "origin=airport", "--key", "tailnum=plane"),
        *("--command", "make train", "--output", "data/ml.yaml"),
    )
    found = accepted((project / "data" / "ml.yaml").read_text("utf-8"))
    model = found.models[0]
    assert code == 0
    assert (found.name, model.name, model.task) == ("delays", "diverted", "classification")
    assert found.sources[0].location == "flights.csv"  # as the spec's folder sees it
    assert found.sources[0].timestamp is None
    assert {entity.name for entity in found.entities} == {"airport", "plane"}
    assert model.training is not None
    assert model.training.command == "make train"


def test_questions_have_defaults_from_the_data(project: Path) -> None:
    code, result = run(answers=["data/flights.csv", "", "arr_delay", "", ""])
    assert code == 0
    assert "Project [flights]" in result.output
    assert "[regression]" in result.output
    assert "[time_hour]" in result.output
    text = (project / "mlops.yaml").read_text("utf-8")
    assert text == (FLIGHTS / "mlops.yaml").read_text("utf-8")


def test_an_answer_that_does_not_fit_is_asked_for_again(project: Path) -> None:
    code, result = run(
        answers=[
            *("data/none.csv", "data/flights.csv", "My Flights", "flights", "arr_dlay"),
            *("time_hour", "arr_delay", "guess", "regression", "carrier", "-"),
        ]
    )
    assert code == 0, result.output
    for message in ("cannot be read", "no name for a project", "did you mean", "holds times"):
        assert message in result.output
    assert accepted((project / "mlops.yaml").read_text("utf-8")).sources[0].timestamp is None


def test_questions_for_a_table_that_has_no_file_yet(project: Path) -> None:
    code, _ = run(answers=["", "churned bool", "churned=bool, tickets=int64", "", "churned", ""])
    assert code == 0
    found = accepted((project / "mlops.yaml").read_text("utf-8"))
    assert found.sources[0].location == "data/flights.parquet"
    assert found.models[0].task == "classification"


def test_columns_by_flags(project: Path) -> None:
    code, result = run(
        *("--column", "y=float64", "--column", "x=string", "--column", "t=timestamp"),
        *("--target", "y", "--project", "p"),
    )
    assert code == 0
    assert "put the rows into data/p.parquet" in result.stdout
    assert accepted((project / "mlops.yaml").read_text("utf-8")).sources[0].timestamp == "t"


def test_yes_asks_nothing(project: Path) -> None:
    code, result = run("--from", "data/flights.csv", "--target", "arr_delay", "--yes", answers=[])
    assert code == 0
    assert "Project" not in result.output


def test_from_a_parquet_file(project: Path) -> None:
    rows = pyarrow.csv.read_csv("data/flights.csv")
    pyarrow.parquet.write_table(rows, "data/flights.parquet")
    code, _ = run("--from", "data/flights.parquet", "--target", "arr_delay")
    text = (project / "mlops.yaml").read_text("utf-8")
    assert code == 0
    assert text.splitlines()[10:] == (FLIGHTS / "mlops.yaml").read_text("utf-8").splitlines()[10:]
    assert "parquet: data/flights.parquet" in text
    assert accepted(text)


def test_a_link_to_data_elsewhere_is_followed(project: Path, tmp_path: Path) -> None:
    shutil.move(project / "data" / "flights.csv", tmp_path / "real.csv")
    (project / "data" / "flights.csv").symlink_to(tmp_path / "real.csv")
    assert run("--from", "data/flights.csv", "--target", "arr_delay")[0] == 0


CSV = ("--from", "data/flights.csv")


@pytest.mark.parametrize(
    ("code", "arguments", "says", "way_out"),
    [
        (2, [], "nothing says which columns", "--from FILE"),
        (2, [*CSV], "nothing says what to predict", "--target COLUMN"),
        (2, [*CSV, "--target", "arr_dely"], "no column 'arr_dely'", "--target arr_delay?"),
        (2, [*CSV, "--target", "arr_delay", "--task", "guess"], "no task", "regression"),
        (2, [*CSV, "--target", "arr_delay", "--project", "A b"], "no name for", "--project a_b"),
        (2, [*CSV, "--target", "arr_delay", "--timestamp", "origin"], "holds string", "time_hour"),
        (2, [*CSV, "--target", "arr_delay", "--key", "origin"], "lacks a part", "customer_id="),
        (2, [*CSV, "--target", "arr_delay", "--key", "a=b"], "no column 'a'", "there are"),
        (2, [*CSV, "--column", "a=int64"], "exclude each other", "--column"),
        (2, ["--column", "a=integer"], "'integer' is no type", "int64"),
        (2, ["--column", "a b=int64"], "'a b' cannot be a column", "a letter"),
        (2, ["--column", "a=int64", "--column", "a=int64"], "names 'a' twice", "take one out"),
        (2, ["--from", "data"], "is a folder", "one file"),
        (2, ["--from", "data/none.csv"], "no such file", "--from"),
        (2, ["--from", "data/pipe.csv"], "no regular file", ".csv"),
        (2, ["--from", "data/circle.csv"], "cannot be read", "--from"),
        (2, ["--from", "../outside.csv"], "outside the project", "below"),
        (2, ["--from", "data/notes.txt"], "neither Parquet nor CSV", ".parquet"),
        (1, ["--from", "data/empty.csv"], "is empty", "header"),
        (1, ["--from", "data/zero.csv"], "zero bytes", "CSV"),
        (1, ["--from", "data/bad.parquet"], "cannot be read as Parquet", "whole"),
        (1, ["--from", "data/a:b.csv", "--target", "y"], "cannot stand in a spec", "without ':'"),
        (1, ["--from", "data/new\nline.csv"], "data/new\\nline.csv is empty", "header"),
        (1, [*CSV, "--target", "air time"], "cannot be the target", "carrier"),
        (2, [*CSV, "--output", "none/mlops.yaml"], "no folder 'none'", "make it"),
        (2, [*CSV, "--output", "data/"], "no file's name", "--output"),
        (1, [*CSV, "--output", "data"], "exists already", "--output"),
    ],
)
def test_refusals(project: Path, code: int, arguments: list[str], says: str, way_out: str) -> None:
    data = project / "data"
    shutil.copy(data / "flights.csv", project.parent / "outside.csv")
    os.mkfifo(data / "pipe.csv")
    (data / "circle.csv").symlink_to("circle.csv")
    (data / "notes.txt").write_text("x")
    (data / "a:b.csv").write_text("x,y\n1,2\n2,3\n")
    for name in ("empty.csv", "new\nline.csv"):
        (data / name).write_bytes(b"")
    for name in ("zero.csv", "bad.parquet"):
        (data / name).write_bytes(b"\0\1\2" * 99)
    refused(project, code, *arguments, says=says, way_out=way_out)


@pytest.mark.parametrize("link", [False, True])
def test_a_spec_that_exists_is_left_alone(project: Path, link: bool) -> None:
    if link:
        (project / "mlops.yaml").symlink_to("nowhere")
    else:
        (project / "mlops.yaml").write_text("mine")
    refused(project, 1, *CSV, "--target", "arr_delay", says="exists already", way_out="edit it")
    assert link or (project / "mlops.yaml").read_text() == "mine"


def test_a_spec_that_appears_meanwhile_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "_refuse_existing", lambda path: None)
    (project / "mlops.yaml").write_text("mine")
    refused(project, 1, *CSV, "--target", "arr_delay", says="exists already", way_out="edit it")
    assert (project / "mlops.yaml").read_text() == "mine"


def failing(number: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_system_without_hard_links(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    assert run(*CSV, "--target", "arr_delay")[0] == 0
    assert sorted(path.name for path in project.iterdir()) == ["data", "mlops.yaml"]


def test_a_full_disk_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, descriptor: int, _mode: str) -> None:
            os.close(descriptor)

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None: ...

        write = staticmethod(failing(errno.ENOSPC))

    real = os.fdopen
    monkeypatch.setattr(
        init.os, "fdopen", lambda fd, mode: Full(fd, mode) if mode == "wb" else real(fd, mode)
    )
    refused(project, 1, *CSV, "--target", "arr_delay", says="no space left", way_out="room")
