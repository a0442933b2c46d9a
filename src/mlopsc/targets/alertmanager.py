"""Alertmanager: who hears of what, what one cause silences, and what starts a training.

One whole configuration an environment, `monitoring/alertmanager/ENV.yml`, where the spec names
channels or lets a model answer by retraining. Secrets are files below SECRETS; the configuration
holds none. It needs Alertmanager 0.26 or newer (`url_file`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from mlopsc.artifacts.draft import Draft, YamlDraft, traced
from mlopsc.project.alerting.objectives import BURN
from mlopsc.project.alerting.presence import ABSENT
from mlopsc.project.alerting.promql import duration, equals
from mlopsc.project.alerting.watching import DATA, DRIFT, PERFORMANCE, SILENT
from mlopsc.project.conventions import (
    DRIFT_SHARE,
    MONITOR_LAST_SUCCESS,
    alertmanager,
    decision,
    object_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body
    from mlopsc.project.model import Channel, Environment, Model, Monitoring, Project, Severity

    Fields: TypeAlias = dict[str, Body]

name: Final = "alertmanager"

DECISIONS: Final[dict[str, str]] = {
    "alertmanager-default": (
        "what no route asks for reaches nobody: alerts of others, and severities without a channel"
    ),
    "alertmanager-grouping": (
        "one message for one alert of one model, whatever its metric or column; half a minute is"
        " waited for the others of a group, five for what joins it later"
    ),
    "alertmanager-repeat": (
        "who was woken up is asked again after 4 h, a warning comes once a day, an information every"
        " four days: Alertmanager forgets after five (--data.retention) and would send it anew"
    ),
    "alertmanager-retrain": (
        "only alerts of the environment whose data a model is trained on start a training; people"
        " hear of it too (continue); an end starts nothing (send_resolved); one request a group"
        " (max_alerts); how often at most is kept by the pipeline's first job, which knows the runs"
    ),
    "alertmanager-inhibition": (
        "one cause is told once: the worse of two severities, the faster of two burns, the broken"
        " data before the drift it causes, the silent monitor before what it last said"
    ),
    "alertmanager-secrets": (
        "a configuration in git holds no secret: each is a file in the folder where Alertmanager"
        " mounts them"
    ),
    "alertmanager-words": "a message says what is wrong, by how much, and where to read on",
}

SECRETS: Final = "/etc/alertmanager/secrets"
"""The folder with a file for each secret: NAME of the spec, and `retrain-MODEL` with an address."""

_NOBODY: Final = "no-channel"  # a hyphen keeps our names apart from the channels of the spec
_REPEAT: Final[dict[Severity, str]] = {"critical": "4h", "warning": "1d", "info": "4d"}
_LONGEST_REPEAT: Final = 4 * 86_400
_IDENTITY: Final = ["project", "environment", "model"]
_ANSWERED: Final = {"drift": DRIFT, "performance": PERFORMANCE, "slo": BURN}

# What a group has in common; its alerts may differ in their annotations.
_SUMMARY: Final = '{{ .GroupLabels.SortedPairs.Values | join " " }}'
_TEXT: Final = (
    "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n"
    "{{ .Annotations.runbook_url }}\n"
    "{{ with .Annotations.dashboard_url }}{{ . }}\n{{ end }}{{ end }}"
)


def emit(project: Project) -> Iterator[Draft]:
    """The configuration of each environment in which somebody or something is told."""
    for environment in project.environments:
        retrained = [model for model in environment.models if _retrains(model, environment)]
        if environment.alerts.channels or retrained:
            yield YamlDraft(
                alertmanager(environment.name),
                environment.alerts.origin,
                _configuration(project, environment, retrained),
                f"For Alertmanager 0.26 or newer; secrets are files below {SECRETS}",
            )


def _retrains(model: Model, environment: Environment) -> bool:
    return (
        model.monitoring is not None
        and model.training is not None
        and model.training.environment == environment.name
        and "retrain" in model.monitoring.respond.values()
    )


def _configuration(project: Project, environment: Environment, retrained: list[Model]) -> Fields:
    return {
        "route": _routes(project, environment, retrained),
        "inhibit_rules": traced(_inhibitions(), decision("alertmanager-inhibition")),
        "receivers": [
            traced({"name": _NOBODY}, decision("alertmanager-default")),
            *(_receiver(channel) for channel in environment.alerts.channels),
            *(_trigger(project, model) for model in retrained),
        ],
    }


# --- routes -----------------------------------------------------------------------------------


def _routes(project: Project, environment: Environment, retrained: list[Model]) -> Fields:
    own = {"project": project.name, "environment": environment.name}
    grouping = decision("alertmanager-grouping")
    return {
        "receiver": traced(_NOBODY, decision("alertmanager-default")),
        "group_by": traced([*_IDENTITY, "alertname"], grouping),
        "group_wait": traced("30s", grouping),
        "group_interval": traced("5m", grouping),
        "repeat_interval": traced(_REPEAT["critical"], decision("alertmanager-repeat")),
        "routes": [
            *(_retrain_route(own, model) for model in retrained),
            *(
                _route(own, severity, channel, environment)
                for severity, channel in environment.alerts.routes.items()
            ),
        ],
    }


def _route(
    own: dict[str, str], severity: Severity, channel: Channel, environment: Environment
) -> Body:
    return traced(
        {
            "receiver": channel.name,
            "matchers": _matchers({**own, "severity": severity}),
            "repeat_interval": traced(_REPEAT[severity], decision("alertmanager-repeat")),
        },
        environment.alerts.at("routes", severity),
    )


def _retrain_route(own: dict[str, str], model: Model) -> Body:
    monitoring = _monitoring(model)
    answered = [word for word, response in monitoring.respond.items() if response == "retrain"]
    alerts = "|".join(_ANSWERED[word] for word in answered)
    origins = [monitoring.at("respond", word) for word in answered]
    cooldown = min(monitoring.cooldown or _LONGEST_REPEAT, _LONGEST_REPEAT)
    return traced(
        {
            "receiver": _trigger_name(model),
            "matchers": [*_matchers({**own, "model": model.name}), f'alertname=~"{alerts}"'],
            # Not by alert: drift and what follows from it are one reason to train.
            "group_by": traced(_IDENTITY, decision("alertmanager-retrain")),
            "repeat_interval": traced(
                duration(cooldown), monitoring.at("cooldown"), decision("alertmanager-repeat")
            ),
            "continue": traced(True, decision("alertmanager-retrain")),
        },
        *origins,
    )


def _matchers(labels: dict[str, str]) -> list[Body]:
    return [equals({label: value}) for label, value in labels.items()]


# --- inhibition -------------------------------------------------------------------------------


def _inhibitions() -> list[Body]:
    same_alert = [*_IDENTITY, "alertname", "slo", "metric", "source", "rule"]
    monitored = f"{DRIFT}|{PERFORMANCE}"
    of_monitor = f"{MONITOR_LAST_SUCCESS}|{DRIFT_SHARE}"
    return [
        _inhibition(['severity="critical"'], ['severity=~"warning|info"'], same_alert),
        _inhibition(['severity="warning"'], ['severity="info"'], same_alert),
        _inhibition(
            [f'alertname="{BURN}"', 'burn="fast"'],
            [f'alertname="{BURN}"', 'burn=~"medium|slow"'],
            [*_IDENTITY, "slo"],
        ),
        _inhibition([f'alertname="{DATA}"'], [f'alertname="{DRIFT}"'], _IDENTITY),
        _inhibition([f'alertname="{SILENT}"'], [f'alertname=~"{monitored}"'], _IDENTITY),
        _inhibition(
            [f'alertname="{ABSENT}"', f'metric=~"{of_monitor}"'],
            [f'alertname=~"{monitored}|{SILENT}"'],
            _IDENTITY,
        ),
        # A lost Pushgateway takes everything pushed along, a lost pod everything scraped.
        _inhibition(
            [f'alertname="{ABSENT}"', f'metric="{MONITOR_LAST_SUCCESS}"'],
            [f'alertname="{ABSENT}"', f'metric!="{MONITOR_LAST_SUCCESS}"', 'severity="warning"'],
            _IDENTITY,
        ),
        _inhibition(
            [f'alertname="{ABSENT}"', 'severity="critical"', 'metric!~".+_bucket"'],
            [f'alertname="{ABSENT}"', 'severity="critical"', 'metric=~".+_bucket"'],
            _IDENTITY,
        ),
    ]


def _inhibition(source: list[str], target: list[str], equal: list[str]) -> Body:
    return {"source_matchers": source, "target_matchers": target, "equal": equal}


# --- receivers --------------------------------------------------------------------------------


def _receiver(channel: Channel) -> Body:
    kinds = {"pagerduty": _pagerduty, "slack": _slack, "email": _email, "webhook": _webhook}
    fields = kinds[channel.kind](channel)
    return traced({"name": channel.name, f"{channel.kind}_configs": [fields]}, channel.origin)


def _pagerduty(channel: Channel) -> Fields:
    return {
        "routing_key_file": _secret(channel),
        "severity": traced("{{ .CommonLabels.severity }}", decision("alertmanager-words")),
        "description": traced(_SUMMARY, decision("alertmanager-words")),
        "send_resolved": True,
    }


def _slack(channel: Channel) -> Fields:
    return {
        "api_url_file": _secret(channel),
        "channel": channel.settings["channel"],
        "title": traced(f"[{{{{ .Status }}}}] {_SUMMARY}", decision("alertmanager-words")),
        "text": traced(_TEXT, decision("alertmanager-words")),
        "send_resolved": True,
    }


def _email(channel: Channel) -> Fields:
    fields: Fields = {key: channel.settings[key] for key in ("to", "from", "smarthost")}
    if channel.secret is not None:
        fields["auth_username"] = channel.settings.get("username", channel.settings["from"])
        fields["auth_password_file"] = _secret(channel)
    subject = f"[{{{{ .Status }}}}] {_SUMMARY}"
    fields["headers"] = traced({"Subject": subject}, decision("alertmanager-words"))
    fields["send_resolved"] = True
    return fields


def _webhook(channel: Channel) -> Fields:
    return {"url_file": _secret(channel), "send_resolved": True}


def _secret(channel: Channel) -> Body:
    secret = channel.secret
    if secret is None:  # parse asks for it; this is for the type checker and for us
        raise ValueError(f"channel {channel.name} has no secret")
    return traced(f"{SECRETS}/{secret.name}", secret.origin, decision("alertmanager-secrets"))


def _trigger_name(model: Model) -> str:
    return f"retrain-{object_name(model.name)}"


def _trigger(project: Project, model: Model) -> Body:
    retrain = decision("alertmanager-retrain")
    return traced(
        {
            "name": _trigger_name(model),
            "webhook_configs": [
                {
                    "url_file": traced(
                        f"{SECRETS}/{_trigger_name(model)}",
                        project.ci.at("trigger"),
                        decision("alertmanager-secrets"),
                    ),
                    "send_resolved": traced(False, retrain),
                    "max_alerts": traced(1, retrain),
                }
            ],
        },
        _monitoring(model).at("respond"),
    )


def _monitoring(model: Model) -> Monitoring:
    if model.monitoring is None:
        raise ValueError(f"model {model.name} is not monitored")
    return model.monitoring
