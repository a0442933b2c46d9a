"""Rules about a table that is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project.model import OnDemandView, Source
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Batch, Model, Project


def _scored(project: Project) -> Iterator[tuple[Model, Batch]]:
    for model in project.models:
        if model.batch is not None:
            yield model, model.batch


@rule("R701")
def rows_have_what_the_model_reads(project: Project) -> Iterator[Hit]:
    """The rows to score carry the model's own features, and the keys of the others."""
    for model, batch in _scored(project):
        have = {column.name for column in batch.source.columns}
        for name, what, origin in _asked(model):
            if name not in have:
                yield (
                    f"'{batch.source.name}' has no column '{name}', {what}",
                    batch.at("from"),
                    f"add `{name}` to source '{batch.source.name}', or score another one",
                    (Note("it is asked for here", origin),),
                )


def _asked(model: Model) -> Iterator[tuple[str, str, Path]]:
    """Columns that a row must carry, why, and what asks for them; each once."""
    found: dict[str, tuple[str, Path]] = {}
    for feature in model.features:
        if isinstance(feature.owner, Source):
            found.setdefault(feature.name, (f"a feature of '{model.name}'", feature.origin))
        if isinstance(feature.owner, OnDemandView):
            for given in feature.owner.inputs:
                if isinstance(given.owner, Source):
                    why = f"which '{feature.owner.name}' reads"
                    found.setdefault(given.column.name, (why, given.origin))
    for view in model.views:
        for entity in view.entities:
            found.setdefault(
                entity.column, (f"by which view '{view.name}' is looked up", view.at("source"))
            )
    yield from ((name, what, origin) for name, (what, origin) in found.items())


@rule("R702")
def scores_have_a_table_of_their_own(project: Project) -> Iterator[Hit]:
    """Scores go to a table that holds nothing else."""
    writers: dict[str, tuple[Model, Batch]] = {}
    for model, batch in _scored(project):
        name = batch.destination.name
        for source, path in _read(model, batch):
            if source.name == name:
                yield (
                    f"the scores of '{model.name}' go to '{name}', which it reads itself",
                    batch.at("to"),
                    "write them to a source of their own",
                    (Note("it is read here", path),),
                )
                break
        other, theirs = writers.setdefault(name, (model, batch))
        if other is not model:
            yield (
                f"'{other.name}' and '{model.name}' write scores to '{name}'",
                batch.at("to"),
                "give each model a table of its own",
                (Note("the other one stands here", theirs.at("to")),),
            )


def _read(model: Model, batch: Batch) -> Iterator[tuple[Source, Path]]:
    """What a model learns from and scores. Its scores may be read by another one."""
    yield model.target.source, model.target.origin
    yield batch.source, batch.at("from")
    for view in model.views:
        yield view.source, view.at("source")


@rule("R703")
def scores_can_be_appended(project: Project) -> Iterator[Hit]:
    """Scores go where rows can be added."""
    for model, batch in _scored(project):
        place = batch.destination
        if place.kind in ("parquet", "csv") and "://" in (place.location or ""):
            yield (
                f"the scores of '{model.name}' cannot be added to {place.location}: files in object storage are replaced, not added to",
                batch.at("to"),
                "write them to a table (`bigquery:`, `postgres:` …)",
                (Note("the source stands here", place.at(place.kind)),),
            )
