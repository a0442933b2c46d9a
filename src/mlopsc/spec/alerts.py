"""`alerts`: who hears of what."""

from pydantic import Field

from mlopsc.spec.bounds import QueryBound
from mlopsc.spec.chapter import Chapter
from mlopsc.spec.secrets import SecretRef
from mlopsc.spec.words import (
    HostAndPort,
    MailAddress,
    MailAddresses,
    Maybe,
    Name,
    Several,
    SlackChannel,
    Text,
)


class Pagerduty(Chapter):
    """PagerDuty."""

    key: SecretRef = Field(
        description="The integration's routing key.", examples=[{"secret": "pagerduty"}]
    )


class Slack(Chapter):
    """Slack."""

    channel: SlackChannel = Field(description="The channel.", examples=["#growth-ml"])
    webhook: SecretRef = Field(
        description="The address of the incoming webhook.", examples=[{"secret": "slack"}]
    )


class Email(Chapter):
    """Mail."""

    to: MailAddresses = Field(
        description="Who gets it; several with commas between them.",
        examples=["oncall@example.com"],
    )
    from_: MailAddress = Field(
        alias="from", description="Who it is from.", examples=["alerts@example.com"]
    )
    smarthost: HostAndPort = Field(
        description="The mail server, as `host:port`.", examples=["smtp.example.com:587"]
    )
    username: Maybe[Text] = Field(
        default=None,
        description="The user at that server; without it, nobody signs in.",
        examples=["alerts@example.com"],
    )
    password: Maybe[SecretRef] = Field(
        default=None,
        description="That user's password; without it, nobody signs in.",
        examples=[{"secret": "smtp"}],
    )


class Webhook(Chapter):
    """A webhook of your own."""

    url: SecretRef = Field(
        description="Its address, from a secret: whoever knows it can post there.",
        examples=[{"secret": "hook"}],
    )


class Channel(Chapter):
    """Where people are told: exactly one of these."""

    pagerduty: Maybe[Pagerduty] = Field(
        default=None,
        description="PagerDuty; without it, another kind.",
        examples=[{"key": {"secret": "pagerduty"}}],
    )
    slack: Maybe[Slack] = Field(
        default=None,
        description="Slack; without it, another kind.",
        examples=[{"channel": "#growth-ml", "webhook": {"secret": "slack"}}],
    )
    email: Maybe[Email] = Field(
        default=None,
        description="Mail; without it, another kind.",
        examples=[
            {
                "to": "oncall@example.com",
                "from": "alerts@example.com",
                "smarthost": "smtp.example.com:587",
            }
        ],
    )
    webhook: Maybe[Webhook] = Field(
        default=None,
        description="A webhook of your own; without it, another kind.",
        examples=[{"url": {"secret": "hook"}}],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )


class Rule(QueryBound):
    """An alert rule of your own."""

    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )


class Routes(Chapter):
    """Which channel hears of which severity."""

    critical: Maybe[Name] = Field(
        default=None,
        description="The channel for what needs a person now; without it, nobody is told.",
        examples=["oncall"],
    )
    warning: Maybe[Name] = Field(
        default=None,
        description="The channel for what needs a person soon; without it, nobody is told.",
        examples=["team"],
    )
    info: Maybe[Name] = Field(
        default=None,
        description="The channel for what is worth knowing; without it, nobody is told.",
        examples=["team"],
    )


class Alerts(Chapter):
    """Who hears of what."""

    channels: dict[Name, Channel] = Field(
        default={},
        description="Where people are told.",
        examples=[{"team": {"slack": {"channel": "#growth-ml", "webhook": {"secret": "slack"}}}}],
    )
    routes: Routes = Field(
        default={},
        validate_default=True,
        description="Which channel hears of which severity.",
        examples=[{"critical": "oncall", "warning": "team"}],
    )
    rules: dict[Name, Rule] = Field(
        default={},
        description="Alerts of your own, in the shape of `business`.",
        examples=[{"consumer_lag": {"query": "max(kafka_consumergroup_lag)", "max": 10000}}],
    )
