"""How a compile grows up to a thousand models in a thousand files; see README.md.

Beside it: the least a program could do for the same files (`bound.py`), other programs that write the same
objects many times (`peers/`), and `git status` of the tree that a check looks at.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from math import log10
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import bound
import inputs
import peers
from compile import MEMORY_FOLDER, Bound, EmptyFolders, installed_copy, table
from interleaved import Command, Measured, environment, measure, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = (1, 10, 100, 1000)
COPIED, WRITTEN = "bound: text copied", "bound: data written"
COMPILE, EDITED = "mlopsc compile", "mlopsc compile, one model edited"
SHARED = "mlopsc compile --jobs 2"
CHECK, REHASH = "mlopsc check", "mlopsc check --rehash"
STATUS, TOUCHED = "git status", "git status, all touched"
SETTLE, NOTED = "mlopsc check, after the touch", "git status, after the touch"
KUSTOMIZE_MOST = 100  # a thousand overlays take it minutes, by the square of their number
SETTLING = 2.5  # seconds until a file is no longer too young for its times to be believed

BOUND_FACTOR = 2.0
EXPONENT = 1.0
PEAK_LIMIT = 300.0  # MB
STATUS_FACTOR = 1.5
REHASH_FACTOR = 1.0


class Measurement:
    """One size: what was run, and how many bytes each command left."""

    def __init__(self, models: int) -> None:
        self.models = models
        self.measured: dict[str, Measured] = {}
        self.megabytes: dict[str, float] = {}

    def per_megabyte(self, label: str) -> float:
        """Processor milliseconds for each MB of output; the median of the rounds."""
        return 1000 * median(self.measured[label].cpu) / self.megabytes[label]


def run(models: int, rounds: int, work: Path, mlopsc: Path, kubectl: str | None) -> Measurement:
    """Measure everything at one size."""
    result = Measurement(models)
    project = work / "project"
    inputs.write_project(project, models)
    subprocess.run([mlopsc, "compile", project], check=True, capture_output=True, env=environment())
    commands = [*_compiles(result, work, mlopsc), *_peers(result, work, kubectl)]
    result.measured = measure(commands, rounds, 1)
    clean = [*_clean(project, mlopsc)]
    time.sleep(SETTLING)
    touched = Command(TOUCHED, _status(project), _touching(project))
    settle = Command(SETTLE, clean[0].argv, _settling)
    noted = Command(NOTED, _status(project))  # git, too, hashes what is young
    found = measure([*clean, touched, settle, noted], rounds, 2)
    del found[SETTLE], found[NOTED]
    result.measured |= found
    edited = [Command(EDITED, [str(mlopsc), "compile", str(project)], _editing(project, models))]
    result.measured |= measure(edited, rounds, 1)
    result.megabytes[EDITED] = result.megabytes[COMPILE]
    return result


def _compiles(result: Measurement, work: Path, mlopsc: Path) -> list[Command]:
    project = work / "project"
    pattern = work.parent / "pattern"
    if not pattern.exists():
        pattern.write_bytes(_pattern(work.parent / "one", mlopsc))
    program = [str(mlopsc.with_name("python")), str(Path(bound.__file__).resolve())]
    compile_ = [str(mlopsc), "compile", str(project)]
    commands = [
        Command(COMPILE, compile_, EmptyFolders(work / "out").next),
        Command(SHARED, [*compile_, "--jobs", "2"], EmptyFolders(work / "out-shared").next),
    ]
    result.megabytes[COMPILE] = result.megabytes[SHARED] = _megabytes(project)
    for label, how in ((COPIED, "copied"), (WRITTEN, "written")):
        argv = [*program, how, str(project), str(pattern)]
        once = work / f"once-{how}"
        subprocess.run([*argv, once], check=True, env=environment())
        result.megabytes[label] = _megabytes(once)
        shutil.rmtree(once)
        commands.append(Command(label, argv, EmptyFolders(work / f"out-{how}").next_path))
    return commands


def _pattern(folder: Path, mlopsc: Path) -> bytes:
    inputs.write_project(folder, 1)
    out = folder / "out"
    subprocess.run(
        [mlopsc, "compile", folder, "--output", out],
        check=True,
        capture_output=True,
        env=environment(),
    )
    return bound.pattern_of(out)


def _peers(result: Measurement, work: Path, kubectl: str | None) -> list[Command]:
    asked = kubectl if result.models <= KUSTOMIZE_MOST else None
    commands = []
    found = peers.prepared(work / "peers", result.models, work.parent / "peers", asked)
    for peer in found:
        folders = EmptyFolders(work / f"out-{peer.label}")
        prepare = folders.next_path if peer.writes else tuple
        made = subprocess.run(
            [*peer.argv, *prepare()], check=True, capture_output=True, env=environment()
        )
        written = _megabytes(folders.last) if peer.writes else len(made.stdout) / 1e6
        result.megabytes[peer.label] = written
        commands.append(Command(peer.label, peer.argv, prepare))
    return commands


def _clean(project: Path, mlopsc: Path) -> list[Command]:
    """A project just committed, with nothing to do."""
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *arguments], cwd=project, check=True, env=environment())
    check = [str(mlopsc), "check", str(project)]
    return [
        Command(CHECK, check),
        Command(REHASH, [*check, "--rehash"]),
        Command(STATUS, _status(project)),
    ]


def _status(project: Path) -> list[str]:
    return [shutil.which("git") or "git", "-C", str(project), "status", "--porcelain"]


def _touching(project: Path) -> Callable[[], Sequence[str]]:
    files = [path for path in project.rglob("*") if path.is_file() and ".git/" not in str(path)]

    def touch() -> Sequence[str]:
        for path in files:
            os.utime(path)
        return ()

    return touch


def _settling() -> Sequence[str]:
    """Files just touched are hashed for a while: the command after this one finds them old enough."""
    time.sleep(SETTLING)
    return ()


def _editing(project: Path, models: int) -> Callable[[], Sequence[str]]:
    turn = count(2)

    def edit() -> Sequence[str]:
        inputs.write_model(project, models // 2, rebate=next(turn))
        return ()

    return edit


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


# --- what it says ------------------------------------------------------------------------------


def rows(result: Measurement) -> list[list[str]]:
    """The table of one size."""
    return [
        [
            label,
            f"{median(one.wall) * 1000:.0f}",
            f"{min(one.wall) * 1000:.0f}..{max(one.wall) * 1000:.0f}",
            f"{median(one.cpu) * 1000:.0f}",
            f"{min(one.cpu) * 1000:.0f}..{max(one.cpu) * 1000:.0f}",
            f"{one.peak:.0f}",
            f"{result.megabytes[label]:.2f}" if label in result.megabytes else "",
            f"{result.per_megabyte(label):.0f}" if label in result.megabytes else "",
        ]
        for label, one in result.measured.items()
    ]


def bounds(results: Sequence[Measurement]) -> list[Bound]:
    """What is promised, at the largest size."""
    last = results[-1]
    found = [
        Bound(
            "compile / data written, cpu per MB",
            last.per_megabyte(COMPILE) / last.per_megabyte(WRITTEN),
            BOUND_FACTOR,
            " ×",
        ),
        Bound(f"peak of compile at {last.models}", last.measured[COMPILE].peak, PEAK_LIMIT, " MB"),
        *_compared(last, CHECK, STATUS, STATUS_FACTOR),
        *_compared(last, REHASH, TOUCHED, REHASH_FACTOR),
    ]
    if len(results) > 1:
        found.insert(1, Bound("growth exponent of the last step", _exponent(results), EXPONENT, ""))
    first = results[0]
    if first.models == 1:
        allowed = 2 * median(first.measured[COMPILE].wall) + median(last.measured[CHECK].wall)
        edited = median(last.measured[EDITED].wall)
        found.append(
            Bound("one edited / (2 × compile of one + check)", edited / allowed, 1.0, " ×")
        )
    for label in ("kustomize", "gojsonnet", "KCL", "cdk8s"):
        latest = next((one for one in reversed(results) if label in one.measured), None)
        if latest is not None:
            share = latest.per_megabyte(COMPILE) / latest.per_megabyte(label)
            promise = f"compile / {label} at {latest.models}, cpu per MB"
            found.append(Bound(promise, share, 1.0, " ×"))
    return found


def _compared(result: Measurement, label: str, peer: str, limit: float) -> list[Bound]:
    """How long one command takes beside another, by the clock and by the processors."""
    mine, theirs = result.measured[label], result.measured[peer]
    return [
        Bound(f"{label} / {peer}, wall", ratio(mine.wall, theirs.wall), limit, " ×"),
        Bound(f"{label} / {peer}, cpu", ratio(mine.cpu, theirs.cpu), limit, " ×"),
    ]


def _exponent(results: Sequence[Measurement]) -> float:
    """By which power of the models the processor time of a compile grows, from one size to the next."""
    before, last = results[-2], results[-1]
    growth = median(last.measured[COMPILE].cpu) / median(before.measured[COMPILE].cpu)
    return log10(growth) / log10(last.models / before.models)


def main() -> int:
    """Measure, print, and give 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each command")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of models")
    parser.add_argument("--mlopsc", type=Path, help="an installed mlopsc; else one is installed")
    parser.add_argument("--peers", type=Path, help="a folder to keep installed peers in")
    given = parser.parse_args()
    place = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mlopsc-bench-", dir=place) as folder:
        work = Path(folder)
        os.environ["MLOPSC_CACHE_DIR"] = str(work / "cache")
        if given.peers:
            given.peers.mkdir(parents=True, exist_ok=True)
            (work / "peers").symlink_to(given.peers.absolute())
        mlopsc = given.mlopsc.absolute() if given.mlopsc else installed_copy(work)
        results = []
        head = [
            "command",
            "wall ms",
            "min..max",
            "cpu ms",
            "min..max",
            "peak MB",
            "MB out",
            "ms/MB",
        ]
        for models in given.sizes:
            size = work / f"size-{models}"
            results.append(run(models, given.rounds, size, mlopsc, shutil.which("kubectl")))
            shutil.rmtree(size)
            print(f"{models} model{'s' * (models > 1)}:\n", flush=True)
            print(table(head, rows(results[-1])), end="\n\n", flush=True)
    found = bounds(results)
    print(table(["promise", "measured", "bound", "verdict"], [bound_.row() for bound_ in found]))
    return 1 if any(bound_.found > bound_.limit for bound_ in found) else 0


if __name__ == "__main__":
    sys.exit(main())
