"""What a person sees while the loop runs, and the timeline when it has."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loop.stage import Event, Stage

REFRESH_SECONDS = 1.0
"""On a terminal, where a line can be written again."""
REPORT_SECONDS = 15.0
"""Anywhere else: each look is a line of a log."""
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f]")


class Progress:
    """Stages and events as they come, and what runs now with the time it has taken.

    Attributes:
        began: `time.monotonic()` of the run's begin.

    Args:
        count: how many stages there are.
        out: where to.
    """

    def __init__(self, count: int, out: TextIO = sys.stdout) -> None:
        self.began = time.monotonic()
        self._count, self._out = count, out
        self._stages = 0
        self._active: dict[int, tuple[str, float, Path | None]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._live = out.isatty()
        self._shown = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._clear()

    def stage_begins(self, stage: Stage) -> None:
        """A heading with the stage's number."""
        self._stages += 1
        self._print(f"\n[{self._stages}/{self._count}] {stage.title}")

    def event(self, event: Event) -> None:
        """A line with the time since the beginning."""
        self._print(f"  {clock(event.moment)}  {event.text}")

    @contextlib.contextmanager
    def working(self, what: str, log: Path | None = None) -> Iterator[None]:
        """Something runs: shown with its age, and with the last line of its log."""
        key = id(object())
        with self._lock:
            while key in self._active:
                key += 1
            self._active[key] = (what, time.monotonic(), log)
        try:
            yield
        finally:
            with self._lock:
                del self._active[key]
                self._clear()

    def _print(self, line: str) -> None:
        with self._lock:
            self._clear()
            print(line, file=self._out, flush=True)

    def _clear(self) -> None:
        if self._shown:
            self._out.write("\r\x1b[2K")
            self._out.flush()
            self._shown = False

    def _watch(self) -> None:
        while not self._stop.wait(REFRESH_SECONDS if self._live else REPORT_SECONDS):
            with self._lock:
                if not self._active:
                    continue
                what, began, log = list(self._active.values())[-1]
                age = f"{time.monotonic() - began:.0f} s"
                text = f"  {clock(time.monotonic() - self.began)}  … {what}, {age}{_last_line(log)}"
                if self._live:
                    width = shutil.get_terminal_size().columns
                    self._clear()
                    self._out.write(text[: width - 1])
                    self._out.flush()
                    self._shown = True
                else:
                    print(text[:140], file=self._out, flush=True)


def _last_line(log: Path | None, reach: int = 2000) -> str:
    """The last thing a program printed."""
    if log is None or not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - reach))
        lines = _CONTROL_LINES.split(file.read().decode("utf-8", errors="replace"))
    said = [_CONTROL.sub("", line).strip() for line in lines]
    return next((f": {line}" for line in reversed(said) if line), "")


_CONTROL_LINES = re.compile(r"[\r\n]+")


def clock(seconds: float) -> str:
    """Minutes and seconds: `2:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def timeline(events: Sequence[Event]) -> str:
    """All events, with the generated file and the line of the spec behind each."""
    rows = [
        (clock(event.moment), event.file or "", event.spec or "", event.text) for event in events
    ]
    widths = [max([len(row[column]) for row in rows], default=0) for column in range(3)]
    return "\n".join(
        f"{time:>{widths[0]}}  {file:<{widths[1]}}  {spec:<{widths[2]}}  {text}"
        for time, file, spec, text in rows
    )
