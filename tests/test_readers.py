"""Every generated file is read by a tool of its target, and every reader can refuse.

The second half is what gives the first its worth: one good project that all readers accept, and for
each reader files broken in the one way it is there to notice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import tools
from readers import READERS, Reader, Refusal, reader, unread
from readers.lock import generated_paths

Accepts = Callable[..., list[Refusal]]

EXAMPLES = sorted(lock.parent for lock in tools.ROOT.glob("examples/*/mlops.lock"))
PROJECT = Path(__file__).parent / "readers" / "fixtures" / "project"
# What the project's user wrote; all else in it stands for generated files.
WRITTEN_BY_HAND = {"src/features.py"}


def _named(value: object) -> str:
    return value.name if isinstance(value, (Path, Reader)) else str(value)


def test_the_examples_are_compiled() -> None:
    assert {example.name for example in EXAMPLES} >= {"churn", "flights", "minimal"}


@pytest.mark.parametrize("example", EXAMPLES, ids=_named)
def test_every_file_of_an_example_has_a_reader(example: Path) -> None:
    paths = generated_paths(example / "mlops.lock")
    assert paths
    assert [path for path in paths if not (example / path).is_file()] == []
    assert unread(paths) == []


@pytest.mark.parametrize("reader_", READERS, ids=_named)
@pytest.mark.parametrize("example", EXAMPLES, ids=_named)
def test_readers_accept_an_example(example: Path, reader_: Reader, accepts: Accepts) -> None:
    paths = generated_paths(example / "mlops.lock")
    assert _told(accepts(example, paths, [reader_])) == []


@pytest.mark.parametrize("reader_", READERS, ids=_named)
def test_readers_accept_the_good_project(reader_: Reader, accepts: Accepts) -> None:
    paths = _paths(PROJECT)
    assert any(reader_.reads(path) for path in paths)
    assert _told(accepts(PROJECT, paths, [reader_])) == []


def test_a_file_of_no_target_is_unread() -> None:
    assert unread(["k8s/production/delay/service.yaml", "stray.txt", "k8s/stray.yml"]) == [
        "k8s/stray.yml",
        "stray.txt",
    ]


# (reader, file): what stands there, what stands there instead, a part of the refusal
BROKEN: dict[tuple[str, str], list[tuple[str, str, str]]] = {
    ("GitLab's schema", ".gitlab-ci.yml"): [
        ("stage: check\n", "stgae: check\n", "stgae"),
        ("max: 2", "max: many", "many"),
        ("stages: [", "stages: ['", "not YAML"),
    ],
    ("GitLab's schema", ".gitlab/ci/models/delay.yml"): [
        ("  rules:\n    - if", "  ruls:\n    - if", "ruls"),
    ],
    ("gitlab-ci-local", ".gitlab-ci.yml"): [
        ("stage: check\n", "stage: nowhere\n", "nowhere"),
        ("models/delay.yml", "models/gone.yml", "gone.yml"),
    ],
    ("gitlab-ci-local", ".gitlab/ci/models/delay.yml"): [
        ("{job: check, optional: true}", "gone", "gone"),
    ],
    ("Kubernetes' schemas", "k8s/production/delay/deployment.yaml"): [
        ("image:", "imgae:", "imgae"),
        ("cpu: 500m", "cpu: half", "quantity"),
        (
            "matchLabels: {app.kubernetes.io/name: delay}",
            "matchLabels: {app.kubernetes.io/name: other}",
            "no label of the pods",
        ),
        ("name: http", "name: a-name-too-long-for-ports", "port"),
    ],
    ("Kubernetes' schemas", "k8s/production/delay/service.yaml"): [
        ("port: 80", 'port: "80"', "port"),
        ("{name: delay}", "{name: De_lay}", "De_lay"),
        ("kind: Service", "kind: Service\nkind: Service", "twice"),
    ],
    ("custom resource schemas", "k8s/production/delay/servicemonitor.yaml"): [
        ("interval", "intervall", "intervall"),
        ("kind: ServiceMonitor", "kind: ServiceSpy", "no schema"),
    ],
    ("promtool on objects", "k8s/production/delay/prometheusrule.yaml"): [
        ("by (model)", "by (model", "parse error"),
    ],
    ("kubectl kustomize", "k8s/production/delay/kustomization.yaml"): [
        ("service.yaml", "gone.yaml", "gone.yaml"),
    ],
    ("kubectl kustomize", "k8s/production/kustomization.yaml"): [
        ("namespace:", "commonLabels: {a: b}\nnamespace:", "deprecated"),
        ("namespace:", "nmespace:", "nmespace"),
    ],
    ("promtool check", "monitoring/prometheus/production/delay.rules.yml"): [
        ("max by (model)", "max by model", "parse error"),
        ("annotations:", "anotations:", "anotations"),
    ],
    ("promtool test", "monitoring/prometheus/production/delay.rules.yml"): [
        ("> 0.3", "> 0.6", "FAILED"),
    ],
    ("promtool test", "monitoring/prometheus/production/delay.rules.test.yml"): [
        ("tests:", "test:", "no test"),
    ],
    ("amtool", "monitoring/alertmanager/production.yml"): [
        ("receiver: retrain", "receiver: nobody", "nobody"),
        (
            "matchers: ['severity=\"critical\"'], receiver: pager, continue: true",
            "receiver: pager",
            "never to the route of retrain",
        ),
    ],
    ("Grafana", "monitoring/grafana/production/delay.json"): [
        ("sum(rate(", "sum(rat(", "rat"),
        ("max(mlops_drift_share", "max(mlops_drift_share{", "parse error"),
        ('"id": 3', '"id": 2', "2 times"),
        ('"x": 12', '"x": 11', "overlap"),
        ('"x": 12', '"x": 13', "columns"),
        ("flights-production-delay", "flights/delay", "uid"),
        ("flights-production-delay", "f" * 41, "uid"),
        ('"schemaVersion": 42', '"schemaVersion": 16', "schemaVersion"),
        ('"name": "datasource"', '"name": "source"', "not defined"),
    ],
    ("Grafana's schema", "monitoring/grafana/production/delay.json"): [
        ('"fieldConfig"', '"fieldConfigs"', "fieldConfigs"),
        ('"tags": [', '"tagz": [', "tagz"),
        ('"uid": "${datasource}"', '"id": "${datasource}"', "datasource"),
    ],
    (
        "Grafana's provisioning",
        "monitoring/grafana/production/provisioning/dashboards/flights.yaml",
    ): [
        ("  folder:", "  foldr:", "foldr"),
        ("  type: file\n", "", "type"),
        ("providers:", "provider:", "providers"),
        ("apiVersion: 1", "apiVersion: 2", "apiVersion"),
    ],
    (
        "Grafana's provisioning",
        "monitoring/grafana/production/provisioning/datasources/flights.yaml",
    ): [
        ("  access:", "  acces:", "acces"),
    ],
    ("Evidently", "monitoring/evidently/delay.drift.json"): [
        ("metric_v2:ValueDrift", "metric_v2:ValueDraft", "ValueDraft"),
        ('"metadata"', '"metdata"', "metdata"),
        ('"drift_share"', '"drift_shre"', "drift_shre"),
        ('"is_critical"', '"is_criticl"', "is_criticl"),
        ('"threshold": 0.2,', '"threshold": "high",', "threshold"),
    ],
    ("Great Expectations", "gx/expectations/flights.json"): [
        ("to_not_be_null", "to_not_be_nul", "1 of 2"),
        ('"mostly"', '"mstly"', "mstly"),
        ('"critical"', '"grave"', "Must be one of"),
    ],
    ("Great Expectations", "gx/validation_definitions/weather.json"): [
        ("000000000005", "000000000009", "has the id"),
    ],
    ("Great Expectations", "gx/checkpoints/flights.json"): [
        ("000000000020", "000000000029", "has the id"),
    ],
    ("Great Expectations", "gx/great_expectations.yml"): [
        ("type: parquet", "type: parkett", "parkett"),
    ],
    ("Feast", "feature_repo/feature_store.yaml"): [
        ("provider:", "provder:", "provder"),
        ("type: redis", "type: radish", "radish"),
        ("dataset:", "datset:", "datset"),
        ("project: flights", "project: _flights", "_flights"),
    ],
    ("Feast", "feature_repo/definitions.py"): [
        ('customers[["trips"]]', 'customers[["tripz"]]', "tripz"),
        ("entities=[customer]", "entitys=[customer]", "entitys"),
        ("import per_trip", "import per_ship", "per_ship"),
    ],
    ("DVC", "dvc.yaml"): [
        ("    outs: [model]", "    outz: [model]", "outz"),
        ("${delay.days}", "${delay.weeks}", "weeks"),
        ("params: [delay.days]", "params: [delay.hours]", "delay.hours"),
        ("outs: [model]", "outs: [data/train.parquet]", "train.parquet"),
    ],
    ("DVC", "params.yaml"): [
        ("  days: 30", "  days: [30", "YAML"),
    ],
    ("MLflow", "MLproject"): [
        ("entry_points:", "entry_point:", "entry points"),
        ("{epochs}", "{epoch}", "epoch"),
        ("type: float", "type: floating", "floating"),
        ("name: flights", "name: flights\ncolour: blue", "colour"),
    ],
    ("Python", "mlops/gate.py"): [
        ("def main()", "def main(", "SyntaxError"),
    ],
    ("Python", "feature_repo/definitions.py"): [
        ('"customers"', '"\\d"', "invalid escape"),
    ],
    ("JSON", "mlops/models/delay.json"): [
        ("30", "NaN", "NaN"),
        ('{"metrics"', '{"metrics": 1, "metrics"', "twice"),
        ("}}}", "}}", "not JSON"),
    ],
    ("its program", "mlops/models/delay.json"): [
        ("metrics", "metricks", "no metrics"),
    ],
    ("its program", ".gitlab/schedules.json"): [
        ("schedules", "shedules", "no metrics"),
    ],
    ("CODEOWNERS", ".gitlab/CODEOWNERS"): [
        ("[Generated files] @growth/ml", "[Generated files]", "nobody owns"),
        ("[Generated files]", "[Generated files", "section"),
        ("@data/platform", "data platform", "no owner"),
    ],
    ("Dockerfile", "images/train/Dockerfile"): [
        ("USER 10001:10001", "USER root", "root"),
        ("3.11.9-slim-bookworm", "latest", "pinned"),
        ("python:3.11.9-slim-bookworm", "python", "pinned"),
        ("COPY", "ADD", "ADD"),
        ("COPY", "COPPY", "COPPY"),
    ],
    ("Markdown", "docs/runbooks/model-drift.md"): [
        ("# ModelDrift", "ModelDrift", "title"),
        ("production/delay.rules.yml)", "delay.rules.yml)", "nowhere"),
        ("```sh", "sh", "fence"),
    ],
    ("pip", "mlops/requirements.txt"): [
        ("feast==0.67.0", "feast=0.67.0", "feast=0.67.0"),
        ("feast==0.67.0", "feast", "any version"),
    ],
    ("ignore file", ".gitignore"): [
        ("/out/", "*", "no pattern"),
        ("*.parquet\n", "*.parquet", "newline"),
    ],
}


@dataclass(frozen=True)
class Break:
    """One good file made bad: in *path*, *old* becomes *new*, and reader *name* says *said*."""

    name: str
    path: str
    old: str
    new: str
    said: str

    def __str__(self) -> str:
        return f"{self.name}-{Path(self.path).name}-{self.said}"


BREAKS = [Break(*place, *each) for place, rows in BROKEN.items() for each in rows]


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_readers_refuse_a_broken_file(broken: Break, tmp_path: Path, accepts: Accepts) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    text = (project / broken.path).read_text("utf-8")
    assert broken.old in text
    (project / broken.path).write_text(text.replace(broken.old, broken.new, 1), "utf-8")
    refusals = accepts(project, _paths(project), [reader(broken.name)])
    assert any(broken.said in refusal.message for refusal in refusals), _told(refusals)


def test_every_reader_is_shown_refusing() -> None:
    assert {reader_.name for reader_ in READERS} == {name for name, _ in BROKEN}


def test_great_expectations_reader_refuses_what_no_store_reads(
    tmp_path: Path, accepts: Accepts
) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    (project / "gx/checkpoint").mkdir()
    shutil.move(project / "gx/checkpoints/flights.json", project / "gx/checkpoint/flights.json")
    refusals = accepts(project, _paths(project), [reader("Great Expectations")])
    assert [refusal.path for refusal in refusals] == ["gx/checkpoint/flights.json"]


def test_lock_lines_that_are_neither_head_nor_file_are_errors(tmp_path: Path) -> None:
    lock = tmp_path / "mlops.lock"
    digest = "0" * 64
    lock.write_text(f"# mlopsc 0.1.0\ninput {digest} mlops.yaml\n{digest}  dvc.yaml\n", "utf-8")
    assert generated_paths(lock) == ["dvc.yaml"]
    lock.write_text("<<<<<<< HEAD\n", "utf-8")
    with pytest.raises(ValueError, match="neither a file nor a head line"):
        generated_paths(lock)


def _paths(project: Path) -> list[str]:
    files = (file.relative_to(project).as_posix() for file in project.rglob("*") if file.is_file())
    return [path for path in files if path not in WRITTEN_BY_HAND and "__pycache__" not in path]


def _told(refusals: list[Refusal]) -> list[str]:
    return [str(refusal) for refusal in refusals]
