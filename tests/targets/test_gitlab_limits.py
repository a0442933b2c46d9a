"""A thousand models in GitLab: no pipeline is larger than GitLab takes, and a change starts its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mlopsc.targets import gitlab
from mlopsc.targets.gitlab import limits
from targets.gitlab_compiled import (
    KEYWORDS,
    Repository,
    artifacts_of,
    in_kubernetes,
    many,
    written,
)
from targets.test_gitlab import INCLUDED, OWN
from targets.test_gitlab_pipelines import CASES, MERGE_REQUEST, PUSH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = ".gitlab-ci.yml"
SHARED = ".gitlab/ci/shared.yml"
CHILD = {**PUSH, "CI_PIPELINE_SOURCE": "parent_pipeline"}
THOUSAND = 1000
APART = (
    limits.PARTS_TOGETHER - 3
)  # with the two models, a view and a source of FULL: one part too many

Files = dict[str, Any]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {path: a.text for path, a in artifacts_of(gitlab, many(THOUSAND - 2)).items()}


@pytest.fixture(scope="module")
def files(texts: dict[str, str]) -> Files:
    """The pipelines' files, read."""
    return {
        path: yaml.load(text, yaml.CSafeLoader)
        for path, text in texts.items()
        if path.endswith(".yml")
    }


def opened(files: Files, path: str, variables: Mapping[str, str]) -> Iterator[str]:
    """A pipeline's file and all it includes, as GitLab finds them before it looks at jobs."""
    yield path
    for entry in files[path].get("include", ()):
        if _is_included(entry, variables):
            named = entry["local"].removeprefix("/")
            for variable, value in variables.items():
                named = named.replace(f"${variable}", value)
            folder, star, _ = named.partition("*")
            for found in [p for p in files if p.startswith(folder)] if star else [named]:
                yield from opened(files, found, variables)


def _is_included(entry: dict[str, Any], variables: Mapping[str, str]) -> bool:
    """By rules of the two forms we write: `$A && …`/`$A || …` of variables that are there, or always."""
    for rule in entry.get("rules", [{}]):
        words = [word for word in rule.get("if", "").split() if word.startswith("$")]
        there = [word.removeprefix("$") in variables for word in words]
        if any(there) if "||" in rule.get("if", "") else all(there):
            return rule.get("when") != "never"
    return False


def pipelines(files: Files) -> Iterator[tuple[str, list[str]]]:
    """Every pipeline there can be: by a change, by a name, and those that a change starts."""
    yield "by a change", list(opened(files, ROOT, {}))
    for kind in ("pipelines", "sources", "views"):
        variable = {"pipelines": "MLOPS_MODEL", "sources": "MLOPS_SOURCE", "views": "MLOPS_VIEW"}
        for path in files:
            if path.startswith(f".gitlab/ci/{kind}/"):
                name = path.rpartition("/")[2].removesuffix(".yml")
                named = {variable[kind]: name, "MLOPS_TASK": "any"}
                yield f"of {name}", list(opened(files, ROOT, named))
                if kind == "pipelines":
                    yield f"child of {name}", list(opened(files, path, {}))


def memory(value: object) -> int:
    """About what GitLab counts for a value it has read, on the safe side.

    Ruby gives every text, list and mapping 40 bytes and what does not fit into them, and a mapping
    its table. Numbers and names that occur twice cost nothing there, and here.
    """
    if isinstance(value, str):
        return 40 + (len(value.encode()) + 1 if len(value) > 23 else 0)
    if isinstance(value, list):
        return 40 + 8 * len(value) + sum(map(memory, value))
    if isinstance(value, dict):
        return 192 + sum(48 + memory(key) + memory(entry) for key, entry in value.items())
    return 0


def depth(value: object) -> int:
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return 1 + max(map(depth, inner), default=0)


def test_every_file_is_of_a_size_that_gitlab_reads(texts: dict[str, str], files: Files) -> None:
    assert len(files) > 3000
    for path, content in files.items():
        assert len(texts[path].encode()) <= limits.FILE_BYTES, path
        assert memory(content) <= limits.FILE_BYTES, path
        assert depth(content) <= limits.FILE_DEPTH, path


def test_no_pipeline_includes_too_much(files: Files) -> None:
    sizes = {path: memory(content) for path, content in files.items()}
    found = dict(pipelines(files))
    assert len(found) > 2000
    for name, paths in found.items():
        assert len(paths) - 1 <= limits.INCLUDES, name
        assert sum(sizes[path] for path in paths) <= limits.PIPELINE_BYTES, name


def test_no_pipeline_has_too_many_jobs(files: Files) -> None:
    """All jobs of a pipeline by name or of one model; of a change all but what starts models."""
    for name, paths in pipelines(files):
        own = [path for path in paths if "/changes/" not in path]
        jobs = [
            job
            for path in own
            for job in files[path]
            if job not in KEYWORDS and not job.startswith(".")
        ]
        assert 0 < len(jobs) <= limits.ACTIVE_JOBS, name


def jobs(files: Files) -> Iterator[tuple[str, dict[str, Any]]]:
    for content in files.values():
        for name, job in content.items():
            if name not in KEYWORDS:
                yield name, job


def test_jobs_keep_to_what_a_job_may_have(files: Files) -> None:
    for name, job in jobs(files):
        assert len(job.get("needs", ())) <= limits.NEEDS, name
        for rule in job.get("rules", ()):
            assert len(rule.get("changes", ())) <= limits.CHANGES, name
        assert len(job.get("trigger", {}).get("include", ())) <= limits.TRIGGER_INCLUDES, name


def test_a_child_starts_no_further_one(files: Files) -> None:
    """Two levels are allowed, and a repository with a pipeline of its own starts ours as a child."""
    triggers = {path for path, content in files.items() for j in content.values() if "trigger" in j}
    assert {path.rpartition("/")[0] for path in triggers} == {".gitlab/ci/changes"}
    started = [job for _, job in jobs(files) if "trigger" in job]
    assert len(started) == THOUSAND
    assert len(started) <= limits.DOWNSTREAM


@pytest.mark.parametrize(
    "spec", [many(APART), in_kubernetes(many(APART))], ids=["runner", "kubernetes"]
)
def test_a_trigger_looks_at_every_file_that_a_job_of_its_model_looks_at(spec: str) -> None:
    files = {
        p: yaml.safe_load(a.text) for p, a in artifacts_of(gitlab, spec).items() if p[-3:] == "yml"
    }
    triggers = {name: job for name, job in jobs(files) if "trigger" in job}
    for name, trigger in triggers.items():
        model = name.partition(":")[0]
        looked_at = _looked_at([trigger])
        of_model = [job for other, job in jobs(files) if other.lstrip(".").startswith(f"{model}:")]
        assert len(of_model) > 3
        assert _looked_at([job for job in of_model if "trigger" not in job]) == looked_at, name


@pytest.mark.parametrize("spec", [many(APART)], ids=["runner"])
def test_a_trigger_gives_up_comparing_only_where_a_job_does(spec: str) -> None:
    """Above 50,000 comparisons GitLab takes a rule for met: with others than a job's, for no job."""
    files = {
        p: yaml.safe_load(a.text) for p, a in artifacts_of(gitlab, spec).items() if p[-3:] == "yml"
    }
    of_jobs = [
        (rule["if"], rule["changes"])
        for _, job in jobs(files)
        if "trigger" not in job
        for rule in job.get("rules", ())
        if "changes" in rule
    ]
    triggers = [job for _, job in jobs(files) if "trigger" in job]
    assert len(triggers) > APART
    for trigger in triggers:
        for rule in trigger["rules"]:
            assert (rule["if"], rule["changes"]) in of_jobs


def test_a_model_that_no_change_starts_has_a_pipeline_by_name_alone() -> None:
    spec = many(APART).replace("  light:\n", "  scored:\n    target: outcomes:churned\n"
        "    features: [customer]\n    artifact: gs://acme-models/scored\n"
        "    batch: {from: customers, to: scored_rows, schedule: 1d}\n  light:\n")  # fmt: skip
    spec = spec.replace(
        "  scores: {big", "  scored_rows: {bigquery: acme.growth.rows}\n  scores: {big"
    )
    spec = spec.replace("metrics: prometheus_operator", "metrics: prometheus")
    texts = {path: artifact.text for path, artifact in artifacts_of(gitlab, spec).items()}
    assert ".gitlab/ci/pipelines/scored.yml" in texts
    assert not [path for path in texts if "/changes/" in path and "scored:pipeline" in texts[path]]


def test_own_jobs_and_files_are_the_roots_alone() -> None:
    texts = artifacts_of(gitlab, many(APART) + OWN + INCLUDED)
    files = {path: yaml.safe_load(a.text) for path, a in texts.items() if path[-3:] == "yml"}
    assert files[ROOT]["include"][0] == "ci/lint.yml"
    assert {"local": f"/{SHARED}"} in files[ROOT]["include"]
    assert {"test", "soak", "deploy", "models"} <= set(files[SHARED]["stages"])
    for path, content in files.items():
        assert ("unit tests" in content) == (path == ROOT), path


def _looked_at(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {
        (rule["if"], path)
        for job in found
        for rule in job.get("rules", ())
        if rule.get("when") != "never"
        for path in rule.get("changes", ())
    }


def test_the_page_shows_the_limits() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "targets" / "gitlab.md"
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    shown = [row[1].split(" on ")[0] for row in rows if len(row) == 3]
    mebibyte = 1024 * 1024
    for value in (
        str(limits.INCLUDES),
        f"{limits.FILE_BYTES // mebibyte} MiB",
        str(limits.FILE_DEPTH),
        f"{limits.PIPELINE_BYTES // mebibyte} MiB",
        str(limits.ACTIVE_JOBS),
        str(limits.NEEDS),
        str(limits.CHANGES),
        str(limits.TRIGGER_INCLUDES),
        str(limits.CHILD_DEPTH),
        f"{limits.DOWNSTREAM:,}",
    ):
        assert value in shown, value
    assert f"Up to {limits.PARTS_TOGETHER} models" in page.read_text("utf-8")


# --- by gitlab-ci-local -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("apart") / "project"
    return Repository(folder, written(gitlab, many(APART), folder))


def started(
    repository: Repository, variables: Mapping[str, str], changed: tuple[str, ...]
) -> dict[str, str]:
    """The jobs of a pipeline and of those it starts."""
    found = repository.started(variables, changed)
    children = [name for name in found if name.endswith(":pipeline")]
    child = {**variables, "CI_PIPELINE_SOURCE": "parent_pipeline"}
    for name in children:
        del found[name]
        file = f".gitlab/ci/pipelines/{name.removesuffix(':pipeline')}.yml"
        found |= repository.listed(child, file)
    return found


@pytest.mark.xdist_group("gitlab-ci-local")
@pytest.mark.parametrize(
    "case",
    [
        "code of one model",
        "a promotion to staging",
        "feature definitions",
        "a merge request with code",
        "the schedule of training",
        "the schedule of monitoring",
        "the schedule of a view",
        "the schedule of a source",
        "an alert",
        "as a child of the repository's own pipeline",
    ],
)
def test_among_many_models_the_same_jobs_run(apart: Repository, case: str) -> None:
    variables, changed, expected = CASES[case]
    found = started(apart, variables, changed)
    assert {f"{name}*" if when == "manual" else name for name, when in found.items()} == expected


@pytest.mark.xdist_group("gitlab-ci-local")
@pytest.mark.parametrize("variables", [PUSH, MERGE_REQUEST], ids=["push", "merge-request"])
def test_what_two_models_share_starts_both(tmp_path: Path, variables: Mapping[str, str]) -> None:
    folder = tmp_path / "project"
    spec = many(APART).replace("src/churn_004/", "src/churn_003/")
    repository = Repository(folder, written(gitlab, spec, folder))
    found = repository.started(variables, ("src/churn_003/net.py",))
    assert found.keys() == {"check", "churn_003:pipeline", "churn_004:pipeline"}


@pytest.mark.xdist_group("gitlab-ci-local")
def test_a_change_of_one_among_two_hundred_starts_that_one(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    repository = Repository(folder, written(gitlab, many(200), folder))
    found = repository.started(PUSH, (".gitlab/ci/models/churn_117.yml",))
    assert found.keys() == {"check", "churn_117:pipeline"}


@pytest.mark.xdist_group("gitlab-ci-local")
def test_the_pipeline_that_a_change_starts_runs(tmp_path: Path) -> None:
    """The pipelines as they are, but for what the jobs do: each says that it ran."""
    folder = tmp_path / "project"
    paths = written(gitlab, many(APART), folder)
    for path in paths:
        if path.endswith(".yml"):
            _only_say_so(folder / path)
    repository = Repository(folder, paths)
    repository.change((".gitlab/ci/models/churn_017.yml",))
    result = repository.run_locally(PUSH, "--force-shell-executor", "--no-color")
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    ran = {line.split("> ran ")[1].strip() for line in lines if "> ran " in line}
    parts = ("image:train", "validate", "dataset", "train", "gate", "register", "serving-image")
    assert ran == {"check", *(f"churn_017:{part}" for part in parts), "churn_017:promote:staging"}


def _only_say_so(file: Path) -> None:
    content = yaml.safe_load(file.read_text("utf-8"))
    for job in content.values():
        if isinstance(job, dict):
            job.pop("before_script", None)
            job.pop("artifacts", None)
            job.pop("cache", None)
            if "script" in job:
                job["script"] = ['echo "ran $CI_JOB_NAME"']
    file.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
