"""Rules about queries over metrics, and about who emits them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project.metric_contract import own_queries, unmet, unreadable
from mlopsc.project.resolve.scope import closest
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.metric_contract import Unmet
    from mlopsc.project.model import Project


@rule("R801")
def what_is_read_is_emitted(project: Project) -> Iterator[Hit]:
    """What a rule reads, something in the spec emits."""
    for query, missing in unmet(project):
        yield f"{query.who} reads what never comes: {missing.why}", query.at, _instead(missing)


def _instead(missing: Unmet) -> str:
    if missing.condition is not None:
        return f"it takes {missing.condition}"
    near = closest(missing.asked, missing.there)
    if near is not None:
        return f"did you mean '{near}'?"
    if not missing.there:
        return "take it out"
    shown = ", ".join(missing.there[:_SHOWN]) + (", …" if len(missing.there) > _SHOWN else "")
    return f"there are: {shown}"


_SHOWN = 8


@rule("R802")
def queries_can_be_read(project: Project) -> Iterator[Hit]:
    """A query is PromQL as far as can be told without Prometheus."""
    for query in own_queries(project):
        reason = unreadable(query)
        if reason is not None:
            yield (
                f"the query of {query.who} {reason}",
                query.at,
                "`promtool query instant URL 'QUERY'` tries a query on a Prometheus",
            )
