"""Times whole commands side by side: A B C A B C …, so that a slow minute slows all of them.

Absolute figures of two runs do not compare; ratios taken round by round within one run do. Wall time
says what a person waits, processor time what was computed: on a busy machine the second is steadier.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Command:
    """One command to time.

    Attributes:
        label: what the table calls it.
        argv: the program, with its full path, and its arguments.
        prepare: is called, untimed, before each run; gives further arguments.
    """

    label: str
    argv: Sequence[str]
    prepare: Callable[[], Sequence[str]] = tuple


@dataclass(frozen=True)
class Run:
    """One run of a command.

    Attributes:
        wall: seconds from the start of the process to its end.
        cpu: user and system seconds of the process and the children it waited for.
        peak: the most memory it held at once, in MB (10^6 bytes).
    """

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Measured:
    """All runs of a command, in the order of the rounds."""

    label: str
    runs: list[Run] = field(default_factory=list)

    @property
    def wall(self) -> list[float]:
        """Wall seconds, round by round."""
        return [run.wall for run in self.runs]

    @property
    def cpu(self) -> list[float]:
        """Processor seconds, round by round."""
        return [run.cpu for run in self.runs]

    @property
    def peak(self) -> float:
        """The median of the peaks of memory, in MB."""
        return median(run.peak for run in self.runs)


def measure(commands: Sequence[Command], rounds: int, warm_up: int) -> dict[str, Measured]:
    """Run all commands `warm_up` times untimed and `rounds` times timed, in turns.

    Raises:
        RuntimeError: a command ended with a code other than 0: what failed is not worth timing.
    """
    measured = {command.label: Measured(command.label) for command in commands}
    for round_ in range(-warm_up, rounds):
        for command in commands:
            run = run_once([*command.argv, *command.prepare()], environment())
            if round_ >= 0:
                measured[command.label].runs.append(run)
    return measured


def environment() -> dict[str, str]:
    """Ours, but Python writes and reads compiled modules, as it does for everybody."""
    changed = dict(os.environ)
    changed.pop("PYTHONDONTWRITEBYTECODE", None)
    return changed


def run_once(argv: Sequence[str], env: Mapping[str, str]) -> Run:
    """Run a command with nothing to read, its output thrown away.

    Raises:
        RuntimeError: it ended with a code other than 0.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        start = time.perf_counter()
        process = os.posix_spawn(
            argv[0],
            argv,
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, nothing, stream) for stream in range(3)],
        )
        _, status, usage = os.wait4(process, 0)
        wall = time.perf_counter() - start
    finally:
        os.close(nothing)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise RuntimeError(f"exit code {code} of: {' '.join(argv)}")
    # Linux counts ru_maxrss in KiB; a small child may show the harness's own size instead.
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """How many times `other` `one` is: the median of the ratios of each round."""
    return median(mine / theirs for mine, theirs in zip(one, other, strict=True))
