"""The language at full stretch: what of it has no system yet is said, and all the rest compiles."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import tools
from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.source.encoding import decode
from mlopsc.source.files import Inputs
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.built import NOT_BUILT
from mlopsc.spec.patterns import grow, walk
from mlopsc.workspace.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

    from mlopsc.diagnostics.diagnostic import Diagnostic

SPEC = "mlops.yaml"


@pytest.fixture
def design(tmp_path: Path) -> Path:
    """The acceptance input, in a project of its own with the files it names."""
    files = {
        SPEC: (tools.shared("design") / SPEC).read_text("utf-8"),
        "models/none.yaml": "x-later: models of other teams\n",
        "deploy/explainer.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: explainer}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def compiled(folder: Path) -> Compilation:
    inputs = Inputs(Folder(str(folder)))
    return compile_spec(decode(SPEC, inputs.read(SPEC)), inputs)


def refused(folder: Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(Refused) as caught:
        compiled(folder)
    return tuple(one for one in caught.value.diagnostics if one.severity == "error")


def built_alone(folder: Path) -> dict[str, Any]:
    """The spec with what is not built taken out, and the first word that works where one has to stand."""
    data: Any = json.loads(json.dumps(read_yaml(decode(SPEC, (folder / SPEC).read_bytes())).data))
    for finding in list(walk(grow(NOT_BUILT), data)):
        *above, key = finding.at
        node = data
        for step in above:
            node = node[step] if isinstance(step, int) or step in node else {}
        if finding.on_key:
            node.pop(key, None)
        elif node:
            works = next(re.finditer(r"`(?:\w+: )?(\w+)`", finding.help or ""))
            node[key] = works[1]
    return data


def write(folder: Path, data: dict[str, Any]) -> None:
    (folder / SPEC).write_text(json.dumps(data, indent=2), "utf-8")  # JSON is YAML


def test_all_that_is_refused_has_no_system_yet(design: Path) -> None:
    assert {one.code for one in refused(design)} == {"S010"}


def test_a_word_of_the_platform_is_answered_with_the_words_that_work(design: Path) -> None:
    said = {one.message: one.help for one in refused(design)}
    assert (
        said["`delivery: argo_rollouts` is not built yet"]
        == "what works now is `delivery: rolling`"
    )
    assert said["`gitops: argocd` is not built yet"] == "what works now is `gitops: kubectl`"
    words = [message for message in said if re.match(r"`\w+: \w+` is not built yet", message)]
    assert len(words) > 6
    assert all((said[message] or "").startswith("what works now is") for message in words)


def test_what_follows_from_it_is_said_next(design: Path) -> None:
    """Without a log nobody writes `churn_log`, nothing rolls back by itself; and two of its own.

    200ms is no bucket of MLServer's histogram, and the rows that are scored carry no `open_tickets`.
    """
    write(design, built_alone(design))
    assert {one.code for one in refused(design)} == {"R104", "R304", "R402", "R411", "R701"}


def test_all_the_rest_compiles(design: Path) -> None:
    data = built_alone(design)
    churn = data["models"]["churn"]
    churn["features"] = ["customer_features", "outcomes:open_tickets"]
    del data["features"]["ratios"]
    data["features"]["customer_features"].pop("materialize")
    churn["serving"]["slo"]["latency"] = {"p95": "250ms"}
    churn["monitoring"]["current"] = "outcomes"
    churn["monitoring"]["respond"]["slo"] = "alert"
    del churn["batch"]
    del data["sources"]["churn_log"], data["sources"]["churn_scores"]
    data["patches"][0]["artifact"] = "k8s/production/churn/deployment.yaml"
    write(design, data)
    made = compiled(design)
    paths = {artifact.path: artifact.text for artifact in made.artifacts()}
    assert "priorityClassName: high" in paths["k8s/production/churn/deployment.yaml"]
    assert "k8s/production/churn/explainer.yaml" in paths
    assert "minReplicas: 3" in paths["k8s/production/churn/horizontalpodautoscaler.yaml"]
    assert "minReplicas: 2" in paths["k8s/staging/churn/horizontalpodautoscaler.yaml"]
    assert "acme-staging.growth.churn_outcomes" in paths["mlops/sources/outcomes.json"]
    assert "acme-prod.growth.churn_outcomes" in paths["mlops/sources/outcomes.json"]
    assert "unit_tests:" in paths[".gitlab-ci.yml"]
