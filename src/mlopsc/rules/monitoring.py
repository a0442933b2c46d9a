"""Rules about what is watched, and about what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project import metrics
from mlopsc.project.drift import (
    CATEGORICAL_METHODS,
    NUMERIC_METHODS,
    P_VALUE_METHODS,
    predictions_of,
    watched_columns,
)
from mlopsc.project.model import OnDemandView, Source
from mlopsc.project.units import DAY, duration_text
from mlopsc.rules.rule import Hit, Key, Need, missing, rule, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import ColumnType, Feature, Model, Monitoring, Project


def _watched(project: Project) -> Iterator[tuple[Model, Monitoring]]:
    for model in project.models:
        if model.monitoring is not None:
            yield model, model.monitoring


@rule("R401")
def results_are_pushed_somewhere(project: Project) -> Iterator[Hit]:
    """A monitoring run ends before Prometheus comes by, so its results wait in a Pushgateway."""
    if project.services.pushgateway is None:
        yield from missing(
            (
                Need(f"'{model.name}' is watched", Key(watched.origin))
                for model, watched in _watched(project)
            ),
            "its results have nowhere to go",
            "add `services: {pushgateway: {url: http://HOST:9091}}`",
        )


@rule("R402")
def current_is_written(project: Project) -> Iterator[Hit]:
    """Somebody writes the rows that are looked at."""
    for _, monitoring in _watched(project):
        current = monitoring.current
        if not current.columns:
            yield (
                f"nobody writes '{current.name}': it has no columns and no model fills it",
                monitoring.at("current"),
                "describe its columns, or let a `batch` write to it",
                (Note("the source stands here", current.origin, on_key=True),),
            )


@rule("R403")
def drift_has_something_to_compare(project: Project) -> Iterator[Hit]:
    """Today's rows, and the reference, have the columns that are compared."""
    for model, monitoring in _watched(project):
        if monitoring.current.columns:
            yield from _lacking_now(model, monitoring)
        if monitoring.reference is not None:
            yield from _lacking_in_reference(model, monitoring, monitoring.reference)


def _lacking_now(model: Model, monitoring: Monitoring) -> Iterator[Hit]:
    """The first column that the monitor cannot read, look up or compute."""
    current = monitoring.current
    have = {column.name for column in current.columns}
    asked = [feature for feature in _compared(model) if feature.name not in have]
    for name, origin in _to_be_read(model, asked):
        if name not in have:
            yield (
                f"'{current.name}' has no column '{name}', which '{model.name}' is compared by",
                monitoring.at("current"),
                "name a source whose rows carry the model's own features, such as one its `batch` writes",
                (Note("it is asked for here", origin),),
            )
            return
    keys = [e.column for view in model.views for e in view.entities if e.column not in have]
    if keys and any(not isinstance(feature.owner, Source) for feature in asked):
        yield (
            f"'{current.name}' has no column '{keys[0]}' to look features up by",
            monitoring.at("current"),
            f"add `{keys[0]}` to its columns",
        )


def _compared(model: Model) -> tuple[Feature, ...]:
    """The features whose values the monitor needs: all of them where it asks the model itself."""
    if predictions_of(model) == "scored":
        return model.features
    return tuple(feature for feature in model.features if not feature.column.personal)


def _to_be_read(model: Model, asked: list[Feature]) -> Iterator[tuple[str, Path]]:
    """Columns that rows must carry themselves, with what asks for them."""
    for feature in asked:
        if feature.owner is model.target.source:
            yield feature.name, feature.origin
        if isinstance(feature.owner, OnDemandView):
            for given in feature.owner.inputs:
                if isinstance(given.owner, Source):
                    yield given.column.name, given.origin


def _lacking_in_reference(model: Model, monitoring: Monitoring, reference: Source) -> Iterator[Hit]:
    have = {column.name for column in reference.columns}
    for name, origin in watched_columns(model).items():
        if name not in have:
            yield (
                f"'{reference.name}' has no column '{name}' to compare with",
                monitoring.at("reference"),
                "name a source that has every feature"
                + (" and the prediction" if name == model.prediction else "")
                + ", or take `reference` out: then it is the training data",
                (Note("it is asked for here", origin),),
            )
            return


@rule("R404")
def reference_exists(project: Project) -> Iterator[Hit]:
    """Only a model that is trained here has training data to compare with."""
    for model, monitoring in _watched(project):
        if monitoring.reference is None and model.training is None:
            yield (
                f"'{model.name}' is not trained here, so there is no training data to compare with",
                Key(monitoring.origin),
                "name a source with `reference: SOURCE`",
            )


_NUMBERS = ("int32", "int64", "float32", "float64", "timestamp")  # the monitor counts its seconds


@rule("R405")
def drift_method_fits(project: Project) -> Iterator[Hit]:
    """A drift method fits the types of the columns it is for."""
    for model, monitoring in _watched(project):
        drift = monitoring.drift
        if drift is None:
            continue
        types = _types_compared(model)
        if drift.method not in NUMERIC_METHODS | CATEGORICAL_METHODS:
            continue
        numeric = drift.method in NUMERIC_METHODS
        for name, (type_, at) in types.items():
            if (type_ in _NUMBERS) is not numeric:
                yield (
                    f"'{drift.method}' is for {'numbers' if numeric else 'categories'}, and '{name}' of "
                    f"'{model.name}' is {type_}",
                    drift.at("method"),
                    "take `psi` or `jensenshannon`, which know both, or leave `method` out",
                    (Note(f"'{name}' is asked for here", at),),
                )
                break


def _types_compared(model: Model) -> dict[str, tuple[ColumnType, Path]]:
    """The columns whose drift is measured, with their types and what asks for them."""
    types: dict[str, ColumnType] = {f.name: f.column.type for f in model.features}
    answer: ColumnType = "float64"  # a probability, or a number
    if model.task == "classification" and model.target.column.type == "string":
        answer = "string"
    return {
        name: (types.get(name, answer), origin) for name, origin in watched_columns(model).items()
    }


@rule("R406")
def drift_limits_can_be_reached(project: Project) -> Iterator[Hit]:
    """The share of drifted columns has an upper bound below 1, and a p-value a threshold below 1."""
    for _, monitoring in _watched(project):
        drift = monitoring.drift
        if drift is None:
            continue
        share = drift.share
        if share.maximum is None or share.minimum is not None:
            yield (
                "drift is bad when many columns drift: its share has a `max` and no `min`",
                Key(share.origin),
                "write `share: {max: 30%}`",
            )
        elif not 0 <= share.maximum < 1:
            yield (
                f"no share of columns is above {spelled(share.maximum)}, so the alert could never fire",
                share.at("max"),
                "it is between 0 and 1, or a percentage below 100%",
            )
        if drift.method in P_VALUE_METHODS and drift.threshold >= 1:
            yield (
                f"'{drift.method}' gives a p-value, and every p-value is at most {spelled(drift.threshold)}: all columns drift",
                drift.at("threshold"),
                "write a number below 1, such as 0.05, or leave it out",
            )


@rule("R407")
def labels_can_be_matched(project: Project) -> Iterator[Hit]:
    """Performance is computed from rows that labels can be matched to."""
    for model, monitoring in _watched(project):
        source, current = model.target.source, monitoring.current
        if not monitoring.performance or current.name == source.name:
            continue
        keys = [column.name for column in source.keys if column.name != model.target.column.name]
        if not keys:
            yield (
                f"the labels of '{model.name}' are in '{source.name}', and no key matches them to '{current.name}'",
                Key(monitoring.at("performance")),
                f"add `key: NAME` to the column of '{source.name}' that identifies a row",
            )
        have = {column.name for column in current.columns}
        absent = [key for key in keys if key not in have]
        looked_up = {entity.column for view in model.views for entity in view.entities}
        if have and absent and absent[0] not in looked_up:  # see R403
            yield (
                f"'{current.name}' has no column '{absent[0]}' to match labels by",
                monitoring.at("current"),
                f"add `{absent[0]}` to its columns",
            )


@rule("R408")
def retraining_is_guarded(project: Project) -> Iterator[Hit]:
    """Retraining by itself needs a pause, a gate, a training and a way to start."""
    for model, monitoring in _watched(project):
        causes = [cause for cause, response in monitoring.respond.items() if response == "retrain"]
        if not causes:
            continue
        at = monitoring.at("respond", causes[0])
        for holds, what, help_ in (
            (
                model.training is not None,
                "it is not trained here",
                "add `training`, or respond with `alert`",
            ),
            (
                model.evaluation is not None,
                "no gate would judge what comes of it",
                "add `evaluation` to the model",
            ),
            (
                monitoring.cooldown is not None,
                "it could start again and again",
                "add `cooldown: 7d` to `monitoring`",
            ),
            (
                project.ci.trigger is not None,
                "nothing says how to start the pipeline",
                "add `ci: {trigger: {secret: NAME}}`",
            ),
            (
                project.repository is not None,
                "nothing says where the pipeline is",
                "add `repository: HOST/PATH` to the project",
            ),
        ):
            if not holds:
                yield f"'{model.name}' is to be retrained on {causes[0]}, and {what}", at, help_
        promised = model.serving is not None and model.serving.slo is not None
        for cause, holds, what, help_ in (
            (
                "performance",
                bool(monitoring.performance),
                "nothing bounds it",
                "add `performance: {METRIC: {min: …}}`",
            ),
            ("slo", promised, "it has no objective to miss", "add `slo` to `serving`"),
        ):
            if cause in causes and not holds:
                yield (
                    f"'{model.name}' is to be retrained on {cause}, and {what}",
                    monitoring.at("respond", cause),
                    help_,
                )


@rule("R409", "warning")
def windows_hold_enough(project: Project) -> Iterator[Hit]:
    """A window shorter than the schedule leaves rows that nobody looks at."""
    for model, monitoring in _watched(project):
        every = monitoring.schedule.every
        if monitoring.window < every:
            yield (
                f"'{model.name}' is looked at every {duration_text(every)} and each time "
                f"only at the last {duration_text(monitoring.window)}: the rows between are never seen",
                # A day stands in where nothing is written.
                monitoring.at("schedule" if monitoring.window == DAY else "window"),
                f"write `window: {duration_text(every)}` or more",
            )


@rule("R410")
def alerts_reach_somebody(project: Project) -> Iterator[Hit]:
    """Where alerts are sent at all, critical ones are."""
    alerts = project.alerts
    if alerts.channels and "critical" not in alerts.routes:
        yield (
            "critical alerts reach nobody",
            Key(alerts.at("routes")),
            f"add `critical: {alerts.channels[0].name}` to `routes`",
        )


@rule("R411")
def responses_are_carried_out(project: Project) -> Iterator[Hit]:
    """A response is one that something carries out."""
    for model, monitoring in _watched(project):
        for cause, response in monitoring.respond.items():
            if response == "rollback":
                yield (
                    f"nothing rolls '{model.name}' back by itself yet",
                    monitoring.at("respond", cause),
                    "write `alert`; reverting the commit that wrote the version rolls back",
                )


@rule("R412", "warning", whole=True)
def pauses_are_between_responses(project: Project) -> Iterator[Hit]:
    """A pause between two responses is of use where something responds.

    In whichever environment: another one may only alert.
    """
    retrained = {
        model.name
        for environment in project.environments
        for model in environment.models
        if model.monitoring is not None and "retrain" in model.monitoring.respond.values()
    }
    for model, monitoring in _watched(project):
        if monitoring.cooldown is not None and model.name not in retrained:
            yield (
                f"'{model.name}' pauses between two retrainings, and nothing retrains it",
                monitoring.at("cooldown"),
                "add `respond: {drift: retrain}`, or take it out",
            )


@rule("R413")
def performance_can_be_computed(project: Project) -> Iterator[Hit]:
    """Performance is computed from labels and predictions alone."""
    for model, monitoring in _watched(project):
        for item in monitoring.performance:
            elsewhere = metrics.tasks_of(item.name)
            if metrics.known(model.task, item.name) or (elsewhere and model.task != "custom"):
                continue  # R207 speaks of a metric of another task
            yield (
                f"nobody computes '{item.name}' from labels and predictions",
                Key(item.origin),
                f"choose one of {', '.join(metrics.METRICS[model.task])}"
                if metrics.METRICS[model.task]
                else f"take it out: no metric is computed for task {model.task}",
            )
