"""Patches: the user's last word on generated files, each held to what it was meant for."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from incremental.projects import Memory
from mlopsc.artifacts.trace import causes_of
from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.source.encoding import decode
from mlopsc.source.files import Inputs

if TYPE_CHECKING:
    from pathlib import Path

SPEC = (tools.ROOT / "examples" / "flights" / "mlops.yaml").read_text("utf-8")
DEPLOYMENT = "k8s/production/delay/deployment.yaml"


def compiled(*patches: dict[str, Any], files: dict[str, bytes] | None = None) -> Compilation:
    """The example with patches of its own."""
    text = f"{SPEC}\npatches: {json.dumps(list(patches))}\n"
    inputs = Inputs(Memory({"mlops.yaml": text.encode(), **(files or {})}))
    return compile_spec(decode("mlops.yaml", inputs.read("mlops.yaml")), inputs)


def file(compilation: Compilation, path: str) -> str:
    return next(each.text for each in compilation.artifacts() if each.path == path)


def data(compilation: Compilation, path: str) -> Any:
    return yaml.safe_load(file(compilation, path))


def refused(*patches: dict[str, Any], files: dict[str, bytes] | None = None) -> list[str]:
    with pytest.raises(Refused) as caught:
        compiled(*patches, files=files)
    return [one.code for one in caught.value.diagnostics if one.severity == "error"]


def test_mappings_merge_lists_replace_null_removes() -> None:
    before = data(compiled({"create": "x.txt", "text": "x\n"}), DEPLOYMENT)
    merge = {
        "metadata": {"labels": {"team": "ml"}},
        "spec": {
            "template": {"spec": {"containers": [{"name": "only"}], "serviceAccountName": None}}
        },
    }
    after = data(compiled({"artifact": DEPLOYMENT, "merge": merge}), DEPLOYMENT)
    assert after["metadata"]["labels"] == {**before["metadata"]["labels"], "team": "ml"}
    pod = after["spec"]["template"]["spec"]
    assert pod["containers"] == [{"name": "only"}]
    assert "serviceAccountName" in before["spec"]["template"]["spec"]
    assert "serviceAccountName" not in pod
    assert after["spec"]["selector"] == before["spec"]["selector"]


def test_a_json_patch_reaches_into_lists() -> None:
    steps = [
        {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "model"},
        {
            "op": "add",
            "path": "/spec/template/spec/containers/0/env/-",
            "value": {"name": "A", "value": "1"},
        },
        {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/also"},
        {"op": "remove", "path": "/spec/template/spec/containers/0/resources"},
    ]
    name = data(compiled({"create": "x.txt", "text": "x\n"}), DEPLOYMENT)["spec"]["template"][
        "spec"
    ]["containers"][0]["name"]
    steps[0]["value"] = name
    after = data(compiled({"artifact": DEPLOYMENT, "json": steps}), DEPLOYMENT)
    container = after["spec"]["template"]["spec"]["containers"][0]
    assert container["env"][-1] == {"name": "A", "value": "1"}
    assert "resources" not in container
    assert after["metadata"]["labels"]["also"] == after["metadata"]["name"]


def test_text_is_replaced_where_it_occurs_once() -> None:
    path = "images/train/Dockerfile"
    first = next(
        line
        for line in file(compiled({"create": "x.txt", "text": "x\n"}), path).splitlines()
        if line.startswith("FROM")
    )
    change = {"find": first, "with": "FROM registry.example.com/python:3.11"}
    text = file(compiled({"artifact": path, "replace": [change]}), path)
    assert "FROM registry.example.com/python:3.11\n" in text
    assert refused({"artifact": path, "replace": [{"find": "nowhere", "with": "x"}]}) == ["A006"]
    assert refused({"artifact": path, "replace": [{"find": "\n", "with": "x"}]}) == ["A006"]


def test_a_pattern_changes_every_file_that_fits() -> None:
    made = compiled(
        {
            "artifact": "k8s/*/delay/deployment.yaml",
            "merge": {"metadata": {"annotations": {"a": "b"}}},
        }
    )
    changed = [
        each.path for each in made.artifacts() if each.path.endswith("delay/deployment.yaml")
    ]
    assert len(changed) == 2
    assert all(data(made, path)["metadata"]["annotations"]["a"] == "b" for path in changed)


@pytest.mark.parametrize(
    ("patch", "codes"),
    [
        ({"artifact": "k8s/production/dely/deployment.yaml", "merge": {"a": 1}}, ["A001"]),
        ({"artifact": "k8s/*/nobody/*.yaml", "merge": {"a": 1}}, ["A001"]),
        ({"artifact": DEPLOYMENT, "expect": {"kind": "StatefulSet"}, "merge": {"a": 1}}, ["A003"]),
        ({"artifact": DEPLOYMENT, "json": [{"op": "remove", "path": "/spec/nothing"}]}, ["A005"]),
        (
            {"artifact": DEPLOYMENT, "json": [{"op": "test", "path": "/kind", "value": "Job"}]},
            ["A003"],
        ),
        ({"artifact": "images/train/Dockerfile", "merge": {"a": 1}}, ["A004"]),
        ({"create": DEPLOYMENT, "text": "x\n"}, ["A007"]),
        ({"create": "notes.txt", "from": "gone.txt"}, ["A008"]),
    ],
)
def test_a_patch_that_does_not_fit_is_an_error(patch: dict[str, Any], codes: list[str]) -> None:
    assert refused(patch) == codes


def test_a_patch_that_changes_nothing_is_a_warning() -> None:
    made = compiled({"artifact": DEPLOYMENT, "merge": {"kind": "Deployment"}})
    assert [one.code for one in made.diagnostics if one.severity == "warning"].count("A002") == 1


def test_what_is_expected_may_be_there() -> None:
    patch = {
        "artifact": DEPLOYMENT,
        "expect": {"kind": "Deployment"},
        "merge": {"metadata": {"labels": {"a": "b"}}},
    }
    assert data(compiled(patch), DEPLOYMENT)["metadata"]["labels"]["a"] == "b"


def test_a_line_of_a_patch_names_it() -> None:
    made = compiled(
        {
            "artifact": DEPLOYMENT,
            "merge": {"spec": {"template": {"spec": {"priorityClassName": "high"}}}},
        }
    )
    artifact = next(each for each in made.artifacts() if each.path == DEPLOYMENT)
    number = artifact.text.split("\n").index("      priorityClassName: high") + 1
    assert any(origin[:2] == ("patches", 0) for origin in causes_of(artifact, number))


def test_a_file_of_ones_own_is_kept_with_the_generated_ones() -> None:
    manifest = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n"
    made = compiled(
        {"create": "k8s/production/delay/notes.yaml", "from": "deploy/notes.yaml"},
        {"create": "docs/note.md", "text": "# A note\n"},
        files={"deploy/notes.yaml": manifest},
    )
    assert file(made, "k8s/production/delay/notes.yaml").encode() == manifest
    assert file(made, "docs/note.md") == "# A note\n"
    assert "notes.yaml" in data(made, "k8s/production/delay/kustomization.yaml")["resources"]
    assert "deploy/notes.yaml" in made.inputs.read_so_far


def test_kustomize_builds_a_patched_tree(tmp_path: Path) -> None:
    made = compiled(
        {
            "artifact": DEPLOYMENT,
            "merge": {"spec": {"template": {"spec": {"priorityClassName": "high"}}}},
        },
        {
            "create": "k8s/production/delay/notes.yaml",
            "text": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\n",
        },
    )
    for each in made.artifacts():
        path = tmp_path / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each.text, "utf-8")
    kubectl = tools.need("kubectl")
    built = subprocess.run(
        [kubectl, "kustomize", tmp_path / "k8s/production/delay"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    objects = {
        (one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(built.stdout)
    }
    assert ("ConfigMap", "notes") in objects
    deployment = next(one for (kind, _), one in objects.items() if kind == "Deployment")
    assert deployment["spec"]["template"]["spec"]["priorityClassName"] == "high"
