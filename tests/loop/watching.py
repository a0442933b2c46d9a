"""Stages after a deployment: the model serves, is watched, drifts, and is retrained.

Everything that decides is generated: the monitor, the rules, Alertmanager's configuration, the jobs.
Around it is what a company has: servers, people's inboxes, GitLab.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loop import cluster, workspace
from loop.dashboards import record, without_data
from loop.endpoint import Endpoint
from loop.gitlab import PROJECT_ID, GitLab, artifacts_of
from loop.page import QUERIES
from loop.people import trigger_address, write_config
from loop.servers import (
    LOOPBACK,
    Inbox,
    Scrape,
    Server,
    Servers,
    alertmanager,
    also_scrape,
    ask,
    firing,
    free_ports,
    of_pushgateway,
    prometheus,
    pushgateway,
    query,
    until,
    values,
)
from loop.stage import LoopError, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from loop.gitlab import Asked, Pipeline
    from loop.stage import Facts, Run

MODEL = "delay"
ENVIRONMENT = "production"
NAMESPACE = "flights"
ALERT = "ModelDrift"
OF_MODEL = {"project": "flights", "model": MODEL, "environment": ENVIRONMENT}
"""The labels of everything that is said about this model."""
MONITOR = {"MLOPS_MODEL": MODEL, "MLOPS_TASK": "monitor", "MLOPS_ENVIRONMENT": ENVIRONMENT}
"""The variables of the scheduled pipeline that looks at it."""

MAY_BEGINS = "2013-05-02T04:00:00Z"
MAY_ENDS = "2013-06-01T04:00:00Z"
SEPTEMBER_ENDS = "2013-10-01T04:00:00Z"
"""Midnight in New York; the monitor's window of 30 days ends there."""

RULES = f"monitoring/prometheus/{ENVIRONMENT}/{MODEL}.rules.yml"
ROUTES = f"monitoring/alertmanager/{ENVIRONMENT}.yml"
DEPLOYMENT = f"k8s/{ENVIRONMENT}/{MODEL}/deployment.yaml"
DASHBOARD = f"monitoring/grafana/{ENVIRONMENT}/{MODEL}.json"
FACTS = f"mlops/models/{MODEL}.json"
JOBS = f".gitlab/ci/models/{MODEL}.yml"

SINGLE_REQUESTS = 200
BATCH = 1000
"""Rows in one request where many are asked about."""
CLOSE = 1e-6
"""Minutes by which the served prediction may differ from the trained model's own."""
SOON = 15
"""Seconds for what takes a scrape and an evaluation, on a busy machine."""
TOLD = 75
"""Seconds for an alert to reach its receiver: `group_wait` is 30."""
SECONDS_OF_SCRAPE = 1
POINTS = 300
"""How many a plotted line has at most."""

FEATURES_OF_FLIGHTS = ("carrier", "distance", "departure_hour", "weekday", "departure_delay")


# Serving


def serve(run: Run) -> Facts:
    """Start what was deployed, ask it about real flights, and see its metrics arrive."""
    version = spec_version(run)
    training = training_of(run, version)
    began = time.time()
    with Servers(run) as servers:
        pod = cluster.serve(servers, NAMESPACE, MODEL)
        run.say(
            f"{pod.image} started; startup, readiness and liveness probes succeed",
            DEPLOYMENT,
            "image:",
        )
        endpoint = Endpoint.of(pod.url, MODEL)
        watcher = watch(servers, pushgateway(servers), [pod.scrape])
        flights, own = test_rows(training)
        answering = endpoint.version(flights.head(1))
        if answering != version:
            raise LoopError(f"the spec names version {version}, version {answering} answers")
        until("the first request's metrics", lambda: query(watcher, _requests(pod.scrape)), SOON)
        worst = _compare(endpoint, flights, own)
        run.say(
            f"{SINGLE_REQUESTS} flights asked one by one: version {answering} answers as it did in training"
        )
        recorded = until("values of the recording rules", lambda: _objectives(watcher), SOON)
        run.say(
            "its requests reach Prometheus; the recorded share of errors is "
            f"{recorded['model:serving_errors:ratio_rate5m']:.1%}, of slow answers "
            f"{recorded['model:serving_slow:ratio_rate5m']:.1%}",
            RULES,
            "record: model:serving_errors:ratio_rate5m",
        )  # fmt: skip
        halves = _keep_half_of_may(run, endpoint, training)
    return {
        "began": began,
        "image": pod.image,
        "version": answering,
        "requests": SINGLE_REQUESTS,
        "largest_difference": worst,
        "recorded": recorded,
        "scrape_labels": dict(pod.scrape.labels),
        "reference_rows": halves,
    }


def watch(
    servers: Servers, gateway: Server, scrapes: Sequence[Scrape] = (), told: Sequence[str] = ()
) -> Server:
    """A Prometheus with the generated rules.

    Args:
        servers: who stops it.
        gateway: the Pushgateway it looks at.
        scrapes: what else it looks at.
        told: addresses of Alertmanagers.
    """
    folder = servers.run.project / "monitoring" / "prometheus" / ENVIRONMENT
    rules = sorted(folder.glob("*.rules.yml"))
    return prometheus(servers, rules, [of_pushgateway(gateway), *scrapes], told)


def spec_version(run: Run) -> str:
    """The version that the spec's compiled facts name for production."""
    facts = json.loads((run.project / FACTS).read_text("utf-8"))
    version: str | None = facts["environments"][ENVIRONMENT].get("version")
    if version is None:
        raise LoopError(f"{FACTS} names no version for {ENVIRONMENT}: nothing was promoted")
    return version


def training_of(run: Run, version: str) -> Path:
    """The clone in which the pipeline ran that registered a version."""
    trained = run.facts["train"]
    if trained["version"] != version:
        raise LoopError(f"version {trained['version']} was registered, the spec names {version}")
    folder: Path = run.home / trained["pipeline"]
    return folder


def left_by(training: Path, job: str, path: str) -> Path:
    """A file that a job of a training left."""
    file = artifacts_of(training, f"{MODEL}:{job}") / "build" / MODEL / path
    if not file.exists():
        raise LoopError(f"job {MODEL}:{job} left no {path}")
    return file


def test_rows(training: Path) -> tuple[pd.DataFrame, list[float]]:
    """The newest flights of the dataset, which training did not see, with the model's own predictions."""
    import pandas as pd

    rows = pd.read_parquet(left_by(training, "dataset", "data/test.parquet"))
    predicted = pd.read_parquet(left_by(training, "train", "out/predictions.parquet"))
    return rows, [float(value) for value in predicted["predicted_delay"]]


def _requests(scrape: Scrape) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in scrape.labels.items())
    return f'rest_server_requests_total{{{labels},method="POST"}}'


def _compare(endpoint: Endpoint, flights: pd.DataFrame, own: Sequence[float]) -> float:
    """The largest difference between the served prediction and the trained model's, in minutes."""
    step = max(1, len(flights) // SINGLE_REQUESTS)
    positions = range(0, step * SINGLE_REQUESTS, step)
    worst = max(abs(endpoint.predict(flights.iloc[[i]])[0] - own[i]) for i in positions)
    if worst > CLOSE:
        raise LoopError(f"a served prediction is {worst:g} minutes off the model's own")
    return worst


def _objectives(watcher: Server) -> dict[str, float]:
    """What the generated recording rules give for the shortest window; nothing while one gives nothing."""
    labels = ",".join(f'{name}="{value}"' for name, value in OF_MODEL.items())
    names = ("model:serving_errors:ratio_rate5m", "model:serving_slow:ratio_rate5m")
    found = {name: values(watcher, f"{name}{{{labels}}}") for name in names}
    return {name: one[0] for name, one in found.items()} if all(found.values()) else {}


def half_of_may(run: Run) -> Path:
    """The folder with half of May's rows as the monitor takes a reference."""
    return run.home / "services" / "half-of-may"


def _keep_half_of_may(run: Run, endpoint: Endpoint, training: Path) -> int:
    """Every other flight of May with what the endpoint answers, as a reference of this version."""
    import pandas as pd

    names = ("train", "validation", "test")
    parts = [
        pd.read_parquet(left_by(training, "dataset", f"data/{name}.parquet")) for name in names
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["scheduled_at"] >= pd.Timestamp(MAY_BEGINS)].iloc[::2].reset_index(drop=True)
    predicted: list[float] = []
    for begin in range(0, len(rows), BATCH):
        predicted += endpoint.predict(rows.iloc[begin : begin + BATCH])
    folder = half_of_may(run)
    folder.mkdir(parents=True, exist_ok=True)
    rows.assign(predicted_delay=predicted).to_parquet(folder / "reference.parquet", index=False)
    of = {"project": "flights", "model": MODEL, "run": run.facts["train"]["run"]}
    (folder / "reference.json").write_text(json.dumps(of), "utf-8")
    return len(rows)


# A quiet month


def stay_quiet(run: Run) -> Facts:
    """May against January to May, and May against its own half: no alert.

    The second run meets a Pushgateway that is not there: what it found is still told, and it fails.
    """
    with Servers(run) as servers, ThreadPoolExecutor(1) as other:
        gateway = pushgateway(servers)
        gitlab = GitLab(run, MAY_ENDS, {"PUSHGATEWAY_URL": gateway.url})
        watcher = watch(servers, gateway)
        half = other.submit(_monitor_against_half, run)
        may = _monitored(gitlab.run_pipeline("schedule", MONITOR))
        until("the monitor's push", lambda: _arrived(watcher, may), SOON)
        own, message = half.result()
        time.sleep(3)  # three evaluations with May's numbers: none may make an alert fire
        alerts = firing(watcher)
    if alerts:
        raise LoopError(f"May is quiet, and yet: {alerts}")
    for what, found in (("January to May", may), ("its own half", own)):
        run.say(
            f"May against {what}: share of drifted columns {share_of(found):.3f}, no alert",
            RULES,
            f"alert: {ALERT}",
        )
    run.say(
        f"without a Pushgateway the monitor gives up in the end: {message}",
        "mlops/network.py",
        "ATTEMPTS =",
    )
    return {"may": summary(may), "half": summary(own), "firing": alerts, "unreachable": message}


def _monitor_against_half(run: Run) -> tuple[dict[str, Any], str]:
    """What the monitor finds in May against half of May, and how it says that it could not push."""
    nobody = f"http://{LOOPBACK}:{free_ports(1)[0]}"
    reports = run.home / "reports" / "half-of-may"
    ended = run.command(
        "monitor-against-half",
        ["python", "mlops/monitor.py", "--model", MODEL, "--environment", ENVIRONMENT,
         "--reference", half_of_may(run), "--reports", reports],
        env={"MLOPS_NOW": MAY_ENDS, "PUSHGATEWAY_URL": nobody, "MLOPS_RETRY_PAUSE": "0.05"},
        expect=[2],
    )  # fmt: skip
    message = next(
        (line for line in ended.output.splitlines() if line.startswith("could not run:")), ""
    )
    if nobody not in message or "after 5 attempts" not in message or "Traceback" in ended.output:
        raise LoopError(
            f"the monitor does not say well that nobody answers at {nobody}: {ended.output}"
        )
    found: dict[str, Any] = json.loads((reports / "monitor.json").read_text("utf-8"))
    return found, message


def _monitored(pipeline: Pipeline) -> dict[str, Any]:
    """What the generated monitoring job found."""
    report = pipeline.artifact(
        f"{MODEL}:monitor:{ENVIRONMENT}", f"build/{MODEL}/monitor/monitor.json"
    )
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return found


def share_of(found: Mapping[str, Any]) -> float:
    """The share of drifted columns in a monitor's report."""
    return float(
        next(one["value"] for one in found["metrics"] if one["name"] == "mlops_drift_share")
    )


def summary(found: Mapping[str, Any]) -> Facts:
    """A monitor's report in short."""
    by_name: dict[str, dict[str, float]] = {}
    for one in found["metrics"]:
        by_name.setdefault(one["name"], {}).update(
            dict.fromkeys(one["labels"].values(), one["value"])
        )
    return {
        "version": found["version"],
        "share": share_of(found),
        "scores": by_name["mlops_column_drift_score"],
        "performance": by_name.get("mlops_model_metric", {}),
    }


def _arrived(watcher: Server, found: Mapping[str, Any]) -> bool:
    """Whether Prometheus has what this run of the monitor pushed."""
    labels = ",".join(f'{name}="{value}"' for name, value in OF_MODEL.items())
    return values(watcher, f"mlops_drift_share{{{labels}}}") == [share_of(found)] and all(
        age < 300
        for age in values(
            watcher, f"time() - mlops_monitor_last_success_timestamp_seconds{{{labels}}}"
        )
    )


# Drift and the answer to it


@dataclass(frozen=True)
class Alarm:
    """Alertmanagers with the generated configuration, and who they tell."""

    config: Path
    people: Inbox


@contextlib.contextmanager
def alarm(run: Run, gitlab: GitLab) -> Iterator[Alarm]:
    """Inboxes for people, and the configuration that tells them and GitLab."""
    trigger = trigger_address(
        gitlab.url, PROJECT_ID, gitlab.token, {"MLOPS_MODEL": MODEL, "MLOPS_ALERT": ALERT}
    )  # fmt: skip
    with Inbox() as people:
        secrets = {
            "oncall": "routing-key",
            "team": f"{people.url}/slack",
            f"retrain-{MODEL}": trigger,
        }
        folder = run.home / "services" / "alerting"
        config = write_config(run.project / ROUTES, folder, secrets, f"{people.url}/pagerduty")
        yield Alarm(config, people)


def drift(run: Run) -> Facts:
    """September has drifted: alert, trigger, cool-down, retraining, and a second alert that starts nothing."""
    new_rows = _september_arrives(run)
    second_port = free_ports(1)[0]
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(Servers(run))
        gateway = pushgateway(servers)
        gitlab = GitLab(run, SEPTEMBER_ENDS, {"PUSHGATEWAY_URL": gateway.url})
        stack.enter_context(gitlab.started())
        told = stack.enter_context(alarm(run, gitlab))
        first = alertmanager(servers, told.config)
        watcher = watch(servers, gateway, told=[first.address, f"{LOOPBACK}:{second_port}"])
        september = _monitored(gitlab.run_pipeline("schedule", MONITOR))
        _say_drift(run, september)
        fired = wait_for_alert(watcher, ALERT)
        run.say(f"{ALERT} fires: {_short(fired)}", RULES, f"alert: {ALERT}")
        # Production goes on meanwhile: Alertmanager waits half a minute before it tells anybody.
        also_scrape(servers, watcher, cluster.serve(servers, NAMESPACE, MODEL).scrape)
        trigger = wait_for_trigger(gitlab, 1)
        run.say(
            "Alertmanager waits 30 s for more of the same (group_wait), then calls GitLab's trigger",
            ROUTES,
            f"receiver: retrain-{MODEL}",
        )
        permitted = gitlab.wait_for_pipeline()
        _refuse_failure(permitted)
        run.say(
            f"the cool-down allows it: {', '.join(permitted.jobs)} passed",
            JOBS,
            f"{MODEL}:cooldown:",
        )
        # One that has forgotten what it told, as after a restart without its disk.
        alertmanager(servers, told.config, "second-alertmanager", at=[second_port])
        retrained = gitlab.wait_for_pipeline()
        verdict = _verdict(run, retrained)
        wait_for_trigger(gitlab, 2)
        refused = gitlab.wait_for_pipeline()
        messages = [one.json() for one in told.people.received("/slack")]
        called = len(told.people.received("/pagerduty"))
        panels = _record_dashboard(run, watcher)
    cooldown = _refusal(run, gitlab, refused)
    return {
        "rows": new_rows,
        "september": summary(september),
        "alert": fired,
        "trigger": _asked(trigger),
        "cooldown": _outcomes(permitted),
        "retraining": _outcomes(retrained),
        "retraining_variables": dict(retrained.variables),
        "gate": verdict,
        "second": cooldown,
        "told": {"team": messages, "oncall": called},
        "panels": panels,
        "pushed": september["metrics"],
    }


def _refuse_failure(pipeline: Pipeline) -> None:
    """What an alert starts must be allowed the first time."""
    for job in pipeline.jobs.values():
        if job.outcome != "passed":
            log = job.log.read_text("utf-8", errors="replace")
            raise LoopError(f"{job.name} of pipeline {pipeline.number} {job.outcome}:\n{log}")


def _record_dashboard(run: Run, watcher: Server) -> int:
    """Ask Prometheus what the generated dashboard asks, for the page; returns how many panels there are.

    Raises:
        LoopError: a query gives nothing in all the time since the model began to serve.
    """
    begins, ends = run.facts["serve"]["began"], time.time()
    step = max(SECONDS_OF_SCRAPE, (ends - begins) / POINTS)
    recorded = record(watcher.url, run.project / DASHBOARD, begins, ends, step)
    if missing := without_data(recorded):
        raise LoopError(f"{DASHBOARD} asks what nobody answers: {missing}")
    page = run.home / "page"
    page.mkdir(exist_ok=True)
    (page / QUERIES).write_text(json.dumps(recorded), "utf-8")
    run.say(f"every query of the dashboard's {len(recorded['panels'])} panels has data", DASHBOARD)
    return len(recorded["panels"])


def _september_arrives(run: Run) -> dict[str, int]:
    """Data up to the end of September, as somebody would commit them: without training on each push."""
    rows = workspace.set_data(run, SEPTEMBER_ENDS)
    workspace.commit(run, "Flights and weather of June to September [skip ci]")
    workspace.push(run)
    run.say(f"flights and weather up to the end of September arrive: {rows}")
    return rows


def _say_drift(run: Run, found: Mapping[str, Any]) -> None:
    scores = summary(found)["scores"]
    drifted = sorted(
        (name for name in scores if scores[name] >= 0.2), key=lambda name: -scores[name]
    )
    worst = max(FEATURES_OF_FLIGHTS, key=lambda name: float(scores[name]))
    run.say(
        f"September against January to May: {', '.join(f'{name} {scores[name]:.1f}' for name in drifted)} "
        f"drifted (PSI ≥ 0.2), the flights' own attributes did not (most: {worst} {scores[worst]:.3f}); "
        f"share {share_of(found):.3f} > 0.3",
        FACTS,
        '"share_max"',
    )


def wait_for_alert(watcher: Server, name: str, patience: float = SOON) -> dict[str, str]:
    """The labels with which an alert fires.

    Raises:
        LoopError: it does not, or another one does as well.
    """
    until(
        f"{name} firing",
        lambda: [one for one in firing(watcher) if one["alertname"] == name],
        patience,
    )
    alerts = firing(watcher)
    if len(alerts) != 1:
        raise LoopError(f"{name} should fire alone: {alerts}")
    expected = {"alertname": name, "severity": "warning", **OF_MODEL}
    if alerts[0] != expected:
        raise LoopError(f"{name} fires with {alerts[0]}, not {expected}")
    return alerts[0]


def wait_for_trigger(gitlab: GitLab, count: int, patience: float = TOLD) -> Asked:
    """The call of Alertmanager number *count*, checked: method, path, variables and payload.

    Raises:
        LoopError: it does not come, or GitLab refuses it, or it says something else.
    """
    until(
        f"call {count} of GitLab's trigger",
        lambda: len(calls_of_alertmanager(gitlab)) >= count,
        patience,
    )
    asked = calls_of_alertmanager(gitlab)[count - 1]
    wanted = ("POST", f"/api/v4/projects/{PROJECT_ID}/ref/main/trigger/pipeline", 201)
    if (asked.method, asked.path, asked.status) != wanted:
        raise LoopError(f"GitLab answers {asked.status} to {asked.method} {asked.path}")
    if asked.variables != {"MLOPS_MODEL": MODEL, "MLOPS_ALERT": ALERT}:
        raise LoopError(f"the trigger was called with {dict(asked.variables)}")
    alerts = [alert["labels"] for alert in asked.payload["alerts"]]
    if asked.payload["status"] != "firing" or {alert["alertname"] for alert in alerts} != {ALERT}:
        raise LoopError(f"the trigger was called for {asked.payload['status']} {alerts}")
    return asked


def calls_of_alertmanager(gitlab: GitLab) -> list[Asked]:
    """The calls that carry a payload: jobs call with a form."""
    return [asked for asked in gitlab.requests if asked.payload is not None]


def _verdict(run: Run, retrained: Pipeline) -> Facts:
    """What the gate says of the model trained on September, and which version it became."""
    report = retrained.artifact(f"{MODEL}:gate", f"build/{MODEL}/gate/gate.json")
    gate = json.loads(report.read_text("utf-8"))
    mae = gate["metrics"]["mae"]
    text = f"retrained on flights up to September: mae {mae:.1f}, {gate['verdict']}"
    version = None
    if gate["verdict"] == "passed":
        note = retrained.artifact(f"{MODEL}:register", f"build/{MODEL}/register/register.env")
        version = dict(line.split("=", 1) for line in note.read_text("utf-8").split())[
            "MLOPS_MODEL_VERSION"
        ]
        text += f", registered as version {version}"
    run.say(text, FACTS, '"max_worse"')
    return {"verdict": gate["verdict"], "metrics": gate["metrics"], "version": version}


def _refusal(run: Run, gitlab: GitLab, refused: Pipeline) -> Facts:
    """The second pipeline of an alert: its one job refuses, and nothing follows."""
    log = refused.jobs[f"{MODEL}:cooldown"].log.read_text("utf-8", errors="replace")
    found = re.search(r"failed: the last response began .*", log)
    if refused.jobs[f"{MODEL}:cooldown"].outcome != "warned" or found is None:
        raise LoopError(f"the cool-down let a second alert through: {_outcomes(refused)}\n{log}")
    started = [asked for asked in gitlab.requests if asked.payload is None]
    run.say(f"a second alert starts nothing: {found[0]}", FACTS, '"cooldown_seconds"')
    return {"jobs": _outcomes(refused), "message": found[0], "trainings_started": len(started)}


def _outcomes(pipeline: Pipeline) -> dict[str, str]:
    return {name: job.outcome for name, job in pipeline.jobs.items()}


def _asked(asked: Asked) -> Facts:
    return {
        "method": asked.method, "path": asked.path, "status": asked.status,
        "variables": dict(asked.variables), "payload": asked.payload,
    }  # fmt: skip


def _short(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items() if name != "alertname")


def replay(gateway: Server, pushed: Sequence[Mapping[str, Any]]) -> None:
    """Push again what a run of the monitor pushed, into the same group."""
    lines = []
    for one in pushed:
        labels = ",".join(f'{name}="{value}"' for name, value in one["labels"].items())
        lines.append(f"{one['name']}{{{labels}}} {one['value']!r}\n")
    group = "/".join(f"{name}/{value}" for name, value in OF_MODEL.items())
    answer = ask(f"{gateway.url}/metrics/job/mlops_monitor/{group}", "".join(sorted(lines)), "PUT")
    if answer.status not in (200, 202):
        raise LoopError(f"the Pushgateway answers {answer.status}: {answer.text}")


STAGES = (
    Stage(
        "serve",
        "The promoted version answers real flights",
        serve,
        needs=("mlserver", "prometheus", "pushgateway"),
        after=("promote",),
    ),
    Stage(
        "quiet",
        "A month like the others stays quiet",
        stay_quiet,
        needs=("prometheus", "pushgateway", "gitlab-ci-local"),
        after=("serve",),
    ),
    Stage(
        "drift",
        "September drifts: alert, retraining, cool-down",
        drift,
        needs=("mlserver", "prometheus", "pushgateway", "alertmanager", "gitlab-ci-local"),
        after=("quiet",),
    ),
)
"""In order, after the stages of `loop.pipeline`."""
