"""Which jobs run when: gitlab-ci-local evaluates the rules for every way a pipeline can start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import readers
from mlopsc.targets import gitlab
from targets.gitlab_compiled import FULL, SMALL, Repository, in_kubernetes, many, written
from targets.test_gitlab import INCLUDED, OWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("gitlab-ci-local")

MAIN = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
PUSH = {**MAIN, "CI_PIPELINE_SOURCE": "push"}
CHILD = {**MAIN, "CI_PIPELINE_SOURCE": "parent_pipeline"}
BRANCH = {"CI_COMMIT_BRANCH": "idea", "CI_DEFAULT_BRANCH": "main", "CI_PIPELINE_SOURCE": "push"}
MERGE_REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_ID": "7",
    "CI_COMMIT_BRANCH": "",
    "CI_DEFAULT_BRANCH": "main",
}


def asked(by: str, /, **variables: str) -> dict[str, str]:
    """A pipeline on the default branch that somebody or something starts."""
    named = {f"MLOPS_{key.upper()}": value for key, value in variables.items()}
    return {**MAIN, "CI_PIPELINE_SOURCE": by, **named}


JUDGED = {"churn:image:train", "churn:validate", "churn:dataset", "churn:train", "churn:gate"}
RELEASED = {*JUDGED, "churn:register", "churn:serving-image", "churn:promote:staging"}

CASES: dict[str, tuple[dict[str, str], tuple[str, ...], set[str]]] = {
    "a push that touches nothing of ours": (PUSH, ("README.md",), {"check"}),
    "code of one model": (PUSH, ("src/churn/net.py",), {"check", *RELEASED}),
    "the packages it trains with": (PUSH, ("requirements.txt",), {"check", *RELEASED}),
    "its part of the pipeline": (
        PUSH, (".gitlab/ci/models/churn.yml",), {"check", *RELEASED},
    ),
    "a promotion to staging": (
        PUSH, ("mlops.yaml", "mlops.lock", "mlops/models/churn.json", "k8s/staging/churn/deployment.yaml"),
        {
            "check", "churn:deploy:staging", "churn:promote:production", "churn:rollback:staging*",
            "churn:stop:staging*", "reconcile schedules",
        },
    ),
    "a promotion to production": (
        PUSH, ("mlops.yaml", "mlops/models/churn.json", "k8s/production/churn/deployment.yaml"),
        {"check", "churn:deploy:production*", "churn:rollback:production*", "reconcile schedules"},
    ),
    "a version of a model that is not trained here": (
        PUSH, ("k8s/staging/light/deployment.yaml",),
        {
            "check", "light:fetch:staging", "light:serving-image:staging", "light:deploy:staging",
            "light:promote:production", "light:rollback:staging*", "light:stop:staging*",
            "reconcile schedules",
        },
    ),
    "a model without a line for its version": (
        PUSH, ("k8s/production/light/deployment.yaml",),
        {
            "check", "light:fetch:production*", "light:serving-image:production",
            "light:deploy:production", "light:rollback:production*", "reconcile schedules",
        },
    ),
    "feature definitions": (
        PUSH, ("feature_repo/definitions.py",),
        {"check", "apply features staging", "apply features production"},
    ),
    "rules of no model": (
        PUSH, ("k8s/production/prometheusrule.yaml",),
        {"check", "deploy alerts production*", "reconcile schedules"},
    ),
    "schedules": (PUSH, (".gitlab/schedules.json",), {"check", "reconcile schedules"}),
    "a push to a branch": (BRANCH, ("src/churn/net.py",), set()),
    "a merge request with code": (
        MERGE_REQUEST, ("src/churn/net.py",), {"check", *JUDGED},
    ),
    "a merge request that promotes": (
        MERGE_REQUEST, ("mlops.yaml", "k8s/production/churn/deployment.yaml"), {"check"},
    ),
    "a merge request with features": (MERGE_REQUEST, ("feature_repo/definitions.py",), {"check"}),
    "the schedule of training": (asked("schedule", model="churn", task="train"), (), RELEASED),
    "the schedule of monitoring": (
        asked("schedule", model="churn", task="monitor", environment="production"), (),
        {"churn:monitor:production"},
    ),
    "the schedule of batch scoring": (
        asked("schedule", model="churn", task="batch", environment="staging"), (),
        {"churn:batch:staging"},
    ),
    "the schedule of a view": (
        asked("schedule", task="materialize", view="customer", environment="staging"), (),
        {"materialize customer staging"},
    ),
    "the schedule of a source": (
        asked("schedule", task="build", source="customers", environment="production"), (),
        {
            "image for customers production", "build customers production",
            "validate customers production",
        },
    ),
    "a schedule that is not ours": (asked("schedule"), ("src/churn/net.py",), set()),
    "an alert": (asked("trigger", model="churn", alert="ModelDrift"), (), {"churn:cooldown"}),
    "an alert that forgets its name": (asked("trigger", model="churn"), (), {"churn:cooldown"}),
    "what the cool-down starts": (
        asked("pipeline", model="churn", task="train", response="ModelDrift"), (), RELEASED,
    ),
    "training through the API": (asked("api", model="churn"), (), RELEASED),
    "training by hand": (asked("web", model="churn"), (), RELEASED),
    "deploying again through the API": (
        asked("api", model="churn", task="deploy", environment="staging"), (),
        {"churn:deploy:staging", "churn:promote:production", "churn:stop:staging*"},
    ),
    "deploying production through the API": (
        asked("api", model="churn", task="deploy", environment="production"), (),
        {"churn:deploy:production*"},
    ),
    "rolling back through the API": (
        asked("api", model="churn", task="rollback", environment="production"), (),
        {"churn:rollback:production"},
    ),
    "a run for no model of ours": (asked("api", model="other"), ("src/churn/net.py",), set()),
    "as a child of the repository's own pipeline": (
        CHILD, ("src/churn/net.py",), {"check", *RELEASED},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("full") / "project"
    return Repository(folder, written(gitlab, FULL, folder))


@pytest.mark.parametrize("case", CASES, ids=[name.replace(" ", "-") for name in CASES])
def test_a_pipeline_has_exactly_its_jobs(full: Repository, case: str) -> None:
    variables, changed, expected = CASES[case]
    started = full.started(variables, changed)
    assert {f"{name}*" if when == "manual" else name for name, when in started.items()} == expected


SMALL_JOBS = {"check", "delay:validate", "delay:dataset", "delay:train", "delay:gate"}


@pytest.mark.parametrize(
    ("variables", "changed", "expected"),
    [
        (PUSH, ("src/train.py",), SMALL_JOBS),
        (PUSH, ("data/flights.parquet.dvc",), SMALL_JOBS),
        (MERGE_REQUEST, ("src/train.py",), SMALL_JOBS),
        (MERGE_REQUEST, ("README.md",), {"check"}),
        # Without an answer to alerts a trigger token simply trains.
        (asked("trigger", model="delay"), (), SMALL_JOBS - {"check"}),
    ],
)
def test_the_smallest_spec_has_four_jobs_and_the_check(
    tmp_path: Path, variables: dict[str, str], changed: tuple[str, ...], expected: set[str]
) -> None:
    folder = tmp_path / "project"
    repository = Repository(folder, written(gitlab, SMALL, folder))
    assert repository.started(variables, changed).keys() == expected


IN_CLUSTER = {"churn:image:train", "churn:validate", "churn:train", "churn:register"}


@pytest.mark.parametrize(
    ("variables", "changed", "expected"),
    [
        (asked("api", model="churn"), (), {*IN_CLUSTER, "churn:fetch", "churn:serving-image", "churn:promote:staging"}),
        # A Job in the cluster ends with a version: no merge request may start one.
        (MERGE_REQUEST, ("src/churn/net.py",), {"check"}),
        (asked("schedule", model="churn", task="monitor", environment="production"), (), set()),
        (
            PUSH, ("mlops/models/churn.json",),
            {
                "check", "churn:image:train", "churn:deploy:staging", "churn:mark:staging", "churn:promote:production",
                "churn:rollback:staging*", "churn:stop:staging*", "churn:deploy:production*",
                "churn:mark:production", "churn:rollback:production*",
            },
        ),
    ],
)  # fmt: skip
def test_training_and_schedules_in_the_cluster(
    tmp_path: Path, variables: dict[str, str], changed: tuple[str, ...], expected: set[str]
) -> None:
    folder = tmp_path / "project"
    repository = Repository(folder, written(gitlab, in_kubernetes(), folder))
    started = repository.started(variables, changed)
    assert {f"{name}*" if when == "manual" else name for name, when in started.items()} == expected


@pytest.mark.parametrize(
    "spec",
    [SMALL, FULL, in_kubernetes(), FULL + OWN, many(50)],
    ids=["small", "full", "kubernetes", "own", "many"],
)
def test_gitlab_accepts_the_files(
    accepts: Callable[..., list[object]], tmp_path: Path, spec: str
) -> None:
    paths = [path for path in written(gitlab, spec, tmp_path) if not path.endswith(".json")]
    assert accepts(tmp_path, paths) == []


def test_gitlab_accepts_every_kind_of_include(tmp_path: Path) -> None:
    """By its schema alone: gitlab-ci-local would fetch what is included."""
    written(gitlab, FULL + OWN + INCLUDED, tmp_path)
    schema = readers.reader("GitLab's schema")
    assert list(readers.accepts(tmp_path, [".gitlab-ci.yml"], [schema])) == []


@pytest.mark.parametrize(
    ("variables", "changed", "own"),
    [
        (MERGE_REQUEST, ("src/churn/net.py",), {"unit tests: [3.11]", "unit tests: [3.12]"}),
        (MERGE_REQUEST, ("README.md",), set()),
        (asked("schedule", model="churn", task="train"), (), set()),
        ({**asked("schedule"), "NIGHTLY": "1"}, (), {"nightly"}),
    ],
)
def test_own_jobs_run_by_their_own_rules(
    tmp_path: Path, variables: dict[str, str], changed: tuple[str, ...], own: set[str]
) -> None:
    folder = tmp_path / "project"
    repository = Repository(folder, written(gitlab, FULL + OWN, folder))
    names = repository.started(variables, changed).keys()
    assert {name for name in names if name.startswith(("unit", "nightly", "announce"))} == own
