"""Specs of several files and environments, compiled: what is laid where comes out where it belongs."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composing import HEAD, SPEC, compiled, outputs, refused, said
from mlopsc.artifacts.trace import causes_of
from mlopsc.cli.main import run
from mlopsc.compiler import Refused
from mlopsc.rules import RULES
from mlopsc.source.files import Inputs
from mlopsc.spec.differing import MAY_DIFFER
from mlopsc.spec.merging import MERGING
from mlopsc.spec.root import Spec
from mlopsc.spec.shape import shape_of
from mlopsc.spec.vocabulary import SOURCE_KINDS
from mlopsc.workspace.folder import Folder
from specs import specs

if TYPE_CHECKING:
    import random

    from mlopsc.source.document import Data

SHOP = """\
apiVersion: mlopsc/v1
project: shop
registry: registry.example.com/shop
include: [models/*.yaml, teams/growth.yaml]
variables: {bucket: gs://shop-dev, smallest: 1}
defaults:
  models: {serving: {resources: {cpu: 1, memory: 2Gi}, replicas: {min: "${var.smallest}", max: 4}}}
services: {mlflow: {url: "https://mlflow.${env.name}.example.com"}}
environments:
  staging: {versions: {buy: "1"}}
  production:
    variables: {bucket: gs://shop, smallest: 2}
    versions: {buy: "1"}
    overrides:
      models: {buy: {serving: {replicas: {max: 20}, resources: {cpu: 2}}}}
"""
SOURCES = """\
sources:
  orders:
    parquet: ${var.bucket}/orders.parquet
    timestamp: at
    columns:
      id: {type: string, key: order}
      total: {type: float64, min: 0}
      bought: {type: bool, known_after: 1d}
"""
BUY = """\
models:
  buy:
    target: orders:bought
    features: [orders:total]
    training: {command: "python src/train.py --name ${model}"}
    evaluation: {metrics: {auc: {min: 0.7}}}
    serving: {}
"""
TRIAL = BUY.replace("buy", "trial") + "    only: [staging]\n"
FILES = {SPEC: SHOP, "models/buy.yaml": BUY, "teams/growth.yaml": SOURCES}


# --- two environments that differ -------------------------------------------------------------


def test_each_environment_gets_its_own_values() -> None:
    files = outputs(FILES)
    scaler = "k8s/{}/buy/horizontalpodautoscaler.yaml"
    assert "minReplicas: 1\n  maxReplicas: 4\n" in files[scaler.format("staging")]
    assert "minReplicas: 2\n  maxReplicas: 20\n" in files[scaler.format("production")]
    deployment = "k8s/{}/buy/deployment.yaml"
    assert "memory: 2Gi" in files[deployment.format("production")]
    everything = "".join(files.values())
    assert "gs://shop/orders.parquet" in everything
    assert "gs://shop-dev/orders.parquet" in everything
    assert "${" not in files[deployment.format("staging")]
    assert "train.py --name buy" in everything


def test_a_generated_line_is_traced_to_the_layer_that_made_it() -> None:
    compilation = compiled(FILES)
    made = {artifact.path: artifact for artifact in compilation.artifacts()}
    artifact = made["k8s/production/buy/horizontalpodautoscaler.yaml"]
    lines = artifact.text.split("\n")

    def origin(text: str) -> str:
        number = next(n for n, line in enumerate(lines, 1) if text in line)
        places = [compilation.document.place(path) for path in causes_of(artifact, number)]
        return " ".join(f"{place.file}:{place.line}" for place in places)

    assert origin("maxReplicas: 20") == "mlops.yaml:15"  # the override
    assert origin("minReplicas: 2") == "mlops.yaml:7"  # the default, with a variable in it
    staging = made["k8s/staging/buy/horizontalpodautoscaler.yaml"]
    lines, artifact = staging.text.split("\n"), staging
    assert origin("maxReplicas: 4") == "mlops.yaml:7"


def test_an_item_of_one_environment_is_there_alone() -> None:
    files = outputs(FILES | {"models/trial.yaml": TRIAL})
    assert "k8s/staging/trial/deployment.yaml" in files
    assert not [path for path in files if path.startswith("k8s/production/trial")]
    without = outputs(FILES)
    for path, text in without.items():
        if "production" in path:
            assert files[path] == text


def test_a_reference_to_what_is_only_elsewhere_says_where_it_is() -> None:
    sources = SOURCES.replace("    timestamp", "    only: [staging]\n    timestamp")
    assert said(FILES | {"teams/growth.yaml": sources}).startswith(
        "error[N001]: there is no source 'orders' in environment 'production'\n"
        "  --> models/buy.yaml:3:13\n"
        "   |\n"
        " 3 |     target: orders:bought\n"
        "   |             ^^^^^^^^^^^^^\n"
        "   = help: it is `only` in staging: add production there, or give what refers to it the same"
        " `only`\n"
        "   = note: it is defined at teams/growth.yaml:2:3\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("{buy: {serving", "{buy: {serving", None),
        ('versions: {buy: "1"}}', 'versions: {trial: "1"}}', None),
        (
            '    versions: {buy: "1"}\n    over',
            '    versions: {trial: "1"}\n    over',
            "13:16 |trial|",
        ),
    ],
)
def test_a_version_of_a_model_that_is_not_there(old: str, new: str, place: str | None) -> None:
    files = FILES | {SPEC: SHOP.replace(old, new, 1), "models/trial.yaml": TRIAL}
    found = [line for line in refused(files) if line.startswith("N001")]
    assert found == ([] if place is None else [f"N001 mlops.yaml:{place}"])


def test_what_is_wrong_in_every_environment_is_said_once() -> None:
    model = BUY.replace("orders:total", "orders:totl").replace("serving: {}", "serving: {prot: 1}")
    assert refused(FILES | {"models/buy.yaml": model}) == ["S001 models/buy.yaml:7:15 |prot|"]
    model = BUY.replace("orders:total", "orders:totl")
    assert [line[:4] for line in refused(FILES | {"models/buy.yaml": model})] == ["N002"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (SHOP.replace("max: 20", "max: many"), ["S002 mlops.yaml:15:48 |many|"]),
        (SHOP.replace("max: 20", "maximum: 20"), ["S001 mlops.yaml:15:43 |maximum|"]),
        (SHOP.replace("max: 4", "max: many"), ["S002 mlops.yaml:7:96 |many|"]),
        (
            SHOP.replace("smallest: 1", "smallest: few"),
            ['S002 mlops.yaml:7:72 |"${var.smallest}"|'],
        ),
        (
            SHOP.replace("smallest: 2", "smallest: few"),
            ['S002 mlops.yaml:7:72 |"${var.smallest}"|'],
        ),
    ],
)
def test_a_wrong_value_in_a_layer_stands_in_the_layer(spec: str, expected: list[str]) -> None:
    files = FILES | {SPEC: spec}
    assert refused(files) == expected
    if "many" in spec and "max: 4" in spec:
        assert "this is an override of environment 'production'" in said(files)
        assert "it overrides what stands at mlops.yaml:7:96" in said(files)
    if "few" in spec:
        assert "this is a default, laid under every item of `models`" in said(files)
        assert "`${var.smallest}` is filled in from at mlops.yaml:" in said(files)


@pytest.mark.parametrize(
    ("defaults", "place"),
    [
        ("{models: {servng: {}}}", "|servng|"),
        ("{models: {servng: {}}}\nmodels: {}", "|servng|"),
        ("{models: {serving: {replcas: {min: 1}}}}", "|replcas|"),
        ("{models: {serving: {replicas: {minimum: 1}}}}", "|minimum|"),
        ("{models: {monitoring: {performance: {auc: {minimum: 1}}}}}", "|minimum|"),
        ("{sources: {columns: {id: {uniqe: true}}}}", "|uniqe|"),
        ("{endpoints: {splt: {}}}", "|splt|"),
        ("{environments: {deplooy: manual}}", "|deplooy|"),
        ("{models: {serving: {env: {ANY: x}, x-free: {y: 1}}, x-mine: 1}}", None),
        (
            "{models: {serving: {replicas: {min: 1}}, monitoring: {performance: {auc: {min: 1}}}}}",
            None,
        ),
        ("{environments: {overrides: {models: {a: {b: 1}}}}}", None),
    ],
)
def test_a_default_that_no_item_takes_up_is_of_the_language_too(
    defaults: str, place: str | None
) -> None:
    found = refused(f"{HEAD}defaults: {defaults}\n")
    assert [line.split(" ", 2)[0::2] for line in found] == ([["S001", place]] if place else [])


def test_what_must_hold_must_hold_in_each_environment() -> None:
    spec = SHOP.replace(
        'staging: {versions: {buy: "1"}}',
        """staging:
    versions: {buy: "1"}
    overrides: {models: {buy: {serving: {replicas: {min: 9}}}}}""",
    )
    files = FILES | {SPEC: spec}
    errors = [line for line in refused(files) if not line.startswith("R9")]
    assert errors == ["R309 mlops.yaml:7:96 |4|"]  # the default's maximum, below staging's minimum
    assert "'buy' has at least 9 copies and at most 4" in said(files)
    assert "it is so in environment 'staging'" in said(files)


def test_a_model_of_staging_needs_no_version_in_production() -> None:
    compilation = compiled(FILES | {"models/trial.yaml": TRIAL})
    pinned = [one.message for one in compilation.diagnostics if one.code == "R306"]
    assert not pinned


def test_what_only_one_environment_uses_is_used() -> None:
    view = "features: {ratio: {source: orders, fields: [total], ttl: 1d}}\n"
    model = TRIAL.replace("[orders:total]", "[ratio]")
    buy = BUY.replace("target", "description: x\n    target")
    compilation = compiled(FILES | {"models/buy.yaml": buy, "models/trial.yaml": view + model})
    assert "R115" not in [one.code for one in compilation.diagnostics]


def test_the_inputs_are_all_files_that_were_read() -> None:
    assert sorted(compiled(FILES).inputs.read_so_far) == ["models/buy.yaml", "teams/growth.yaml"]


# --- what changes nothing ---------------------------------------------------------------------


def few(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def usual(spec: dict[str, Any]) -> dict[str, str] | None:
    try:
        return outputs(json.dumps(spec))
    except Refused:
        return None


NAMED = ("sources", "features", "models", "images", "secrets")


@few(25)
@given(specs(), st.randoms(use_true_random=False))
def test_a_spec_spread_over_files_compiles_to_the_same(
    spec: dict[str, Any], chance: random.Random
) -> None:
    """Later items go to later files, so that their order stays."""
    before = usual(spec)
    if before is None:
        return
    files: list[dict[str, Any]] = [{}, {}, {}]
    for chapter, content in spec.items():
        if chapter in NAMED and content:
            cuts = sorted(chance.choices(range(len(content) + 1), k=2))
            items = list(content.items())
            for file, part in zip(
                files, (items[: cuts[0]], items[cuts[0] : cuts[1]], items[cuts[1] :]), strict=True
            ):
                if part:
                    file[chapter] = dict(part)
        elif chapter in ("apiVersion", "project", "environments"):
            files[0][chapter] = content
        else:
            chance.choice(files)[chapter] = content
    files[0]["include"] = ["parts/*.yaml"]
    texts = {SPEC: json.dumps(files[0])}
    texts |= {f"parts/{n}.yaml": json.dumps(file) for n, file in enumerate(files) if n and file}
    if len(texts) == 1:
        return
    assert outputs(texts) == before


@few(25)
@given(specs(), st.randoms(use_true_random=False))
def test_an_override_by_what_is_there_compiles_to_the_same(
    spec: dict[str, Any], chance: random.Random
) -> None:
    before = usual(spec)
    if before is None:
        return
    names = [name for name in spec.get("models", {}) if chance.random() < 0.7]
    overrides: dict[str, Any] = {"models": {name: spec["models"][name] for name in names}}
    overrides |= {key: spec[key] for key in ("services", "alerts") if key in spec}
    environments = spec.get("environments") or {"production": {}}
    changed = dict(spec, environments={k: dict(v) for k, v in environments.items()})
    chosen = chance.choice(list(environments))
    changed["environments"][chosen]["overrides"] = overrides
    # A spec without environments compiles to what one with `production` alone does.
    assert outputs(json.dumps(changed)) == before


@few(25)
@given(specs(), st.randoms(use_true_random=False))
def test_values_moved_into_variables_compile_to_the_same(
    spec: dict[str, Any], chance: random.Random
) -> None:
    before = usual(spec)
    if before is None:
        return
    variables: dict[str, Data] = {}

    def moved(data: Data, path: tuple[str | int, ...] = ()) -> Data:
        if path and (path[0] in ("apiVersion", "project", "environments", "ci") or "only" in path):
            return data
        if isinstance(data, dict):
            return {key: moved(value, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [moved(value, (*path, n)) for n, value in enumerate(data)]
        if data is None or chance.random() < 0.5:
            return data.replace("${", "$${") if isinstance(data, str) else data
        name = f"v{len(variables)}"
        variables[name] = data.replace("${", "$${") if isinstance(data, str) else data
        return "${var." + name + "}"

    changed = moved(spec)
    assert isinstance(changed, dict)
    if variables:
        changed["variables"] = variables
    assert outputs(json.dumps(changed)) == before


def test_defaults_compile_to_what_one_would_write_into_every_item() -> None:
    by_hand = SHOP.replace(SHOP[SHOP.index("defaults:") : SHOP.index("services:")], "")
    serving = (
        "serving: {resources: {cpu: 1, memory: 2Gi}, replicas: {min: '${var.smallest}', max: 4}}"
    )
    model = BUY.replace("serving: {}", serving)
    assert outputs(FILES) == outputs(FILES | {SPEC: by_hand, "models/buy.yaml": model})


# --- on a disk: compile, lock, promote -----------------------------------------------------------


def laid_out(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


def test_the_lock_lists_every_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = laid_out(tmp_path, FILES, monkeypatch)
    assert run(["compile"]) == 0
    lock = (root / "mlops.lock").read_text().splitlines()
    assert [line.split()[-1] for line in lock if line.startswith("input")] == sorted(FILES)
    assert run(["check"]) == 0
    (root / "models/buy.yaml").write_text(BUY + "    description: Who buys.\n")
    assert run(["check"]) == 1


def test_a_folder_and_memory_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlopsc.compiler import compile_spec
    from mlopsc.source.document import Source

    root = laid_out(tmp_path, FILES, monkeypatch)
    made = compile_spec(Source(SPEC, SHOP), Inputs(Folder(str(root)))).artifacts()
    assert {artifact.path: artifact.text for artifact in made} == outputs(FILES)


def test_a_generated_file_cannot_be_included(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = laid_out(tmp_path, FILES, monkeypatch)
    assert run(["compile"]) == 0
    (root / SPEC).write_text(SHOP.replace("models/*.yaml", '"k8s/**"'))
    assert run(["compile"]) == 1
    err = capsys.readouterr().err
    assert "a file of another language is included: its apiVersion is 'apps/v1'" in err
    assert "Traceback" not in err


SPLIT = {
    SPEC: SHOP.replace(
        SHOP[SHOP.index("environments:") :], "environments: {staging: {versions: {buy: '1'}}}\n"
    ).replace("teams/growth.yaml", "teams/growth.yaml, places/*.yaml"),
    "models/buy.yaml": BUY,
    "teams/growth.yaml": SOURCES,
    "places/production.yaml": "# what runs\nenvironments:\n  production:\n    variables: {smallest: 2}\n",
    "places/versions.yaml": 'environments: {production: {versions: {buy: "1"}}}  # kept\n',
}


@pytest.mark.parametrize(
    ("environment", "file", "line"),
    [
        ("staging", SPEC, 'environments: {staging: {versions: {buy: "2"}}}'),
        (
            "production",
            "places/versions.yaml",
            'environments: {production: {versions: {buy: "2"}}}  # kept',
        ),
    ],
)
def test_promote_writes_into_the_file_that_holds_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, file: str, line: str
) -> None:
    root = laid_out(tmp_path, SPLIT, monkeypatch)
    assert run(["promote", "buy", "2", "--env", environment]) == 0
    assert line in (root / file).read_text().splitlines()
    others = {name: text for name, text in SPLIT.items() if name != file}
    assert {name: (root / name).read_text() for name in others} == others
    assert run(["compile"]) == 0


def test_promote_adds_the_line_where_the_environment_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: text for name, text in SPLIT.items() if name != "places/versions.yaml"}
    root = laid_out(tmp_path, files, monkeypatch)
    assert run(["promote", "buy", "7", "--env", "production"]) == 0
    assert (root / "places/production.yaml").read_text() == (
        "# what runs\nenvironments:\n  production:\n    variables: {smallest: 2}\n"
        '    versions:\n      buy: "7"\n'
    )
    assert (root / SPEC).read_text() == files[SPEC]


def test_promote_of_what_an_environment_has_by_default_is_written_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SHOP.replace(
        "defaults:\n", 'defaults:\n  environments: {versions: {buy: "1"}}\n'
    ).replace('staging: {versions: {buy: "1"}}', "staging: {}")
    root = laid_out(tmp_path, FILES | {SPEC: spec}, monkeypatch)
    assert run(["promote", "buy", "3", "--env", "staging"]) == 0
    changed = (root / SPEC).read_text()
    assert changed == spec.replace("staging: {}", 'staging: {versions: {buy: "3"}}')
    assert compiled(FILES | {SPEC: changed}).project.environments[0].versions == {"buy": "3"}


def test_promote_refuses_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = SPLIT | {"models/trial.yaml": TRIAL}
    root = laid_out(tmp_path, files, monkeypatch)
    assert run(["promote", "trial", "2", "--env", "production"]) == 2
    assert "model 'trial' is in staging only, not in production" in capsys.readouterr().err
    assert run(["promote", "buy", "2", "--env", "qa"]) == 2
    assert "there are: staging, production" in capsys.readouterr().err
    assert {name: (root / name).read_text() for name in files} == files


def test_a_spec_by_itself_is_as_before() -> None:
    assert refused(HEAD) == []


def test_a_rule_that_looks_at_environments_looks_once() -> None:
    """The others are asked for each environment that differs, as if the project were like that."""
    for rule in RULES:
        if re.search(r"project\.(environments|production)\b", inspect.getsource(rule.look)):
            assert rule.whole, rule.code


# --- the page -----------------------------------------------------------------------------------

PAGE = (Path(__file__).parent.parent / "docs" / "language" / "composition.md").read_text("utf-8")


def section(title: str) -> str:
    """The text of a section of the page, without the next one."""
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_page_names_every_path_at_which_environments_may_differ() -> None:
    kinds = {f"sources.*.{kind}" for kind in SOURCE_KINDS}
    rows = [
        line for line in section("Where environments may differ").split("\n") if line[:1] == "|"
    ]
    named = [path for row in rows[2:] for path in re.findall("`([^`]+)`", row)]
    assert len(named) == len(set(named))
    assert {path for path in named if path != "sources.*.KIND"} | kinds == {
        ".".join(pattern) for pattern in MAY_DIFFER
    }


def test_the_page_names_what_the_tables_of_merging_hold() -> None:
    for *_, part in MERGING.parts:
        assert f"`{part}`" in section("defaults")
    for key in MERGING.control - {"apiVersion", "project"}:
        assert f"`{key}`" in section("overrides")
    for path in MERGING.verbatim:
        assert f"`{'.'.join(path)}`" in section("variables")
    for path, what in MERGING.items.items():
        shape = shape_of(Spec)
        for step in path:
            below = shape.below(step)
            assert below is not None
            shape = below
        assert (MERGING.only in shape.keys) == (what in section("only")), what
    for chapter in ("images", "sources", "features", "models", "endpoints", "environments"):
        assert f"`{chapter}`" in section("defaults")
