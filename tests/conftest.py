"""What all tests share: the target systems' readers, one set of worker processes a session."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import readers
import tools
from readers.worker import stop_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loop.stage import Run

_FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def accepts() -> Callable[..., list[readers.Refusal]]:
    """Return :func:`readers.accepts`.

    Under xdist the files whose tests ask for it run in one process (see the scheduler below), so
    that each heavy tool is imported once.
    """
    return readers.accepts


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is remembered of the projects of tests goes when they go."""
    os.environ["MLOPSC_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _workers() -> Iterator[None]:
    yield
    stop_all()


@pytest.fixture(scope="session")
def loop_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole loop, run once; it takes minutes.

    Under xdist the files whose tests ask for it run in one process (see the scheduler below).
    """
    from loop.__main__ import STAGES, go
    from loop.stage import Run
    from loop.workspace import environment

    home = tmp_path_factory.mktemp("loop") / "home"
    home.mkdir()
    run = Run(home, environment(home))
    tools.need_on(run.environment["PATH"], {name for stage in STAGES for name in stage.needs})
    go(run, STAGES)
    return run


@pytest.hookimpl(optionalhook=True)  # xdist's hook: not known without it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests that use readers together; any other test goes where there is room.

    ``--dist=loadgroup`` is meant for this, but xdist 3.8 writes the group into a private attribute
    that pytest 9.2 no longer reads, and then spreads the group without a word.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ReadersTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            if _asks_for("loop_run", path):
                return "loop"
            return "readers" if _uses_readers(path) else nodeid

    return ReadersTogether(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what a test measured: under xdist a print of its own reaches nobody."""
    for report in terminalreporter.getreports("passed"):
        for name, said in report.user_properties:
            if name == "mutations":
                terminalreporter.write_line(said)


def _uses_readers(path: str) -> bool:
    return _asks_for("accepts", path) or "from readers import" in _text(path)


def _asks_for(fixture: str, path: str) -> bool:
    return re.search(rf"^\s*def \w+\([^)]*\b{fixture}\b", _text(path), re.MULTILINE) is not None


@functools.cache
def _text(path: str) -> str:
    return (_FOLDER.parent / path).read_text("utf-8")
