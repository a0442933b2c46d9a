"""The N codes: what can be wrong with names. Each has a page of its own, docs/rules/CODE.md."""

from __future__ import annotations

from typing import Final

TITLES: Final[dict[str, str]] = {
    "N001": "Nothing has this name",
    "N002": "A source or view has no such column",
    "N003": "A source and a view share a name",
    "N004": "A source is built from itself",
    "N005": "An entity has two columns or two types",
    "N006": "A view's source has no key",
    "N007": "A schedule that never runs, or not evenly",
    "N008": "Two features share a name",
    "N009": "A field is taken from where it cannot come",
    "N010": "Monitoring does not say where today's rows are",
    "N011": "A name that Kubernetes does not take",
    "N012": "Something is defined and used by nobody",
    "N013": "Validation and test are cut in two ways",
    "N014": "A name stands twice in one list",
    "N015": "A known runtime's metrics are declared again",
}
