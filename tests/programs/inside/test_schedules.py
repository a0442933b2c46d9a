"""schedules.py against a stand-in for GitLab's API: what is asked, what is left alone, and a second run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlops import schedules

from conftest import Project, Server

if TYPE_CHECKING:
    from collections.abc import Callable

Said = pytest.CaptureFixture[str]
Json = dict[str, Any]

WANTED: Json = {
    "format": 1,
    "project": "churn",
    "marker": "mlopsc:churn",
    "schedules": [
        {
            "name": "churn: train",
            "cron": "0 3 * * 1",
            "timezone": "Europe/Berlin",
            "variables": {"MLOPS_MODEL": "churn"},
            "spec": "models.churn.training.schedule",
        }
    ],
    "protected_environments": [
        {
            "name": "production",
            "deployers": [{"role": "maintainer"}],
            "approvals": [{"group": "growth/ml-leads", "required": 2}],
            "spec": "environments.production.approvers",
        }
    ],
    "approval_rules": [
        {
            "name": "churn version",
            "required": 2,
            "groups": ["growth/ml-leads"],
            "users": ["ada"],
            "spec": "models.churn.governance.approvals",
        }
    ],
}


class GitLab:
    """As much of GitLab as the program asks for, with the objects in memory."""

    def __init__(self, *, premium: bool = True) -> None:
        self.premium = premium
        self.failures = 0
        self.next_id = 100
        self.objects: dict[str, dict[str, Json]] = {
            "pipeline_schedules": {
                "1": {
                    "id": 1,
                    "description": "nightly build",
                    "cron": "0 1 * * *",
                    "variables": [],
                },
                "2": {
                    "id": 2,
                    "description": "old: train [mlopsc:churn]",
                    "cron": "0 1 * * *",
                    "variables": [],
                },
                "3": {
                    "id": 3,
                    "description": "x: train [mlopsc:other]",
                    "cron": "0 1 * * *",
                    "variables": [],
                },
            },
            "protected_environments": {
                "legacy": {"name": "legacy", "deploy_access_levels": [], "approval_rules": []}
            },
            "approval_rules": {
                "7": {
                    "id": 7,
                    "name": "security",
                    "approvals_required": 1,
                    "groups": [],
                    "users": [],
                }
            },
        }

    def answer(self, method: str, path: str, body: str) -> tuple[int, object, dict[str, str]]:
        url = urlsplit(path)
        if self.failures:
            self.failures -= 1
            return 503, {"message": "busy"}, {}
        people = {"username=ada": [{"id": 66}]}
        if url.path == "/api/v4/users":
            return 200, people.get(url.query, []), {}
        if url.path == "/api/v4/groups/growth%2Fml-leads":
            return 200, {"id": 55}, {}
        match = re.fullmatch(
            r"/api/v4/projects/42/(\w+)(?:/([\w%.-]+))?(/variables(?:/(\w+))?)?", url.path
        )
        if match is None or not (self.premium or match[1] == "pipeline_schedules"):
            return 404, {"message": "404 Not found"}, {}
        kind, key, variables, variable = match.groups()
        data = json.loads(body) if body else {}
        if variables:
            return self.variables(method, self.objects[kind][key], variable, data)
        page = int(parse_qs(url.query).get("page", ["1"])[0])
        return self.object(method, kind, key, data, page)

    def object(
        self, method: str, kind: str, key: str | None, data: Json, page: int
    ) -> tuple[int, object, dict[str, str]]:
        there = self.objects[kind]
        if method == "GET" and key is None:  # one entry a page, so that paging is needed
            entries = list(there.values())
            following = str(page + 1) if page < len(entries) else ""
            listed = [
                {k: v for k, v in entry.items() if k != "variables"}
                for entry in entries[page - 1 : page]
            ]
            return 200, listed, {"X-Next-Page": following}
        if method == "GET":
            return 200, there[str(key)], {}
        if method == "DELETE":
            del there[str(key)]
            return 204, None, {}
        if method == "POST":
            self.next_id += 1
            made = {"id": self.next_id, "variables": [], **self.stored(kind, data)}
            there[str(data["name"] if kind == "protected_environments" else self.next_id)] = made
            return 201, made, {}
        there[str(key)] |= self.stored(kind, data)
        return 200, there[str(key)], {}

    @staticmethod
    def stored(kind: str, data: Json) -> Json:
        """GitLab answers in other words than it is asked: objects for ids, nulls, written-out branches."""
        if kind == "approval_rules":
            ids = {"group_ids": "groups", "user_ids": "users"}
            return {
                ids.get(k, k): [{"id": i} for i in v] if k in ids else v for k, v in data.items()
            }
        if kind == "protected_environments":
            empty = {
                "access_level": None,
                "group_id": None,
                "user_id": None,
                "group_inheritance_type": 0,
            }
            rules = ("deploy_access_levels", "approval_rules")
            return {
                k: [{"id": n, **empty, **r} for n, r in enumerate(v) if not r.get("_destroy")]
                if k in rules
                else v
                for k, v in data.items()
            }
        return {**data, "ref": f"refs/heads/{data['ref']}"} if "ref" in data else data

    @staticmethod
    def variables(
        method: str, schedule: Json, key: str | None, data: Json
    ) -> tuple[int, object, dict[str, str]]:
        there = schedule["variables"]
        if method == "POST":
            there.append({"key": data["key"], "value": data["value"]})
        for entry in [one for one in there if one["key"] == key]:
            if method == "DELETE":
                there.remove(entry)
            else:
                entry["value"] = data["value"]
        return 200, None, {}


@pytest.fixture
def wired(
    project: Project, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> tuple[Project, GitLab, Server]:
    gitlab = GitLab()
    server = serve(gitlab.answer)
    monkeypatch.setenv("CI_API_V4_URL", f"{server.url}/api/v4")
    monkeypatch.setenv("CI_PROJECT_ID", "42")
    monkeypatch.setenv("CI_DEFAULT_BRANCH", "main")
    monkeypatch.setenv("MLOPS_GITLAB_TOKEN", "glpat-test")
    project.put(".gitlab/schedules.json", WANTED)
    return project, gitlab, server


Wired = tuple[Project, GitLab, Server]


def test_makes_it_so_and_leaves_the_rest_alone(wired: Wired) -> None:
    _, gitlab, _ = wired
    assert schedules.main([]) == 0
    by_name = {one["description"]: one for one in gitlab.objects["pipeline_schedules"].values()}
    assert set(by_name) == {
        "nightly build",
        "x: train [mlopsc:other]",
        "churn: train [mlopsc:churn]",
    }
    made = by_name["churn: train [mlopsc:churn]"]
    assert (made["cron"], made["cron_timezone"], made["ref"], made["active"]) == (
        "0 3 * * 1", "Europe/Berlin", "refs/heads/main", True,
    )  # fmt: skip
    assert made["variables"] == [{"key": "MLOPS_MODEL", "value": "churn"}]
    protected = gitlab.objects["protected_environments"]
    assert set(protected) == {"legacy", "production"}
    assert protected["production"]["deploy_access_levels"][0]["access_level"] == 40
    assert protected["production"]["approval_rules"][0] | {"id": 0} == {
        "id": 0, "access_level": None, "group_id": 55, "user_id": None, "group_inheritance_type": 0,
        "required_approvals": 2,
    }  # fmt: skip
    rules = {one["name"]: one for one in gitlab.objects["approval_rules"].values()}
    assert rules["churn version [mlopsc:churn]"]["users"] == [{"id": 66}]
    assert rules["security"]["approvals_required"] == 1


def test_second_run_changes_nothing(wired: Wired, capsys: Said) -> None:
    _, _, server = wired
    assert schedules.main([]) == 0
    server.requests.clear()
    assert schedules.main([]) == 0
    assert {method for method, _, _ in server.requests} == {"GET"}
    assert "nothing to change" in capsys.readouterr().out


def test_dry_run_only_says(wired: Wired, capsys: Said) -> None:
    _, _, server = wired
    assert schedules.main(["--dry-run"]) == 0
    assert {method for method, _, _ in server.requests} == {"GET"}
    said = capsys.readouterr().out
    assert "would create schedule 'churn: train' (0 3 * * 1)" in said
    assert "would delete schedule 'old: train [mlopsc:churn]'" in said


def test_changes_by_hand_are_set_right(wired: Wired) -> None:
    _, gitlab, _ = wired
    assert schedules.main([]) == 0
    made = next(
        one
        for one in gitlab.objects["pipeline_schedules"].values()
        if one["description"].startswith("churn")
    )
    made.update(
        active=False,
        cron="* * * * *",
        variables=[{"key": "MLOPS_MODEL", "value": "x"}, {"key": "EXTRA", "value": "1"}],
    )
    production = gitlab.objects["protected_environments"]["production"]
    production["approval_rules"] = [{"id": 9, "group_id": 77, "required_approvals": 1}]
    rule = next(
        one for one in gitlab.objects["approval_rules"].values() if one["name"].startswith("churn")
    )
    rule["approvals_required"] = 0
    assert schedules.main([]) == 0
    assert (made["active"], made["cron"]) == (True, "0 3 * * 1")
    assert made["variables"] == [{"key": "MLOPS_MODEL", "value": "churn"}]
    assert [one["group_id"] for one in production["approval_rules"]] == [55]
    assert rule["approvals_required"] == 2


def test_busy_server_is_asked_again(wired: Wired) -> None:
    _, gitlab, _ = wired
    gitlab.failures = 3
    assert schedules.main([]) == 0


def test_free_tier_says_which_line_asked_and_still_makes_schedules(
    wired: Wired, capsys: Said
) -> None:
    _, gitlab, _ = wired
    gitlab.premium = False
    assert schedules.main([]) == 2
    said = capsys.readouterr().err
    assert "protected environments need GitLab Premium" in said
    assert "(asked for by environments.production.approvers in mlops.yaml)" in said
    assert "(asked for by models.churn.governance.approvals in mlops.yaml)" in said
    assert any(
        one["description"].startswith("churn")
        for one in gitlab.objects["pipeline_schedules"].values()
    )


def test_free_tier_is_enough_without_approvals(wired: Wired) -> None:
    project, gitlab, _ = wired
    gitlab.premium = False
    project.put(
        ".gitlab/schedules.json", WANTED | {"protected_environments": [], "approval_rules": []}
    )
    assert schedules.main([]) == 0


def test_unknown_people(wired: Wired, capsys: Said) -> None:
    project, _, _ = wired
    rule = WANTED["approval_rules"][0] | {"users": ["bob"], "groups": ["nobody"]}
    project.put(".gitlab/schedules.json", WANTED | {"approval_rules": [rule]})
    assert schedules.main([]) == 2
    assert "GitLab has no group 'nobody'" in capsys.readouterr().err


def test_without_token_or_server_or_file(
    wired: Wired, monkeypatch: pytest.MonkeyPatch, capsys: Said, free_port_url: str
) -> None:
    project, _, _ = wired
    monkeypatch.setenv("CI_API_V4_URL", free_port_url)
    assert schedules.main([]) == 2
    assert "cannot be reached after 5 attempts" in capsys.readouterr().err
    monkeypatch.delenv("MLOPS_GITLAB_TOKEN")
    assert schedules.main([]) == 2
    assert (
        "MLOPS_GITLAB_TOKEN is not set: a project access token with scope api"
        in capsys.readouterr().err
    )
    (project.folder / ".gitlab/schedules.json").unlink()
    assert schedules.main([]) == 2
    assert ".gitlab/schedules.json: there is no such file" in capsys.readouterr().err


def test_refused_token(
    wired: Wired, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    server = serve(lambda *_: (401, {"message": "401 Unauthorized"}, {}))
    monkeypatch.setenv("CI_API_V4_URL", server.url)
    assert schedules.main([]) == 2
    assert "it is wrong or has expired" in capsys.readouterr().err


@pytest.mark.parametrize("path", [".gitlab/schedules.json"])
def test_check(wired: Wired, path: str) -> None:
    assert schedules.main(["--check", path]) == 0
