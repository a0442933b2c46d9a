"""The next rung of the ladder: what one more line would add. Infos, never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.rules.rule import Hit, Key, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Project


@rule("R901", "info")
def next_gate(project: Project) -> Iterator[Hit]:
    """A model without a gate is promoted by nobody."""
    for model in project.models:
        if model.training is not None and model.evaluation is None:
            yield (
                f"'{model.name}' has no gate",
                Key(model.origin),
                "`evaluation: {metrics: {METRIC: {max: …}}}` adds one, on the test split",
            )


@rule("R902", "info")
def next_endpoint(project: Project) -> Iterator[Hit]:
    """A trained model can have an address."""
    for model in project.models:
        if model.training is not None and model.serving is None and model.batch is None:
            registry = "" if project.registry else " (and `registry: HOST/PATH` in the project)"
            yield (
                f"'{model.name}' answers nobody",
                Key(model.origin),
                f"`serving: {{}}`{registry} gives it an address in Kubernetes; `batch` scores a table",
            )


@rule("R903", "info")
def next_monitoring(project: Project) -> Iterator[Hit]:
    """A model that is used can be watched."""
    for model in project.models:
        if model.monitoring is None and (model.training is not None or model.serving is not None):
            yield (
                f"nobody watches '{model.name}'",
                Key(model.origin),
                f"`monitoring: {{schedule: 1d, current: {model.target.source.name}}}` (and `services: {{pushgateway: "
                "{url: …}}`) looks for drift and alerts",
            )


@rule("R904", "info")
def next_features(project: Project) -> Iterator[Hit]:
    """Features can be shared and looked up."""
    if project.models and not project.views:
        yield (
            "features come in the request alone",
            project.models[0].at("features"),
            "`key: NAME` on a column and a view in `features` let models share them and look them up",
        )


@rule("R905", "info")
def next_objective(project: Project) -> Iterator[Hit]:
    """An endpoint can promise something."""
    for model in project.models:
        if model.serving is not None and model.serving.slo is None:
            yield (
                f"'{model.name}' promises its callers nothing",
                Key(model.serving.origin),
                "`slo: {availability: 99.9%}` alerts when its error budget burns",
            )


@rule("R906", "info")
def next_channel(project: Project) -> Iterator[Hit]:
    """Alerts can reach people."""
    if project.alerts.channels:
        return
    for model in project.models:
        watched = model.monitoring or (model.serving and model.serving.slo)
        if watched:
            yield (
                "alerts fire and nobody is told",
                Key(watched.origin),
                "`alerts: {channels: …, routes: {critical: NAME}}` makes Alertmanager's configuration",
            )
            return
