"""Great Expectations: a file context with a suite, a validation and a checkpoint a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import CopyDraft, Draft, JsonDraft, YamlDraft, traced
from mlopsc.project.conventions import GX
from mlopsc.project.environments import ByEnvironment, differs, each
from mlopsc.project.expectations import checkpoint_name, validated
from mlopsc.targets.great_expectations.context import context
from mlopsc.targets.great_expectations.decisions import DECISIONS as DECISIONS
from mlopsc.targets.great_expectations.identity import Identity
from mlopsc.targets.great_expectations.suite import judged, suite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body
    from mlopsc.project.model import Environment, Project, Source

name: Final = "great_expectations"


def emit(project: Project) -> Iterator[Draft]:
    """The file context; nothing for a project without a table to check."""
    sources = validated(project.sources)
    if not sources:
        return
    identity = Identity(project.name)
    yield YamlDraft(f"{GX}/great_expectations.yml", ("sources",), context(project, identity))
    yield CopyDraft(f"{GX}/.gitignore", ("sources",), "great_expectations/gitignore")
    everywhere = ByEnvironment(project)
    apart: set[str] = set()  # the sources that have a suite an environment
    for source in sources:
        there = everywhere.source(source.name)
        suites = {source.name: source}
        if differs(each(there, judged)):
            apart.add(source.name)
            suites = {checkpoint_name(source.name, name): own for name, own in there.items()}
        for name, own in suites.items():
            path = f"{GX}/expectations/{name}.json"
            yield JsonDraft(path, own.origin, suite(own, name, identity))
    for environment in project.environments:
        for source in validated(environment.sources):
            own_name = checkpoint_name(source.name, environment.name)
            judging = own_name if source.name in apart else source.name
            yield from _runs(source, environment, judging, identity)


def _runs(
    source: Source, environment: Environment, judging: str, identity: Identity
) -> Iterator[Draft]:
    """The validation of a source in an environment by a suite, and the checkpoint that runs it."""
    own = checkpoint_name(source.name, environment.name)
    where = {
        "datasource": identity.named("datasource", identity.datasource(source, environment)),
        "asset": identity.named("asset", own),
        "batch_definition": identity.named("batch_definition", own),
    }
    yield JsonDraft(
        f"{GX}/validation_definitions/{own}.json",
        source.origin,
        {
            **identity.named("validation_definition", own),
            "data": where,
            "suite": identity.named("suite", judging),
        },
    )
    yield JsonDraft(
        f"{GX}/checkpoints/{own}.json",
        source.origin,
        {
            **identity.named("checkpoint", own),
            "validation_definitions": [identity.named("validation_definition", own)],
            "actions": [],
            "result_format": _result_format(source),
        },
    )


def _result_format(source: Source) -> Body:
    """How much a result tells: examples of wrong values, unless rows of the table are about people.

    Great Expectations writes the examples of every column into results and data docs, or of none.
    """
    personal = [column.at("personal") for column in source.columns if column.personal]
    columns = source.at("columns")
    if not personal:
        # Each column could say so; to a person, `columns` is the place.
        each_ = (column.at("personal") for column in source.columns)
        return traced(traced("SUMMARY", columns), *each_)
    excluded: Body = {"result_format": "SUMMARY", "exclude_unexpected_values": True}
    # Where several columns are personal, none of them decides it alone.
    return traced(excluded, *(personal if len(personal) == 1 else [columns]))
