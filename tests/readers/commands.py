"""Readers quick enough to start anew: promtool, amtool, kubectl, gitlab-ci-local."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import tools

Said = Iterator[tuple[str, str]]

# A repository made for one reading: nothing of the person's own git configuration takes part.
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def run(
    *command: str | Path, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run *command* in *cwd*; what it says comes back as text, its exit code unjudged."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )


def _said(result: subprocess.CompletedProcess[str]) -> str:
    return (result.stdout + result.stderr).strip()[-1500:]


def check_rules(root: Path, paths: list[str]) -> Said:
    """``promtool check rules``, its lint included (two rules alike, names that mislead)."""
    promtool = tools.need("promtool")
    for path in paths:
        lint = ("--lint=all", "--lint-fatal")
        result = run(promtool, "check", "rules", *lint, path, cwd=root)
        if result.returncode:
            yield path, _said(result)
        elif " 0 rules found" in result.stdout:
            yield path, "promtool found no rule in it"


def rules_in_objects(root: Path, paths: list[str]) -> Said:
    """Read the groups of PrometheusRule objects with promtool: their CRD knows no PromQL."""
    for path in paths:
        for document in _documents(root / path):
            if isinstance(document, dict) and document.get("kind") == "PrometheusRule":
                with tempfile.TemporaryDirectory() as folder:
                    (Path(folder) / "object.rules.yml").write_text(
                        yaml.safe_dump({"groups": document["spec"]["groups"]}), "utf-8"
                    )
                    for _, message in check_rules(Path(folder), ["object.rules.yml"]):
                        yield path, message


def _documents(file: Path) -> list[Any]:
    try:
        return list(yaml.safe_load_all(file.read_text("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        return []  # the reader of Kubernetes objects refuses it


def run_rule_tests(root: Path, paths: list[str]) -> Said:
    """``promtool test rules``: every rule test holds, and there is one."""
    promtool = tools.need("promtool")
    for path in paths:
        data = next(iter(_documents(root / path)), None)
        if not isinstance(data, dict) or not data.get("tests"):
            yield path, "holds no test"
            continue
        file = root / path
        result = run(promtool, "test", "rules", file.name, cwd=file.parent)
        if result.returncode:
            yield path, _said(result)


def check_alertmanager(root: Path, paths: list[str]) -> Said:
    """``amtool check-config``, then ``config routes test`` with the labels each route asks for."""
    amtool = tools.need("amtool")
    for path in paths:
        result = run(amtool, "check-config", path, cwd=root)
        if result.returncode:
            yield path, _said(result)
            continue
        data = yaml.safe_load((root / path).read_text("utf-8"))
        for labels, receiver in _routes(data["route"], {}, data["route"]["receiver"]):
            yield from (
                (path, message) for message in _arrives(amtool, root, path, labels, receiver)
            )


def _arrives(
    amtool: Path, root: Path, path: str, labels: dict[str, str], receiver: str
) -> Iterator[str]:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    command = ("config", "routes", "test", f"--config.file={path}")
    result = run(amtool, *command, *pairs, cwd=root)
    if result.returncode:
        yield _said(result)
    elif receiver not in result.stdout.strip().split(","):
        yield (
            f"an alert with {' '.join(pairs) or 'no label'} goes to {result.stdout.strip()}, "
            f"never to the route of {receiver}"
        )


def _routes(
    route: dict[str, Any], above: dict[str, str], receiver: str
) -> Iterator[tuple[dict[str, str], str]]:
    """Yield labels that satisfy each route's matchers, and the receiver it names or inherits."""
    labels = above | dict(filter(None, map(_example, route.get("matchers", ()))))
    receiver = route.get("receiver", receiver)
    yield labels, receiver
    for child in route.get("routes", ()):
        yield from _routes(child, labels, receiver)


def _example(matcher: str) -> tuple[str, str] | None:
    """Return a label that *matcher* takes: its value, or the first of a regular expression's."""
    for operator in ("=~", "!~", "!=", "="):
        name, found, value = matcher.partition(operator)
        if found:
            first = value.strip().strip('"').split("|")[0].strip("()^$")
            return (name.strip(), first) if operator in {"=", "=~"} else None
    return None


def kustomize(root: Path, paths: list[str]) -> Said:
    """``kubectl kustomize`` of the folder; its warnings (deprecated keys) count as refusals."""
    kubectl = tools.need("kubectl")
    for path in paths:
        result = run(kubectl, "kustomize", str(Path(path).parent), cwd=root)
        if result.returncode or "warning" in result.stderr.lower():
            yield path, _said(result)
        elif not any(_documents_of(result.stdout)):
            yield path, "kubectl kustomize printed no object"


def _documents_of(text: str) -> list[Any]:
    # Only how many there are: kustomize prints a bare `=`, which YAML 1.1 gives a tag of its own.
    return [document for document in yaml.compose_all(text) if document is not None]


def list_jobs(root: Path, paths: list[str]) -> Said:
    """``gitlab-ci-local --list`` of the project's pipeline, in a repository made for it."""
    program = tools.need("gitlab-ci-local")
    entries = [path for path in paths if not path.startswith(".gitlab/ci/")]
    if not entries:
        yield paths[0], "no pipeline includes it"
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary) / "project"
        _commit(root, paths, repository)
        for entry in entries:
            home = ("--home", str(Path(temporary)))
            command = ("--file", entry, *home, "--list-csv-all")
            result = run(program, *command, cwd=repository, env=_GIT)
            if result.returncode:
                yield entry, _said(result)
            elif len(result.stdout.strip().splitlines()) < 2:  # the heading is one
                yield entry, "gitlab-ci-local lists no job"


def _commit(root: Path, paths: list[str], repository: Path) -> None:
    """Make *repository* with *paths* committed on ``main``, a remote, and the remote's branch."""
    for path in paths:
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, repository / path)
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("config", "user.name", "Reader"),
        ("config", "user.email", "reader@example.com"),
        ("remote", "add", "origin", "git@gitlab.example.com:group/project.git"),
        ("add", "--force", "."),
        ("commit", "--quiet", "--message", "Files of one reading"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
        ("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
    ):
        result = run("git", *command, cwd=repository, env=_GIT)
        assert result.returncode == 0, _said(result)
