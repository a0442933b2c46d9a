"""What a rule is, before it is a line of a file: recordings, alerts, and what an alert watches.

`Watch` says in data what `expr` says in PromQL. The tests beside the rules are made from it, so a
rule and its test share nothing but the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Mention
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.alerting.burn_rates import Burn
    from mlopsc.project.model import Seconds, Severity, Share

Labels: TypeAlias = Mapping[str, str]


@frozen
class Limits:
    """A gauge that must stay within bounds; one series is enough to watch."""

    metric: str
    labels: Labels
    minimum: float | None
    maximum: float | None


@frozen
class Age:
    """A gauge that holds a moment in Unix time, which must not be longer ago than `limit`."""

    metric: str
    labels: Labels
    limit: Seconds


@frozen
class Presence:
    """Series that must be there.

    Attributes:
    matchers: further matchers beside `labels`.
    value: what a healthy one holds, if it must be something.
    memory: how far back it must have been seen for its absence to count; None: it always does.
    """

    metric: str
    labels: Labels
    matchers: str
    value: float
    memory: Seconds | None


@frozen
class Indicator:
    """What an objective counts: bad events of all events.

    Attributes:
        name: availability or latency.
        recording: the metric part of the recorded names.
        bad, all: selectors; the window is put behind them. For latency, `bad` selects the good ones
            (those within the bound) and `inverted` is set.
        apart: whether `all` leaves the bad ones out, so that they are added.
        selected: the spec paths behind `bad` and `all`.
        promised: those behind `objective`.
    """

    name: str
    recording: str
    objective: Share
    bad: str
    all: str
    selected: tuple[Path, ...]
    promised: tuple[Path, ...]
    inverted: bool = False
    apart: bool = False

    def ratio(self, window: str) -> str:
        """The recorded share of bad events over a window, spelled as Prometheus does."""
        return f"model:{self.recording}:ratio_rate{window}"

    def count(self, window: str) -> str:
        """The recorded number of bad events in a window."""
        return f"model:{self.recording}:increase{window}"


@frozen
class Burning:
    """An error budget that burns faster than a line of the table allows."""

    indicator: Indicator
    burn: Burn


Watch: TypeAlias = Limits | Age | Presence | Burning


@frozen
class Recording:
    """A recording rule: `record` is level:metric:operations.

    Attributes:
        because: the spec paths it is there for.
        origins: those behind the expression.
    """

    record: str
    expr: str
    labels: Labels
    because: tuple[Path, ...]
    origins: tuple[Path, ...]


@frozen
class Alert:
    """An alerting rule.

    Attributes:
        kind: the alert's name, and the name of its runbook page.
        labels: those beside severity, project, model and environment.
        because: the spec paths it is there for.
        origins: those behind the expression.
        worded: those behind the description.
    """

    kind: str
    expr: str
    hold: Seconds
    severity: Severity
    labels: Labels
    summary: str
    description: str
    watch: Watch
    because: tuple[Path, ...]
    origins: tuple[Path, ...]
    worded: tuple[Path, ...]
    hold_origin: Path
    severity_origin: Path


Rule: TypeAlias = Recording | Alert


@frozen
class Group:
    """Rules that Prometheus evaluates one after the other, at one moment."""

    name: str
    rules: tuple[Rule, ...]
    because: tuple[Path, ...]


@frozen
class RuleSet:
    """All rules of one file.

    Attributes:
        identity: the labels every alert and recording carries.
        runbook: address of a kind's page, with `{kind}` where the kind belongs.
        dashboard: address of what there is to see, and the spec path that names the Grafana.
        mentions: what names the spec within the text of expressions.
    """

    identity: Labels
    runbook: str
    runbook_origin: Path
    groups: tuple[Group, ...] = field(default_factory=tuple)
    dashboard: tuple[str, Path] | None = None
    mentions: tuple[Mention, ...] = ()

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, in file order."""
        return tuple(
            rule for group in self.groups for rule in group.rules if isinstance(rule, Alert)
        )

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """All recordings, in file order."""
        return tuple(
            rule for group in self.groups for rule in group.rules if isinstance(rule, Recording)
        )

    def labels(self, alert: Alert) -> dict[str, str]:
        """Every label of an alert."""
        return {"severity": alert.severity, **self.identity, **alert.labels}

    def runbook_of(self, alert: Alert) -> str:
        """Where the page for whoever gets the alert is."""
        return self.runbook.replace("{kind}", alert.kind)
