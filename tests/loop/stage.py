"""The loop in stages: what a stage is given, what it leaves, and how a run is taken up again.

After each stage its facts, its events and a copy of the state are kept, so that a test can change
one thing and run only what follows.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from loop.origin import Origins
from mlopsc.project.conventions import SPEC_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

Facts = dict[str, Any]

STATE = ("project", "gitlab", "services", "cluster")
"""The folders below a run's home that the next stage starts from; logs and the page only grow."""


class LoopError(Exception):
    """The loop is broken: what was expected, and what happened instead."""


@dataclass(frozen=True)
class Event:
    """One line of the timeline.

    Attributes:
        moment: seconds since the run began.
        text: what happened, such as ``gate: mae 13.4 (bound 16): passed``.
        file: the generated file behind it, ``mlops/models/delay.json:12``, in the project.
        spec: the line of the spec behind that, ``mlops.yaml:88``, as ``mlopsc why`` finds it.
    """

    moment: float
    text: str
    file: str | None = None
    spec: str | None = None


@dataclass(frozen=True)
class Result:
    """How a command ended, and everything it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class Stage:
    """One step of the loop.

    Attributes:
        name: a word; facts are found by it.
        title: what a person reads while it runs.
        run: does it, and returns the facts: values of JSON.
        needs: programs it cannot do without.
        after: stages whose facts or state it needs.
    """

    name: str
    title: str
    run: Callable[[Run], Facts]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Observer(Protocol):
    """Who watches a run."""

    def stage_begins(self, stage: Stage) -> None:
        """A stage begins."""

    def working(self, what: str, log: Path | None = None) -> AbstractContextManager[object]:
        """Something that takes a while runs inside this context, and writes a log."""

    def event(self, event: Event) -> None:
        """Something happened."""


class Silent:
    """Nobody watches."""

    def stage_begins(self, stage: Stage) -> None:
        """Say nothing."""

    def working(self, what: str, log: Path | None = None) -> AbstractContextManager[object]:
        """Say nothing."""
        return contextlib.nullcontext((what, log))

    def event(self, event: Event) -> None:
        """Say nothing."""


@dataclass
class Run:
    """One run of the loop, in a folder of its own.

    Attributes:
        home: the folder; ``project`` below it is the checkout, the others are in ``STATE``.
        environment: the variables every command starts with.
        observer: who watches.
        facts: what the stages so far found, by stage.
        events: the timeline so far.
        skipped: why stages did not run, by stage.
        began: `time.monotonic()` of its begin.
        keeps_state: whether its stages change the state that others start from.
        before_commands: what every command is started by.
    """

    home: Path
    environment: Mapping[str, str]
    observer: Observer = field(default_factory=Silent)
    facts: dict[str, Facts] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    keeps_state: bool = True
    before_commands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._origins = Origins(self.project)
        self._running: dict[subprocess.Popen[bytes], threading.Thread] = {}
        self._stopped = False

    @property
    def project(self) -> Path:
        """The checkout."""
        return self.home / "project"

    def say(self, text: str, file: str | None = None, needle: str | None = None) -> None:
        """Add a line to the timeline.

        Args:
            text: what happened.
            file: the file of the project behind it.
            needle: text in that file; the first line with it is meant. The file as a whole without.

        Raises:
            LoopError: the file is not there, or the needle is not in it.
        """
        place, spec = None, None
        if file is not None:
            if not (self.project / file).is_file():
                raise LoopError(f"{file} is not in the project")
            line = self._line(file, needle) if needle is not None else None
            place = file if line is None else f"{file}:{line}"
            spec = place if file == SPEC_FILE else self._origins.spec_line(file, line or 1)
        event = Event(round(time.monotonic() - self.began, 1), text, place, spec)
        self.events.append(event)
        self.observer.event(event)

    def _line(self, file: str, needle: str) -> int:
        lines = (self.project / file).read_text("utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            if needle in line:
                return number
        raise LoopError(f"{file} has no line with {needle!r}")

    def command(
        self,
        name: str,
        argv: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        expect: Collection[int] = (0,),
        cwd: Path | None = None,
        timeout: float = 300,
    ) -> Result:
        """Run a program to its end; what it prints goes to ``logs/NAME.log``.

        It has a process group of its own, which does not outlive this call.

        Raises:
            LoopError: an exit code that is not expected, or no end in time; with the log's end.
        """
        log = self.log(name)
        with log.open("wb") as output, self.observer.working(name, log):
            process = subprocess.Popen(
                [*self.before_commands, *map(str, argv)],
                cwd=cwd or self.project,
                env={**self.environment, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[process] = threading.current_thread()
            try:
                if self._stopped:
                    raise LoopError(f"{name} was not begun: the run was stopped")
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise LoopError(f"{name} did not end in {timeout:g} s\n{_tail(log)}") from None
            finally:
                kill_group(process)
                del self._running[process]
        if code not in expect:
            wanted = " or ".join(map(str, expect))
            raise LoopError(f"{name} ended with {code}, not {wanted}; {log}:\n{_tail(log)}")
        return Result(code, log.read_text("utf-8", errors="replace"))

    def aside(self) -> Run:
        """A run beside this one: of the same project, with databases of its own as they are now."""
        services = self.home / "aside" / "services"
        shutil.rmtree(services, ignore_errors=True)
        _copy(self.home / "services", services)
        old, new = f"{self.home}/services/", f"{services}/"
        environment = {name: value.replace(old, new) for name, value in self.environment.items()}
        return replace(
            self,
            environment=environment,
            facts=dict(self.facts),
            events=[],
            skipped=dict(self.skipped),
            keeps_state=False,
            before_commands=("nice", "-n", "15"),  # it shall use what the other leaves
        )

    def join(self, aside: Run) -> None:
        """Take over what a run beside this one found."""
        self.facts |= aside.facts
        self.skipped |= aside.skipped
        self.events[:] = sorted([*self.events, *aside.events], key=lambda event: event.moment)

    def stop(self) -> None:
        """End every command, and begin no other."""
        self._stopped = True
        for process in list(self._running):
            kill_group(process)

    def end_commands(self, of: threading.Thread) -> None:
        """End what a thread has running; its `command` then raises or returns as for any end."""
        for process, thread in list(self._running.items()):
            if thread is of:
                kill_group(process)

    def log(self, name: str) -> Path:
        """A log file that is not there yet: ``NAME.log``, ``NAME-2.log`` …"""
        folder = self.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        count = 1
        while True:
            path = folder / (f"{name}.log" if count == 1 else f"{name}-{count}.log")
            with contextlib.suppress(FileExistsError):
                path.touch(exist_ok=False)
                return path
            count += 1


def _tail(log: Path, lines: int = 30) -> str:
    said = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in said[-lines:])


def kill_group(process: subprocess.Popen[bytes], patience: float = 5) -> None:
    """End a process that leads a session, and whatever it started and left behind.

    Processes that were moved to a group of their own stay in the session, and are found by it.
    """
    for sign in (signal.SIGTERM, signal.SIGKILL):
        groups = _groups_of_session(process.pid)
        if not groups and process.poll() is not None:
            return
        for group in groups or {process.pid}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, sign)
        end = time.monotonic() + patience
        while time.monotonic() < end and (
            process.poll() is None or _groups_of_session(process.pid)
        ):
            time.sleep(0.02)


def _groups_of_session(session: int) -> set[int]:
    """The process groups of a session that still have a living member (Linux: from /proc)."""
    groups = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # proc(5): pid (comm) state ppid pgrp session …; comm may hold spaces and parentheses.
            state, _, group, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                groups.add(int(group))
    return groups


def perform(run: Run, stages: Sequence[Stage], *, before: int = 0) -> None:
    """Run stages in order, and keep what each leaves.

    A stage whose programs are missing, or that follows one that was skipped, is skipped.

    Args:
        run: where.
        stages: which.
        before: how many stages came before the first of these, for the order of the kept folders.

    Raises:
        LoopError: a stage failed.
    """
    for number, stage in enumerate(stages, start=before + 1):
        reason = _reason_to_skip(run, stage)
        if reason is not None:
            run.skipped[stage.name] = reason
            continue
        run.observer.stage_begins(stage)
        folder = run.home / "stages" / f"{number:02}-{stage.name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        first = len(run.events)
        run.facts[stage.name] = json.loads(json.dumps(stage.run(run)))
        _keep(run, folder, run.facts[stage.name], run.events[first:])


def perform_beside(
    run: Run, stages: Sequence[Stage], others: Sequence[Stage], *, before: int = 0
) -> None:
    """Run *stages*, and *others* at the same time; *others* leave the project as it is.

    They wait for different things, so both take hardly longer than the longer of them.

    Raises:
        LoopError: a stage failed.
    """
    aside = run.aside()
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(perform, aside, others, before=before + len(stages))
        try:
            perform(run, stages, before=before)
            ended.result()
        except BaseException:
            aside.stop()
            raise
        finally:
            run.join(aside)


def _reason_to_skip(run: Run, stage: Stage) -> str | None:
    missing = [name for name in stage.needs if not run_has(run, name)]
    if missing:
        return f"{', '.join(missing)} not found"
    skipped = [name for name in stage.after if name in run.skipped]
    return f"it follows {', '.join(skipped)}" if skipped else None


def run_has(run: Run, program: str) -> bool:
    """Whether commands of this run find a program."""
    return shutil.which(program, path=run.environment["PATH"]) is not None


def _keep(run: Run, folder: Path, facts: Facts, events: Sequence[Event]) -> None:
    _write(folder / "facts.json", facts)
    _write(folder / "events.json", [asdict(event) for event in events])
    for name in STATE if run.keeps_state else ():
        if (run.home / name).exists():
            _copy(run.home / name, folder / "state" / name)


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _copy(source: Path, target: Path) -> None:
    """Copy a tree; where the disk can share blocks of equal files it does."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def restore(
    home: Path, before: str, environment: Mapping[str, str], observer: Observer | None = None
) -> Run:
    """The run as it was when the stage *before* began, also one that then failed.

    The state folders of *home* are replaced: files name each other by absolute paths (MLflow's
    artifacts, git's remote), so a run lives where it was made.

    Raises:
        LoopError: no stage of that name has begun, or an earlier one did not end.
    """
    kept = _kept(home)
    names = [name for name, _ in kept]
    if before not in names:
        raise LoopError(f"no stage '{before}' has begun in {home}: there are {', '.join(names)}")
    position = names.index(before)
    if position == 0:
        raise LoopError(f"'{before}' is the first stage: begin a new run")
    for name, folder in kept[:position]:
        if not (folder / "facts.json").exists():
            raise LoopError(f"stage '{name}' did not end in {home}: begin with it")
    for name in STATE:
        shutil.rmtree(home / name, ignore_errors=True)
    states = [folder / "state" for _, folder in kept[:position] if (folder / "state").exists()]
    for state in states[-1].iterdir():
        _copy(state, home / state.name)
    run = Run(home, environment, observer or Silent())
    for name, folder in kept[:position]:
        run.facts[name] = json.loads((folder / "facts.json").read_text("utf-8"))
        run.events += [
            Event(**event) for event in json.loads((folder / "events.json").read_text("utf-8"))
        ]
    if run.events:
        run.began = time.monotonic() - run.events[-1].moment
    return run


def _kept(home: Path) -> list[tuple[str, Path]]:
    folders: Iterator[Path] = iter(sorted((home / "stages").glob("[0-9][0-9]-*")))
    return [(folder.name.partition("-")[2], folder) for folder in folders]
