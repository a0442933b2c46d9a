"""Rules about what a model learns from, and about the gate it has to pass."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project import metrics
from mlopsc.project.model import OnDemandView, View
from mlopsc.project.resolve.models import VERSION
from mlopsc.project.units import duration_text
from mlopsc.rules.rule import Hit, Key, Need, missing, rule, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Bound, Column, Feature, Model, Project, Source, Task


@rule("R201")
def no_feature_from_the_future(project: Project) -> Iterator[Hit]:
    """What is learnt after a prediction is asked for is no feature."""
    for model in project.models:
        for feature, column, owner in _read(model):
            itself = column is feature.column
            if column.origin == model.target.column.origin:
                yield (
                    f"'{column.name}' is what model '{model.name}' predicts, and "
                    + ("one of its features" if itself else f"an input of '{feature.owner.name}'"),
                    feature.origin,
                    "take it out of `features`"
                    if feature.owner is model.target.source
                    else f"take it out of view '{feature.owner.name}'",
                    (Note("it is the target here", model.target.origin),),
                )
            elif column.known_after is not None and not isinstance(owner, View):  # see R105
                yield (
                    f"'{column.name}' is learnt later and cannot be "
                    + ("a feature" if itself else f"an input of '{feature.owner.name}', a feature")
                    + f" of '{model.name}'",
                    feature.origin,
                    "take it out: when a prediction is asked for, nobody knows it yet",
                    (Note("it is known later", column.at("known_after")),),
                )


def _read(model: Model) -> Iterator[tuple[Feature, Column, View | Source | OnDemandView]]:
    """What a model learns from and who has it: features, and what functions compute them from."""
    functions = set()
    for feature in model.features:
        if not isinstance(feature.owner, OnDemandView):
            yield feature, feature.column, feature.owner
        elif feature.owner.name not in functions:
            functions.add(feature.owner.name)
            yield from ((feature, given.column, given.owner) for given in feature.owner.inputs)


@rule("R202")
def personal_features_need_a_basis(project: Project) -> Iterator[Hit]:
    """Personal data is a feature only on a lawful basis (GDPR, Article 6)."""
    for model in project.models:
        if model.governance.lawful_basis is not None:
            continue
        for feature, column, _ in _read(model):
            if column.personal:
                through = "" if column is feature.column else f", through '{feature.owner.name}'"
                yield (
                    f"'{column.name}' is personal data, and model '{model.name}' has no lawful basis to use it{through}",
                    feature.origin,
                    "take it out, or add `governance: {lawful_basis: …}` to the model",
                    (Note("it is marked personal", column.at("personal")),),
                )


@rule("R203")
def task_fits_the_target(project: Project) -> Iterator[Hit]:
    """A target has the type that its task predicts."""
    for model in project.models:
        column = model.target.column
        if model.task in ("regression", "forecasting") and column.type in ("string", "bool"):
            yield (
                f"'{model.name}' is {model.task}, which predicts numbers, and '{column.name}' is {column.type}",
                model.at("task"),
                "write `task: classification`, or choose a target that is a number",
                (Note("its type stands here", column.at("type")),),
            )
        elif column.type == "timestamp" and model.task != "custom":
            yield (
                f"'{column.name}' is a timestamp, which nothing here predicts",
                model.target.origin,
                "predict a number, such as the hours until then, or write `task: custom`",
                (Note("its type stands here", column.at("type")),),
            )
        elif model.task == "ranking" and not model.target.source.keys:
            yield (
                f"'{model.name}' ranks, and nothing says which rows of '{model.target.source.name}' make one list",
                model.target.origin,
                "add `key: NAME` to the column that says whose list a row is in",
            )


_OURS = "it holds the version that scored a row"


@rule("R204")
def names_do_not_meet(project: Project) -> Iterator[Hit]:
    """The prediction's column has a name of its own."""
    for model in project.models:
        source = model.target.source
        for column in chain(
            (f.column for f in model.features), source.keys, (model.target.column,)
        ):
            if column.name == model.prediction:
                yield (
                    f"'{model.prediction}' is the column of predictions of '{model.name}', and one that it reads",
                    model.at("prediction"),
                    "choose another name with `prediction`",
                    (Note("the other one stands here", column.origin, on_key=True),),
                )
                break
        else:
            if model.prediction in (source.timestamp, VERSION):
                other = _OURS if model.prediction == VERSION else "it is the time of the examples"
                yield (
                    f"'{model.prediction}' cannot be the column of predictions: {other}",
                    model.at("prediction"),
                    "choose another name with `prediction`",
                )
        for feature in model.features if model.batch else ():
            if feature.name == VERSION:
                yield (
                    f"'{VERSION}' cannot be a feature of '{model.name}', whose scores are written: {_OURS}",
                    feature.origin,
                    "rename the column",
                )


@rule("R205")
def splits_leave_something_to_learn(project: Project) -> Iterator[Hit]:
    """Validation and test hold examples, and leave some to train on."""
    for model in project.models:
        training = model.training
        if training is None:
            continue
        split, delay = training.split, model.target.column.known_after or 0
        held_out = split.validation + split.test
        for key, part in (("validation", split.validation), ("test", split.test)):
            if part == 0:
                yield (
                    f"the {key} split of '{model.name}' has no examples",
                    split.at(key),
                    "write a duration such as `30d`, or a percentage above 0%",
                )
        if split.by == "key" and held_out >= 1:
            yield (
                f"validation and test take {held_out:.0%} of the examples of '{model.name}'",
                Key(split.origin),
                "leave some to train on",
            )
        if training.window is not None and training.window <= delay:
            yield (
                f"no example of the last {duration_text(training.window)} has a label: "
                f"'{model.target.column.name}' is known after {duration_text(delay)}",
                training.at("window"),
                f"make the window longer than {duration_text(delay)}",
                (Note("it is known later", model.target.column.at("known_after")),),
            )
        elif (
            split.by == "time"
            and training.window is not None
            and held_out >= training.window - delay
        ):
            known = (
                ""
                if not delay
                else f", of which the last {duration_text(delay)} have no labels yet"
            )
            yield (
                f"validation and test take the whole window of '{model.name}'{known}",
                training.at("window"),
                f"make it longer than {duration_text(int(held_out) + delay)}, or the splits shorter",
                (Note("the splits stand here", split.origin, on_key=True),),
            )


@rule("R206")
def bounds_can_be_kept(project: Project) -> Iterator[Hit]:
    """A bound is one that something can satisfy."""
    for bound in _bounds(project):
        low, high = bound.minimum, bound.maximum
        if low is not None and high is not None and low > high:
            yield (
                f"nothing satisfies '{bound.name}': min {spelled(low)} is above max {spelled(high)}",
                bound.at("min"),
                "exchange them",
            )
    for model in project.models:
        for bound in _own_metrics(model):
            yield from _impossible(model.task, bound)
        for bound in _between_groups(model):
            yield from _impossible_between_groups(bound)


def _impossible(task: Task, bound: Bound) -> Iterator[Hit]:
    """Bounds outside of what a metric can be: a share above 1, an error below 0."""
    name = metrics.ALIASES.get(bound.name, bound.name)
    if name in _SHARES[task] and bound.minimum is not None and bound.minimum > 1:
        yield (
            f"'{bound.name}' is at most 1, so no version reaches {spelled(bound.minimum)}",
            bound.at("min"),
            f"write {spelled(bound.minimum)}% or {spelled(bound.minimum / 100)}"
            if bound.minimum <= 100  # noqa: PLR2004 - percent
            else "write a number from 0 to 1",
        )
    if name in _NEVER_NEGATIVE[task] and bound.maximum is not None and bound.maximum < 0:
        yield (
            f"'{bound.name}' is never below 0, so no version reaches {spelled(bound.maximum)}",
            bound.at("max"),
            "write a number above 0",
        )


def _impossible_between_groups(bound: Bound) -> Iterator[Hit]:
    """A ratio is the smallest through the largest, a difference the largest less the smallest."""
    low, high = bound.minimum, bound.maximum
    if bound.name.endswith(_RATIO) and low is not None and low > 1:
        yield (
            f"'{bound.name}' is at most 1, so no version reaches {spelled(low)}",
            bound.at("min"),
            "write a number from 0 to 1",
        )
    if bound.name.endswith(_DIFFERENCE) and high is not None and high < 0:
        yield (
            f"'{bound.name}' is never below 0, so no version reaches {spelled(high)}",
            bound.at("max"),
            "write a number above 0",
        )


_RATIO, _DIFFERENCE = "_ratio", "_difference"
_RATES = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "mcc",
    "auc",
    "average_precision",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
)
_ERRORS = ("mae", "mse", "rmse", "median_ae", "max_error", "mape", "smape", "wape")
_SHARES: dict[Task, tuple[str, ...]] = {
    "classification": _RATES,
    "regression": ("r2",),
    "forecasting": ("r2",),
    "ranking": ("mrr",),
    "custom": (),
}
_NEVER_NEGATIVE: dict[Task, tuple[str, ...]] = {
    "classification": (*(rate for rate in _RATES if rate != "mcc"), "log_loss", "brier"),
    "regression": _ERRORS,
    "forecasting": _ERRORS,
    "ranking": ("mrr",),
    "custom": (),
}


@rule("R207")
def metrics_fit_the_task(project: Project) -> Iterator[Hit]:
    """A metric known from another task is a mistake; an unknown one is the user's own."""
    for model in project.models:
        if model.task == "custom":
            continue  # everything comes from its own metrics.json, whatever it is called
        for bound in _own_metrics(model):
            elsewhere = metrics.tasks_of(bound.name)
            if elsewhere and not metrics.known(model.task, bound.name):
                yield (
                    f"'{bound.name}' is a metric of {' and '.join(elsewhere)}, and '{model.name}' is {model.task}",
                    Key(bound.origin),
                    f"choose one of {_names_of(model.task)}",
                )


def _names_of(task: Task) -> str:
    """The metrics we compute for a task, for a person."""
    lists = ("ndcg_at_K", "map_at_K", "precision_at_K", "recall_at_K") if task == "ranking" else ()
    return ", ".join((*metrics.METRICS[task], *lists))


@rule("R208")
def gate_judges_what_is_trained(project: Project) -> Iterator[Hit]:
    """The gate reads what training leaves, and measures of fairness that it knows."""
    for model in project.models:
        if model.evaluation is None:
            continue
        if model.training is None:
            yield (
                f"'{model.name}' is not trained here, so there is nothing for its gate to judge",
                Key(model.evaluation.origin),
                "take `evaluation` out, or add `training`",
            )
        for fairness in model.evaluation.fairness:
            for bound in fairness.bounds:
                if not metrics.fairness_known(model.task, bound.name):
                    yield (
                        f"'{bound.name}' is no measure of fairness for {model.task}",
                        Key(bound.origin),
                        _measures(model.task),
                    )


def _measures(task: Task) -> str:
    if task == "classification":
        return "write METRIC_difference or METRIC_ratio, such as demographic_parity_difference"
    first = next(iter(metrics.METRICS[task]), None)
    if first is None:
        return f"take `fairness` out: no metric is computed for {task}"
    return f"write METRIC_difference or METRIC_ratio, such as {first}_ratio"


@rule("R209")
def versions_are_remembered(project: Project) -> Iterator[Hit]:
    """What compares, keeps or looks up a version has a registry that remembers it."""
    if project.services.mlflow is None:
        yield from missing(
            _asking_for_versions(project),
            "no registry remembers versions",
            "add `services: {mlflow: {url: …}}`",
        )


def _asking_for_versions(project: Project) -> Iterator[Need]:
    for model in project.models:
        metrics_of = model.evaluation.metrics if model.evaluation else ()
        for bound in (*metrics_of, *_between_groups(model)):
            if bound.max_worse is not None:
                yield Need(
                    f"'{bound.name}' of '{model.name}' is compared with the version in production",
                    bound.at("max_worse"),
                )
        if model.batch is not None:
            yield Need(
                f"'{model.name}' scores a table with the version that runs", Key(model.batch.origin)
            )
        watched = model.monitoring
        if watched is None:
            continue
        if watched.reference is None and model.training is not None:
            yield Need(
                f"'{model.name}' is compared with the training data kept with its version",
                Key(watched.origin),
            )
        elif watched.performance and all(
            column.name != model.prediction for column in watched.current.columns
        ):
            yield Need(
                f"'{watched.current.name}' has no column '{model.prediction}', so the version that runs is asked",
                watched.at("current"),
            )
        if "retrain" in watched.respond.values():
            yield Need(
                f"'{model.name}' is retrained at most once in a while", Key(watched.at("respond"))
            )


@rule("R210")
def high_risk_is_governed(project: Project) -> Iterator[Hit]:
    """A high-risk model has a gate, an approval, an owner and a stated use (EU AI Act, Articles 9 to 15)."""
    for model in project.models:
        governance = model.governance
        if governance.risk != "high":
            continue
        for holds, what, help_ in (
            (
                model.owner is not None,
                "nobody owns it",
                "add `owner:` to the model or to the project",
            ),
            (
                model.training is None or model.evaluation is not None,
                "it has no gate",
                "add `evaluation:` to the model",
            ),
            (
                governance.approvals > 0,
                "nobody has to approve a version",
                "add `approvals: 1` or more to `governance`",
            ),
            (
                bool(governance.use_for),
                "its intended use is not stated",
                "add `use: {for: […], not_for: […]}` to `governance`",
            ),
            (
                (model.serving is None and model.batch is None) or model.monitoring is not None,
                "nobody watches it",
                "add `monitoring:` to the model",
            ),
        ):
            if not holds:
                yield (
                    f"model '{model.name}' is of high risk, and {what}",
                    governance.at("risk"),
                    help_,
                )


@rule("R211")
def worse_has_a_direction(project: Project) -> Iterator[Hit]:
    """`max_worse` is of a metric with a better end."""
    for model in project.models:
        for bound in model.evaluation.metrics if model.evaluation else ():
            if bound.max_worse is None or _better(model.task, bound) is not None:
                continue
            if (bound.minimum is None) == (bound.maximum is None) or metrics.known(
                model.task, bound.name
            ):
                yield (
                    f"nothing says which way '{bound.name}' of '{model.name}' is worse",
                    bound.at("max_worse"),
                    "take `max_worse` out: neither end of it is better"
                    if metrics.known(model.task, bound.name)
                    else "add `min` if more is better, or `max` if less is",
                )


def _better(task: Task, bound: Bound) -> bool | None:
    """Whether more is better; None: neither end is, or it is not our metric."""
    name = metrics.ALIASES.get(bound.name, bound.name)
    if task == "ranking" and metrics.known(task, name):
        return True
    return metrics.METRICS[task].get(name)


@rule("R212", "warning")
def bounds_stand_on_the_worse_side(project: Project) -> Iterator[Hit]:
    """A bound stands on the side of a metric that is worse."""
    for model in project.models:
        for bound in _own_metrics(model):
            yield from _wrong_side(bound, more_is_better=_better(model.task, bound))
        for bound in _between_groups(model):
            # 1 is an equal ratio and 0 an equal difference, whatever the metric.
            yield from _wrong_side(bound, more_is_better=bound.name.endswith(_RATIO))


def _wrong_side(bound: Bound, *, more_is_better: bool | None) -> Iterator[Hit]:
    if more_is_better is True and bound.minimum is None and bound.maximum is not None:
        yield (
            f"'{bound.name}' is better when it is large, and `max` lets only small ones pass",
            bound.at("max"),
            f"write `min: {spelled(bound.maximum)}`",
        )
    if more_is_better is False and bound.maximum is None and bound.minimum is not None:
        yield (
            f"'{bound.name}' is better when it is small, and `min` lets only large ones pass",
            bound.at("min"),
            f"write `max: {spelled(bound.minimum)}`",
        )


@rule("R213", "warning")
def gate_bounds_something(project: Project) -> Iterator[Hit]:
    """A gate bounds something, or every version passes."""
    for model in project.models:
        gate = model.evaluation
        if gate is not None and not gate.metrics and not gate.fairness:
            yield (
                f"every version of '{model.name}' passes its gate: it bounds nothing",
                Key(gate.origin),
                "add `metrics: {METRIC: {min: …}}`",
            )


@rule("R214", "info")
def metrics_of_ones_own(project: Project) -> Iterator[Hit]:
    """A metric that nearly has a known name may be meant to be it."""
    for model in project.models:
        for bound in model.evaluation.metrics if model.evaluation else ():
            if metrics.tasks_of(bound.name):
                continue
            from difflib import get_close_matches  # only where there is a metric of one's own

            near = get_close_matches(bound.name, metrics.METRICS[model.task], n=1, cutoff=0.75)
            if near:
                yield (
                    f"'{bound.name}' is no metric we compute: '{model.name}' must write it to metrics.json",
                    Key(bound.origin),
                    f"did you mean '{near[0]}'?",
                )


@rule("R215")
def groups_have_members(project: Project) -> Iterator[Hit]:
    """Slices and fairness compare groups of some size, not single values."""
    for model in project.models:
        gate = model.evaluation
        if gate is None:
            continue
        asked: list[tuple[Column, Path | Key]] = [
            (column, gate.at("slices", n)) for n, column in enumerate(gate.slices)
        ]
        asked += [(fairness.column, Key(fairness.origin)) for fairness in gate.fairness]
        for column, at in asked:
            why = _too_many_values(column)
            if why is not None:
                yield (
                    f"'{column.name}' {why}, so no group of it is large enough to judge",
                    at,
                    "choose a column of few values, or add one that says which range a row is in",
                    (Note("it is described here", column.origin, on_key=True),),
                )


def _too_many_values(column: Column) -> str | None:
    if column.unique:
        return "is unique"
    if column.type in ("float32", "float64", "timestamp") and not column.one_of:
        return f"is {column.type}"
    return None


def _own_metrics(model: Model) -> Iterator[Bound]:
    """Bounds on metrics of the model itself."""
    if model.evaluation:
        yield from model.evaluation.metrics
    if model.monitoring:
        yield from model.monitoring.performance


def _between_groups(model: Model) -> Iterator[Bound]:
    """Bounds on how far apart groups are."""
    for fairness in model.evaluation.fairness if model.evaluation else ():
        yield from fairness.bounds


def _bounds(project: Project) -> Iterator[Bound]:
    for model in project.models:
        yield from _own_metrics(model)
        yield from _between_groups(model)
        if model.monitoring:
            yield from (item.bound for item in model.monitoring.business)
    yield from (item.bound for item in project.alerts.rules)
