"""Reading Parquet in a process of its own.

A damaged file can end the process that reads it: in pyarrow (seen with version 26) an exception about a
page's sizes leaves a function that may not throw, and C++ aborts. Here that ends a child, and
the person at the terminal gets a message.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING

from mlopsc.authoring.parquet_table import describe_parquet
from mlopsc.authoring.refusal import UnusableError

if TYPE_CHECKING:
    from mlopsc.authoring.facts import TableFacts


def describe_parquet_apart(path: str, file: str, location: str) -> TableFacts:
    """The facts of the Parquet file at `path`, which messages call `file`.

    Raises:
        UnusableError: as `describe_parquet` does, and when reading the file ended the reader.
    """
    # A fresh interpreter: forking one that has threads may hang.
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_be_quiet)
    with pool:
        try:
            return pool.submit(_describe, path, file, location).result()
        except BrokenProcessPool:
            raise UnusableError(
                f"{file} cannot be read as Parquet: reading it ends the reader",
                "see whether it is a whole Parquet file",
            ) from None


def _be_quiet() -> None:
    """What C++ says when it aborts means nothing to the person who asked."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _describe(path: str, file: str, location: str) -> TableFacts:
    with open(path, "rb") as stream:  # noqa: PTH123 (pathlib costs start-up time)
        return describe_parquet(stream, file, location)
