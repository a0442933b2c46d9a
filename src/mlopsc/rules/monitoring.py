"""Rules about what is watched, and about what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project import metrics
from mlopsc.project.drift import CATEGORICAL_METHODS, NUMERIC_METHODS
from mlopsc.project.units import DAY, duration_text
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Column, Model, Monitoring, Project


def _watched(project: Project) -> Iterator[tuple[Model, Monitoring]]:
    for model in project.models:
        if model.monitoring is not None:
            yield model, model.monitoring


@rule("R401")
def results_are_pushed_somewhere(project: Project) -> Iterator[Hit]:
    """A monitoring run ends before Prometheus comes by, so its results wait in a Pushgateway."""
    for model, monitoring in _watched(project):
        if project.services.pushgateway is None:
            yield (
                f"'{model.name}' is watched, and its results have nowhere to go",
                monitoring.origin,
                "add `services: {pushgateway: {url: http://HOST:9091}}`",
            )


@rule("R402")
def current_is_readable(project: Project) -> Iterator[Hit]:
    """Today's rows are in a table, say when they are from, and have what is compared."""
    for model, monitoring in _watched(project):
        current = monitoring.current
        if current.kind is None:
            yield (
                f"'{model.name}' is watched on '{current.name}', which has no table at rest",
                monitoring.at("current"),
                "say where its rows lie (`parquet:`, `bigquery:` …)",
            )
        if current.timestamp is None:
            yield (
                f"the rows of '{current.name}' do not say when they are from, so nobody can take the last "
                f"{duration_text(monitoring.window)}",
                monitoring.at("current"),
                f"add `timestamp: COLUMN` to source '{current.name}'",
            )
        if not current.columns:
            yield (
                f"nobody writes '{current.name}': it has no columns and no model fills it",
                monitoring.at("current"),
                "describe its columns, or let a `batch` write to it",
                (Note("the source stands here", current.origin, on_key=True),),
            )


@rule("R403")
def drift_has_something_to_compare(project: Project) -> Iterator[Hit]:
    """Drift is of columns that today's rows and the reference share."""
    for model, monitoring in _watched(project):
        if monitoring.drift is None or not monitoring.current.columns:
            continue
        have = {column.name for column in monitoring.current.columns}
        joined = {column.name for view in model.views for column in view.fields}
        for feature in model.features:
            if feature.name in have or feature.owner is not model.target.source:
                continue
            yield (
                f"'{monitoring.current.name}' has no column '{feature.name}', which '{model.name}' reads",
                monitoring.at("current"),
                "name a source whose rows carry the model's own features, such as one its `batch` writes",
                (Note("it is a feature here", feature.origin),),
            )
            break
        keys = {entity.column for view in model.views for entity in view.entities}
        missing = sorted(keys - have)
        if missing and not joined <= have:
            yield (
                f"'{monitoring.current.name}' has no column '{missing[0]}' to look features up by",
                monitoring.at("current"),
                f"add `{missing[0]}` to its columns",
            )


@rule("R404")
def reference_exists(project: Project) -> Iterator[Hit]:
    """What today is compared with is kept somewhere."""
    for model, monitoring in _watched(project):
        if monitoring.reference is None and project.services.mlflow is None:
            yield (
                f"'{model.name}' is compared with its training data, which the registry keeps, and there is none",
                monitoring.at("reference"),
                "add `services: {mlflow: {url: …}}`, or name a source with `reference: SOURCE`",
            )
        if monitoring.reference is None and model.training is None:
            yield (
                f"'{model.name}' is not trained here, so there is no training data to compare with",
                monitoring.at("reference"),
                "name a source with `reference: SOURCE`",
            )
        if monitoring.reference is not None and monitoring.reference.kind is None:
            yield (
                f"'{monitoring.reference.name}' has no table at rest to compare with",
                monitoring.at("reference"),
                "say where its rows lie (`parquet:`, `bigquery:` …)",
            )


def _numeric(column: Column) -> bool:
    return column.type in ("int32", "int64", "float32", "float64")


@rule("R405")
def drift_method_fits(project: Project) -> Iterator[Hit]:
    """A drift method fits the types of the columns it is for."""
    for model, monitoring in _watched(project):
        drift = monitoring.drift
        if drift is None:
            continue
        only = "numbers" if drift.method in NUMERIC_METHODS else "categories"
        if drift.method not in NUMERIC_METHODS | CATEGORICAL_METHODS:
            continue
        wrong = [f for f in model.features if _numeric(f.column) is not (only == "numbers")]
        if wrong:
            yield (
                f"'{drift.method}' is for {only}, and '{wrong[0].name}' of '{model.name}' is {wrong[0].column.type}",
                drift.at("method"),
                "take `psi` or `jensenshannon`, which know both, or leave `method` out",
                (Note(f"'{wrong[0].name}' stands here", wrong[0].column.origin, on_key=True),),
            )


@rule("R406")
def drift_share_is_a_share(project: Project) -> Iterator[Hit]:
    """The share of drifted columns has an upper bound between 0 and 1."""
    for _, monitoring in _watched(project):
        if monitoring.drift is None:
            continue
        share = monitoring.drift.share
        if share.maximum is None or share.minimum is not None:
            yield (
                "drift is bad when many columns drift: its share has a `max`",
                share.origin,
                "write `share: {max: 30%}`",
            )
        elif not 0 <= share.maximum < 1:
            yield (
                f"a share of {share.maximum:g} can never be passed",
                share.at("max"),
                "it is between 0 and 1, or a percentage below 100%",
            )


@rule("R407")
def performance_has_labels(project: Project) -> Iterator[Hit]:
    """Performance is computed when labels are known, from rows that can be matched to them."""
    for model, monitoring in _watched(project):
        if not monitoring.performance:
            continue
        source = model.target.source
        same = monitoring.current.name == source.name
        if not same and not source.keys:
            yield (
                f"the labels of '{model.name}' are in '{source.name}', and no key matches them to '{monitoring.current.name}'",
                monitoring.at("performance"),
                f"add `key: NAME` to the column of '{source.name}' that identifies a row",
            )
        have = {column.name for column in monitoring.current.columns}
        if model.prediction not in have and project.services.mlflow is None:
            yield (
                f"'{monitoring.current.name}' has no column '{model.prediction}', and no registry has the model to ask",
                monitoring.at("performance"),
                "let `current` be a source with predictions, or add `services: {mlflow: {url: …}}`",
            )
        if source.kind is None:
            yield (
                f"the labels of '{model.name}' are in '{source.name}', which has no table at rest",
                monitoring.at("performance"),
                "say where its rows lie (`parquet:`, `bigquery:` …)",
            )


@rule("R413")
def performance_can_be_computed(project: Project) -> Iterator[Hit]:
    """Performance is computed from labels and predictions alone."""
    for model, monitoring in _watched(project):
        for item in monitoring.performance:
            if not metrics.known(model.task, item.name) and not metrics.tasks_of(item.name):
                names = ", ".join(metrics.METRICS[model.task]) or "none for this task"
                yield (
                    f"nobody computes '{item.name}' from labels and predictions",
                    item.origin,
                    f"choose one of {names}",
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
                project.services.mlflow is not None,
                "no registry remembers the last time",
                "add `services: {mlflow: {url: …}}`",
            ),
            (
                project.repository is not None,
                "nothing says where the pipeline is",
                "add `repository: HOST/PATH` to the project",
            ),
        ):
            if not holds:
                yield f"'{model.name}' is to be retrained on {causes[0]}, and {what}", at, help_
        if "drift" in causes and monitoring.drift is None:
            yield (
                f"'{model.name}' is to be retrained on drift, and nothing measures it",
                at,
                "add `drift`",
            )
        if "performance" in causes and not monitoring.performance:
            yield (
                f"'{model.name}' is to be retrained on performance, and nothing bounds it",
                at,
                "add `performance: {METRIC: {min: …}}`",
            )


@rule("R409", "warning")
def windows_hold_enough(project: Project) -> Iterator[Hit]:
    """A window shorter than the schedule leaves rows that nobody looks at."""
    for model, monitoring in _watched(project):
        if monitoring.window < monitoring.schedule.every:
            yield (
                f"'{model.name}' is looked at every {duration_text(monitoring.schedule.every)} and each time "
                f"only at the last {duration_text(monitoring.window)}: the rows between are never seen",
                monitoring.at("window"),
                f"make it {duration_text(monitoring.schedule.every)} or more",
            )


@rule("R410")
def alerts_reach_somebody(project: Project) -> Iterator[Hit]:
    """A severity that is routed has a channel, and channels are routed to."""
    alerts = project.alerts
    if alerts.channels and "critical" not in alerts.routes:
        yield (
            "critical alerts reach nobody",
            alerts.at("routes"),
            f"add `critical: {alerts.channels[0].name}` to `routes`",
        )


@rule("R411")
def business_queries_are_bounded_once(project: Project) -> Iterator[Hit]:
    """A rule of one's own has one threshold; two bounds are two rules."""
    queries = [item for _, monitoring in _watched(project) for item in monitoring.business]
    for item in [*queries, *project.alerts.rules]:
        if item.bound.minimum is not None and item.bound.maximum is not None:
            yield (
                f"'{item.bound.name}' has two thresholds, and an alert says which one is broken",
                item.origin,
                "write it twice, under two names: one with `min`, one with `max`",
            )


@rule("R412", "warning")
def slow_labels_mean_slow_alarms(project: Project) -> Iterator[Hit]:
    """Performance is known as late as labels are; drift tells sooner."""
    for model, monitoring in _watched(project):
        delay = model.target.column.known_after
        if (
            monitoring.performance
            and monitoring.drift is None
            and delay is not None
            and delay > DAY
        ):
            yield (
                f"'{model.name}' is watched by its performance alone, which is known {duration_text(delay)} late",
                monitoring.origin,
                "add `drift: {}`, which is known at once",
            )
