"""What is accepted, what is refused, where, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlopsc.diagnostics.finding import Rejected
from mlopsc.spec import codes
from mlopsc.spec.parse import parse_spec
from spec.documents import (
    EXAMPLES,
    FULL,
    SMALLEST,
    document,
    document_of,
    dotted,
    findings,
    only,
    parsed,
    said,
)

if TYPE_CHECKING:
    from pathlib import Path


def smallest(old: str = "", new: str = "") -> str:
    assert old in SMALLEST
    return SMALLEST.replace(old, new, 1) if old else SMALLEST + new


def test_the_smallest_spec_has_its_defaults() -> None:
    spec = parsed(SMALLEST)
    model = spec.models["delay"]
    assert spec.timezone == "UTC"
    assert spec.platform.serving == "kubernetes"
    assert spec.platform.dashboards is None
    assert spec.sources["flights"].columns["carrier"] == "string"
    assert model.features == ("flights:carrier", "flights:distance")
    assert model.serving is None
    assert model.training is not None
    assert model.training.split.test == "20%"
    assert model.training.resources.memory == "2Gi"


def test_maps_keep_the_written_order() -> None:
    spec = parsed(smallest("carrier: string", "zulu: string\n      carrier: string"))
    assert list(spec.sources["flights"].columns) == ["zulu", "carrier", "distance", "arr_delay"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_is_accepted(path: Path) -> None:
    assert said(path.read_text(encoding="utf-8")) == []


def test_every_key_of_the_full_language_is_known_and_what_is_not_built_is_refused() -> None:
    found = findings(FULL)
    assert {finding.code for finding in found} == {codes.NOT_BUILT}
    assert all(finding.help for finding in found)


def test_free_keys_are_nobodys_business() -> None:
    free = smallest("project: flights", "project: flights\nx-team: {anything: [1, null]}")
    free = free.replace("carrier: string", "x-note: here\n      carrier: string")
    free = free.replace("mae: {max: 30}", "mae: {max: 30, x-why: agreed}")
    assert said(free) == []


# --- one mistake each ----------------------------------------------------------------------------

MISTAKES = [
    # text to replace, text instead, code, path, words of message and help
    ("parquet:", "parket:", "S001", "sources.flights.parket", "did you mean 'parquet'?"),
    ("task: regression", "replicas: 3", "S001", "models.delay.replicas", "under `serving`"),
    ("task: regression", "metrics: {}", "S001", "models.delay.metrics", "`evaluation`"),
    ("task: regression", "cron: 1d", "S001", "models.delay.cron", "`schedule` belongs under"),
    ("task: regression", "name: delay", "S001", "models.delay.name", "'delay', the key above"),
    ("task: regression", "enabled: true", "S001", "models.delay.enabled", "take it out"),
    ("{max: 30}", "{maximum: 30}", "S001", "models.delay.evaluation.metrics.mae.maximum", "'max'"),
    ("min: 0}", "target: x}", "S001", "sources.flights.columns.distance.target", "its keys are"),
    ("project: flights", "project: 14", "S002", "project", 'quote it: "14"'),
    ("project: flights", "project: 0o17", "S002", "project", 'quote it: "0o17"'),
    ("min: 0}", 'min: "0"}', "S002", "sources.flights.columns.distance.min", "quotes away: 0"),
    ("min: 0}", "min: true}", "S002", "sources.flights.columns.distance.min", "not `true`"),
    ("min: 0}", "unique: yes}", "S002", "sources.flights.columns.distance.unique", "write true"),
    ("{command: python src/train.py}", "", "S002", "models.delay.training", "not nothing"),
    ("task: regression", "serving:", "S002", "models.delay.serving", "write `serving: {}`"),
    ("task: regression", "task:", "S002", "models.delay.task", "give it a value"),
    ("[flights:carrier, flights:distance]", "flights:carrier", "S002", "models.delay.features",
     "write a list: [flights:carrier]"),
    ("{max: 30}", "30", "S002", "models.delay.evaluation.metrics.mae",
     "its keys are `min`, `max`, `max_worse` and `severity`"),
    ("carrier: string", "carrier: [string]", "S002", "sources.flights.columns.carrier",
     "a type such as `int64`, or a mapping"),
    ("    target: flights:arr_delay\n", "", "S003", "models.delay", "needs `target`"),
    ("carrier: string", "carrier: strin", "S004", "sources.flights.columns.carrier", "'string'"),
    ("carrier: string", "carrier: int", "S004", "sources.flights.columns.carrier", "'int64'"),
    ("task: regression", "task: clustering", "S004", "models.delay.task",
     "the choices are `classification`"),
    ("known_after: 1d", "known_after: 1 day", "S005",
     "sources.flights.columns.arr_delay.known_after", "a duration such as"),
    ("known_after: 1d", "known_after: ''", "S005",
     "sources.flights.columns.arr_delay.known_after", "an empty text"),
    ("\n  delay:", "\n  Delay-Model:", "S005", "models.Delay-Model", "write 'delay_model'"),
    ("data/flights.parquet", "../flights.parquet", "S005", "sources.flights.parquet", "`..`"),
    ("data/flights.parquet", "/etc/passwd", "S005", "sources.flights.parquet", "`..`"),
    ("flights:arr_delay", "arr_delay", "S005", "models.delay.target", "`owner:field`"),
    ("nulls: 5%", "nulls: 5", "S006", "sources.flights.columns.arr_delay.nulls",
     "write 5% or 0.05"),
    ("nulls: 5%", "nulls: 101%", "S005", "sources.flights.columns.arr_delay.nulls", "percentage"),
    ("[flights:carrier, flights:distance]", "[]", "S006", "models.delay.features", "one entry"),
    ("parquet: data/flights.parquet", "parquet: a.parquet\n    csv: a.csv", "S007",
     "sources.flights.csv", "`parquet` and `csv` exclude each other"),
    ("    parquet: data/flights.parquet\n", "", "S007", "sources.flights", "where the rows are"),
    ("    training: {command: python src/train.py}\n", "", "S007", "models.delay", "`artifact`"),
    ("{max: 30}", "{}", "S007", "models.delay.evaluation.metrics.mae", "what the bound is"),
    ("{max: 30}", "{max: 30, for: 5m}", "S008", "models.delay.evaluation.metrics.mae.for", "gate"),
    ("mlopsc/v1", "mlopsc/v2", "S009", "apiVersion", "write `apiVersion: mlopsc/v1`"),
    ("apiVersion: mlopsc/v1\n", "", "S009", "", "begin with `apiVersion: mlopsc/v1`"),
    ("apiVersion:", "apiversion:", "S001", "apiversion", "'apiVersion'"),
    ("task: regression", "serving: {request: keys}", "S010", "models.delay.serving.request",
     "`request: features`"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "at", "words"), MISTAKES)
def test_a_mistake_is_one_finding_at_its_place(
    old: str, new: str, code: str, at: str, words: str
) -> None:
    text = smallest(old, new)
    finding = only(text)
    assert (finding.code, dotted(finding.at)) == (code, at)
    assert words in f"{finding.message} {finding.help}"
    assert "\n" not in finding.message


def test_an_unknown_key_is_pointed_at_and_a_value_is_not() -> None:
    assert only(smallest("parquet:", "parket:")).on_key
    assert not only(smallest("known_after: 1d", "known_after: x")).on_key


@pytest.mark.parametrize(
    ("chapter", "code", "at"),
    [
        ("features: {v: {}}", "S007", "features.v"),
        ("features: {v: {python: 'm:f'}}", "S003", "features.v.python"),
        ("features: {v: {source: flights, inputs: ['a:b']}}", "S008", "features.v.inputs"),
        (
            "features: {v: {python: 'm:f', inputs: ['a:b'], columns: {c: {type: bool, key: k}}}}",
            "S008",
            "features.v.columns.c.key",
        ),
        ("images: {i: {}}", "S007", "images.i"),
        ("images: {i: {dockerfile: D, packages: [libgomp1]}}", "S008", "images.i.packages"),
        ("images: {i: {python: 3.11}}", "S002", "images.i.python"),
        ("alerts: {channels: {c: {}}}", "S007", "alerts.channels.c"),
        ("alerts: {channels: {c: {webhook: {url: 'http://x'}}}}", "S002",
         "alerts.channels.c.webhook.url"),
        ("alerts: {rules: {r: {query: up, max: 1, max_worse: 1}}}", "S008",
         "alerts.rules.r.max_worse"),
        ("alerts: {routes: {error: a}}", "S001", "alerts.routes.error"),
        ("ci: {tags: {gpus: [a]}}", "S001", "ci.tags.gpus"),
        ("ci: {file: ../x.yml}", "S005", "ci.file"),
        ("environments: {production: {versions: {delay: 14}}}", "S002",
         "environments.production.versions.delay"),
        ("platform: {serving: kserve}", "S010", "platform.serving"),
        ("platform: {serving: kserv}", "S004", "platform.serving"),
        ("platform: {serving: [kserve]}", "S002", "platform.serving"),
        ("endpoints: {e: {split: 3}}", "S010", "endpoints"),
        ("include: 3", "S002", "include"),
        ("services: {postgres: {connection: postgres://u:p@h/d}}", "S002",
         "services.postgres.connection"),
    ],
)  # fmt: skip
def test_a_mistake_in_another_chapter(chapter: str, code: str, at: str) -> None:
    assert said(f"{SMALLEST}{chapter}\n") == [(code, at)]


def test_all_mistakes_come_in_order_of_place() -> None:
    text = smallest("project: flights", "project: Flights")
    text = text.replace("carrier: string", "carrier: strin").replace("max: 30", "max: thirty")
    text = text.replace("task: regression", "platform: {}\n    replica: 2")
    assert said(text) == [
        ("S005", "project"),
        ("S004", "sources.flights.columns.carrier"),
        ("S010", "models.delay.platform"),
        ("S001", "models.delay.replica"),
        ("S005", "models.delay.evaluation.metrics.mae.max"),
    ]


def test_two_things_that_miss_at_one_node_are_said_at_once() -> None:
    text = smallest("    training: {command: python src/train.py}\n", "")
    text = text.replace("    target: flights:arr_delay\n", "")
    finding = only(text)
    assert finding.code == codes.MISSING_KEY
    assert "`target`" in finding.message
    assert "where the model comes from" in finding.message


def test_a_foreign_document_is_refused_with_its_version() -> None:
    assert said("apiVersion: apps/v1\nkind: Deployment\n") == [("S009", "apiVersion")]


def test_a_long_or_broken_text_does_not_break_the_message() -> None:
    finding = only(smallest("regression", '"' + "x" * 5000 + '\\n\\u0007"'))
    assert len(finding.message) < 200
    assert finding.message.isprintable()


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_has_an_end(number: float) -> None:
    """Readers of other formats could hand these over; YAML's are refused when it is read."""
    data = document(SMALLEST).data
    data["sources"]["flights"]["columns"]["distance"]["min"] = number  # type: ignore[index, call-overload]
    with pytest.raises(Rejected) as refusal:
        parse_spec(document_of(data))
    assert [finding.code for finding in refusal.value.findings] == ["S006"]


def test_places_are_those_of_the_file() -> None:
    text = smallest("parquet:", "parket:")
    finding = only(text)
    place = document(text).place(finding.at, on_key=finding.on_key)  # type: ignore[arg-type]
    assert (place.line, place.column) == (5, 5)


def test_every_code_has_a_meaning() -> None:
    named = {value for name, value in vars(codes).items() if name.isupper() and name != "MEANINGS"}
    assert named == set(codes.MEANINGS)


def test_a_number_for_a_duration_is_asked_for_its_unit() -> None:
    written = SMALLEST.replace(
        "command: python src/train.py", "command: python src/train.py, window: 365"
    )
    with pytest.raises(Rejected) as rejected:
        parse_spec(document(written))
    (finding,) = rejected.value.findings
    assert finding.code == "S002"
    assert finding.help == "write its unit: 365s, 365m, 365h or 365d"
