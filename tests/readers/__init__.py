"""Who reads what mlopsc writes: for each file a reader of its own target system, none left out.

``READERS`` is the whole table. :func:`accepts` is what tests call; :func:`unread` names the files
no reader knows, which is a failure of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tools
from readers import commands, grafana, python_and_json, text
from readers.refusal import Refusal
from readers.worker import worker

__all__ = ["READERS", "Reader", "Refusal", "accepts", "unread"]

KUBERNETES_RELEASES = ["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"]

Read = Callable[[Path, list[str]], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Reader:
    """A tool that judges the files whose path fits.

    Attributes:
        name: what its refusals call it.
        pattern: a regular expression of whole paths, relative to the project, with ``/``.
        read: yields ``(path, message)`` for what the tool refuses; it is given all fitting files
            of a project at once, for some mean something only together.
    """

    name: str
    pattern: re.Pattern[str]
    read: Read

    def reads(self, path: str) -> bool:
        """Whether *path* is one of this reader's."""
        return self.pattern.fullmatch(path) is not None


def _in_worker(tool: str, root: Path, paths: list[str]) -> Iterable[tuple[str, str]]:
    return worker(tool).read(root, paths)


def _built_in_objects(root: Path, paths: list[str]) -> Iterable[tuple[str, str]]:
    return worker("kubernetes", "k8s").read(root, paths, releases=KUBERNETES_RELEASES)


def _custom_resources(root: Path, paths: list[str]) -> Iterable[tuple[str, str]]:
    process = worker("kubernetes", "k8s")
    custom = [path for path, _ in process.read(root, paths, ask="custom")]
    if not custom:
        return []
    schemas = str(tools.shared("crd-schemas"))
    return process.read(root, custom, releases=[], crd_schemas=schemas)


def _reader(name: str, pattern: str, read: Read) -> Reader:
    return Reader(name, re.compile(pattern), read)


_PIPELINE = r"\.gitlab/ci/.+\.yml|(.+/)?[^/]*\.?gitlab-ci\.yml|\.gitlab/[^/]+\.yml"
_OBJECT = r"k8s/(?!.*kustomization\.yaml$).+\.yaml"

READERS: tuple[Reader, ...] = (
    _reader("GitLab's schema", _PIPELINE, partial(_in_worker, "gitlab")),
    _reader("gitlab-ci-local", _PIPELINE, commands.list_jobs),
    _reader("Kubernetes' schemas", _OBJECT, _built_in_objects),
    _reader("custom resource schemas", _OBJECT, _custom_resources),
    _reader("promtool on objects", _OBJECT, commands.rules_in_objects),
    _reader("kubectl kustomize", r"(.+/)?kustomization\.yaml", commands.kustomize),
    _reader("promtool check", r"monitoring/prometheus/.+\.rules\.yml", commands.check_rules),
    _reader(
        "promtool test", r"monitoring/prometheus/.+\.rules\.test\.yml", commands.run_rule_tests
    ),
    _reader("amtool", r"monitoring/alertmanager/.+\.yml", commands.check_alertmanager),
    _reader("Grafana", r"monitoring/grafana/.+\.json", grafana.dashboards),
    _reader("Grafana's schema", r"monitoring/grafana/.+\.json", grafana.known_words),
    _reader(
        "Grafana's provisioning",
        r"monitoring/grafana/.+/provisioning/.+\.yaml",
        grafana.provisioning,
    ),
    _reader("Evidently", r"monitoring/evidently/.+\.json", partial(_in_worker, "evidently")),
    _reader("Great Expectations", r"gx/.+", partial(_in_worker, "great_expectations")),
    _reader("Feast", r"feature_repo/(.+\.py|feature_store\.yaml)", partial(_in_worker, "feast")),
    _reader("DVC", r"(.+/)?(dvc|params)\.yaml", partial(_in_worker, "dvc")),
    _reader("MLflow", r"(.+/)?MLproject", partial(_in_worker, "mlflow")),
    _reader("Python", r".+\.py", python_and_json.compiles),
    _reader("JSON", r".+\.json", python_and_json.parses_as_json),
    _reader(
        "its program",
        r"mlops/.+\.json|\.gitlab/schedules\.json",
        python_and_json.accepted_by_its_program,
    ),
    _reader("CODEOWNERS", r"(\.gitlab/|docs/)?CODEOWNERS", text.codeowners),
    _reader("Dockerfile", r"(.+/)?Dockerfile(\..+)?", text.dockerfile),
    _reader("Markdown", r".+\.md", text.markdown),
    _reader("pip", r"(.+/)?requirements\.txt", text.requirements),
    _reader("ignore file", r"(.+/)?\.[a-z]+ignore", text.ignore_file),
)


def accepts(
    project: Path, paths: Iterable[str], readers: Iterable[Reader] = READERS
) -> list[Refusal]:
    """Return what *readers* refuse among *paths* of *project*; nothing when all accept.

    A reader whose tool is not installed skips the test (fails it in CI), see :mod:`tools`.
    """
    paths = sorted(paths)
    refusals = []
    for reader in readers:
        own = [path for path in paths if reader.reads(path)]
        if own:
            said = reader.read(project, own)
            refusals += [Refusal(path, reader.name, message) for path, message in said]
    return sorted(refusals)


def unread(paths: Iterable[str]) -> list[str]:
    """Return the *paths* no reader knows."""
    return sorted(path for path in paths if not any(reader.reads(path) for reader in READERS))


def reader(name: str) -> Reader:
    """Return the reader called *name*."""
    (found,) = [each for each in READERS if each.name == name]
    return found
