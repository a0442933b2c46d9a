"""GitLab's pipeline schedules, protected environments and approval rules, as the spec says them.

These are objects of GitLab's API and no files, so this program compares them with
`.gitlab/schedules.json` and changes what differs; a second run changes nothing. It touches only
schedules and approval rules that end in our marker, and only environments that the file names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, network
from mlops.command import Argument
from mlops.facts import ScheduleFacts, read
from mlops.outcome import PASSED, CannotRun, asked_by

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from mlops.facts import Actor, ApprovalRule, ProtectedEnvironment, Schedule

ACCESS_LEVELS = {"developer": 30, "maintainer": 40}
"""GitLab's numbers of roles: docs.gitlab.com/api/members, "Roles"."""
PAGE = 100
"""The most entries GitLab gives at once."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "schedules",
        __doc__ or "",
        [
            Argument(
                "--file",
                "what should be (default: .gitlab/schedules.json)",
                "FILE",
                ".gitlab/schedules.json",
            ),
            Argument("--dry-run", "only say what would change", switch=True),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), reconcile, argv)


class GitLab:
    """The project's part of GitLab's REST API; changes are only said in a dry run."""

    def __init__(self, *, dry_run: bool) -> None:
        """Read address, project and token from the environment that GitLab gives a job."""
        self._base = f"{self._variable('CI_API_V4_URL').rstrip('/')}"
        self._project = quote(self._variable("CI_PROJECT_ID"), safe="")
        self._headers = {"PRIVATE-TOKEN": self._variable("MLOPS_GITLAB_TOKEN")}
        self._dry_run = dry_run
        self.changes = 0

    @staticmethod
    def _variable(name: str) -> str:
        value = os.environ.get(name)
        if not value:
            reason = (
                "a project access token with scope api and role Maintainer; CI_JOB_TOKEN may not change schedules"
                if name == "MLOPS_GITLAB_TOKEN"
                else "GitLab sets it in every job"
            )
            raise CannotRun(f"{name} is not set: {reason}")
        return value

    def project(self, path: str) -> str:
        """The path of something in the project."""
        return f"/projects/{self._project}/{path}"

    def list(self, path: str) -> list[Any]:
        """All entries, page by page."""
        entries: list[Any] = []
        page = "1"
        while page:
            answer, headers = self._call(
                "GET", f"{path}?{urlencode({'per_page': PAGE, 'page': page})}"
            )
            entries += answer or []
            page = headers.get("X-Next-Page", "")
        return entries

    def get(self, path: str) -> Any:
        """One entry."""
        return self._call("GET", path)[0]

    def change(self, method: str, path: str, what: str, body: object = None) -> Any:
        """Change something, or say so; the answer is None in a dry run."""
        self.changes += 1
        print(f"{'would ' if self._dry_run else ''}{what}")
        return None if self._dry_run else self._call(method, path, body)[0]

    def _call(self, method: str, path: str, body: object = None) -> tuple[Any, Mapping[str, str]]:
        try:
            return network.http_json(method, self._base + path, self._headers, body)
        except HTTPError as error:
            detail = error.read().decode(errors="replace")[:300]  # enough of GitLab's message
            if error.code == 401:
                raise CannotRun(
                    "GitLab does not accept MLOPS_GITLAB_TOKEN: it is wrong or has expired"
                ) from None
            raise Refused(method, path, error.code, detail) from None


class Refused(CannotRun):
    """GitLab understood and said no."""

    def __init__(self, method: str, path: str, code: int, detail: str) -> None:
        """Say what was asked and what GitLab answered."""
        super().__init__(f"GitLab answers {code} to {method} {path}: {detail}")
        self.code = code


def reconcile(options: argparse.Namespace) -> int:
    """The job: one kind of object after the other; what one kind lacks does not stop the next."""
    facts = read(ScheduleFacts, Path(options.file))
    gitlab = GitLab(dry_run=options.dry_run)
    refusals: list[str] = []
    for part in (schedules, protected_environments, approval_rules):
        try:
            part(gitlab, facts)
        except CannotRun as refusal:
            refusals.append(str(refusal))
    print(f"{gitlab.changes} changes" if gitlab.changes else "nothing to change")
    if refusals:
        raise CannotRun("\n".join(refusals))
    return PASSED


def marked(name: str, marker: str) -> str:
    """A name that shows whose it is."""
    return f"{name} [{marker}]"


def _ours(entries: Sequence[dict[str, Any]], key: str, marker: str) -> dict[str, dict[str, Any]]:
    """Our entries by name; of two with one name the older one is kept, the other is treated as unknown."""
    ours: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda one: one["id"]):
        name = str(entry[key])
        if name.endswith(f"[{marker}]"):
            ours[f"{name}\0{entry['id']}" if name in ours else name] = entry
    return ours


def schedules(gitlab: GitLab, facts: ScheduleFacts) -> None:
    """Pipeline schedules: create, update, delete."""
    ours = _ours(gitlab.list(gitlab.project("pipeline_schedules")), "description", facts.marker)
    for schedule in facts.schedules:
        there = ours.pop(marked(schedule.name, facts.marker), None)
        if there is None:
            _create_schedule(gitlab, schedule, facts.marker)
        else:
            _update_schedule(gitlab, schedule, facts.marker, there)
    for name, entry in ours.items():
        gitlab.change(
            "DELETE",
            gitlab.project(f"pipeline_schedules/{entry['id']}"),
            f"delete schedule '{name.partition(chr(0))[0]}'",
        )


def _fields(schedule: Schedule, marker: str) -> dict[str, object]:
    ref = schedule.ref or os.environ.get("CI_DEFAULT_BRANCH")
    if not ref:
        raise CannotRun(f"CI_DEFAULT_BRANCH is not set: on which branch? {asked_by(schedule.spec)}")
    return {
        "description": marked(schedule.name, marker), "cron": schedule.cron,
        "cron_timezone": schedule.timezone, "ref": ref, "active": True,
    }  # fmt: skip


def _create_schedule(gitlab: GitLab, schedule: Schedule, marker: str) -> None:
    path = gitlab.project("pipeline_schedules")
    made = gitlab.change(
        "POST",
        path,
        f"create schedule '{schedule.name}' ({schedule.cron})",
        _fields(schedule, marker),
    )
    for key, value in schedule.variables.items():
        variables = f"{path}/{made['id']}/variables" if made else path
        gitlab.change(
            "POST",
            variables,
            f"set {key}={value} of schedule '{schedule.name}'",
            {"key": key, "value": value},
        )


def _update_schedule(
    gitlab: GitLab, schedule: Schedule, marker: str, there: dict[str, Any]
) -> None:
    path = gitlab.project(f"pipeline_schedules/{there['id']}")
    wanted = _fields(schedule, marker)
    if isinstance(there.get("ref"), str):  # newer versions of GitLab write the branch out
        there = {**there, "ref": there["ref"].removeprefix("refs/heads/")}
    differs = {key: value for key, value in wanted.items() if there.get(key) != value}
    if differs:
        gitlab.change(
            "PUT", path, f"update schedule '{schedule.name}': {', '.join(differs)}", differs
        )
    # The list leaves the variables out; a single schedule has them.
    variables = {one["key"]: one["value"] for one in gitlab.get(path).get("variables", [])}
    for key, value in schedule.variables.items():
        if key not in variables:
            gitlab.change(
                "POST",
                f"{path}/variables",
                f"set {key}={value} of '{schedule.name}'",
                {"key": key, "value": value},
            )
        elif variables[key] != value:
            gitlab.change(
                "PUT",
                f"{path}/variables/{quote(key, safe='')}",
                f"set {key}={value} of '{schedule.name}'",
                {"value": value},
            )
    for key in sorted(set(variables) - set(schedule.variables)):
        gitlab.change(
            "DELETE",
            f"{path}/variables/{quote(key, safe='')}",
            f"remove {key} of '{schedule.name}'",
        )


def protected_environments(gitlab: GitLab, facts: ScheduleFacts) -> None:
    """Protected environments: create and update; one that the spec no longer has is only named."""
    if not facts.protected_environments:
        return
    path = gitlab.project("protected_environments")
    there = _premium(
        lambda: {one["name"]: one for one in gitlab.list(path)},
        "protected environments",
        facts.protected_environments[0].spec,
    )
    for environment in facts.protected_environments:
        wanted = _protection(gitlab, environment)
        found = there.get(environment.name)
        if found is not None and _same_protection(found, wanted):
            continue
        if found is not None:
            # Rules have ids of their own: replacing them one by one would leave a moment without any.
            changes = {
                key: _replacement(found[key], wanted[key])
                for key in ("deploy_access_levels", "approval_rules")
            }
            gitlab.change(
                "PUT",
                f"{path}/{quote(environment.name, safe='')}",
                f"update protection of '{environment.name}'",
                changes,
            )
        else:
            gitlab.change("POST", path, f"protect environment '{environment.name}'", wanted)
    for name in sorted(set(there) - {one.name for one in facts.protected_environments}):
        print(f"environment '{name}' is protected and not in the spec: kept")


def _premium(ask: Any, what: str, spec: str) -> Any:
    try:
        return ask()
    except Refused as refusal:
        if refusal.code in (403, 404):
            raise CannotRun(
                f"{what} need GitLab Premium and role Maintainer: {refusal} {asked_by(spec)}"
            ) from None
        raise


def _protection(gitlab: GitLab, environment: ProtectedEnvironment) -> dict[str, Any]:
    return {
        "name": environment.name,
        "deploy_access_levels": [_access(gitlab, actor) for actor in environment.deployers],
        "approval_rules": [
            {**_access(gitlab, actor), "required_approvals": actor.required or 1}
            for actor in environment.approvals
        ],
    }


def _access(gitlab: GitLab, actor: Actor) -> dict[str, int]:
    if actor.role:
        return {"access_level": ACCESS_LEVELS[actor.role]}
    if actor.group:
        return {"group_id": group_id(gitlab, actor.group)}
    return {"user_id": user_id(gitlab, actor.user or "")}


def group_id(gitlab: GitLab, path: str) -> int:
    """A group's number by its path."""
    try:
        return int(gitlab.get(f"/groups/{quote(path, safe='')}?with_projects=false")["id"])
    except Refused as refusal:
        if refusal.code != 404:
            raise
        raise CannotRun(
            f"GitLab has no group '{path}', or MLOPS_GITLAB_TOKEN may not see it"
        ) from None


def user_id(gitlab: GitLab, name: str) -> int:
    """A user's number by the name."""
    found = gitlab.get(f"/users?{urlencode({'username': name})}")
    if not found:
        raise CannotRun(f"GitLab has no user '{name}'")
    return int(found[0]["id"])


def _key(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a rule says, without its number; GitLab fills in a level beside a group or user."""
    somebody = (rule.get("group_id") or None, rule.get("user_id") or None)
    level = None if any(somebody) else rule.get("access_level")
    return (*somebody, level, rule.get("required_approvals") or None)


def _same_protection(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(
        sorted(map(_key, found.get(key) or []), key=repr)
        == sorted(map(_key, wanted[key]), key=repr)
        for key in ("deploy_access_levels", "approval_rules")
    )


def _replacement(
    found: Sequence[Mapping[str, Any]], wanted: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The rules to add, and those to destroy, in one request."""
    there = {_key(rule): rule for rule in found or []}
    keys = {_key(rule) for rule in wanted}
    gone = [{"id": rule["id"], "_destroy": True} for key, rule in there.items() if key not in keys]
    return [rule for rule in wanted if _key(rule) not in there] + gone


def approval_rules(gitlab: GitLab, facts: ScheduleFacts) -> None:
    """Approval rules of merge requests: create, update, delete."""
    path = gitlab.project("approval_rules")
    spec = facts.approval_rules[0].spec if facts.approval_rules else facts.project
    try:
        ours = _ours(
            _premium(lambda: gitlab.list(path), "approval rules", spec), "name", facts.marker
        )
    except CannotRun:
        if facts.approval_rules:
            raise
        return  # nothing asked for, and nothing of ours can be there
    for rule in facts.approval_rules:
        wanted = _rule(gitlab, rule, facts.marker)
        there = ours.pop(str(wanted["name"]), None)
        if there is None:
            gitlab.change("POST", path, f"create approval rule '{rule.name}'", wanted)
        elif _rule_of(there) != _rule_of_wanted(wanted):
            gitlab.change(
                "PUT", f"{path}/{there['id']}", f"update approval rule '{rule.name}'", wanted
            )
    for name, entry in ours.items():
        gitlab.change(
            "DELETE", f"{path}/{entry['id']}", f"delete approval rule '{name.partition(chr(0))[0]}'"
        )


def _rule(gitlab: GitLab, rule: ApprovalRule, marker: str) -> dict[str, object]:
    return {
        "name": marked(rule.name, marker),
        "approvals_required": rule.required,
        "group_ids": sorted(group_id(gitlab, group) for group in rule.groups),
        "user_ids": sorted(user_id(gitlab, user) for user in rule.users),
    }


def _rule_of_wanted(wanted: Mapping[str, Any]) -> tuple[Any, ...]:
    return wanted["approvals_required"], list(wanted["group_ids"]), list(wanted["user_ids"])


def _rule_of(there: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        there.get("approvals_required"),
        sorted(group["id"] for group in there.get("groups", [])),
        sorted(user["id"] for user in there.get("users", [])),
    )


if __name__ == "__main__":
    sys.exit(main())
