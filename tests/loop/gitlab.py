"""GitLab's stand-in: a bare repository that takes pushes, its pipelines, and its trigger API.

Pipelines are the project's generated ones, run by gitlab-ci-local in a fresh clone each, jobs as
they are. What GitLab knows and the repository does not, the project's CI/CD variables, is given
here. Of the HTTP API there is what the generated files call, strict where GitLab is strict.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import shutil
import threading
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import tools
from loop.stage import LoopError, Result
from loop.workspace import BRANCH, HOST, PROJECT_PATH, configure, git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from loop.stage import Run

GITLAB_CI_LOCAL = tools.HOME / "npm" / "node_modules" / "gitlab-ci-local" / "dist" / "index.js"
"""Started itself: the tools' wrapper would put the real kubectl before the cluster's."""
PROJECT_ID = "42"
NOT_HERE = ("apply features staging", "reconcile schedules")
"""Jobs that are left out: Feast has one registry here, production's, and nothing is scheduled."""
TRIGGER_TOKEN = "glptt-the-loop"
JOB_TOKEN = "glcbt-the-loop"


@dataclass(frozen=True)
class Job:
    """How one job ended: `passed`, `warned` (it may fail), `failed`."""

    name: str
    outcome: str
    artifacts: Path
    log: Path


@dataclass(frozen=True)
class Chosen:
    """A job of a pipeline: whether somebody has to start it, and what it waits for."""

    manual: bool
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that ended, or waits for somebody.

    Attributes:
        number: counts all pipelines of a run's home.
        source: CI_PIPELINE_SOURCE.
        variables: its own.
        commit: what it ran on.
        folder: the clone it ran in.
        output: what gitlab-ci-local printed.
        jobs: how the jobs ended that ran.
        waiting: jobs that wait for somebody to start them, or for such a job.
    """

    number: int
    source: str
    variables: Mapping[str, str]
    commit: str
    folder: Path
    output: str
    jobs: Mapping[str, Job]
    waiting: tuple[str, ...]

    @property
    def failed(self) -> list[str]:
        """The jobs that may not fail and did."""
        return [job.name for job in self.jobs.values() if job.outcome == "failed"]

    def artifact(self, job: str, path: str) -> Path:
        """A file that a job left.

        Raises:
            LoopError: it did not.
        """
        if job not in self.jobs:
            raise LoopError(f"pipeline {self.number} has no job '{job}': {', '.join(self.jobs)}")
        file = self.jobs[job].artifacts / path
        if not file.exists():
            raise LoopError(f"job '{job}' of pipeline {self.number} left no {path}")
        return file


@dataclass(frozen=True)
class MergeRequest:
    """A branch somebody pushed with push options that ask for a merge request."""

    branch: str
    title: str
    target: str
    auto_merge: bool


@dataclass(frozen=True)
class Asked:
    """A request to the API, and the status it got."""

    method: str
    path: str
    status: int
    ref: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    payload: Any = None


@dataclass
class GitLab:
    """The stand-in.

    Attributes:
        run: whose project, remote and services it is about.
        now: what the jobs take for the present time.
        variables: CI/CD variables of the project, beside those every project of ours needs.
    """

    run: Run
    now: str
    variables: Mapping[str, str] = field(default_factory=dict)
    requests: list[Asked] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)

    token = TRIGGER_TOKEN

    def __post_init__(self) -> None:
        self._server: ThreadingHTTPServer | None = None
        self._queue: queue.Queue[tuple[str, Mapping[str, str]] | None] = queue.Queue()
        self._ended: queue.Queue[Pipeline | Exception] = queue.Queue()

    # The repository

    @property
    def repository(self) -> Path:
        """The bare repository."""
        return self.run.home / "gitlab" / f"{PROJECT_PATH}.git"

    def push(self, *, manual: Sequence[str] = (), jobs: Sequence[str] = ()) -> Pipeline:
        """Push the project's branch and run the pipeline of that push.

        Args:
            manual: manual jobs that somebody starts.
            jobs: only these; all that the rules choose without.

        Raises:
            LoopError: a job fails.
        """
        before = git(self.run, "rev-parse", f"refs/remotes/origin/{BRANCH}")
        git(self.run, "push", "--quiet", "origin", BRANCH)
        return self.run_pipeline("push", before=before, manual=manual, jobs=jobs)

    def propose(
        self,
        clone: Path,
        branch: str,
        *,
        jobs: Sequence[str] = (),
        seeds: Sequence[Job] = (),
        expect_failed: Sequence[str] = (),
    ) -> Pipeline:
        """Push a clone's commit as a branch and run the pipeline of its merge request.

        Args:
            clone: whose HEAD.
            branch: its name at GitLab.
            jobs: only these of the jobs that the rules choose.
            seeds: jobs that need not run again: their artifacts are taken.
            expect_failed: jobs that have to fail.

        Raises:
            LoopError: another job fails, or one of these does not.
        """
        git(self.run, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=clone)
        return self.run_pipeline(
            "merge_request_event",
            {"CI_MERGE_REQUEST_ID": "1", "CI_COMMIT_BRANCH": ""},
            ref=branch,
            before=git(self.run, "rev-parse", "HEAD^", cwd=clone),
            jobs=jobs,
            seeds=seeds,
            expect_failed=expect_failed,
        )

    def clone_to_change(self, name: str, commit: str) -> Path:
        """Somebody's own clone of the repository at a commit, to try a change in."""
        folder = self.run.home / "branches" / name
        shutil.rmtree(folder, ignore_errors=True)
        self._clone_into(folder, BRANCH)
        git(self.run, "checkout", "--quiet", "-B", name, commit, cwd=folder)
        return folder

    def merge_requests(self) -> list[MergeRequest]:
        """What pushes asked for so far: the repository's hook keeps their options."""
        file = self.repository / "push-options"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        pushes = [json.loads(line) for line in lines]
        return [
            _merge_request(each) for each in pushes if "merge_request.create" in each["options"]
        ]

    def merge(self, request: MergeRequest) -> str:
        """Merge a branch into its target, as a merge commit; returns the commit merged."""
        git(self.run, "fetch", "--quiet", "origin", request.branch)
        merged = git(self.run, "rev-parse", "FETCH_HEAD")
        git(
            self.run,
            "merge",
            "--quiet",
            "--no-ff",
            "--message",
            f"Merge branch '{request.branch}'",
            "FETCH_HEAD",
        )
        return merged

    # Pipelines

    def run_pipeline(
        self,
        source: str,
        variables: Mapping[str, str] | None = None,
        *,
        ref: str = BRANCH,
        before: str | None = None,
        manual: Sequence[str] = (),
        jobs: Sequence[str] = (),
        seeds: Sequence[Job] = (),
        expect_failed: Sequence[str] | None = (),
    ) -> Pipeline:
        """Run a pipeline of a branch of the remote to its end.

        Args:
            source: CI_PIPELINE_SOURCE.
            variables: the pipeline's own.
            ref: the branch.
            before: what `rules:changes` compares with; nothing changed without it.
            manual: manual jobs that somebody starts.
            jobs: only these of the jobs that the rules choose.
            seeds: jobs that need not run again: their artifacts are taken.
            expect_failed: jobs that have to fail; None when the caller judges.

        Raises:
            LoopError: another job fails, or one of these does not.
        """
        number, folder = self._clone(before, ref)
        for seed in seeds:
            shutil.copytree(seed.artifacts, artifacts_of(folder, seed.name))
        given = self._all_variables(number, source, variables or {})
        chosen = self._chosen(f"pipeline-{number}-jobs", folder, given)
        wanted = [name for name in _startable(chosen, manual) if name not in NOT_HERE]
        started = [name for name in wanted if not jobs or name in jobs]
        missing = sorted(set(jobs) - set(started))
        if missing or not started:
            raise LoopError(
                f"the rules of pipeline {number} ({source}, {dict(variables or {})}) do not choose "
                f"{', '.join(missing) or 'any job'}; they choose {', '.join(chosen) or 'none'}"
            )
        result = self._execute(f"pipeline-{number}", folder, given, started)
        pipeline = Pipeline(
            number,
            source,
            dict(variables or {}),
            git(self.run, "rev-parse", "HEAD", cwd=folder),
            folder,
            result.output,
            _jobs(folder, result.output, started),
            tuple(name for name in chosen if name not in started),
        )
        self.pipelines.append(pipeline)
        shutil.rmtree(folder / ".gitlab-ci-local" / "builds")
        if expect_failed is not None and sorted(pipeline.failed) != sorted(expect_failed):
            raise LoopError(_story(pipeline, expect_failed, result))
        return pipeline

    def listed(
        self,
        source: str,
        before: str,
        variables: Mapping[str, str] | None = None,
        ref: str = BRANCH,
    ) -> list[str]:
        """The jobs that the rules choose for a pipeline, without running it."""
        number, folder = self._clone(before, ref)
        given = self._all_variables(number, source, variables or {})
        chosen = self._chosen(f"pipeline-{number}-jobs", folder, given)
        return list(chosen)

    def _chosen(self, name: str, folder: Path, variables: Mapping[str, str]) -> dict[str, Chosen]:
        """The jobs that the rules choose."""
        result = self._execute(name, folder, variables, ("--list-csv",))
        rows = [line.split(";") for line in result.output.splitlines() if line.count(";") == 5]
        return {
            name: Chosen(
                when == "manual", tuple(need for need in needs.strip("[]").split(",") if need)
            )
            for name, _stage, when, _may_fail, _environment, needs in rows[1:]
        }

    def _clone(self, before: str | None, ref: str) -> tuple[int, Path]:
        """A clone as a runner makes one; the remote's branch stands where it was before."""
        number, folder = self._next()
        self._clone_into(folder, ref)
        if before is not None:
            git(self.run, "update-ref", f"refs/remotes/origin/{BRANCH}", before, cwd=folder)
        return number, folder

    def _next(self) -> tuple[int, Path]:
        """The next pipeline's number and folder; who makes a folder has its number."""
        runner = self.run.home / "runner"
        runner.mkdir(exist_ok=True)
        number = max((int(folder.name) for folder in runner.iterdir()), default=0)
        while True:
            number += 1
            with contextlib.suppress(FileExistsError):
                (runner / str(number)).mkdir()
                return number, runner / str(number)

    def _clone_into(self, folder: Path, ref: str) -> None:
        folder.parent.mkdir(exist_ok=True)
        address = self.repository.as_uri()
        git(self.run, "clone", "--quiet", "--branch", ref, address, folder, cwd=self.run.home)
        configure(self.run, folder)

    def _execute(
        self,
        name: str,
        folder: Path,
        variables: Mapping[str, str],
        arguments: Sequence[str],
    ) -> Result:
        given = [f"--variable={key}={value}" for key, value in variables.items()]
        command: list[str | Path] = [
            "node",
            GITLAB_CI_LOCAL,
            "--force-shell-executor",
            "--shell-isolation",
            "--timestamps",
            "--no-artifacts-to-source",
            "--concurrency=2",
            "--no-color",
            f"--ignore-predefined-vars={','.join(name for name in variables if name.startswith('CI_'))}",
            *given,
            *arguments,
        ]
        # What mlopsc needs is there for the jobs that install it into an environment of their own.
        packages = {"PYTHONPATH": str(self.run.home / "packages")}
        return self.run.command(name, command, packages, expect=(0, 1), cwd=folder, timeout=600)

    def _all_variables(self, number: int, source: str, own: Mapping[str, str]) -> dict[str, str]:
        """Predefined variables, the project's, and the pipeline's own, which win."""
        services = self.run.home / "services"
        environment = self.run.environment
        return {
            "CI_PIPELINE_SOURCE": source,
            "CI_PROJECT_ID": PROJECT_ID,
            "CI_SERVER_HOST": HOST,
            "CI_SERVER_URL": (self.run.home / "gitlab").as_uri(),
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_JOB_TOKEN": JOB_TOKEN,
            "CI_DEFAULT_BRANCH": BRANCH,
            "CI_PIPELINE_URL": f"https://{HOST}/{PROJECT_PATH}/-/pipelines/{number}",
            "DOCKER_CONFIG": str(services / "docker"),
            "KUBE_CONTEXT": f"{PROJECT_PATH}:agent",
            "MLOPS_PUSH_TOKEN": "glpat-the-loop",
            "MLOPS_REGISTRY_USER": "loop",
            "MLOPS_REGISTRY_PASSWORD": "loop",
            "MLOPS_NOW": self.now,
            "MLFLOW_TRACKING_URI": environment["MLFLOW_TRACKING_URI"],
            "FEAST_REGISTRY": environment["FEAST_REGISTRY"],
            "FEAST_ONLINE_STORE_CONNECTION": environment["FEAST_ONLINE_STORE_CONNECTION"],
            **self.variables,
            **own,
        }

    # The trigger API

    @property
    def url(self) -> str:
        """Where the API answers; an address nobody listens on when it was not started."""
        return f"http://127.0.0.1:{self._server.server_port if self._server else 9}"

    @contextlib.contextmanager
    def started(self) -> Iterator[GitLab]:
        """Answer the API and run what it asks for, one pipeline after the other."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        answering = threading.Thread(target=self._server.serve_forever, daemon=True)
        working = threading.Thread(target=self._work, daemon=True)
        answering.start()
        working.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            answering.join()
            self._server = None
            self._end(working)

    def _end(self, working: threading.Thread) -> None:
        """Forget the pipelines that wait, and end the one that runs."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put(None)
        while working.is_alive():
            self.run.end_commands(working)
            working.join(0.1)

    def _work(self) -> None:
        while (asked := self._queue.get()) is not None:
            source, variables = asked
            try:
                self._ended.put(self.run_pipeline(source, variables, expect_failed=None))
            except Exception as error:  # whoever waits for the pipeline gets it
                self._ended.put(error)

    def wait_for_pipeline(self, timeout: float = 300) -> Pipeline:
        """The next pipeline that the API started, ended; its jobs may have failed.

        Raises:
            LoopError: it could not be run, or none ended in time.
        """
        try:
            ended = self._ended.get(timeout=timeout)
        except queue.Empty:
            raise LoopError(
                f"no pipeline ended within {timeout:g} s; asked: {self.requests}"
            ) from None
        if isinstance(ended, Exception):
            raise ended
        return ended

    def answer(self, method: str, target: str, content_type: str, body: bytes) -> tuple[int, Any]:
        """What the API answers, and what it starts.

        `POST /projects/:id/trigger/pipeline` with `token`, `ref` and `variables[…]` in the query or
        a form, and `POST /projects/:id/ref/:ref/trigger/pipeline`, which webhooks use: their body is
        kept as the payload. https://docs.gitlab.com/api/pipeline_triggers/
        """
        parts = urlsplit(target)
        given = dict(parse_qsl(parts.query)) | _form(content_type, body)
        payload = json.loads(body) if content_type.startswith("application/json") and body else None
        found = re.fullmatch(
            r"/api/v4/projects/([^/]+)(?:/ref/([^/]+))?/trigger/pipeline", parts.path
        )
        variables = {
            name[1]: value
            for key, value in given.items()
            if (name := re.fullmatch(r"variables\[([A-Za-z0-9_]+)\]", key))
        }
        ref = unquote(found[2]) if found and found[2] else given.get("ref")
        status, said = self._verdict(method, found and unquote(found[1]), given.get("token"), ref)
        self.requests.append(Asked(method, parts.path, status, ref, variables, payload))
        if status == 201:
            source = "pipeline" if given["token"] == JOB_TOKEN else "trigger"
            self._queue.put((source, variables))
            said = {
                "id": len(self.requests),
                "project_id": int(PROJECT_ID),
                "ref": ref,
                "status": "created",
            }
        return status, said

    def _verdict(
        self, method: str, project: str | None, token: str | None, ref: str | None
    ) -> tuple[int, Any]:
        missing = [name for name, value in (("token", token), ("ref", ref)) if not value]
        if project not in (PROJECT_ID, PROJECT_PATH):
            return 404, {"message": "404 Project Not Found"}
        if method != "POST":
            return 405, {"error": "405 Not Allowed"}
        if missing:
            return 400, {"error": ", ".join(f"{name} is missing" for name in missing)}
        if token not in (TRIGGER_TOKEN, JOB_TOKEN):
            return 404, {"message": "404 Not Found"}
        if ref != BRANCH:
            return 400, {"message": {"base": ["Reference not found"]}}
        return 201, None


def _handler(gitlab: GitLab) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, said = gitlab.answer(
                self.command, self.path, self.headers.get("Content-Type", ""), body
            )
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - looked up by these names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Requests are kept, not printed."""

    return Handler


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form, as curl's `--data` or `--form` sends them."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode()))
    if not content_type.startswith("multipart/form-data"):
        return {}
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
    return {
        str(part.get_param("name", header="content-disposition")): str(part.get_content()).rstrip(
            "\r\n"
        )
        for part in message.iter_parts()
    }


def _merge_request(pushed: Mapping[str, Any]) -> MergeRequest:
    options = dict(str(option).partition("=")[::2] for option in pushed["options"])
    return MergeRequest(
        pushed["branch"],
        options.get("merge_request.title", ""),
        options.get("merge_request.target", BRANCH),
        "merge_request.auto_merge" in options,
    )


_OUTCOMES = {"PASS": "passed", "WARN": "warned", "FAIL": "failed"}


def _startable(chosen: Mapping[str, Chosen], manual: Sequence[str]) -> list[str]:
    """The jobs that run without anybody, and those somebody starts; not what waits for others."""
    blocked = {name for name, job in chosen.items() if job.manual and name not in manual}
    while True:
        behind = {name for name, job in chosen.items() if blocked.intersection(job.needs)} - blocked
        if not behind:
            return [name for name in chosen if name not in blocked]
        blocked |= behind


def _jobs(folder: Path, output: str, names: Sequence[str]) -> dict[str, Job]:
    """How jobs ended, from gitlab-ci-local's report: `PASS  [7.1 s] NAME`."""
    found, state = {}, folder / ".gitlab-ci-local"
    for name in names:
        line = rf"^ *(PASS|WARN|FAIL) +(?:\[[^]]*\] +)?{re.escape(name)} *(?:pre_script)?$"
        for word in re.findall(line, output, re.MULTILINE):
            log = state / "output" / f"{_safe(name)}.log"
            found[name] = Job(name, _OUTCOMES[word], artifacts_of(folder, name), log)
    return found


def artifacts_of(folder: Path, job: str) -> Path:
    """Where gitlab-ci-local keeps what a job left, in the clone the pipeline ran in."""
    return folder / ".gitlab-ci-local" / "artifacts" / _safe(job)


def _safe(name: str) -> str:
    """A job's name as gitlab-ci-local writes it in paths: other signs than words' in base64."""
    return re.sub(
        r"[^A-Za-z0-9_-]+",
        lambda signs: urlsafe_b64encode(signs[0].encode()).decode().rstrip("="),
        name,
    )


def _story(pipeline: Pipeline, expected: Sequence[str], result: Result) -> str:
    wanted = ", ".join(expected) or "no job"
    failed = ", ".join(pipeline.failed) or "no job"
    end = "\n".join(f"  {line}" for line in result.output.splitlines()[-60:])
    return f"pipeline {pipeline.number}: {wanted} had to fail, {failed} did\n{end}"
