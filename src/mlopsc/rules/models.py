"""Rules about what a model learns from, and about the gate it has to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project import metrics
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Bound, Project


@rule("R201")
def no_feature_from_the_future(project: Project) -> Iterator[Hit]:
    """What is learnt after a prediction is asked for is no feature."""
    for model in project.models:
        for feature in model.features:
            if feature.owner is model.target.source and feature.name == model.target.column.name:
                yield (
                    f"'{feature.name}' is what model '{model.name}' predicts, and one of its features",
                    feature.origin,
                    "take it out of `features`",
                    (Note("it is the target here", model.target.origin),),
                )
            elif feature.column.known_after is not None:
                yield (
                    f"'{feature.name}' is learnt later and cannot be a feature of '{model.name}'",
                    feature.origin,
                    "take it out: when a prediction is asked for, nobody knows it yet",
                    (Note("it is known later", feature.column.at("known_after")),),
                )


@rule("R202")
def personal_features_need_a_basis(project: Project) -> Iterator[Hit]:
    """Personal data is a feature only on a lawful basis (GDPR, Article 6)."""
    for model in project.models:
        if model.governance.lawful_basis is not None:
            continue
        for feature in model.features:
            if feature.column.personal:
                yield (
                    f"'{feature.name}' is personal data, and model '{model.name}' has no lawful basis to use it",
                    feature.origin,
                    "take it out, or add `governance: {lawful_basis: …}` to the model",
                    (Note("it is marked personal", feature.column.at("personal")),),
                )


@rule("R203")
def has_features(project: Project) -> Iterator[Hit]:
    """A model learns from something."""
    for model in project.models:
        if not model.features:
            yield (
                f"model '{model.name}' has no features",
                model.at("features"),
                "name a view, or fields of one",
            )


@rule("R204")
def examples_are_at_rest(project: Project) -> Iterator[Hit]:
    """Examples are read from a table."""
    for model in project.models:
        if model.training is not None and model.target.source.kind is None:
            yield (
                f"the examples of '{model.name}' are in '{model.target.source.name}', which has no table at rest",
                model.target.origin,
                "say where its rows lie (`parquet:`, `bigquery:` …)",
            )


@rule("R205")
def splits_leave_something_to_learn(project: Project) -> Iterator[Hit]:
    """Validation and test leave examples to train on."""
    for model in project.models:
        training = model.training
        if training is None:
            continue
        split, source = training.split, model.target.source
        held_out = split.validation + split.test
        if split.by == "key" and held_out >= 1:
            yield (
                f"validation and test take {held_out:.0%} of the examples of '{model.name}'",
                split.origin,
                "leave some to train on",
            )
        if split.by == "time" and source.timestamp is None:
            yield (
                f"the examples of '{model.name}' are split by time and do not say when they are from",
                split.origin,
                f"add `timestamp: COLUMN` to source '{source.name}', or split by percentages",
            )
        if split.by == "time" and training.window is not None and held_out >= training.window:
            yield (
                f"validation and test take the whole window of '{model.name}'",
                split.origin,
                "make the window longer, or the splits shorter",
                (Note("the window is here", training.at("window")),),
            )
        if training.window is not None and source.timestamp is None:
            yield (
                f"the examples of '{model.name}' are cut to a window and do not say when they are from",
                training.at("window"),
                f"add `timestamp: COLUMN` to source '{source.name}'",
            )
        if model.target.column.known_after is not None and source.timestamp is None:
            yield (
                f"'{model.target.column.name}' is known later, and the examples do not say when they are from",
                model.target.column.at("known_after"),
                f"add `timestamp: COLUMN` to source '{source.name}'",
            )


@rule("R206")
def bounds_bound_something(project: Project) -> Iterator[Hit]:
    """A bound says what would be wrong, and something can satisfy it."""
    for bound in _bounds(project):
        if bound.minimum is None and bound.maximum is None and bound.max_worse is None:
            yield (
                f"'{bound.name}' has no bound",
                bound.origin,
                "add `min`, `max` or, for a metric of the gate, `max_worse`",
            )
        if (
            bound.minimum is not None
            and bound.maximum is not None
            and bound.minimum > bound.maximum
        ):
            yield (
                f"nothing satisfies '{bound.name}': min {bound.minimum:g} is above max {bound.maximum:g}",
                bound.at("min"),
                "exchange them",
            )


@rule("R207")
def metrics_fit_the_task(project: Project) -> Iterator[Hit]:
    """A metric known from another task is a mistake; an unknown one is the user's own."""
    for model in project.models:
        named = [
            *(model.evaluation.metrics if model.evaluation else ()),
            *(model.monitoring.performance if model.monitoring else ()),
        ]
        for bound in named:
            elsewhere = metrics.tasks_of(bound.name)
            if elsewhere and not metrics.known(model.task, bound.name):
                yield (
                    f"'{bound.name}' is a metric of {' and '.join(elsewhere)}, and '{model.name}' is {model.task}",
                    bound.origin,
                    f"choose one of {', '.join(metrics.METRICS[model.task]) or 'your own metrics.json'}",
                )


@rule("R208")
def gate_judges_what_is_trained(project: Project) -> Iterator[Hit]:
    """The gate reads what training leaves."""
    for model in project.models:
        if model.evaluation is not None and model.training is None:
            yield (
                f"'{model.name}' is not trained here, so there is nothing for its gate to judge",
                model.evaluation.origin,
                "take `evaluation` out, or add `training`",
            )
        for fairness in model.evaluation.fairness if model.evaluation else ():
            for bound in fairness.bounds:
                if not metrics.fairness_known(model.task, bound.name):
                    yield (
                        f"'{bound.name}' is no measure of fairness for {model.task}",
                        bound.origin,
                        "write METRIC_difference or METRIC_ratio, such as demographic_parity_difference",
                    )


@rule("R209")
def comparisons_have_a_registry(project: Project) -> Iterator[Hit]:
    """`max_worse` compares with the version in production, which a registry remembers."""
    if project.services.mlflow is not None:
        return
    for model in project.models:
        for bound in model.evaluation.metrics if model.evaluation else ():
            if bound.max_worse is not None:
                yield (
                    f"'{bound.name}' of '{model.name}' is compared with the version in production, "
                    "and no registry remembers one",
                    bound.at("max_worse"),
                    "add `services: {mlflow: {url: …}}`, or take `max_worse` out",
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
                model.serving is None or model.monitoring is not None,
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


def _bounds(project: Project) -> Iterator[Bound]:
    for model in project.models:
        if model.evaluation:
            yield from model.evaluation.metrics
            for fairness in model.evaluation.fairness:
                yield from fairness.bounds
        if model.monitoring:
            yield from model.monitoring.performance
            yield from (item.bound for item in model.monitoring.business)
    yield from (item.bound for item in project.alerts.rules)
