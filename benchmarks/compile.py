"""How long `mlopsc compile` takes and what it holds, beside `kubectl kustomize`; see README.md."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import inputs
from interleaved import Command, Measured, environment, measure, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
MEMORY_FOLDER = Path("/dev/shm")

PASS = "python -c pass"
KUSTOMIZE = "kubectl kustomize, 1 overlay"
FLIGHTS = "compile examples/flights"
AGAIN = "the same, nothing to do"
SIZES = (1, 10, 100)

KUSTOMIZE_FACTOR = 1.5
FURTHER_MODEL_SHARE = 0.08
PEAK_LIMIT = 80.0  # MB


def size_label(models: int) -> str:
    """What the table calls the compile of a spec of that many models."""
    return f"compile {models} model{'s' if models > 1 else ''}"


@dataclass(frozen=True)
class Bound:
    """A promise, and what was measured."""

    promise: str
    found: float
    limit: float
    unit: str

    def row(self) -> list[str]:
        """The promise as a line of a table."""
        verdict = "holds" if self.found <= self.limit else "BROKEN"
        return [
            self.promise,
            f"{self.found:.3g}{self.unit}",
            f"{self.limit:.3g}{self.unit}",
            verdict,
        ]


# --- what is timed -----------------------------------------------------------------------------


def installed_copy(folder: Path) -> Path:
    """`mlopsc` installed as from a wheel, in an environment of its own; modules compiled."""
    venv, uv = folder / "venv", shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    python = venv / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(venv)],
        [uv, "pip", "install", "--quiet", "--python", str(python), str(CHECKOUT)],
        [str(python), "-m", "compileall", "-q", str(venv / "lib")],
    ):
        subprocess.run(command, check=True, env=environment())
    return venv / "bin" / "mlopsc"


class EmptyFolders:
    """An empty folder for each run, the last one taken away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self.last = folder

    def next(self) -> Sequence[str]:
        """The arguments of the next run of mlopsc."""
        return ("--output", *self.next_path())

    def next_path(self) -> Sequence[str]:
        """The folder of the next run, not made yet."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self.last = self._folder / str(next(self._numbers))
        return (str(self.last),)


def commands(mlopsc: Path, kubectl: str, work: Path) -> list[Command]:
    """All that is timed, the inputs written below `work`."""
    overlay = inputs.write_kustomization(work / "kustomize")
    flights = work / "flights"
    flights.mkdir()
    shutil.copy(CHECKOUT / "examples" / "flights" / "mlops.yaml", flights)
    compile_flights = [str(mlopsc), "compile", str(flights)]
    kept = ("--output", str(work / "kept"))
    subprocess.run(
        [*compile_flights, *kept], check=True, stdout=subprocess.DEVNULL, env=environment()
    )
    timed = [
        Command(PASS, [str(mlopsc.with_name("python")), "-c", "pass"]),
        Command(KUSTOMIZE, [kubectl, "kustomize", str(overlay)]),
        Command(FLIGHTS, compile_flights, EmptyFolders(work / "out-flights").next),
        Command(AGAIN, [*compile_flights, *kept]),
    ]
    for models in SIZES:
        folder = work / f"models-{models}"
        folder.mkdir()
        (folder / "mlops.yaml").write_text(inputs.spec(models), encoding="utf-8")
        argv = [str(mlopsc), "compile", str(folder)]
        timed.append(Command(size_label(models), argv, EmptyFolders(work / f"out-{models}").next))
    return timed


# --- what it says ------------------------------------------------------------------------------


def bounds(measured: dict[str, Measured]) -> list[Bound]:
    """The promises of speed and memory."""
    flights, kustomize = measured[FLIGHTS], measured[KUSTOMIZE]
    found = [
        Bound(
            "flights / kustomize, wall", ratio(flights.wall, kustomize.wall), KUSTOMIZE_FACTOR, " ×"
        ),
        Bound(
            "flights / kustomize, cpu", ratio(flights.cpu, kustomize.cpu), KUSTOMIZE_FACTOR, " ×"
        ),
    ]
    one = measured[size_label(1)]
    for models in SIZES[1:]:
        many = measured[size_label(models)]
        for what, more, first in (("wall", many.wall, one.wall), ("cpu", many.cpu, one.cpu)):
            share = (ratio(more, first) - 1) / (models - 1)
            promise = f"a further model of {models} / the first, {what}"
            found.append(Bound(promise, 100 * share, 100 * FURTHER_MODEL_SHARE, " %"))
    most = measured[size_label(SIZES[-1])]
    found.append(Bound(f"peak memory at {SIZES[-1]} models", most.peak, PEAK_LIMIT, " MB"))
    return found


def timing_rows(measured: dict[str, Measured]) -> list[list[str]]:
    """The table of times: medians, spread, and ratios to kustomize."""
    peer = measured[KUSTOMIZE]
    return [
        [
            one.label,
            f"{median(one.wall) * 1000:.0f}",
            f"{min(one.wall) * 1000:.0f}..{max(one.wall) * 1000:.0f}",
            f"{median(one.cpu) * 1000:.0f}",
            f"{min(one.cpu) * 1000:.0f}..{max(one.cpu) * 1000:.0f}",
            f"{one.peak:.0f}",
            f"{ratio(one.wall, peer.wall):.2f}",
            f"{ratio(one.cpu, peer.cpu):.2f}",
        ]
        for one in measured.values()
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    written = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([written[0], rule, *written[1:]])


def machine(kubectl: str, work: Path) -> str:
    """Where this was measured, in a sentence."""
    version = subprocess.run(
        [kubectl, "version", "--client", "-o", "yaml"], check=True, capture_output=True, text=True
    ).stdout
    release = next(line.split()[1] for line in version.splitlines() if "gitVersion" in line)
    where = "memory (tmpfs)" if work.is_relative_to(MEMORY_FOLDER) else "the temporary folder"
    return (
        f"{os.cpu_count()} cores, {platform.system()}, CPython {platform.python_version()},"
        f" kubectl {release}; files are written to {where}."
    )


def main() -> int:
    """Measure, print, and give 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="timed runs of each command")
    parser.add_argument("--warm-up", type=int, default=2, help="untimed runs before them")
    parser.add_argument("--mlopsc", type=Path, help="an installed mlopsc; else one is installed")
    given = parser.parse_args()
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        parser.error("kubectl is not on the PATH: it is what mlopsc is measured against")
    place = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mlopsc-bench-", dir=place) as folder:
        work = Path(folder)
        mlopsc = given.mlopsc.absolute() if given.mlopsc else installed_copy(work)
        measured = measure(commands(mlopsc, kubectl, work), given.rounds, given.warm_up)
        print(f"{machine(kubectl, work)} {given.rounds} rounds.\n")
    head = ["command", "wall ms", "min..max", "cpu ms", "min..max", "peak MB", "wall ×", "cpu ×"]
    print(table(head, timing_rows(measured)), end="\n\n")
    found = bounds(measured)
    print(table(["promise", "measured", "bound", "verdict"], [bound.row() for bound in found]))
    return 1 if any(bound.found > bound.limit for bound in found) else 0


if __name__ == "__main__":
    sys.exit(main())
