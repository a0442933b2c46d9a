"""The shell of generated jobs, run for real: git is git, kubectl is kubectl, what is far away is played."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from mlopsc.targets import gitlab
from readers.commands import run
from targets.gitlab_compiled import FULL, artifacts_of, in_kubernetes, jobs_of, pipeline_of

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

FACTS = "mlops/models/churn.json"


def job(name: str, spec: str = FULL) -> dict[str, Any]:
    return jobs_of(pipeline_of(artifacts_of(gitlab, spec)))[name]


def sh(script: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the lines as a runner does: one shell that stops at the first failure."""
    return run("sh", "-ec", "\n".join(script), cwd=cwd, env=env)


def program(folder: Path, name: str, text: str) -> None:
    """Put a played program on the path *folder*."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    (folder / name).chmod(0o755)


# --- promotion and rollback: against a real remote that records what a push asked for -----------


class Remote:
    """A bare repository with push options, and a clone of it with three promoted versions."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.clone, self.bin = folder / "bare", folder / "clone", folder / "bin"
        self.options = folder / "options"
        self.environment = {
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
        }  # fmt: skip
        program(
            self.bin, "mlopsc",
            'case "$1" in\n'
            f"  promote) printf '%s' \"$*\" > {folder}/asked\n"
            f'    sed -i "s/version\\": \\"[0-9]*/version\\": \\"$3/" {FACTS} ;;\n'
            "  compile) echo compiled > k8s.yaml ;;\n"
            "esac",
        )  # fmt: skip
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), cwd=folder)
        self.git("config", "receive.advertisePushOptions", "true", cwd=self.bare)
        hook = self.bare / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ | sort > {self.options}\n")
        hook.chmod(0o755)
        self.git("clone", "--quiet", str(self.bare), str(self.clone), cwd=folder)
        self.git("config", "user.name", "Person", cwd=self.clone)
        self.git("config", "user.email", "person@example.com", cwd=self.clone)
        for version in ("13", "14", "15"):
            facts = self.clone / FACTS
            facts.parent.mkdir(parents=True, exist_ok=True)
            running = {"staging": {"version": version}, "production": {"alias": "champion"}}
            facts.write_text(json.dumps({"environments": running}))
            (self.clone / "mlops.lock").write_text(
                f"# head\nmlopsc 0.1.0\ninput {'0' * 64}  mlops.yaml\n"
                f"{'1' * 64}  {FACTS}\n{'2' * 64}  k8s.yaml\n"
            )
            (self.clone / "k8s.yaml").write_text(f"{version}\n")
            self.git("add", ".", cwd=self.clone)
            self.git("commit", "--quiet", "--message", version, cwd=self.clone)
        self.git("push", "--quiet", "origin", "main", cwd=self.clone)
        (self.clone / ".venv").mkdir()
        (self.clone / ".venv" / "of_the_job").write_text("never committed")

    def git(self, *arguments: str, cwd: Path) -> str:
        git = shutil.which("git")
        assert git
        result = run(git, *arguments, cwd=cwd, env=self.environment)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def run(self, body: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
        given = {
            "CI_DEFAULT_BRANCH": "main", "CI_SERVER_HOST": "gitlab.example.com",
            "CI_SERVER_URL": f"file://{self.bare.parent}", "CI_PROJECT_PATH": "bare",
            "MLOPS_PUSH_TOKEN": "secret",
        }  # fmt: skip
        (self.bare.parent / "bare.git").symlink_to(self.bare)
        own = {k: v for k, v in body["variables"].items() if isinstance(v, str)}
        return sh(body["script"], self.clone, **self.environment, **(given | own | variables))

    def pushed(self, branch: str) -> dict[str, str]:
        names = self.git("diff", "--name-only", "main", branch, cwd=self.bare).split()
        return {name: self.git("show", f"{branch}:{name}", cwd=self.bare) for name in names}


def test_a_registered_version_is_proposed_in_a_merge_request(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    result = remote.run(job("churn:promote:staging"), VERSION="16")
    assert result.returncode == 0, result.stderr
    branch = "mlopsc/promote-churn-staging"
    pushed = remote.pushed(branch)
    assert json.loads(pushed[FACTS])["environments"]["staging"] == {"version": "16"}
    assert pushed == {FACTS: pushed[FACTS], "k8s.yaml": "compiled\n"}
    assert (tmp_path / "asked").read_text() == "promote churn 16 --env staging"
    said = (tmp_path / "options").read_text()
    assert "merge_request.create" in said
    assert "merge_request.target=main" in said
    assert "merge_request.title=Promote churn in staging to version 16" in said
    assert "merge_request.auto_merge" in said
    assert "secret" not in result.stdout + result.stderr


def test_production_is_proposed_from_staging_and_waits_for_people(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    result = remote.run(job("churn:promote:production"))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "asked").read_text() == "promote churn 15 --env production"
    assert "auto_merge" not in (tmp_path / "options").read_text()


def test_a_version_that_runs_already_proposes_nothing(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    program(remote.bin, "mlopsc", "true")
    result = remote.run(job("churn:promote:staging"), VERSION="15")
    assert result.returncode == 0, result.stderr
    assert "staging runs churn 15 already" in result.stdout
    assert "merge_request" not in (tmp_path / "options").read_text()


def test_without_a_version_nothing_is_proposed(tmp_path: Path) -> None:
    result = Remote(tmp_path).run(job("churn:promote:production"), FROM="production")
    assert result.returncode == 0
    assert "no version of churn to bring to production" in result.stdout


def test_without_a_token_the_job_says_which_one(tmp_path: Path) -> None:
    result = Remote(tmp_path).run(job("churn:promote:staging"), VERSION="16", MLOPS_PUSH_TOKEN="")
    assert result.returncode != 0
    assert "project access token" in result.stderr


def test_rolling_back_proposes_the_version_before(tmp_path: Path) -> None:
    remote = Remote(tmp_path)
    result = remote.run(job("churn:rollback:staging"))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "asked").read_text() == "promote churn 14 --env staging"
    assert "title=Roll back churn in staging to version 14" in (tmp_path / "options").read_text()
    assert "auto_merge" in (tmp_path / "options").read_text()


def test_rolling_back_where_nothing_ran_before_says_so(tmp_path: Path) -> None:
    result = Remote(tmp_path).run(job("churn:rollback:production"))
    assert result.returncode != 0
    assert "git knows no version of churn" in result.stderr


# --- the check --------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (3, 3)])
def test_the_check_fails_as_the_compiler_does_and_leaves_both_reports(
    tmp_path: Path, code: int, expected: int
) -> None:
    program(tmp_path / "bin", "mlopsc", f'echo "$@"; exit {code}')
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    result = sh(job("check")["script"], tmp_path, PATH=path)
    assert result.returncode == expected
    assert (tmp_path / "gl-code-quality-report.json").read_text() == "check --format gitlab\n"
    assert (tmp_path / "mlopsc-junit.xml").read_text() == "check --format junit\n"


# --- the cool-down -----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_cool_down_starts_training_only_when_it_may(tmp_path: Path, code: int) -> None:
    binaries = tmp_path / "bin"
    leaves = "mkdir -p build/churn/cooldown; echo MLOPS_RESPONSE_RUN=abc > build/churn/cooldown/cooldown.env"
    program(binaries, "python", f"{leaves}; exit {code}")
    program(binaries, "curl", f"printf '%s\\n' \"$@\" > {tmp_path}/sent")
    result = sh(
        job("churn:cooldown")["script"], tmp_path, PATH=f"{binaries}:{os.environ['PATH']}",
        MLOPS_ALERT="$(touch evil) @/etc/passwd", CI_JOB_TOKEN="t", CI_DEFAULT_BRANCH="main",
        CI_API_V4_URL="https://gitlab.example.com/api/v4", CI_PROJECT_ID="7",
    )  # fmt: skip
    assert result.returncode == code
    assert (tmp_path / "sent").exists() is (code == 0)
    assert not (tmp_path / "evil").exists()
    if code == 0:
        sent = (tmp_path / "sent").read_text().splitlines()
        assert "variables[MLOPS_RESPONSE]=$(touch evil) @/etc/passwd" in sent
        assert "variables[MLOPS_RESPONSE_RUN]=abc" in sent
        assert sent[-1] == "https://gitlab.example.com/api/v4/projects/7/trigger/pipeline"
        assert "--form" not in sent  # would read a file whose name an alert could give


# --- images --------------------------------------------------------------------------------------


def built(tmp_path: Path, *, there: bool) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the image job; a played BuildKit finds the tag only if it is *there*."""
    log = tmp_path / "builds"
    program(
        tmp_path / "bin", "buildctl-daemonless.sh",
        f'echo "$@" >> {log}; case "$*" in *push=true*) exit 0;; *) exit {0 if there else 1};; esac',
    )  # fmt: skip
    project = tmp_path / "project"
    (project / "images" / "train").mkdir(parents=True)
    (project / "images" / "train" / "Dockerfile").write_text("FROM python:3.11-slim\n")
    (project / "requirements.txt").write_text("numpy\n")
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x")):  # fmt: skip
        assert run("git", *command, cwd=project).returncode == 0
    body = job("churn:image:train")
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    result = sh(body["script"], project, PATH=path, **body["variables"])
    return result, log.read_text().splitlines()


def test_an_image_is_built_once_for_its_content(tmp_path: Path) -> None:
    result, builds = built(tmp_path, there=False)
    assert result.returncode == 0, result.stderr
    assert len(builds) == 2
    said = (tmp_path / "project/build/images/train.env").read_text()
    reference = said.strip().removeprefix("MLOPS_IMAGE_TRAIN=")
    repository, _, tag = reference.rpartition(":")
    assert repository == "registry.example.com/growth/shop/train"
    assert len(tag) == 40
    assert f"type=image,name={reference},push=true" in builds[1]
    assert "dockerfile=images/train" in builds[1]


def test_an_image_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    result, builds = built(tmp_path, there=True)
    assert result.returncode == 0, result.stderr
    assert len(builds) == 1
    assert "is there already" in result.stdout


@pytest.mark.parametrize(
    ("registry", "user"), [("registry.example.com", "job"), ("registry.gitlab.com", "robot")]
)
def test_the_registry_is_asked_with_the_jobs_token_where_it_is_gitlabs(
    tmp_path: Path, registry: str, user: str
) -> None:
    variables = {**job("churn:image:train")["variables"], "DOCKER_CONFIG": str(tmp_path / "docker")}
    given = {
        "CI_REGISTRY": registry, "CI_REGISTRY_USER": "job", "CI_REGISTRY_PASSWORD": "p",
        "MLOPS_REGISTRY_USER": "robot", "MLOPS_REGISTRY_PASSWORD": "p",
    }  # fmt: skip
    login = job("churn:image:train")["before_script"][1:]
    assert sh(login, tmp_path, **variables, **given).returncode == 0
    import base64

    auths = json.loads((tmp_path / "docker" / "config.json").read_text())["auths"]
    assert base64.b64decode(auths["registry.example.com"]["auth"]).decode() == f"{user}:p"


# --- deployment ------------------------------------------------------------------------------------

MANIFEST = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: churn-monitor, namespace: shop}
spec:
  schedule: "0 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: monitor, image: "registry.example.com/growth/shop/train:production"}]
"""


def deployed(tmp_path: Path, spec: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the deployment of production; kustomize is kubectl's, the cluster is played."""
    kubectl = tools.need("kubectl")
    project = tmp_path / "project"
    folder = project / "k8s/production/churn"
    folder.mkdir(parents=True)
    (folder / "cronjob.yaml").write_text(MANIFEST)
    (folder / "kustomization.yaml").write_text("resources: [cronjob.yaml]\n")
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x")):  # fmt: skip
        assert run("git", *command, cwd=project).returncode == 0
    program(
        tmp_path / "bin", "kubectl",
        f'echo "$@" >> {tmp_path}/calls\n'
        f'case "$*" in\n'
        f'  kustomize*) exec {kubectl} "$@" ;;\n'
        f'  get\\ --filename*) echo cronjob.batch/churn-monitor ;;\n'
        f'  *\\ get\\ *--selector*) printf "cronjob.batch/churn-monitor\\ncronjob.batch/churn-old\\n" ;;\n'
        f"esac",
    )  # fmt: skip
    body = job("churn:deploy:production", spec)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return sh(body["script"], project, PATH=path, **body["variables"]), project


def test_a_deployment_applies_waits_and_removes_what_left(tmp_path: Path) -> None:
    result, _ = deployed(tmp_path, FULL)
    assert result.returncode == 0, result.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "kustomize build/deploy"
    assert calls[1].startswith("apply --server-side --force-conflicts")
    assert calls[2] == "--namespace shop rollout status deployment/churn"
    assert calls[-1] == "--namespace shop delete cronjob.batch/churn-old"
    assert "app.kubernetes.io/instance=shop-churn" in calls[-2] + calls[-3]


def test_a_job_image_is_deployed_by_the_tag_of_its_content(tmp_path: Path) -> None:
    result, project = deployed(tmp_path, in_kubernetes())
    assert result.returncode == 0, result.stderr
    (document,) = yaml.safe_load_all((project / "build/deploy/objects.yaml").read_text())
    image = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"]
    tag = (project / "build/deploy/images.env").read_text().strip().partition("=")[2]
    assert image == f"registry.example.com/growth/shop/train:{tag}"
    assert len(tag) == 40


# --- training in the cluster -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "code"), [("SuccessCriteriaMet Complete", 0), ("FailureTarget Failed", 1)]
)
def test_training_in_the_cluster_ends_as_its_job_does(
    tmp_path: Path, conditions: str, code: int
) -> None:
    kubectl = tools.need("kubectl")
    made = {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "churn-train-9"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "initContainers": [{"name": "train", "image": "old:production"}],
            "containers": [{"name": "register", "image": "old:production"}],
        }}},
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(made))
    program(
        tmp_path / "bin", "kubectl",
        f'case "$*" in\n'
        f"  *--from=cronjob/*) cat {tmp_path}/job.json ;;\n"
        f'  set\\ image*) exec {kubectl} "$@" ;;\n'
        f"  *create\\ --filename*) cat > {tmp_path}/created.json ;;\n"
        f"  *jsonpath*) echo '{conditions}' ;;\n"
        f"esac",
    )  # fmt: skip
    assert run("git", "init", "-q", cwd=tmp_path).returncode == 0
    assert run("git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x", "--allow-empty", cwd=tmp_path).returncode == 0  # fmt: skip
    body = job("churn:train", in_kubernetes())
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    result = sh(body["script"], tmp_path, PATH=path, CI_JOB_ID="9", NAMESPACE="shop")
    assert result.returncode == code, result.stderr
    created = json.loads((tmp_path / "created.json").read_text())["spec"]["template"]["spec"]
    images = {c["image"] for c in created["containers"] + created["initContainers"]}
    assert len(images) == 1
    assert images.pop().startswith("registry.example.com/growth/shop/train:")


# --- the order of deployments -------------------------------------------------------------------


@pytest.mark.parametrize(("broken", "code"), [("none", 0), ("staging%2Fchurn", 2)])
def test_deployments_are_kept_in_order_for_every_model_in_the_tree(
    tmp_path: Path, broken: str, code: int
) -> None:
    project, played = tmp_path / "project", tmp_path / "bin"
    for path in ("staging/churn", "production/churn", "production/light", "production"):
        folder = project / "k8s" / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kustomization.yaml").write_text("resources: []\n", "utf-8")
    program(
        played, "curl",
        f'for last; do :; done; echo "$*" >> {tmp_path}/asked\n'
        f'case "$last" in *{broken}) printf 500 ;; *light) printf 404 ;; *) printf 200 ;; esac',
    )  # fmt: skip
    order = [line for line in job("reconcile schedules")["script"] if "oldest_first" in line]
    result = sh(
        order, project, PATH=f"{played}:{os.environ['PATH']}", MLOPS_GITLAB_TOKEN="token",
        CI_API_V4_URL="https://gitlab.example.com/api/v4", CI_PROJECT_ID="7",
    )  # fmt: skip
    assert result.returncode == code, result.stderr
    said = result.stdout.splitlines()
    assert said[0] == "production/churn: oldest_first"
    assert said[1].startswith("production/light: GitLab makes it with its first deployment")
    asked = (tmp_path / "asked").read_text("utf-8").splitlines()
    assert [line.rpartition("/")[2] for line in asked] == [
        "production%2Fchurn", "production%2Flight", "staging%2Fchurn",
    ]  # fmt: skip
    assert all("process_mode=oldest_first" in line for line in asked)
