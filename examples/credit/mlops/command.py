"""The command line that all programs share: common flags, the clock, and the way out."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops import facts
from mlops.outcome import CANNOT_RUN, FAILED, PASSED, CannotRun, Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

EXIT_CODES = "exit codes: 0 passed, 1 failed, 2 could not run"


@dataclass(frozen=True)
class Argument:
    """One flag of a program, as argparse takes it."""

    flag: str
    help: str
    metavar: str | None = None
    default: str | None = None
    switch: bool = False


def parser(
    program: str, description: str, arguments: Iterable[Argument]
) -> argparse.ArgumentParser:
    """The parser of a program: its own flags, then those that all programs take."""
    made = argparse.ArgumentParser(
        prog=f"mlops/{program}.py",
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for argument in arguments:
        if argument.switch:
            made.add_argument(argument.flag, help=argument.help, action="store_true")
        else:
            made.add_argument(
                argument.flag,
                help=argument.help,
                metavar=argument.metavar,
                default=argument.default,
            )
    shared = made.add_argument_group("shared by all programs")
    shared.add_argument(
        "--facts",
        metavar="DIR",
        type=Path,
        default=Path("mlops"),
        help="folder of the facts: DIR/models/MODEL.json, DIR/sources/SOURCE.json (default: mlops)",
    )
    shared.add_argument(
        "--check",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="only check the shape of these facts files, and do nothing else",
    )
    shared.add_argument(
        "--environment",
        metavar="ENV",
        help="whose data and version (default: $MLOPS_ENVIRONMENT, or the only one there is)",
    )
    shared.add_argument(
        "--now",
        metavar="TIME",
        help="pretend it is this moment, ISO 8601, UTC without a zone (default: $MLOPS_NOW)",
    )
    return made


def run(
    command_line: argparse.ArgumentParser,
    job: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None,
) -> int:
    """Parse, do the job, and turn every way of ending into an exit code and a message."""
    try:
        options = command_line.parse_args(argv)
        return _check(options.check) if options.check else job(options)
    except SystemExit as ending:  # argparse: 0 after --help, 2 after wrong usage
        return int(ending.code or PASSED) if not isinstance(ending.code, str) else CANNOT_RUN
    except Failed as failure:
        say_error("failed", str(failure))
        return FAILED
    except CannotRun as refusal:
        say_error("could not run", str(refusal))
        return CANNOT_RUN
    except Exception:
        traceback.print_exc()
        say_error(
            "could not run", "an unforeseen error; the lines above are for whoever looks into it"
        )
        return CANNOT_RUN


def _check(paths: Sequence[Path]) -> int:
    problems = [problem for path in paths for problem in facts.check(path)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return CANNOT_RUN if problems else PASSED


def say_error(kind: str, message: str) -> None:
    """A message where the pipeline's log shows it last."""
    sys.stdout.flush()
    print(f"{kind}: {message}", file=sys.stderr, flush=True)


def required(options: argparse.Namespace, name: str) -> str:
    """The value of a flag that the job cannot do without (`--check` can)."""
    value = getattr(options, name.replace("-", "_"))
    if not value:
        raise CannotRun(f"--{name} is missing; see --help")
    return str(value)


def environment(
    options: argparse.Namespace, known: Iterable[str], default: str | None = None
) -> str:
    """Which environment this run is about."""
    names = sorted(known)
    chosen = options.environment or os.environ.get("MLOPS_ENVIRONMENT") or default
    if chosen is None and len(names) == 1:
        chosen = names[0]
    if chosen is None:
        raise CannotRun(f"which environment? Say --environment with one of: {', '.join(names)}")
    if chosen not in names:
        raise CannotRun(f"no environment '{chosen}'; there are: {', '.join(names)}")
    return str(chosen)


def now(options: argparse.Namespace) -> datetime:
    """The moment of this run, in UTC."""
    text = options.now or os.environ.get("MLOPS_NOW")
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CannotRun(
            f"'{text}' is no time: write it like 2013-09-30 or 2013-09-30T22:00:00+02:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def folder(given: str | None, variable: str | None, default: str) -> Path:
    """A folder from a flag, else from an environment variable, else the default."""
    return Path(given or (os.environ.get(variable) if variable else None) or default)
