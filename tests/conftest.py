"""What all tests share: the target systems' readers, one set of worker processes a session."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import readers
from readers.worker import stop_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def accepts() -> Callable[..., list[readers.Refusal]]:
    """Return :func:`readers.accepts`.

    Under xdist the files whose tests ask for it run in one process (see the scheduler below), so
    that each heavy tool is imported once.
    """
    return readers.accepts


@pytest.fixture(scope="session", autouse=True)
def _workers() -> Iterator[None]:
    yield
    stop_all()


@pytest.hookimpl(optionalhook=True)  # xdist's hook: not known without it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Keep the tests that use readers together; any other test goes where there is room.

    ``--dist=loadgroup`` is meant for this, but xdist 3.8 writes the group into a private attribute
    that pytest 9.2 no longer reads, and then spreads the group without a word.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ReadersTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "readers" if _uses_readers(nodeid.partition("::")[0]) else nodeid

    return ReadersTogether(config, log)


@functools.cache
def _uses_readers(path: str) -> bool:
    text = (_FOLDER.parent / path).read_text("utf-8")
    asks = re.search(r"^\s*def test_\w+\([^)]*\baccepts\b", text, re.MULTILINE)
    return asks is not None or "from readers import" in text
