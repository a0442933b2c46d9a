"""The checkout that the loop runs in: examples/flights in a git repository, with a remote and data.

What would be a company's is made here: the repository at GitLab (a bare one), the runner's image
(the packages are there, pip finds nothing to download), MLflow's and Feast's databases (sqlite).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

import tools
from loop import cluster, images
from loop.stage import LoopError
from mlopsc.project.conventions import SPEC_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop.stage import Result, Run

EXAMPLE = tools.ROOT / "examples" / "flights"
BRANCH = "main"
HOST, PROJECT_PATH = "gitlab.example.com", "airlines/flights"
"""Where `repository:` of the spec says the project is."""
TABLES = {"flights": "scheduled_at", "weather": "observed_at"}
"""The example's data files, and the column that says when a row came."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "true",
    "FEAST_USAGE": "False",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""The loop tells nobody that it ran."""


def environment(home: Path) -> dict[str, str]:
    """The variables all commands of the loop start with; nothing of the user's own settings.

    `PYTHONUSERBASE` holds the tools' packages: Python looks there outside of virtual environments
    and in those made with `--system-site-packages`, which is what an image prepared for these jobs
    would offer.
    """
    path = [
        home / "bin",
        *[tools.HOME / each for each in ("core/bin", "bin", "mlserver/bin")],
        *_machine_path(),
    ]
    kept = {
        name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR", "CI") if name in os.environ
    }
    return {
        **kept,
        **QUIET,
        "PATH": os.pathsep.join(map(str, path)),
        "HOME": str(home / "user"),
        "PYTHONUSERBASE": str(home / "python"),
        "PYTHONUNBUFFERED": "1",
        # Several programs share few cores: threads of one that spin until the others are on cost
        # more than they bring (a training of 2 s takes 5 s to 20 s with two threads on two cores).
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # pip is asked, and finds everything: what is there counts, mlopsc itself is this checkout's.
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_FIND_LINKS": str(home / "wheels"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/services/mlflow.db",
        # Where a tracking server keeps artifacts; mlflow 3.17 reads it for a database without a server too.
        "_MLFLOW_SERVER_ARTIFACT_ROOT": (home / "services" / "artifacts").as_uri(),
        "FEAST_REGISTRY": str(home / "services" / "feast" / "registry.db"),
        images.STORE: str(home / "cluster" / "images"),
        "FEAST_ONLINE_STORE_CONNECTION": str(home / "services" / "feast" / "online.db"),
    }


def _machine_path() -> list[str]:
    """The machine's own programs, without the environment this process runs in."""
    own = Path(sys.prefix) / "bin"
    return [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if folder and Path(folder).resolve() != own.resolve()
    ]


def create(run: Run) -> None:
    """Lay out a fresh home: folders, the runner's packages, the repository and its remote.

    Raises:
        LoopError: a command failed.
    """
    for name in ("bin", "cluster", "gitlab", "logs", "page", "services/feast", "user"):
        (run.home / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as other:
        python = other.submit(_provide_python, run)
        _provide_packages(run)
        _provide_stand_ins(run.home / "bin")
        _copy_example(run.project)
        _make_repository(run)
        python.result()


def _provide_python(run: Run) -> None:
    """The runner's Python; its `python3 -m venv` finds a pip that was unpacked once (`venvs.py`)."""
    base = _base_python()
    (run.home / "bin" / "python").symlink_to(base)
    prepared, program = run.home / "prepared", run.home / "bin" / "python3"
    run.command("prepared-pip", [base, "-m", "venv", prepared], cwd=run.home)
    script = Path(__file__).with_name("venvs.py")
    program.write_text(
        "#!/bin/sh\n"
        f'if [ "$1 $2" = "-m venv" ]; then shift 2; set -- "{script}" "{prepared}" "$@"; fi\n'
        f'exec "{base}" "$@"\n',
        "utf-8",
    )
    program.chmod(0o755)


def _base_python() -> Path:
    """What the tools' environment was made from."""
    return (tools.HOME / "core" / "bin" / "python").resolve()


def _provide_packages(run: Run) -> None:
    """The tools' packages, and mlopsc as a wheel of this checkout."""
    core = tools.HOME / "core"
    packages = next((core / "lib").glob("python3*"))
    offered = run.home / "python" / "lib" / packages.name
    offered.mkdir(parents=True)
    (offered / "site-packages").symlink_to(packages / "site-packages")
    uv = _uv()
    run.command(
        "wheel",
        [uv, "build", "--quiet", "--wheel", "--out-dir", run.home / "wheels", tools.ROOT],
        env=_users_own(),
        cwd=run.home,
    )
    there = run.command(
        "packages-of-the-tools",
        [uv, "pip", "freeze", "--quiet", "--python", core / "bin" / "python"],
        env=_users_own(),
        cwd=run.home,
    )
    constraints = run.home / "packages-of-the-tools.txt"
    constraints.write_text(there.output, "utf-8")
    wanted = run.home / "packages-of-mlopsc.txt"
    wanted.write_text("\n".join(_dependencies()), "utf-8")
    # One version of each package: what the tools have stays what they have.
    run.command(
        "packages-of-mlopsc",
        [
            *(uv, "pip", "install", "--quiet", "--python", _base_python()),
            *("--target", run.home / "packages"),
            *("--constraint", constraints, "--requirement", wanted),
        ],
        env=_users_own(),
        cwd=run.home,
    )


def _dependencies() -> list[str]:
    with (tools.ROOT / "pyproject.toml").open("rb") as file:
        found: list[str] = tomllib.load(file)["project"]["dependencies"]
    return found


def _uv() -> str:
    return shutil.which("uv") or str(Path(sys.prefix) / "bin" / "uv")


def _users_own() -> dict[str, str]:
    """Where uv finds its cache and its index: installing is the one thing done as the user."""
    return {**os.environ, "PYTHONPATH": "", "VIRTUAL_ENV": ""}


def _provide_stand_ins(folder: Path) -> None:
    """What cannot be here: the image builder and the cluster."""
    cluster.provide_kubectl(folder, folder.parent / "cluster")
    program = folder / "buildctl-daemonless.sh"
    script = Path(__file__).with_name("images.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n', "utf-8")
    program.chmod(0o755)


def _copy_example(project: Path) -> None:
    """The example as git knows it: without data, caches and results."""
    shutil.copytree(
        EXAMPLE,
        project,
        ignore=shutil.ignore_patterns("data", "build", "__pycache__", ".gitlab-ci-local"),
    )


def _make_repository(run: Run) -> None:
    """A repository whose first commit is what a team has before mlopsc: code and no pipeline."""
    bare = run.home / "gitlab" / f"{PROJECT_PATH}.git"
    git(run, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", bare, cwd=run.home)
    git(run, "config", "receive.advertisePushOptions", "true", cwd=bare)
    _keep_push_options(bare)
    git(run, "init", "--quiet", f"--initial-branch={BRANCH}", run.project, cwd=run.home)
    configure(run, run.project)
    git(run, "remote", "add", "origin", bare.as_uri())
    git(run, "add", ".gitignore", "requirements.txt", "src")
    git(run, "commit", "--quiet", "--message", "Training code")
    push(run)
    git(run, "remote", "set-head", "origin", BRANCH)


def configure(run: Run, clone: Path) -> None:
    """Who commits there, and what gitlab-ci-local takes for the project's address."""
    for key, value in {"user.name": "A data scientist", "user.email": "ds@example.com"}.items():
        git(run, "config", key, value, cwd=clone)
    # gitlab-ci-local reads host and path of the project from this remote, and fetches nothing.
    address = f"https://{HOST}/{PROJECT_PATH}.git"
    git(run, "remote", "add", "gcl-origin", address, cwd=clone)


def _keep_push_options(bare: Path) -> None:
    """GitLab makes merge requests of them; here they are kept, one line of JSON a pushed branch."""
    hook = bare / "hooks" / "post-receive"
    program = (
        "import json, os, sys\n"
        "count = int(os.environ.get('GIT_PUSH_OPTION_COUNT', '0'))\n"
        "options = [os.environ[f'GIT_PUSH_OPTION_{number}'] for number in range(count)]\n"
        "with open('push-options', 'a') as file:\n"
        "    for line in sys.stdin:\n"
        "        branch = line.split()[2].removeprefix('refs/heads/')\n"
        "        file.write(json.dumps({'branch': branch, 'options': options}) + '\\n')\n"
    )
    hook.write_text(f"#!{sys.executable}\n{program}", "utf-8")
    hook.chmod(0o755)


def git(run: Run, *arguments: str | Path, cwd: Path | None = None) -> str:
    """What git says; too quick and too many to have a log each.

    Raises:
        LoopError: git refused.
    """
    ended = subprocess.run(
        ["git", *map(str, arguments)],
        cwd=cwd or run.project,
        env=dict(run.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise LoopError(f"git {' '.join(map(str, arguments))}: {ended.stderr.strip()}")
    return ended.stdout.strip()


def push(run: Run) -> None:
    """The branch to the remote; what differs from it is what the next pipeline is about."""
    git(run, "push", "--quiet", "origin", BRANCH)


def commit(run: Run, message: str, clone: Path | None = None) -> str:
    """Commit everything that is not ignored, and the data; returns the commit's id.

    The data is in git here; a team with more of it would use DVC, which the generated jobs know.
    """
    git(run, "add", "--all", cwd=clone)
    git(run, "add", "--force", *[f"data/{name}.parquet" for name in TABLES], cwd=clone)
    git(run, "commit", "--quiet", "--message", message, cwd=clone)
    return git(run, "rev-parse", "HEAD", cwd=clone)


def mlopsc(run: Run, *arguments: str, clone: Path | None = None) -> Result:
    """The compiler of this checkout, in the project or another clone of it.

    Raises:
        LoopError: it ended with anything but 0.
    """
    name = f"mlopsc-{arguments[0]}"
    # The environment of this process has mlopsc; the tools' packages must not come before its own.
    own = {"PYTHONPATH": "", "PYTHONUSERBASE": ""}
    return run.command(name, [sys.executable, "-m", "mlopsc", *arguments], env=own, cwd=clone)


def change_spec(run: Run, change: Callable[[Any], None], clone: Path | None = None) -> None:
    """Change the spec as a person would, comments kept, and compile.

    Args:
        run: whose project.
        change: is given the spec as nested mappings, and changes it in place.
        clone: where, instead of the project.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    path = (clone or run.project) / SPEC_FILE
    spec = yaml.load(path.read_text("utf-8"))
    change(spec)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(spec, file)
    mlopsc(run, "compile", clone=clone)


def whole_year(run: Run) -> Path:
    """The folder with all of 2013, made once by the example's own program."""
    folder = run.home / "year"
    if not folder.exists():
        data = {"PYTHONPATH": str(tools.HOME / "data")}
        command: list[str | Path] = ["python", "src/make_data.py", "--output", folder]
        run.command("make-data", command, env=data)
    return folder


def set_data(run: Run, until: str, folder: Path | None = None) -> dict[str, int]:
    """Data as it is at a moment: the rows from before it; returns how many each table has.

    Args:
        run: whose project.
        until: ISO 8601, UTC.
        folder: where to write; the project's `data` without it.
    """
    year, target = whole_year(run), folder or run.project / "data"
    target.mkdir(parents=True, exist_ok=True)
    return {
        name: _rows_before(year / f"{name}.parquet", time, until, target / f"{name}.parquet")
        for name, time in TABLES.items()
    }


def _rows_before(source: Path, time: str, until: str, target: Path) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    rows = parquet.read_table(
        source, filters=[(time, "<", pa.scalar(datetime.fromisoformat(until)))]
    )
    parquet.write_table(rows, target)
    return int(rows.num_rows)


def break_data(flights: Path) -> dict[str, int]:
    """Spoil a file of flights as a broken export would; returns how many rows have which fault."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute, parquet

    rows = parquet.read_table(flights)
    late = pa.scalar(rows["scheduled_at"][-1].as_py() - timedelta(days=5))
    rows = rows.filter(compute.less(rows["scheduled_at"], late))
    number = np.arange(rows.num_rows)
    faults = {
        "arr_delay": (number % 5 == 0, None),
        "distance": (number % 100 == 1, 99_999.0),
        "carrier": (number % 1000 == 2, "ZZ"),
    }
    for name, (where, value) in faults.items():
        column = rows[name]
        spoiled = compute.if_else(pa.array(where), pa.scalar(value, column.type), column)
        rows = rows.set_column(rows.schema.get_field_index(name), rows.field(name), spoiled)
    parquet.write_table(rows, flights)
    return {name: int(where.sum()) for name, (where, _) in faults.items()}
