"""Each wire of the loop is cut once, and what follows it breaks.

What the monitor pushed is replayed instead of computed again, into servers that run side by side:
Alertmanager waits half a minute before it tells anybody, however quick everything else is.
"""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from loop import watching
from loop.gitlab import GitLab
from loop.servers import Servers, alertmanager, pushgateway
from loop.stage import LoopError, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

COPIED = ("mlops", "monitoring", "k8s", "mlops.yaml", "mlops.lock")
"""What of the project is read by what serves and by what watches."""
SOONER = 45
"""Seconds until an alert that will not be told is given up: half as much again as `group_wait`."""


def changed(path: Path, pattern: str, replacement: str) -> None:
    """Change every match of a pattern in a file; there must be one."""
    text, count = re.subn(pattern, replacement, path.read_text("utf-8"))
    assert count, f"{path} has nothing like {pattern}"
    path.write_text(text, "utf-8")


def in_rules(pattern: str, replacement: str) -> Callable[[Path], None]:
    return lambda project: changed(project / watching.RULES, pattern, replacement)


def in_routes(pattern: str, replacement: str) -> Callable[[Path], None]:
    return lambda project: changed(project / watching.ROUTES, pattern, replacement)


NOTHING = "nothing"
PUSHED = "the metric that the monitor pushes"

NOT_FIRING = "in vain: ModelDrift firing"
NOT_TOLD = "in vain: call 1 of GitLab's trigger"

CUTS: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "the metric that the rule reads": (
        in_rules(r"max\(mlops_drift_share\{", "max(mlops_share_of_drift{"),
        NOT_FIRING,
    ),
    "a label that the rule selects by": (
        in_rules(r'(mlops_drift_share\{project="flights",model=)"delay"', r'\1"delays"'),
        NOT_FIRING,
    ),
    "the bound of the rule": (in_rules(r"> 0\.3\n", "> 0.34\n"), NOT_FIRING),
    "a label of the alert": (
        in_rules(r"(?s)(alert: ModelDrift\n.*?model: )delay\n", r"\1delays\n"),
        "ModelDrift fires with .*'model': 'delays'",
    ),
    "the name of the alert": (in_rules("alert: ModelDrift\n", "alert: ModelDrifted\n"), NOT_FIRING),
    "a label that the route matches": (
        in_routes(r'(?s)(receiver: retrain-delay.*?- model=)"delay"', r'\1"delays"'),
        NOT_TOLD,
    ),
    "the alert that the route matches": (in_routes(r"ModelDrift\|", "ModelDrifted|"), NOT_TOLD),
    "the receiver of the route": (
        in_routes(r"  - receiver: retrain-delay\n", "  - receiver: no-channel\n"),
        NOT_TOLD,
    ),
    "the file with the receiver's address": (
        in_routes("secrets/retrain-delay", "secrets/retrain_delay"),
        "reads the secrets .*retrain_delay",
    ),
}
"""In the generated files: what is cut, and how the loop breaks."""

ADDRESSES: Mapping[str, tuple[tuple[str, str], str]] = {
    "the receiver's variable": (
        ("variables[MLOPS_MODEL]", "variables[MODEL]"),
        "was called with .*'MODEL': 'delay'",
    ),
    "the receiver's token": (("token=", "token=not"), "GitLab answers 404"),
    "the branch of the receiver's address": (("/ref/main/", "/ref/master/"), "GitLab answers 400"),
}
"""In the address that the secret `retrain-delay` holds."""


@pytest.fixture(scope="module")
def pushed(loop_run: Run) -> list[dict[str, Any]]:
    """What the monitor pushed about September."""
    recorded: list[dict[str, Any]] = loop_run.facts["drift"]["pushed"]
    return recorded


def copy_of(loop_run: Run, home: Path) -> Run:
    """A run of its own with the generated files of the loop as it ended."""
    (home / "project").mkdir(parents=True)
    for name in COPIED:
        source = loop_run.project / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, home / "project" / name)
    return Run(home, loop_run.environment, facts=dict(loop_run.facts))


def told_of_drift(
    run: Run, pushed: list[dict[str, Any]], address: tuple[str, str] = ("token=", "token=")
) -> dict[str, str]:
    """From what the monitor pushed to the call of GitLab's trigger, as the stage `drift` has it.

    Args:
        run: whose rules and configuration.
        pushed: what is pushed.
        address: what in the trigger's address is replaced, and by what.

    Raises:
        LoopError: the alert does not fire, or GitLab is not called as it has to be.
    """
    with (
        GitLab(run, watching.SEPTEMBER_ENDS).started() as gitlab,
        watching.alarm(run, gitlab) as told,
        Servers(run) as servers,
    ):
        secret = told.config.parent / "secrets" / f"retrain-{watching.MODEL}"
        changed(secret, re.escape(address[0]), address[1])
        first = alertmanager(servers, told.config)
        gateway = pushgateway(servers)
        watcher = watching.watch(servers, gateway, told=[first.address])
        watching.replay(gateway, pushed)
        watching.wait_for_alert(watcher, watching.ALERT)
        return dict(watching.wait_for_trigger(gitlab, 1, SOONER).variables)


# The version that serves, and the Service in front of it


def change_object(run: Run, kind: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what was applied to the cluster."""
    path = run.home / "cluster" / watching.NAMESPACE / kind / f"{watching.MODEL}.yaml"
    applied = yaml.safe_load(path.read_text("utf-8"))
    change(applied)
    path.write_text(yaml.safe_dump(applied), "utf-8")


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def another_image(deployment: dict[str, Any]) -> None:
    one = container(deployment)
    one["image"] = one["image"].replace(":1", ":7")


def another_version(deployment: dict[str, Any]) -> None:
    for variable in container(deployment)["env"]:
        if variable["name"] == "MLSERVER_MODEL_VERSION":
            variable["value"] = "2"


def another_name(service: dict[str, Any]) -> None:
    service["metadata"]["name"] = "delays"


def another_pod(service: dict[str, Any]) -> None:
    service["spec"]["selector"]["app.kubernetes.io/name"] = "delays"


SERVED: Mapping[str, tuple[str, Callable[[dict[str, Any]], None], str]] = {
    "the version of the image": ("deployments.apps", another_image, "ImagePullBackOff.*delay:7"),
    "the version that answers": (
        "deployments.apps",
        another_version,
        "names version 1, version 2 answers",
    ),
    "the label of the scraped series": (
        "services",
        another_name,
        "in vain: values of the recording rules",
    ),
    "the pods of the Service": ("services", another_pod, "no Service selects pods"),
}
"""In the cluster: what is changed, how, and how the loop breaks."""

REGISTERED = "the version that the facts name"


def served(
    run: Run, kind: str, change: Callable[[dict[str, Any]], None], trained: Run
) -> dict[str, str]:
    """The stage `serve`, on a changed copy of the cluster."""
    shutil.copytree(
        trained.home / "cluster" / watching.NAMESPACE, run.home / "cluster" / watching.NAMESPACE
    )
    change_object(run, kind, change)
    pipeline = {"pipeline": str(trained.home / trained.facts["train"]["pipeline"])}
    facts = {**run.facts, "train": {**trained.facts["train"], **pipeline}}
    watching.serve(replace(run, facts=facts))
    return {}


def monitored(run: Run, trained: Run) -> dict[str, str]:
    """The generated monitor, on facts that name a version the registry does not have."""
    model = run.project / watching.FACTS
    known = json.loads(model.read_text("utf-8"))
    known["environments"][watching.ENVIRONMENT]["version"] = "9"
    model.write_text(json.dumps(known), "utf-8")
    command: list[str | Path] = ["python", "mlops/monitor.py", "--model", watching.MODEL]
    where: list[str | Path] = ["--environment", watching.ENVIRONMENT, "--facts", model.parents[1]]
    moment = {"MLOPS_NOW": watching.SEPTEMBER_ENDS}
    run.command("monitor", [*command, *where], moment, cwd=trained.project)
    return {}


# All of them


@pytest.fixture(scope="module")
def outcomes(
    loop_run: Run, pushed: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[dict[str, str]]]]:
    """What became of each replay, all running at the same time: nothing cut, and one wire each."""
    renamed = [
        {**one, "name": one["name"].replace("mlops_drift_share", "drift_share")} for one in pushed
    ]

    def with_change(change: Callable[[Path], None], run: Run) -> dict[str, str]:
        change(run.project)
        return told_of_drift(run, pushed)

    replays: dict[str, Callable[[Run], dict[str, str]]] = {
        NOTHING: lambda run: told_of_drift(run, pushed),
        PUSHED: lambda run: told_of_drift(run, renamed),
        REGISTERED: lambda run: monitored(run, loop_run),
        **{name: partial(with_change, change) for name, (change, _) in CUTS.items()},
        **{
            name: partial(told_of_drift, pushed=pushed, address=address)
            for name, (address, _) in ADDRESSES.items()
        },
        **{
            name: partial(served, kind=kind, change=change, trained=loop_run)
            for name, (kind, change, _) in SERVED.items()
        },
    }
    with ThreadPoolExecutor(len(replays)) as pool:
        yield {
            name: pool.submit(replay, copy_of(loop_run, tmp_path_factory.mktemp("cut") / "home"))
            for name, replay in replays.items()
        }


def test_with_nothing_cut_the_replay_calls_the_trigger(
    outcomes: dict[str, Future[dict[str, str]]],
) -> None:
    assert outcomes[NOTHING].result() == {"MLOPS_MODEL": "delay", "MLOPS_ALERT": "ModelDrift"}


BREAKS: Mapping[str, str] = {
    PUSHED: NOT_FIRING,
    REGISTERED: r"no version 9 of 'delay' \(asked for by environments\.production\.versions\.delay in mlops\.yaml:\d+\)",
    **{name: how for name, (_, how) in CUTS.items()},
    **{name: how for name, (_, how) in ADDRESSES.items()},
    **{name: how for name, (_, _, how) in SERVED.items()},
}


@pytest.mark.parametrize("wire", BREAKS)
def test_a_cut_wire_breaks_the_loop(wire: str, outcomes: dict[str, Future[dict[str, str]]]) -> None:
    with pytest.raises(LoopError, match=re.compile(BREAKS[wire], re.DOTALL)):
        outcomes[wire].result()


# What the watching stages found


def test_the_model_serves_as_it_was_trained(loop_run: Run) -> None:
    facts = loop_run.facts["serve"]
    assert facts["version"] == loop_run.facts["train"]["version"]
    assert facts["largest_difference"] < watching.CLOSE
    assert facts["scrape_labels"] == {"namespace": "flights", "service": "delay"}
    assert facts["recorded"]["model:serving_errors:ratio_rate5m"] == 0
    assert 0 <= facts["recorded"]["model:serving_slow:ratio_rate5m"] <= 1


def test_a_month_like_the_others_is_quiet(loop_run: Run) -> None:
    facts = loop_run.facts["quiet"]
    assert facts["firing"] == []
    assert facts["may"]["version"] == "1"
    assert facts["may"]["share"] == pytest.approx(0.25), "3 of 12: it is warmer than in winter"
    assert facts["half"]["share"] == 0
    assert max(facts["half"]["scores"].values()) < 0.05
    assert "after 5 attempts" in facts["unreachable"]


def test_september_drifts_in_its_weather_alone(loop_run: Run) -> None:
    september = loop_run.facts["drift"]["september"]
    assert september["share"] == pytest.approx(1 / 3)
    scores = september["scores"]
    drifted = {name for name, score in scores.items() if score >= 0.2}
    assert drifted == {"temp", "dewp", "wind_speed", "pressure"}
    assert scores["temp"] > 4
    assert max(scores[name] for name in watching.FEATURES_OF_FLIGHTS) < 0.05
    assert september["performance"]["mae"] < 20, "no second alert: the labels say it still works"


def test_one_alert_starts_one_training(loop_run: Run) -> None:
    facts = loop_run.facts["drift"]
    assert facts["alert"] == {
        "alertname": "ModelDrift",
        "severity": "warning",
        "project": "flights",
        "model": "delay",
        "environment": "production",
    }
    assert facts["trigger"]["variables"] == {"MLOPS_MODEL": "delay", "MLOPS_ALERT": "ModelDrift"}
    assert facts["trigger"]["payload"]["receiver"] == "retrain-delay"
    assert facts["trigger"]["payload"]["truncatedAlerts"] == 0
    assert facts["cooldown"] == {"delay:cooldown": "passed"}
    assert facts["retraining_variables"]["MLOPS_RESPONSE"] == "ModelDrift"
    assert facts["second"]["jobs"] == {"delay:cooldown": "warned"}
    assert "the next may begin 2013-10-08T04:00:00+00:00" in facts["second"]["message"]
    assert facts["second"]["trainings_started"] == 1


def test_the_new_version_is_judged_on_september(loop_run: Run) -> None:
    gate = loop_run.facts["drift"]["gate"]
    assert gate["verdict"] == "passed"
    assert 9.5 < gate["metrics"]["mae"] < 12.5
    assert gate["version"] == "2"
    assert set(loop_run.facts["drift"]["retraining"].values()) == {"passed"}


def test_people_hear_of_it_where_their_severity_goes(loop_run: Run) -> None:
    told = loop_run.facts["drift"]["told"]
    assert told["oncall"] == 0, "a warning calls nobody at night"
    assert {message["channel"] for message in told["team"]} == {"#airlines-ml"}
    text = told["team"][0]["attachments"][0]["text"]
    assert "The share of drifted columns is 33.33%; it must be at most 30 %." in text
    assert "monitoring/runbooks/ModelDrift.md" in text


def test_every_query_of_the_dashboard_has_data(loop_run: Run) -> None:
    dashboard = json.loads((loop_run.project / watching.DASHBOARD).read_text("utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert loop_run.facts["drift"]["panels"] == len(panels)
    assert (loop_run.home / "page" / "queries.json").exists()
