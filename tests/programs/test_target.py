"""The target `programs`: the files are ours byte for byte, and the facts are what the programs read."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mlopsc.artifacts.render import render
from mlopsc.compiler import compile_spec
from mlopsc.project import conventions, metrics
from mlopsc.source.document import Source
from mlopsc.targets import programs

ROOT = Path(__file__).parents[2]
CORE = Path(os.environ.get("MLOPSC_TOOLS", ROOT / ".tools")) / "core" / "bin" / "python"
TEMPLATES = ROOT / "templates" / "programs"
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/mlops.yaml"))


@pytest.fixture(scope="session")
def facts() -> Any:
    """The programs' own reader of facts; it needs nothing but Python."""
    folder = Path(tempfile.mkdtemp())
    (folder / "mlops").symlink_to(TEMPLATES)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("mlops.facts")
    finally:
        sys.path.remove(str(folder))


def files_of(spec: str) -> dict[str, str]:
    made = compile_spec(Source("mlops.yaml", spec))
    artifacts = (render(draft, programs.name) for draft in programs.emit(made.project))
    return {artifact.path: artifact.text for artifact in artifacts}


def example(name: str) -> dict[str, str]:
    return files_of((ROOT / "examples" / name / "mlops.yaml").read_text("utf-8"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_facts_have_the_shape_that_the_programs_read(name: str, facts: Any, tmp_path: Path) -> None:
    checked = 0
    for path, text in example(name).items():
        if path.endswith(".json"):
            file = tmp_path / Path(path).name
            file.write_text(text, "utf-8")
            assert facts.check(file) == [], path
            checked += 1
    assert checked >= 2


def test_programs_are_copied_byte_for_byte() -> None:
    made = example("minimal")
    assert set(conventions.PROGRAM_FILES) == {path.name for path in TEMPLATES.glob("*.py")}
    for name in conventions.PROGRAM_FILES:
        assert made[f"mlops/{name}"] == (TEMPLATES / name).read_text("utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_everything_a_fact_names_is_there(name: str) -> None:
    made = {
        path: json.loads(text) for path, text in example(name).items() if path.endswith(".json")
    }
    for path, data in made.items():
        if not path.startswith("mlops/models/"):
            continue
        sources = [
            data["examples"]["source"],
            *(view["source"] for view in data["features"]["views"]),
        ]
        if "batch" in data:
            sources += [data["batch"]["from"], data["batch"]["to"]]
        if "monitoring" in data:
            sources.append(data["monitoring"]["current"])
        for source in sources:
            assert f"mlops/sources/{source}.json" in made
        environments = set(data["environments"])
        assert environments == set(made[f"mlops/sources/{sources[0]}.json"]["environments"])


CONVENTIONS_IN_PROGRAMS = {
    "network": {
        "MONITOR_JOB": conventions.MONITOR_JOB,
        "VALIDATE_JOB": conventions.VALIDATE_JOB,
    },
    "outcome": {
        "PASSED": conventions.PASSED, "FAILED": conventions.FAILED,
        "CANNOT_RUN": conventions.COULD_NOT_RUN,
    },
    "register": {"ALIAS": conventions.CHALLENGER},
}  # fmt: skip


@pytest.mark.parametrize("module", CONVENTIONS_IN_PROGRAMS)
def test_names_are_those_of_the_conventions(module: str) -> None:
    tree = ast.parse((TEMPLATES / f"{module}.py").read_text("utf-8"))
    constants: dict[str, object] = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant):
                constants[target.id] = node.value.value
    for name, value in CONVENTIONS_IN_PROGRAMS[module].items():
        assert constants[name] == value


def test_every_pushed_metric_is_a_convention_and_the_other_way_round() -> None:
    text = (TEMPLATES / "network.py").read_text("utf-8")
    pushed = set(re.findall(r'^    "(mlops_\w+)":', text, re.MULTILINE))
    assert pushed == {
        conventions.DRIFT_SHARE, conventions.COLUMN_DRIFT_SCORE, conventions.MODEL_METRIC,
        conventions.DATA_CHECK_SUCCESS, conventions.MONITOR_LAST_SUCCESS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("dataset", conventions.DATA_VARIABLE), ("gate", conventions.OUT_VARIABLE),
        ("command", conventions.ENVIRONMENT_VARIABLE), ("registry", conventions.VERSION_VARIABLE),
        ("register", conventions.VERSION_VARIABLE), ("cooldown", conventions.ALERT_VARIABLE),
        ("registry", conventions.TRACKING_VARIABLE), ("network", conventions.PUSHGATEWAY_VARIABLE),
    ],
)  # fmt: skip
def test_variables_are_those_of_the_conventions(module: str, variable: str) -> None:
    assert f'"{variable}"' in (TEMPLATES / f"{module}.py").read_text("utf-8")


def test_metric_names_and_their_better_end_agree_with_the_compiler() -> None:
    code = (
        "import json, sys, tempfile, pathlib\n"
        "folder = pathlib.Path(tempfile.mkdtemp()); (folder / 'mlops').symlink_to(sys.argv[1])\n"
        "sys.path.insert(0, str(folder))\n"
        "from mlops import metrics as m\n"
        "tables = {'classification': m.CLASSIFICATION, 'regression': m.REGRESSION}\n"
        "better = {t: {n: e.higher_is_better for n, e in d.items()} for t, d in tables.items()}\n"
        "asked = json.loads(sys.argv[2])\n"
        "print(json.dumps({'better': better, 'aliases': m.ALIASES,\n"
        "  'known': [m.metric(t, n) is not None for t, n in asked],\n"
        "  'fair': [m.fairness(t, n) is not None for t, n in asked]}))\n"
    )
    names = [
        "auc", "roc_auc", "mae", "ndcg_at_5", "ndcg_at_0", "map_at_10", "mrr", "cost", "precision_at_k",
        "demographic_parity_difference", "mae_ratio", "auc_difference", "x_ratio", "equalized_odds_ratio",
    ]  # fmt: skip
    asked = [(task, name) for task in metrics.METRICS for name in names]
    ran = subprocess.run(
        [CORE, "-c", code, TEMPLATES, json.dumps(asked)], capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    for task in ("classification", "regression"):
        assert found["better"][task] == metrics.METRICS[task]
    assert found["aliases"] == metrics.ALIASES
    assert found["known"] == [metrics.known(task, name) for task, name in asked]
    assert found["fair"] == [metrics.fairness_known(task, name) for task, name in asked]


def test_pinned_versions_are_those_of_the_tests() -> None:
    made = "\n".join(example(name)["mlops/requirements.txt"] for name in EXAMPLES)
    pins = dict(re.findall(r"^([\w-]+)(?:\[[\w,]+\])?==(\S+)$", made, re.MULTILINE))
    assert {"feast", "great-expectations", "evidently", "mlflow", "prometheus-client"} <= set(pins)
    code = (
        "import importlib.metadata as m, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, m.version(name))\n"
        "    except m.PackageNotFoundError: print(name, '')\n"
    )
    ran = subprocess.run([CORE, "-c", code, *pins], capture_output=True, text=True, check=True)
    installed = dict(line.split(" ") for line in ran.stdout.splitlines())
    for name, pin in pins.items():
        assert installed[name] in ("", pin), name  # "": a client that only some sources need


SPEC = """\
apiVersion: mlopsc/v1
project: shop
services: {{mlflow: {{url: "https://mlflow.example.com"}}}}
sources:
  orders:
    {location}
    timestamp: at
    columns:
      customer: {{type: int64, key: customer}}
      region: string
      amount: {{type: float32, min: 0}}
      returned: {{type: bool, known_after: 14d}}
models:
  returns:
    target: orders:returned
    features: [orders:amount]
    training: {{command: python train.py, split: {split}}}
    evaluation: {{metrics: {{auc: {{min: 0.7}}}}, slices: [region]}}
"""


def compiled(
    location: str = "parquet: data/orders.parquet", split: str = "{validation: 10%, test: 30d}"
) -> Any:
    made = files_of(SPEC.format(location=location, split=split))
    return json.loads(made["mlops/models/returns.json"]), json.loads(
        made["mlops/sources/orders.json"]
    )


def test_what_only_the_gate_sees_is_told_apart() -> None:
    model, _ = compiled(split="{validation: 10%, test: 20%}")
    assert [column["name"] for column in model["evaluation"]["columns"]] == ["region"]
    assert [column["name"] for column in model["features"]["own"]] == ["amount"]
    assert model["examples"]["label"]["known_after_seconds"] == 14 * 86400
    assert model["training"]["split"]["test"] == {"share": 0.2}
    assert model["registry"]["name"] == "returns"
    assert model["environments"] == {"production": {"alias": "champion"}}


def test_a_table_has_a_name_and_its_packages() -> None:
    spec = SPEC.format(location="postgres: sales.orders", split="{validation: 7d, test: 7d}")
    spec += "secrets: {warehouse: {path: shop/postgres, key: url}}\n"
    spec = spec.replace("services: {", "services: {postgres: {connection: {secret: warehouse}}, ")
    made = files_of(spec)
    place = json.loads(made["mlops/sources/orders.json"])["environments"]["production"]
    assert (place["kind"], place["table"], place["checkpoint"]) == (
        "postgres",
        "sales.orders",
        "orders_production",
    )
    assert "psycopg[binary]==" in made["mlops/requirements.txt"]
    assert json.loads(made["mlops/models/returns.json"])["training"]["split"]["test"] == {
        "seconds": 7 * 86400
    }
