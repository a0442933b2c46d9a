"""The programs of a compiled system, the packages they need, and their facts: what they know of this project.

The programs are constant text. Everything about the project stands in JSON beside them, in the shape that
`mlops/facts.py` reads and `docs/targets/programs.md` describes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from mlopsc.artifacts.draft import Body, CopyDraft, JsonDraft, TextDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision, spec_text
from mlopsc.project.drift import MIN_ROWS, predictions_of, watched_columns
from mlopsc.project.environments import ByEnvironment, each, settled
from mlopsc.project.expectations import FRESHNESS_PARAMETER, checkpoint_name, validated
from mlopsc.project.model import OnDemandView, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mlopsc.artifacts.draft import Draft
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import (
        Bound,
        Column,
        Environment,
        Evaluation,
        Feature,
        Model,
        Monitoring,
        Project,
        Services,
        Split,
        Training,
    )

name: Final = "programs"

DECISIONS: Final[dict[str, str]] = {
    "programs_constant": (
        "the same text in every project, all of it: a spec that grows needs no new program, and a"
        " change here is a change of mlopsc"
    ),
    "programs_requirements": (
        "the versions these programs are tested with; what the models themselves need too (pandas,"
        " scikit-learn) is only bounded"
    ),
    "programs_slice_rows": (
        "100 rows: the standard error of a share is then at most 5 points; smaller groups say nothing"
    ),
    "programs_drift_rows": (
        "500 rows: below, PSI of two samples of one distribution is close to its usual threshold"
    ),
    "programs_budget": (
        "4 responses a month: after that, training again does not help, and somebody should look"
    ),
    "programs_label_tolerance": (
        "an answer and the example it was about are at most a day apart, and of one key"
    ),
    "programs_reference": "the version's own training data, kept with it in the registry",
    "programs_champion": "without a line in `versions`, the registry's alias says which version runs",
}

FORMAT: Final = 1
SLICE_ROWS: Final = 100
MONTHLY_BUDGET: Final = 4
LABEL_TOLERANCE: Final = 24 * 60 * 60  # seconds
_FILE_KINDS: Final = ("parquet", "csv")
_OF_KIND: Final = {
    "duckdb": ("duckdb==2.0.0", "duckdb-engine==0.17.0"),
    "postgres": ("sqlalchemy>=2.1,<3", "psycopg[binary]==3.3.9"),
    "snowflake": ("snowflake-sqlalchemy==1.11.1",),
    "redshift": ("sqlalchemy-redshift==1.0.0", "redshift-connector==2.2.0"),
    "bigquery": ("google-cloud-bigquery[pandas]==3.47.0", "sqlalchemy-bigquery==1.17.3"),
    "spark": ("pyspark[connect]==4.3.0",),
}
"""Source kind → what our readers and Great Expectations' import for it."""
_OF_SCHEME: Final = {
    "gs": ("google-cloud-storage>=2.18", "gcsfs>=2024.6"),
    "s3": ("boto3>=1.34", "s3fs>=2024.6"),
}
"""Files in the cloud: Great Expectations lists the bucket and reads through pandas."""
_FEAST_EXTRAS: Final = {
    "bigquery": "gcp",
    "gs": "gcp",
    "redshift": "aws",
    "s3": "aws",
    "dynamodb": "aws",
    "snowflake": "snowflake",
    "postgres": "postgres",
    "redis": "redis",
    "spark": "spark",
}
_VERSION_COLUMN: Final = "version"

Fields = dict[str, Body]
Named = TypeVar("Named", "Model", "Source")


def emit(project: Project) -> Iterator[Draft]:
    """Programs, requirements, and a facts file for each model and each table."""
    constant = decision("programs_constant")
    for file in conventions.PROGRAM_FILES:
        yield CopyDraft(f"{conventions.PROGRAMS}/{file}", constant, f"programs/{file}")
    yield TextDraft(
        conventions.PROGRAM_REQUIREMENTS,
        decision("programs_requirements"),
        "programs/requirements.txt.j2",
        {"packages": tuple(_packages(project))},
    )
    everywhere = ByEnvironment(project)
    for model in project.models:
        body = _model(project, model, everywhere.model(model.name))
        yield JsonDraft(conventions.model_facts(model.name), model.origin, body)
    readers = _readers(project)
    for source in project.sources:
        if source.kind is not None:
            path = conventions.source_facts(source.name)
            there = everywhere.source(source.name)
            yield JsonDraft(path, source.origin, _source(project, source, there, readers))


Readers = dict[str, dict[str, list[Body]]]
"""Environment → source → the models that read it there."""


def _readers(project: Project) -> Readers:
    made: dict[int, dict[str, list[Body]]] = {}
    for environment in project.environments:
        if id(environment.models) in made:
            continue
        found = made[id(environment.models)] = {}
        for model in environment.models:
            for source in model.reads:
                found.setdefault(source.name, []).append(traced(model.name, model.origin))
    return {one.name: made[id(one.models)] for one in project.environments}


# --- packages -----------------------------------------------------------------------------------


def _packages(project: Project) -> Iterator[tuple[str, Path]]:
    """What the programs of this project import, and the spec path that brings each in."""
    sources = _everything(project, lambda environment: environment.sources)
    if validated(tuple(sources)):
        yield "great-expectations==1.24.1", ("platform", "data_validation")
    asking = _asks_for_features(project)
    if asking is not None:
        extras = ",".join(sorted(_feast_extras(project)))
        yield f"feast{f'[{extras}]' if extras else ''}==0.67.0", asking
    tracking = _tracking(project)
    if tracking is not None:
        yield "mlflow==3.17.2", tracking.at("mlflow")
    models = _everything(project, lambda environment: environment.models)
    monitored = next((m.monitoring for m in models if m.monitoring is not None), None)
    if monitored is not None:
        yield "evidently==0.7.23", monitored.origin
    services = [environment.services for environment in reversed(project.environments)]
    pushing = next((found for found in services if found.pushgateway is not None), None)
    if pushing is not None:
        yield "prometheus-client==0.24.1", pushing.at("pushgateway")
    for package, source in _store_packages(sources).items():
        yield package, source.at(source.kind or "")


def _everything(project: Project, of: Callable[[Environment], tuple[Named, ...]]) -> list[Named]:
    """The items of all environments, those of the last one first, where several say the same."""
    chapters = {id(items): items for items in map(of, reversed(project.environments))}
    return [item for items in chapters.values() for item in items]


def _tracking(project: Project) -> Services | None:
    """The services of an environment that has MLflow; the last one's where several have."""
    services = (environment.services for environment in reversed(project.environments))
    return next((found for found in services if found.mlflow is not None), None)


def _store_packages(sources: Iterable[Source]) -> dict[str, Source]:
    """What reads the stores: package → the first source that needs it."""
    found: dict[str, Source] = {}
    for source in sources:
        scheme = (source.location or "").partition("://")[0]
        for package in (*_OF_KIND.get(source.kind or "", ()), *_OF_SCHEME.get(scheme, ())):
            found.setdefault(package, source)
    return found


def _asks_for_features(project: Project) -> Path | None:
    """What brings Feast in: the features of a model, or a view that somebody else reads."""
    looking_up = next((m for m in project.models if m.uses_feature_store), None)
    if looking_up is not None:
        return looking_up.at("features")
    views = (*project.views, *project.on_demand_views)
    return views[0].origin if views else None


def _feast_extras(project: Project) -> set[str]:
    """Feast imports the class of a store when it reads its settings, whether it is used or not."""
    asked: list[str] = [view.source.kind or "" for view in project.views]
    for environment in project.environments:
        feast = environment.services.feast
        if feast is not None:
            asked += [feast.online_store, (feast.registry or "").partition("://")[0]]
    return {_FEAST_EXTRAS[word] for word in asked if word in _FEAST_EXTRAS}


# --- models -----------------------------------------------------------------------------------


def _model(project: Project, model: Model, there: Mapping[str, Model]) -> Fields:
    monitoring, monitored = settled(each(there, _monitored))
    respond, responding = settled(each(there, _responding))
    body: Fields = {
        "format": FORMAT,
        "project": traced(project.name, project.at("project")),
        "model": model.name,
        "spec": spec_text(model.origin),
        "task": traced(model.task, model.at("task")),
        "prediction": traced(model.prediction, model.at("prediction")),
        "examples": traced(_examples(model), model.target.origin),
        "features": _features(model),
    }
    if model.training is not None:
        body["training"] = traced(_training(model.training), model.training.origin)
    if model.evaluation is not None:
        against = [one for one in project.environments if one.name in there][-1]
        evaluation = _evaluation(against, model, model.evaluation)
        body["evaluation"] = traced(evaluation, model.evaluation.origin)
    tracking = _tracking(project)
    if tracking is not None and model.platform.model_registry == "mlflow":
        registry: Body = {"kind": "mlflow", "name": model.name, "experiment": project.name}
        body["registry"] = traced(registry, tracking.at("mlflow"))
    if model.batch is not None:
        batch: Body = {
            "from": traced(model.batch.source.name, model.batch.at("from")),
            "to": traced(model.batch.destination.name, model.batch.at("to")),
            "spec": spec_text(model.batch.origin),
        }
        body["batch"] = traced(batch, model.batch.origin)
    if monitoring is not None:
        body["monitoring"] = monitoring
    if respond is not None:
        body["respond"] = respond
    body["environments"] = {
        environment.name: {
            **_running(environment, model),
            **_only({"monitoring": monitored.get(environment.name)}),
            **_only({"respond": responding.get(environment.name)}),
        }
        for environment in project.environments
        if environment.name in there
    }
    return body


def _only(fields: Fields) -> Fields:
    """The fields that say something."""
    return {key: value for key, value in fields.items() if value is not None}


def _column(column: Column, origin: Path | None = None, column_name: str | None = None) -> Body:
    """A column's facts; `origin`: the line that asks for it, its own without one."""
    body: Fields = {
        "name": column_name or column.name,
        "type": traced(column.type, column.typed_at),
        "spec": spec_text(origin or column.origin),
    }
    if column.personal:
        body["personal"] = traced(True, column.at("personal"))
    return traced(body, origin or column.origin)


def _examples(model: Model) -> Fields:
    source, column = model.target.source, model.target.column
    at = model.target.origin
    label: Fields = {"name": column.name, "type": traced(column.type, column.typed_at)}
    if column.known_after is not None:
        label["known_after_seconds"] = traced(column.known_after, column.at("known_after"))
    label["spec"] = spec_text(at)
    body: Fields = {"source": source.name}
    if source.timestamp is not None:
        body["timestamp"] = traced(source.timestamp, source.at("timestamp"))
    body["keys"] = [_column(key) for key in source.keys if key.name != column.name]
    body["label"] = label
    body["spec"] = spec_text(at)
    return body


def _features(model: Model) -> Body:
    own = [feature for feature in model.features if isinstance(feature.owner, Source)]
    joined = [feature for feature in model.features if not isinstance(feature.owner, Source)]
    body: Fields = {"own": _inputs(own), "joined": _inputs(joined)}
    if joined:
        body["service"] = traced(model.name, model.at("features"))
        body["repository"] = conventions.FEATURE_REPO
    body["views"] = [
        traced(
            {
                "name": view.name,
                "source": traced(view.source.name, view.at("source")),
                "keys": [entity.column for entity in view.entities],
                "materialize": traced(view.materialize is not None, view.at("materialize")),
                "spec": spec_text(view.origin),
            },
            view.origin,
        )
        for view in model.views
    ]
    body["request"] = [
        traced(column, origin) for column, origin in _request(model.on_demand_views).items()
    ]
    return traced(body, model.at("features"))


def _inputs(features: list[Feature]) -> list[Body]:
    return [_column(feature.column, feature.origin, feature.name) for feature in features]


def _request(views: Iterable[OnDemandView]) -> dict[str, Path]:
    """Columns of the examples that on-demand views read: the caller sends them."""
    return {
        given.column.name: given.origin
        for view in views
        for given in view.inputs
        if isinstance(given.owner, Source)
    }


def _training(training: Training) -> Fields:
    body: Fields = {"environment": traced(training.environment, training.at("environment"))}
    if training.window is not None:
        body["window_seconds"] = traced(training.window, training.at("window"))
    body["split"] = traced(_split(training.split), training.split.origin)
    body["seed"] = traced(training.seed, training.at("seed"))
    body["spec"] = spec_text(training.origin)
    return body


def _split(split: Split) -> Fields:
    def part(value: float) -> Body:
        return {"seconds": int(value)} if split.by == "time" else {"share": float(value)}

    return {
        "validation": traced(part(split.validation), split.at("validation")),
        "test": traced(part(split.test), split.at("test")),
        "spec": spec_text(split.origin),
    }


def _evaluation(against: Environment, model: Model, evaluation: Evaluation) -> Fields:
    groups = [key.name for key in model.target.source.keys[:1]] if model.task == "ranking" else []
    fairness: list[Body] = [
        traced({"column": one.column.name, **_bound(bound)}, bound.origin)
        for one in evaluation.fairness
        for bound in one.bounds
    ]
    slices: list[Body] = [
        traced(
            {"column": column.name, "spec": spec_text(evaluation.at("slices", position))},
            evaluation.at("slices", position),
        )
        for position, column in enumerate(evaluation.slices)
    ]
    return {
        "against": traced(against.name, against.origin),
        "metrics": [traced(_bound(bound), bound.origin) for bound in evaluation.metrics],
        "slices": slices,
        "fairness": fairness,
        "columns": [_column(c, at) for c, at in _only_for_the_gate(model, evaluation).values()],
        "groups": groups,
        "min_slice_rows": traced(SLICE_ROWS, decision("programs_slice_rows")),
        "spec": spec_text(evaluation.origin),
    }


def _only_for_the_gate(model: Model, evaluation: Evaluation) -> dict[str, tuple[Column, Path]]:
    """Columns of slices and fairness that training does not see, and the line that asks for each."""
    asked: dict[str, tuple[Column, Path]] = {}
    for position, column in enumerate(evaluation.slices):
        asked.setdefault(column.name, (column, evaluation.at("slices", position)))
    for one in evaluation.fairness:
        asked.setdefault(one.column.name, (one.column, one.origin))
    seen = {feature.name for feature in model.features}
    seen |= {key.name for key in model.target.source.keys} | {model.target.column.name}
    return {name: found for name, found in asked.items() if name not in seen}


def _bound(bound: Bound) -> Fields:
    body: Fields = {"name": bound.name}
    limits = {"min": bound.minimum, "max": bound.maximum, "max_worse": bound.max_worse}
    body.update(
        (key, traced(float(limit), bound.at(key)))
        for key, limit in limits.items()
        if limit is not None
    )
    body["severity"] = traced(bound.severity, bound.at("severity"))
    body["spec"] = spec_text(bound.origin)
    return body


def _monitored(model: Model) -> Body:
    monitoring = model.monitoring
    return None if monitoring is None else traced(_monitoring(model, monitoring), monitoring.origin)


def _responding(model: Model) -> Body:
    monitoring = model.monitoring
    if monitoring is None or monitoring.cooldown is None:
        return None
    if "retrain" not in monitoring.respond.values():
        return None
    return _respond(monitoring, monitoring.cooldown)


def _monitoring(model: Model, monitoring: Monitoring) -> Fields:
    reference: Body = traced({"training": True}, decision("programs_reference"))
    if monitoring.reference is not None:
        reference = {"source": monitoring.reference.name}
    body: Fields = {
        "current": traced(monitoring.current.name, monitoring.at("current")),
        "reference": traced(reference, monitoring.at("reference")),
        "window_seconds": traced(monitoring.window, monitoring.at("window")),
        "min_rows": traced(MIN_ROWS, decision("programs_drift_rows")),
        "predictions": traced(predictions_of(model), monitoring.at("current")),
    }
    if any(column.name == _VERSION_COLUMN for column in monitoring.current.columns):
        body["version_column"] = traced(_VERSION_COLUMN, monitoring.at("current"))
    if monitoring.drift is not None:
        drift: Fields = {
            "config": conventions.drift_report(model.name),
            "columns": [traced(column, at) for column, at in watched_columns(model).items()],
        }
        if monitoring.drift.share.maximum is not None:
            share = monitoring.drift.share
            drift["share_max"] = traced(share.maximum, share.at("max"))
        drift["spec"] = spec_text(monitoring.drift.origin)
        body["drift"] = traced(drift, monitoring.drift.origin)
    if monitoring.performance:
        body["performance"] = traced(_performance(model, monitoring), monitoring.at("performance"))
    body["spec"] = spec_text(monitoring.origin)
    return body


def _performance(model: Model, monitoring: Monitoring) -> Fields:
    body: Fields = {}
    if model.task in ("classification", "regression", "forecasting"):  # Evidently's reports
        body["config"] = conventions.performance_report(model.name)
    own = monitoring.current.name == model.target.source.name
    body["metrics"] = [traced(_bound(bound), bound.origin) for bound in monitoring.performance]
    body["tolerance_seconds"] = traced(
        0 if own else LABEL_TOLERANCE, decision("programs_label_tolerance")
    )
    body["spec"] = spec_text(monitoring.at("performance"))
    return body


def _respond(monitoring: Monitoring, cooldown: int) -> Body:
    body: Fields = {
        "cooldown_seconds": traced(cooldown, monitoring.at("cooldown")),
        "monthly_budget": traced(MONTHLY_BUDGET, decision("programs_budget")),
        "spec": spec_text(monitoring.at("cooldown")),
    }
    return traced(body, monitoring.at("respond"))


def _running(environment: Environment, model: Model) -> Fields:
    """Which version runs there: a line of the spec, or the registry's alias."""
    at = environment.at("versions", model.name)
    if not environment.pinned(model):
        alias = traced(environment.version(model), at, decision("programs_champion"))
        return {"alias": alias}
    return {"version": traced(environment.version(model), at), "spec": spec_text(at)}


# --- sources ------------------------------------------------------------------------------------


def _source(
    project: Project, source: Source, there: Mapping[str, Source], readers: Readers
) -> Fields:
    body: Fields = {
        "format": FORMAT,
        "project": traced(project.name, project.at("project")),
        "source": source.name,
        "spec": spec_text(source.origin),
    }
    if source.timestamp is not None:
        body["timestamp"] = traced(source.timestamp, source.at("timestamp"))
    body["columns"] = [_column(column) for column in source.columns]
    freshness, fresh = settled(each(there, _freshness))
    if freshness is not None:
        body["freshness"] = freshness
    reading: dict[str, Body] = {name: readers[name].get(source.name, []) for name in there}
    models, read = settled(reading)
    if models is not None:
        body["models"] = models
    body["environments"] = {
        name: traced(
            {
                **_location(name, own),
                **_only({"freshness": fresh.get(name), "models": read.get(name)}),
            },
            own.at(own.kind or ""),
        )
        for name, own in there.items()
    }
    return body


def _freshness(source: Source) -> Body:
    if source.freshness is None:
        return None
    at = source.at("freshness")
    body: Body = {
        "parameter": FRESHNESS_PARAMETER,
        "seconds": source.freshness,
        "spec": spec_text(at),
    }
    return traced(body, at)


def _location(environment: str, source: Source) -> Fields:
    kind = source.kind or ""
    where = "path" if kind in _FILE_KINDS else "table"
    body: Fields = {"kind": kind, where: source.location}
    if validated((source,)):
        body["checkpoint"] = checkpoint_name(source.name, environment)
    body["spec"] = spec_text(source.at(kind))
    return body
