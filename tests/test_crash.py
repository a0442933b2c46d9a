"""`mlopsc compile` killed at many points, then run again: the tree is right, what is not ours untouched.

Run as a program, `python test_crash.py FOLDER`, it does the killing: forks of one process that has
loaded the compiler are quicker than new ones. The room's own test kills at every point, on small trees.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from mlopsc.cli.main import run
from test_hostile import SPEC
from workspace.killed import MOMENTS, OPERATIONS, mortal

AFTER = SPEC.replace("  delay:", "  late:").replace("float32", "{type: float32, min: 0}")
MINE = {
    "mlops/mine.txt": "mine\n",
    "gx/mine/notes.md": "# mine\n",
    ".gitlab/mine.yml": "a: 1\n",
    "src/train.py": "print()\n",
}
EDITED = "mlops/gate.py"
EVERY = 2  # operations between two deaths; with three moments, each kind of operation is met

Texts = dict[str, str]


def texts(root: Path) -> Texts:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(".mlopsc-new")
    }


def mlopsc(*arguments: str) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(list(arguments))
    return code, said.getvalue()


def killed(root: Path, at: int, moment: str) -> bool:
    """Whether a compile was killed at its operation number `at`."""
    child = os.fork()
    if child == 0:
        count = itertools.count()
        for name in OPERATIONS:
            setattr(os, name, mortal(getattr(os, name), count, at, moment))
        os._exit(mlopsc("compile", str(root))[0])
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def made(root: Path, spec: str) -> Texts:
    """The project as it is after a compile of `spec`, with what is the user's."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "mlops.yaml").write_text(spec)
    assert mlopsc("compile", str(root))[0] == 0
    for path, text in MINE.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return texts(root)


def dies(folder: Path) -> int:
    """Deaths on the way from one spec to another; after each, check, compile and check."""
    after = made(folder / "after", AFTER)
    before = made(folder / "before", SPEC)
    root = folder / "project"
    for number in itertools.count():
        at, moment = number * EVERY, MOMENTS[number % len(MOMENTS)]
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(folder / "before", root)
        (root / "mlops.yaml").write_text(AFTER)
        if not killed(root, at, moment):
            return number
        between = texts(root)
        for path, text in between.items():
            assert path == "mlops.lock" or text in (before.get(path), after.get(path)), path
        code, said = mlopsc("check", str(root))
        assert texts(root) == between, "check wrote something"
        # Unless it died on its last steps, something is not yet what the spec compiles to.
        assert code == (0 if between == after else 1), said
        if code:
            assert re.search(r"error\[W0\d\d\]", said), said
        code, said = mlopsc("compile", str(root))
        assert code == 0, said
        assert texts(root) == after
        assert not list(root.rglob("*.mlopsc-new"))
        code, said = mlopsc("check", str(root))
        assert code == 0, said
    raise AssertionError


def test_killed_at_many_points(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10


def test_a_hand_edit_survives_a_death(tmp_path: Path) -> None:
    """It is refused before the first write, so there is nothing to be killed in."""
    root = tmp_path / "project"
    made(root, SPEC)
    with (root / EDITED).open("a") as file:
        file.write("# by hand\n")
    (root / "mlops.yaml").write_text(AFTER)
    before = texts(root)
    code, said = mlopsc("compile", str(root))
    assert code == 1
    assert f"error[W020]: '{EDITED}'" in said
    assert texts(root) == before
    code, said = mlopsc("check", str(root))
    assert code == 1
    assert f"'{EDITED}'" in said
    assert texts(root) == before


if __name__ == "__main__":
    print(dies(Path(sys.argv[1])))
