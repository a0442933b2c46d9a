"""May this model be retrained again already? First step of a retraining that an alert started.

Alertmanager only leaves out repetitions of one alert; it does not know that a retraining for
another alert ran an hour ago. The registry does: every response is a run of the experiment,
tagged by this program before it says yes, so that responses that failed or still run count as
well.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, reports
from mlops.command import Argument
from mlops.facts import read_model
from mlops.outcome import PASSED, CannotRun, Failed, asked_by
from mlops.registry import TAG_MODEL, TAG_PROJECT, TAG_RESPONSE, Versions, versions

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

    from mlops.facts import ModelFacts, Respond

TAG_TIME = "mlops.response.time"
"""When the response began, ISO 8601 in UTC: the run's own start time follows the server's clock."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "cooldown",
        __doc__ or "",
        [
            Argument("--model", "which model", "MODEL"),
            Argument("--alert", "what asked for it (default: $MLOPS_ALERT, or 'unknown')", "NAME"),
            Argument("--reports", "where cooldown.env goes (default: build/MODEL/cooldown)", "DIR"),
            Argument("--dry-run", "only say whether; do not count this as a response", switch=True),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), decide, argv)


def decide(options: argparse.Namespace) -> int:
    """The job: count past responses, refuse or note this one."""
    facts = read_model(options.facts, command.required(options, "model"))
    respond = response_of(facts, alerting_environment(options, facts))
    now = command.now(options)
    registry = versions(facts)
    experiment = registry.experiment()
    refuse_too_soon(respond, past_responses(registry, experiment, facts), now)
    alert = options.alert or os.environ.get("MLOPS_ALERT") or "unknown"
    if options.dry_run:
        print(f"{facts.model}: '{alert}' may start a retraining")
        return PASSED
    run = note_response(registry, experiment, facts, alert, now)
    folder = command.folder(options.reports, None, f"build/{facts.model}/cooldown")
    reports.write_dotenv(
        folder / "cooldown.env", {"MLOPS_RESPONSE": alert, "MLOPS_RESPONSE_RUN": run}
    )
    print(f"{facts.model}: '{alert}' starts a retraining (run {run})")
    return PASSED


def alerting_environment(options: argparse.Namespace, facts: ModelFacts) -> str | None:
    """Where the alert comes from; None when nobody says.

    GitLab keeps what Alertmanager's webhook sent in the file $TRIGGER_PAYLOAD. Source:
    docs.gitlab.com/ci/triggers, "Access webhook payload"; Alertmanager's webhook_config:
    `commonLabels`, among which is the environment, for alerts are grouped by it.
    """
    said = options.environment or os.environ.get("MLOPS_ENVIRONMENT")
    payload = os.environ.get("TRIGGER_PAYLOAD")
    if said or not payload:
        return said or None
    try:
        sent = json.loads(Path(payload).read_text(encoding="utf-8"))
        found = sent["commonLabels"]["environment"]
    except (OSError, ValueError, LookupError, TypeError):
        return None  # started by hand, or by something else than Alertmanager
    return found if isinstance(found, str) and found in facts.environments else None


def response_of(facts: ModelFacts, environment: str | None) -> Respond:
    """How often an alert of this environment may start a retraining.

    A response is of the model, wherever the alert was. When the environments differ and nobody says
    which one this is about, the longest cool-down of all holds.
    """
    there = {name: facts.there(name).respond for name in facts.environments}
    if environment is not None and environment not in there:
        known = ", ".join(sorted(there))
        raise CannotRun(f"no environment '{environment}'; there are: {known}")
    asked = there.values() if environment is None else [there[environment]]
    found = [respond for respond in asked if respond is not None]
    if not found:
        where = f" in {environment}" if environment is not None else ""
        raise CannotRun(f"no answer of model '{facts.model}' is 'retrain'{where} in mlops.yaml")
    return max(found, key=lambda respond: respond.cooldown_seconds)


def past_responses(registry: Versions, experiment: str, facts: ModelFacts) -> list[datetime]:
    """When earlier responses began, newest first."""
    from datetime import datetime

    found = registry.call(
        lambda: registry.client.search_runs(
            [experiment],
            f"tags.`{TAG_PROJECT}` = '{facts.project}' and tags.`{TAG_MODEL}` = '{facts.model}' "
            f"and tags.`{TAG_TIME}` != ''",
            max_results=1000,  # far more than any monthly budget; newest first
        )
    )
    return sorted((datetime.fromisoformat(run.data.tags[TAG_TIME]) for run in found), reverse=True)


def refuse_too_soon(respond: Respond, past: Sequence[datetime], now: datetime) -> None:
    """Failed inside the cool-down, or when the month's budget is used."""
    past = [moment for moment in past if moment <= now]
    until = past[0] + timedelta(seconds=respond.cooldown_seconds) if past else now
    if now < until:
        raise Failed(
            f"the last response began {past[0].isoformat()}, the next may begin {until.isoformat()} "
            f"{asked_by(respond.spec)}"
        )
    month = [moment for moment in past if (moment.year, moment.month) == (now.year, now.month)]
    if len(month) >= respond.monthly_budget:
        raise Failed(
            f"{len(month)} responses this month (UTC), the budget is {respond.monthly_budget}: look why they "
            f"do not help before retraining again {asked_by(respond.spec)}"
        )


def note_response(
    registry: Versions, experiment: str, facts: ModelFacts, alert: str, now: datetime
) -> str:
    """Count this response from now on."""
    tags = {
        TAG_PROJECT: facts.project, TAG_MODEL: facts.model, TAG_RESPONSE: alert,
        TAG_TIME: now.astimezone(UTC).isoformat(),
    }  # fmt: skip
    client = registry.client
    run = registry.call(
        lambda: client.create_run(experiment, tags=tags, run_name=f"{facts.model} response")
    )
    registry.call(lambda: client.set_terminated(run.info.run_id))
    return str(run.info.run_id)


if __name__ == "__main__":
    sys.exit(main())
