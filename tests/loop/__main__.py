"""`make demo`: a system that trains, serves, drifts, alerts and retrains, made from one spec.

python -m loop [--home DIR] [--until STAGE] [--from STAGE]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import tools
from loop import page, pipeline, watching, workspace
from loop.progress import Progress, clock, timeline
from loop.stage import LoopError, Run, perform, perform_beside, restore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loop.stage import Stage

HOME = tools.ROOT / "build" / "demo"
MARK = ".made-by-the-loop"
"""A folder without this file is not ours to empty."""
INTERRUPTED = 130
STAGES: tuple[Stage, ...] = (*pipeline.STAGES, *watching.STAGES, *pipeline.BESIDE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stages; returns the exit code."""
    options = _parser().parse_args(argv)
    names = [stage.name for stage in STAGES]
    last = names.index(options.until) + 1 if options.until else len(STAGES)
    first = names.index(options.first) if options.first else 0
    stages = STAGES[first:last]
    try:
        with Progress(len(stages)) as progress:
            run = _begin(options.home.resolve(), options.first, progress)
            progress.began = run.began
            _end_politely(run)
            go(run, stages, before=first)
        written = page.write(run, {stage.name: stage.title for stage in STAGES})
        _tell(run)
        print(f"\nThe page: {written.as_uri()}")
    except LoopError as error:
        print(f"\nthe loop is broken: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing of it runs any more", file=sys.stderr)
        return INTERRUPTED
    return 0


def go(run: Run, stages: Sequence[Stage], *, before: int = 0) -> None:
    """Run stages, in the end those that wait for servers beside those that only use programs.

    What serves is measured against its objectives, so nothing runs beside it.

    Raises:
        LoopError: a stage failed.
    """
    beside = [stage for stage in stages if stage in pipeline.BESIDE]
    watched = [stage for stage in stages if stage in watching.STAGES and stage.name != "serve"]
    first = [stage for stage in stages if stage not in (*beside, *watched)]
    perform(run, first, before=before)
    before += len(first)
    if watched and beside:
        perform_beside(run, watched, beside, before=before)
    else:
        perform(run, watched or beside, before=before)


def _parser() -> argparse.ArgumentParser:
    names = [stage.name for stage in STAGES]
    parser = argparse.ArgumentParser(prog="python -m loop", description=__doc__)
    parser.add_argument(
        "--home", type=Path, default=HOME, help="folder of the run, emptied first (build/demo)"
    )
    parser.add_argument("--until", choices=names, help="the last stage to run")
    parser.add_argument(
        "--from",
        dest="first",
        choices=names[1:],
        help="go on from here with what an earlier run left",
    )
    return parser


def _end_politely(run: Run) -> None:
    """Ctrl-C and SIGTERM end every command, also those that other threads wait for."""

    def interrupt(*_: object) -> NoReturn:
        run.stop()
        raise KeyboardInterrupt

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, interrupt)


def _begin(home: Path, first: str | None, progress: Progress) -> Run:
    environment = workspace.environment(home)
    if first is not None:
        return restore(home, first, environment, progress)
    if home.exists() and any(home.iterdir()) and not (home / MARK).exists():
        raise LoopError(f"{home} holds files that are not of an earlier run: name another --home")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / MARK).touch()
    return Run(home, environment, progress)


def _tell(run: Run) -> None:
    """The timeline, what is missing from it, and where to look on."""
    took = clock(time.monotonic() - run.began)
    print(f"\nWhat happened, in {took} minutes; files are in {run.project}:\n")
    print(timeline(run.events))
    for name, reason in run.skipped.items():
        print(
            f"skipped: {name}: {reason}; `make tools` installs what it can and says what it cannot"
        )


if __name__ == "__main__":
    sys.exit(main())
