"""PromQL of the user's own: a model's `monitoring.business`, the project's `alerts.rules`.

The query is recorded first, as its worst value: whatever labels it carries, the alert keeps one
identity, and its threshold can be tested without knowing what the query means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mlopsc.frozen import frozen
from mlopsc.project.alerting.presence import HOLD
from mlopsc.project.alerting.promql import duration, equals, number, selector
from mlopsc.project.alerting.rules import Alert, Group, Labels, Limits, Presence, Recording, Rule
from mlopsc.project.alerting.watching import allowed
from mlopsc.project.conventions import decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Alerts, Model, QueryBound

_Side: TypeAlias = Literal["min", "max"]

MODEL_LEVEL: Final = "model:business"
"""What the recorded names of a model's measures begin with."""

BUSINESS: Final = "BusinessMetricOutOfBounds"
BUSINESS_ABSENT: Final = "BusinessMetricAbsent"
PROJECT_RULE: Final = "ProjectRuleViolated"
PROJECT_ABSENT: Final = "ProjectMetricAbsent"


def business(model: Model, identity: Labels) -> Iterator[Group]:
    """The group of a model's business measures."""
    if model.monitoring is None or not model.monitoring.business:
        return
    rules: list[Rule] = []
    for measure in model.monitoring.business:
        name = measure.bound.name
        subject = f"{name} of {model.name}"
        rules += _Watched(
            measure,
            MODEL_LEVEL,
            identity,
            {"metric": name},
            subject,
            BUSINESS,
            BUSINESS_ABSENT,
        ).rules()
    yield Group(f"{model.name}-business", tuple(rules), (model.monitoring.at("business"),))


def own_rules(alerts: Alerts, identity: Labels) -> Iterator[Group]:
    """The group of the project's own rules in one environment."""
    if not alerts.rules:
        return
    rules: list[Rule] = []
    for rule in alerts.rules:
        name = rule.bound.name
        rules += _Watched(
            rule, "project:rule", identity, {"rule": name}, name, PROJECT_RULE, PROJECT_ABSENT
        ).rules()
    yield Group("project-rules", tuple(rules), (alerts.at("rules"),))


@frozen
class _Watched:
    """A query of the user's, and the words its rules are made with."""

    measure: QueryBound
    level: str
    identity: Labels
    own: Labels
    subject: str
    kind: str
    absent_kind: str

    def rules(self) -> list[Rule]:
        """Recordings first: the alerts read what was recorded a moment ago."""
        sides = list(self._sides())
        return [
            *(self._recorded(side) for side, _ in sides),
            *(self._outside(side, limit) for side, limit in sides),
            *(self._gone(side) for side, _ in sides[:1]),
        ]

    def _sides(self) -> Iterator[tuple[_Side, float]]:
        bound = self.measure.bound
        if bound.minimum is not None:
            yield "min", bound.minimum
        if bound.maximum is not None:
            yield "max", bound.maximum

    @property
    def _labels(self) -> Labels:
        return {**self.identity, **self.own}

    def _recorded(self, side: _Side) -> Recording:
        # On a line of its own: the query may end in a comment.
        expr = f"{side}(\n{self.measure.query.strip()}\n)"
        because = (self.measure.origin,)
        origins = (self.measure.at("query"),)
        return Recording(f"{self.level}:{side}", expr, self._labels, because, origins)

    def _outside(self, side: _Side, limit: float) -> Alert:
        bound = self.measure.bound
        record, sign = f"{self.level}:{side}", "<" if side == "min" else ">"
        return Alert(
            kind=self.kind,
            expr=f"{selector(record, equals(self._labels))} {sign} {number(limit)}",
            hold=bound.hold,
            severity=bound.severity,
            # Without it, both sides of one bound would be one alert with two values.
            labels={**self.own, "bound": side},
            summary=f"{self.subject} is out of bounds in {self.identity['environment']}",
            description=f'It is {{{{ printf "%.6g" $value }}}}; it must be {allowed(bound)}.',
            watch=Limits(
                record,
                self._labels,
                limit if side == "min" else None,
                limit if side == "max" else None,
            ),
            because=(bound.origin,),
            origins=(bound.at(side),),
            worded=tuple(bound.at(each) for each, _ in self._sides()),
            hold_origin=bound.at("for"),
            severity_origin=bound.at("severity"),
        )

    def _gone(self, side: _Side) -> Alert:
        record = f"{self.level}:{side}"
        return Alert(
            kind=self.absent_kind,
            expr=f"absent(max({selector(record, equals(self._labels))}))",
            hold=HOLD,
            severity="warning",
            labels=self.own,
            summary=f"{self.subject} has no value in {self.identity['environment']}",
            description=(
                f"Its query has given nothing for {duration(HOLD)}; the alert that looks at it"
                " cannot fire."
            ),
            watch=Presence(record, self._labels, "", 0, None),
            because=(self.measure.origin,),
            origins=(self.measure.origin, decision("prometheus-absence")),
            worded=(self.measure.origin, decision("prometheus-absence")),
            hold_origin=decision("prometheus-absence"),
            severity_origin=decision("prometheus-absence"),
        )
