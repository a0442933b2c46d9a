"""A program of the tests: compiles killed at every step, and what the next one makes of it.

Run as `python killed.py SCENARIO FOLDER`. For each operation that changes a disk, a forked child is
ended before it, after it and, for a write, in the middle. Prints how many deaths there were; any
surprise is an assertion's traceback.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workspace.projects import compile_into, everything, files_of, kinds, plan_for, with_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OPERATIONS = ("open", "write", "replace", "unlink", "mkdir", "rmdir")
MOMENTS = ("before", "middle", "after")
MINE = {"k8s/mine.yaml": "mine\n", "notes.txt": "mine\n"}

Texts = dict[str, str]
SCENARIOS: dict[str, tuple[Texts, Texts]] = {
    "first": ({}, {"a": "a1\n", "k8s/b": "b1\n", "k8s/deep/c": "c1\n"}),
    "change": (
        {"a": "a1\n", "k8s/b": "b1\n", "k8s/deep/c": "c1\n", "old/x/y": "y\n"},
        {"a": "a2 longer\n", "k8s/b": "b1\n", "new/x/y": "y\n", "k8s/deep/d": "d1\n"},
    ),
    "trade": ({"a": "1\n", "b/c/d": "2\n", "b/e": "3\n"}, {"a/x/y": "4\n", "b": "5\n"}),
    "leave": ({"a": "a1\n", "k8s/deep/c": "c1\n"}, {}),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def mortal(operation: Callable[..., Any], count: itertools.count[int], at: int, moment: str) -> Any:
    """The operation; the one with number `at` is the process's last."""

    def run(*parts: Any, **more: Any) -> Any:
        if operation.__name__ == "open" and not parts[1] & os.O_CREAT:
            return operation(*parts, **more)  # reading: nothing changes
        if next(count) != at:
            return operation(*parts, **more)
        try:
            if moment == "middle" and operation.__name__ == "write":
                operation(parts[0], parts[1][: len(parts[1]) // 2])
            elif moment == "after":
                operation(*parts, **more)
        finally:  # an operation may fail as it should: making a folder that is there
            die()

    return run


def compile_and_die(
    root: str, texts: Mapping[str, str], at: int, moment: str, *, partial: bool = False
) -> bool:
    """Whether a child that compiles was killed at its operation number `at`."""
    child = os.fork()
    if child == 0:
        count = itertools.count()
        for name in OPERATIONS:
            setattr(os, name, mortal(getattr(os, name), count, at, moment))
        try:
            compile_into(root, texts, partial=partial)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child had an error"
    return os.WIFSIGNALED(status)


def set_up(root: str, texts: Texts) -> None:
    shutil.rmtree(root, ignore_errors=True)
    compile_into(root, texts)
    for path, text in MINE.items():
        place = Path(root, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def is_whole(root: str, *states: Texts) -> None:
    """Every file is what it was or what it will be; beside them only temporary files."""
    for path, text in files_of(root).items():
        if not path.endswith(".mlopsc-new"):
            assert any(state.get(path) == text for state in (MINE, *states)), path


def is_exactly(root: str, texts: Texts) -> None:
    found = everything(root)
    assert found.pop("mlops.lock").startswith("# ")
    assert "writing" not in everything(root)["mlops.lock"]
    assert found == with_folders({**texts, **MINE}), found
    plan = plan_for(root, texts)
    assert not plan.findings
    assert set(kinds(plan).values()) <= {"keep"}
    assert not plan.litter


def deaths(root: str, before: Texts, after: Texts) -> int:
    """Killed once, then compiled: to the same, back to what was, and to nothing."""
    died = 0
    for goal, moment in itertools.product((after, before, {}), MOMENTS):
        for at in itertools.count():
            set_up(root, before)
            if not compile_and_die(root, after, at, moment):
                break
            died += 1
            is_whole(root, before, after)
            compile_into(root, goal)
            is_exactly(root, goal)
    return died


def deaths_twice(
    root: str, before: Texts, after: Texts, goal: Texts, *, partial: bool = False
) -> int:
    """Killed, killed again on the way to `goal`, then compiled to nothing.

    To nothing, because then each file has to be known as ours. Every second and third moment: all
    pairs of moments would take minutes.
    """
    died = 0
    set_up(root, before)
    for first in range(0, 1000, 2):
        if not compile_and_die(root, after, first, "after"):
            break
        for second in range(first % 3, 1000, 3):
            set_up(root, before)
            compile_and_die(root, after, first, "after")
            if not compile_and_die(root, goal, second, "middle", partial=partial):
                break
            died += 1
            is_whole(root, before, after, goal)
            compile_into(root, {})
            is_exactly(root, {})
        set_up(root, before)
    return died


def main(scenario: str, root: str) -> None:
    before, after = SCENARIOS[scenario]
    third = before if scenario == "trade" else {**before, "a": "third\n", "k8s/third": "t\n"}
    print(deaths(root, before, after))
    print(deaths_twice(root, before, after, third))
    print(deaths_twice(root, before, after, {"z": "z\n"}, partial=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
