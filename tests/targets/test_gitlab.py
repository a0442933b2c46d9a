"""What every generated pipeline keeps to, whatever the spec says."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mlopsc.artifacts.trace import causes_of
from mlopsc.project import pipelines
from mlopsc.project.conventions import DECISION
from mlopsc.targets import gitlab
from mlopsc.targets.gitlab import limits
from mlopsc.targets.gitlab.workflow import STAGES
from targets.gitlab_compiled import (
    FULL,
    SMALL,
    artifacts_of,
    in_kubernetes,
    jobs_of,
    many,
    pipeline_of,
    project_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = """\
  jobs:
    .tests: {stage: test, image: "python:3.11.13", interruptible: true}
    unit tests:
      extends: .tests
      rules:
        - {if: $MLOPS_MODEL || $MLOPS_TASK, when: never}
        - {if: $CI_MERGE_REQUEST_ID, changes: [src/**/*]}
      parallel: {matrix: [{PYTHON: ["3.11", "3.12"]}]}
      script: [pytest -q, 'echo "${CI_COMMIT_SHA:0:8} $$"']
    nightly: {stage: soak, rules: [{if: $NIGHTLY}], script: [make soak]}
    announce: {stage: deploy, rules: [{if: $CI_COMMIT_TAG}], script: [make announce]}
"""
INCLUDED = """\
  include:
    - ci/lint.yml
    - https://example.com/ci/remote.yml
    - local: ci/docs.yml
      rules: [{exists: [docs/index.md]}]
    - {project: growth/ci, ref: v2, file: [/python.yml, /docker.yml]}
    - {template: Jobs/SAST.gitlab-ci.yml}
    - {component: $CI_SERVER_FQDN/growth/lint/ruff@1.0, inputs: {stage: test}}
"""

DIFFERING = FULL.replace(
    '  staging: {namespace: shop-staging, deploy: automatic, versions: {churn: "15", light: "2"}}\n',
    """\
  staging:
    namespace: shop-staging
    deploy: automatic
    versions: {churn: "15", light: "2"}
    overrides:
      services: {mlflow: {url: https://mlflow-staging.example.com}}
      sources: {outcomes: {bigquery: acme.staging.outcomes}}
      models:
        churn:
          serving: {load_time: 20m}
          batch: {schedule: "0 6 * * *", resources: {memory: 1Gi}}
          monitoring: {schedule: 3h, respond: {drift: alert}}
""",
)

SPECS = {
    "small": SMALL,
    "full": FULL,
    "kubernetes": in_kubernetes(),
    "one environment": re.sub(r"  staging: .*\n", "", FULL),
    "no registry": FULL.replace("registry: registry.example.com/growth/shop\n", ""),
    "own image": FULL.replace(
        "image: train\n      timeout", "image: acme/train:1.2\n      timeout"
    ),
    "own jobs": FULL + OWN,
    "differing": DIFFERING,
    "hostile": FULL.replace(
        "command: python src/churn/train.py",
        'command: "echo \'- a: #{b}\' \\"$HOME\\"\\npython src/churn/train.py"',
    ).replace('PRICE: "5$"', "PRICE: \"{a: 'b'} # $CI_JOB_TOKEN\""),
}

Jobs = dict[str, dict[str, Any]]


@pytest.fixture(params=SPECS, ids=[name.replace(" ", "-") for name in SPECS], scope="module")
def spec(request: pytest.FixtureRequest) -> str:
    return SPECS[request.param]


@pytest.fixture(scope="module")
def jobs(spec: str) -> Jobs:
    return jobs_of(pipeline_of(artifacts_of(gitlab, spec)))


def of_model(jobs: Jobs, part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs.items():
        if f":{part}" in name:
            yield name, job


def test_every_stage_is_known_and_every_job_has_rules(jobs: Jobs, spec: str) -> None:
    stages = pipeline_of(artifacts_of(gitlab, spec))["stages"]
    for name, job in jobs.items():
        assert job["stage"] in stages, name
        assert job["rules"], name
        assert not {"only", "except"} & job.keys(), name


def test_every_needed_job_is_there_and_not_later(jobs: Jobs) -> None:
    for name, job in jobs.items():
        for need in job.get("needs", ()):
            assert need["job"] in jobs, f"{name} needs {need['job']}"
            assert STAGES.index(jobs[need["job"]]["stage"]) <= STAGES.index(job["stage"]), name


def test_a_need_that_rules_may_drop_is_optional(jobs: Jobs) -> None:
    """A need that is not optional has the same rules as the job, but for clicks and merge requests."""
    for name, job in jobs.items():
        for need in job.get("needs", ()):
            if not need.get("optional"):
                other = occasions(jobs[need["job"]])
                assert occasions(job) <= other, f"{name} needs {need['job']}"


def occasions(job: dict[str, Any]) -> set[str]:
    return {rule["if"] for rule in job["rules"] if rule.get("when") != "never"}


def test_artifacts_expire(jobs: Jobs) -> None:
    for name, job in jobs.items():
        if "artifacts" in job:
            assert re.fullmatch(r"\d+ days", job["artifacts"]["expire_in"]), name


def test_images_are_pinned(jobs: Jobs, spec: str) -> None:
    default = pipeline_of(artifacts_of(gitlab, spec))["default"]["image"]
    for name, job in jobs.items():
        image = job.get("image", default)
        reference = image["name"] if isinstance(image, dict) else image
        tag = reference.rpartition("/")[2].partition(":")[2]
        from_content = re.fullmatch(r"\$MLOPS_IMAGE_\w+", reference)
        assert from_content or re.search(r"\d+\.\d+", tag), f"{name}: {reference}"


def test_only_the_machinery_is_retried(spec: str, jobs: Jobs) -> None:
    default = pipeline_of(artifacts_of(gitlab, spec))["default"]
    assert set(default["retry"]["when"]) == {
        "runner_system_failure", "scheduler_failure", "api_failure",
    }  # fmt: skip
    assert not [name for name, job in jobs.items() if "retry" in job]


def test_what_changes_something_is_never_interrupted(jobs: Jobs) -> None:
    parts = ("register", "promote", "deploy", "rollback", "stop", "mark", "batch", "cooldown")
    for part in parts:
        for name, job in of_model(jobs, part):
            assert job["interruptible"] is False, name


def test_deployments_say_where_one_at_a_time_and_never_in_a_merge_request(jobs: Jobs) -> None:
    for name, job in of_model(jobs, "deploy:"):
        environment, model = name.rpartition(":")[2], name.partition(":")[0]
        assert job["environment"]["name"] == f"{environment}/{model}"
        assert job["environment"]["deployment_tier"] in {"staging", "production"}
        assert job["resource_group"] == f"{environment}/{model}"
        assert not [r for r in job["rules"] if "MERGE_REQUEST" in r["if"]], name


@pytest.mark.parametrize("part", ["register", "promote", "deploy", "mark", "rollback", "monitor"])
def test_a_merge_request_changes_nothing_outside(jobs: Jobs, part: str) -> None:
    for name, job in of_model(jobs, part):
        starting = [rule for rule in job["rules"] if rule.get("when") != "never"]
        assert not [rule for rule in starting if "MERGE_REQUEST" in rule["if"]], name


def test_changes_are_asked_in_pushes_and_merge_requests_only(jobs: Jobs) -> None:
    for name, job in jobs.items():
        for rule in job["rules"]:
            if "changes" in rule:
                pushed = "CI_PIPELINE_SOURCE =~ /^(push|parent_pipeline)$/" in rule["if"]
                assert pushed or rule["if"] == "$CI_MERGE_REQUEST_ID", name


def test_a_manual_deployment_waits_for_the_gate_and_the_environment_before() -> None:
    job = jobs_of(pipeline_of(artifacts_of(gitlab, FULL)))["churn:deploy:production"]
    clicked = [rule for rule in job["rules"] if rule.get("when") != "never"]
    assert all(rule["when"] == "manual" and rule["allow_failure"] is False for rule in clicked)
    assert {"churn:gate", "churn:deploy:staging"} <= {need["job"] for need in job["needs"]}


def test_one_change_of_a_model_is_no_change_of_another() -> None:
    two = FULL.replace("  light:\n", f"{_second_model()}  light:\n")
    jobs = jobs_of(pipeline_of(artifacts_of(gitlab, two)))
    for name, job in jobs.items():
        if name.startswith("churn:"):
            paths = [path for rule in job["rules"] for path in rule.get("changes", ())]
            assert not [path for path in paths if "value" in path], name


def _second_model() -> str:
    return (
        "  value:\n    target: outcomes:churned\n    features: [customer]\n"
        "    training: {command: python src/value/train.py}\n"
    )


def test_a_promoted_version_changes_no_file_that_starts_training() -> None:
    before = artifacts_of(gitlab, FULL)
    after = artifacts_of(gitlab, FULL.replace('churn: "14"', 'churn: "15"'))
    path = ".gitlab/ci/models/churn.yml"
    assert after[path].text == before[path].text
    changed = [p for p in before if before[p].text != after[p].text]
    jobs = jobs_of(pipeline_of(before))
    starting = {p for rule in jobs["churn:train"]["rules"] for p in rule.get("changes", ())}
    assert not starting & set(changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{epochs: 100}", "{epochs: 101}"),
        ("{auc: {min: 0.85}}", "{auc: {min: 0.86}}"),
        (
            "features: [customer, ratios, outcomes:tickets]",
            "features: [customer, outcomes:tickets]",
        ),
        ("known_after: 30d", "known_after: 31d"),
        ("ttl: 1d", "ttl: 2d"),
    ],
)
def test_what_a_model_is_made_from_starts_its_training(old: str, new: str) -> None:
    assert old in FULL
    path = ".gitlab/ci/models/churn.yml"
    before, after = (
        artifacts_of(gitlab, text)[path].text for text in (FULL, FULL.replace(old, new))
    )
    assert before != after


def test_a_variable_is_what_the_spec_says_after_gitlab_expands_it() -> None:
    variables = jobs_of(pipeline_of(artifacts_of(gitlab, FULL)))["churn:train"]["variables"]
    assert variables["PRICE"] == "5$$"
    assert variables["THREADS"] == "4"
    assert variables["MLFLOW_TRACKING_URI"] == "https://mlflow.example.com"
    assert variables["FEAST_ONLINE_STORE_CONNECTION"] == "$REDIS"


def test_training_has_its_runner_its_limits_and_its_image() -> None:
    job = jobs_of(pipeline_of(artifacts_of(gitlab, FULL)))["churn:train"]
    assert job["tags"] == ["gpu"]
    assert job["timeout"] == "1h 30m"
    assert job["image"] == {"name": "$MLOPS_IMAGE_TRAIN", "entrypoint": [""]}
    assert job["variables"]["KUBERNETES_MEMORY_LIMIT"] == "16Gi"
    assert job["script"] == ["python src/churn/train.py"]


def test_the_cool_down_ends_politely_and_trains_by_another_pipeline() -> None:
    job = jobs_of(pipeline_of(artifacts_of(gitlab, FULL)))["churn:cooldown"]
    assert job["allow_failure"] == {"exit_codes": [1]}
    assert "needs" not in job
    assert "trigger/pipeline" in job["script"][1]


def test_no_secret_is_asked_for_where_a_signed_token_serves() -> None:
    job = jobs_of(pipeline_of(artifacts_of(gitlab, FULL)))["churn:register"]
    assert job["id_tokens"]["MLFLOW_TRACKING_TOKEN"] == {"aud": "https://mlflow.example.com"}
    assert "GOOGLE_ID_TOKEN" in job["id_tokens"]
    assert "id_tokens" not in jobs_of(pipeline_of(artifacts_of(gitlab, SMALL)))["delay:train"]


def test_no_job_of_ours_edits_a_generated_file(jobs: Jobs) -> None:
    for name, job in jobs.items():
        script = "\n".join(job["script"])
        if "git push" in script or " push --force" in script:
            assert "mlopsc promote" in script, name
            assert "merge_request.create" in script, name


def test_every_line_has_a_cause_that_exists(spec: str) -> None:
    for artifact in artifacts_of(gitlab, spec).values():
        for number in range(1, artifact.text.count("\n") + 1):
            assert causes_of(artifact, number), (artifact.path, number)
            for origin in causes_of(artifact, number):
                if origin[:1] == (DECISION,):
                    assert origin[1] in gitlab.DECISIONS, (artifact.path, number)


def test_every_decision_is_used() -> None:
    used = set()
    for text in (*SPECS.values(), many(50)):
        for artifact in artifacts_of(gitlab, text).values():
            used |= {o[1] for c in artifact.causes for o in c.origins if o[:1] == (DECISION,)}
    assert used == set(gitlab.DECISIONS)


def test_schedules_name_model_task_and_environment() -> None:
    facts = json.loads(artifacts_of(gitlab, FULL)[".gitlab/schedules.json"].text)
    by_name = {entry["name"]: entry for entry in facts["schedules"]}
    assert by_name["churn: train"]["variables"] == {"MLOPS_MODEL": "churn", "MLOPS_TASK": "train"}
    assert by_name["churn: monitor production"] == {
        "name": "churn: monitor production",
        "cron": by_name["churn: monitor staging"]["cron"],
        "timezone": "Europe/Berlin",
        "variables": {
            "MLOPS_MODEL": "churn", "MLOPS_TASK": "monitor", "MLOPS_ENVIRONMENT": "production",
        },
        "spec": "models.churn.monitoring.schedule",
    }  # fmt: skip
    assert facts["protected_environments"][0] == {
        "name": "production/churn",
        "deployers": [{"role": "maintainer"}],
        "approvals": [{"group": "growth/ml-leads", "required": 2}],
        "spec": "environments.production.approvers",
    }


@pytest.mark.parametrize(
    ("approvers", "required"),
    [
        ("[growth/ml-leads]", [5]),
        ("[growth/ml-leads, growth/fairness]", [3, 2]),
        ("[ada, growth/ml-leads, growth/fairness]", [1, 2, 2]),
        ("[ada, grace]", [1, 1]),
        ("[a/a, b/b, c/c, d/d, e/e, f/f]", [1, 1, 1, 1, 1, 1]),
    ],
)
def test_approvers_together_give_the_approvals_of_the_model(
    approvers: str, required: list[int]
) -> None:
    spec = FULL.replace("approvers: [growth/ml-leads]", f"approvers: {approvers}")
    spec = spec.replace("approvals: 2", "approvals: 5")
    facts = json.loads(artifacts_of(gitlab, spec)[".gitlab/schedules.json"].text)
    asked = facts["protected_environments"][0]["approvals"]
    assert [one["required"] for one in asked] == required


def test_what_kubernetes_schedules_gitlab_does_not() -> None:
    facts = json.loads(artifacts_of(gitlab, in_kubernetes())[".gitlab/schedules.json"].text)
    assert facts["schedules"] == []


def test_nothing_to_reconcile_makes_no_file() -> None:
    assert sorted(artifacts_of(gitlab, SMALL)) == [".gitlab-ci.yml", ".gitlab/ci/models/delay.yml"]


def test_owners_of_a_source_are_asked_beside_those_of_the_project() -> None:
    text = artifacts_of(gitlab, FULL)[".gitlab/CODEOWNERS"].text
    assert "[shop] @growth/ml\n/mlops.yaml\n" in text
    assert "[source customers] @data/platform\n/mlops/sources/customers.json\n" in text
    assert "[model light] @growth/ml\n" in text
    assert ".gitlab/ci/models/light.yml" not in text


def test_own_jobs_and_includes_are_added_as_they_are() -> None:
    root = yaml.safe_load(artifacts_of(gitlab, FULL + OWN + INCLUDED)[".gitlab-ci.yml"].text)
    ci = yaml.safe_load(FULL + OWN + INCLUDED)["ci"]
    assert {name: root[name] for name in ci["jobs"]} == ci["jobs"]
    ours = len(root["include"]) - len(ci["include"])
    assert root["include"][:-ours] == ci["include"]
    assert all(entry["local"].startswith("/.gitlab/ci/") for entry in root["include"][-ours:])


@pytest.mark.parametrize(
    "entry", ["ci/lint.yml", {"local": "ci/lint.yml"}, ["ci/lint.yml", {"local": "a.yml"}]]
)
def test_one_include_needs_no_list(entry: object) -> None:
    spec = f"{FULL}  include: {json.dumps(entry)}\n"
    artifact = artifacts_of(gitlab, spec)[".gitlab-ci.yml"]
    listed = entry if isinstance(entry, list) else [entry]
    assert yaml.safe_load(artifact.text)["include"][: len(listed)] == listed
    at = ("ci", "include", 0) if isinstance(entry, list) else ("ci", "include")
    number = next(n for n, line in enumerate(artifact.text.splitlines(), 1) if "lint.yml" in line)
    causes = causes_of(artifact, number)
    assert any(cause[: len(at)] == at for cause in causes), causes


@pytest.mark.parametrize(
    ("added", "before", "after"),
    [
        ("", [], []),
        (OWN, ["test", "soak"], ["deploy"]),
        ("  jobs: {a: {script: [a]}}\n", ["test"], []),
        ("  jobs: {a: {stage: monitoring, script: [a]}}\n", [], []),
        ("  jobs: {a: {stage: .pre, script: [a]}}\n", [], []),
        ("  jobs: {.a: {script: [a]}}\n", [], []),
        (INCLUDED, ["build", "test"], ["deploy"]),
    ],
)
def test_stages_of_own_jobs_come_before_the_data_checks(
    added: str, before: list[str], after: list[str]
) -> None:
    stages = pipeline_of(artifacts_of(gitlab, FULL + added))["stages"]
    assert stages == ["check", *before, *STAGES[1:-1], *after, "monitoring"]


def test_each_line_of_an_own_job_is_traced_to_its_own() -> None:
    artifact = artifacts_of(gitlab, FULL + OWN)[".gitlab-ci.yml"]
    lines = artifact.text.splitlines()
    at = ("ci", "jobs", "unit tests")
    for text, path in {
        "  - pytest -q": (*at, "script", 0),
        "  extends: .tests": (*at, "extends"),
        "    - src/**/*": (*at, "rules", 1, "changes", 0),
        "nightly:": ("ci", "jobs", "nightly"),
        "- soak": ("ci", "jobs", "nightly", "stage"),
    }.items():
        assert path in causes_of(artifact, lines.index(text) + 1), text


@pytest.mark.parametrize("spec", [*SPECS.values(), many(50)], ids=[*SPECS, "many"])
def test_every_name_of_ours_is_one_that_own_jobs_may_not_have(spec: str) -> None:
    project = project_of(spec)
    taken = pipelines.taken(project) | pipelines.KEYWORDS
    models = {model.name for model in project.models}
    for path, artifact in artifacts_of(gitlab, spec).items():
        for name in yaml.safe_load(artifact.text) if path.endswith(".yml") else ():
            ours = name in taken or pipelines.model_of(name) in models
            assert ours != (name in project.ci.jobs), name


def test_more_patterns_than_a_rule_takes_are_several_rules() -> None:
    paths = ", ".join(f"conf/{number}.yaml" for number in range(120))
    spec = FULL.replace("timeout: 90m", f"timeout: 90m\n      paths: [{paths}]")
    rules = jobs_of(pipeline_of(artifacts_of(gitlab, spec)))["churn:train"]["rules"]
    sizes = [len(rule["changes"]) for rule in rules if "changes" in rule]
    assert max(sizes) == limits.CHANGES
    pushed = [p for rule in rules if "CI_COMMIT_BRANCH" in rule["if"] for p in rule["changes"]]
    assert [path for path in pushed if path.startswith("conf/")] == paths.split(", ")
    assert len(pushed) == len(set(pushed))


def test_another_file_keeps_everything_and_says_how_to_start_it() -> None:
    spec = FULL + "  file: .gitlab/mlops.yml\n"
    files = artifacts_of(gitlab, spec)
    assert ".gitlab-ci.yml" not in files
    assert files[".gitlab/mlops.yml"].text == artifacts_of(gitlab, FULL)[
        ".gitlab-ci.yml"
    ].text.replace("- .gitlab-ci.yml\n", "- .gitlab/mlops.yml\n")
    for text, expected in ((FULL, ".gitlab/mlops.yml"), (spec, ".gitlab/mlops.yml")):
        said = gitlab.foreign_pipeline_help(project_of(text))
        job = yaml.safe_load(said[said.index("  mlops:\n") :])["mlops"]
        assert job["trigger"]["include"] == [{"local": expected}]
        assert job["trigger"]["forward"] == {"pipeline_variables": True}
        assert f"file: {expected}" in said


# --- environments that differ ------------------------------------------------------------------


def test_each_environment_has_its_own_addresses_times_and_sizes() -> None:
    files = artifacts_of(gitlab, DIFFERING)
    jobs = jobs_of(pipeline_of(files))
    address = "MLFLOW_TRACKING_URI"
    staging, production = ("https://mlflow-staging.example.com", "https://mlflow.example.com")
    assert jobs["churn:monitor:staging"]["variables"][address] == staging
    assert jobs["churn:monitor:production"]["variables"][address] == production
    assert jobs["churn:train"]["variables"][address] == production
    assert jobs["churn:cooldown"]["variables"][address] == production
    assert jobs["light:fetch:production"]["variables"][address] == production
    for name in ("churn:monitor:staging", "churn:train", "churn:cooldown"):
        assert jobs[name]["id_tokens"]["MLFLOW_TRACKING_TOKEN"] == {"aud": f"${address}"}
    assert jobs["churn:batch:staging"]["variables"]["KUBERNETES_MEMORY_REQUEST"] == "1Gi"
    assert jobs["churn:batch:production"]["variables"]["KUBERNETES_MEMORY_REQUEST"] != "1Gi"
    assert jobs["churn:deploy:staging"]["timeout"] != jobs["churn:deploy:production"]["timeout"]
    facts = json.loads(files[".gitlab/schedules.json"].text)
    by_name = {entry["name"]: entry for entry in facts["schedules"]}
    assert by_name["churn: batch staging"]["cron"] == "0 6 * * *"
    assert by_name["churn: batch production"]["cron"] == "0 5 * * *"
    assert by_name["churn: batch staging"]["spec"] == "models.churn.batch.schedule"
    assert by_name["churn: monitor staging"]["cron"] != by_name["churn: monitor production"]["cron"]


def test_a_retraining_that_one_environment_asks_for_has_its_cool_down() -> None:
    """An alert's pipeline names no environment, so the rules must not depend on the last one's answer."""
    spec = DIFFERING.replace("respond: {drift: retrain}", "respond: {drift: alert}")
    spec = spec.replace("3h, respond: {drift: alert}", "3h, respond: {drift: retrain}")
    jobs = jobs_of(pipeline_of(artifacts_of(gitlab, spec)))
    left_out = [rule["if"] for rule in jobs["churn:train"]["rules"] if rule.get("when") == "never"]
    assert "$MLOPS_ALERT" in left_out
    assert "churn:cooldown" in jobs


def test_a_version_goes_by_the_environments_that_have_the_model() -> None:
    environments = "environments:\n  test: {namespace: shop-test}\n  staging:"
    three = FULL.replace("environments:\n  staging:", environments)
    only = three.replace(
        "  churn:\n    target", "  churn:\n    only: [test, production]\n    target"
    )
    only = only.replace('churn: "15", ', "")
    jobs = jobs_of(pipeline_of(artifacts_of(gitlab, only)))
    promoted = {name for name in jobs if name.startswith("churn:promote:")}
    assert promoted == {"churn:promote:test", "churn:promote:production"}
    assert jobs["churn:promote:production"]["needs"][0]["job"] == "churn:deploy:test"
    later = three.replace("  churn:\n    target", "  churn:\n    only: [production]\n    target")
    jobs = jobs_of(pipeline_of(artifacts_of(gitlab, later.replace('churn: "15", ', ""))))
    assert {n for n in jobs if n.startswith("churn:promote:")} == {"churn:promote:production"}


def test_a_model_is_trained_on_the_data_of_its_training_environment() -> None:
    spec = DIFFERING.replace("      timeout: 90m", "      environment: staging\n      timeout: 90m")
    at_rest = spec.replace("bigquery: acme.growth.outcomes", "parquet: data/outcomes.parquet")
    at_rest = at_rest.replace("bigquery: acme.staging.outcomes", "parquet: data/small.parquet")
    jobs = jobs_of(pipeline_of(artifacts_of(gitlab, at_rest)))
    changes = [path for rule in jobs["churn:train"]["rules"] for path in rule.get("changes", ())]
    assert "data/small.parquet" in changes
    assert "data/outcomes.parquet" not in changes
    assert "data/small.parquet.dvc" in jobs["churn:dataset"]["script"][0]
