"""`mlopsc adopt`: an edit of a generated file becomes a patch, and nothing else of the spec changes."""

from __future__ import annotations

import json
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import tools
from mlopsc.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = "k8s/production/delay/deployment.yaml"
REPORT = "monitoring/evidently/delay.drift.json"
DOCKERFILE = "images/train/Dockerfile"
EDITED = (
    DEPLOYMENT,
    REPORT,
    "dvc.yaml",
    ".gitlab-ci.yml",
    "monitoring/prometheus/production/delay.rules.yml",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example, as it is committed."""
    root = tmp_path / "flights"
    ignored = shutil.ignore_patterns("data", "build", "__pycache__")
    shutil.copytree(tools.ROOT / "examples" / "flights", root, ignore=ignored)
    return root


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), "utf-8")


def adopt(folder: Path, name: str) -> None:
    assert run(["adopt", str(folder / name)]) == 0
    assert run(["compile", str(folder)]) == 0
    assert run(["check", str(folder)]) == 0


def test_the_spec_keeps_every_other_byte(folder: Path) -> None:
    before = (folder / "mlops.yaml").read_text("utf-8")
    replace(folder / DEPLOYMENT, "kind: Deployment", "kind: Deployment\nimmutable: false")
    edited = yaml.safe_load((folder / DEPLOYMENT).read_text("utf-8"))
    adopt(folder, DEPLOYMENT)
    after = (folder / "mlops.yaml").read_text("utf-8")
    assert after.startswith(before.rstrip("\n"))
    assert "patches:" in after
    assert yaml.safe_load((folder / DEPLOYMENT).read_text("utf-8")) == edited


def test_text_is_adopted_as_text(folder: Path) -> None:
    path = folder / DOCKERFILE
    path.write_text(path.read_text("utf-8") + "RUN echo ${HOME}\n", "utf-8")
    edited = path.read_text("utf-8")
    adopt(folder, DOCKERFILE)
    assert path.read_text("utf-8") == edited


def test_two_edits_one_after_another(folder: Path) -> None:
    replace(folder / DOCKERFILE, "FROM ", "# ours\nFROM ")
    adopt(folder, DOCKERFILE)
    edited = json.loads((folder / REPORT).read_text("utf-8"))
    edited["note"] = "a word"
    (folder / REPORT).write_text(json.dumps(edited), "utf-8")
    adopt(folder, REPORT)
    assert json.loads((folder / REPORT).read_text("utf-8")) == edited
    assert "# ours\n" in (folder / DOCKERFILE).read_text("utf-8")


@pytest.mark.parametrize("seed", range(12))
def test_a_random_edit_of_data(seed: int, folder: Path) -> None:
    """Whatever is changed, added or taken away: what is adopted compiles to the edited data."""
    drawn = random.Random(seed)
    name = drawn.choice(EDITED)
    path = folder / name
    data: Any = yaml.safe_load(path.read_text("utf-8"))
    for _ in range(drawn.randint(1, 3)):
        change(data, drawn)
    path.write_text(json.dumps(data, indent=2), "utf-8")  # JSON is YAML
    adopt(folder, name)
    assert yaml.safe_load(path.read_text("utf-8")) == data


def change(data: Any, drawn: random.Random) -> None:
    """Change, add or take away something somewhere in nested data."""
    node = data
    while True:
        inner = [
            child
            for child in (node.values() if isinstance(node, dict) else node)
            if child and isinstance(child, dict | list)
        ]
        if not inner or drawn.random() < 0.3:
            break
        node = drawn.choice(inner)
    value = drawn.choice(
        ["text", "${x} and $${y}", "no", 7, 1.5, True, None, [], {}, ["a", {"b": None}], {"k": "v"}]
    )
    if isinstance(node, dict):
        keys = list(node)
        what = drawn.choice(["add", "set", "take"]) if keys else "add"
        if what == "add":
            node[f"added{drawn.randint(0, 9)}"] = value
        elif what == "set":
            node[drawn.choice(keys)] = value
        elif len(node) > 1 or node is not data:
            del node[drawn.choice(keys)]
    elif node and drawn.random() < 0.5:
        node.pop(drawn.randrange(len(node)))
    else:
        node.insert(drawn.randint(0, len(node)), value)


def test_nothing_is_written_in_a_dry_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "mlops.yaml").read_text("utf-8")
    replace(folder / DOCKERFILE, "FROM ", "# ours\nFROM ")
    assert run(["adopt", "--dry-run", str(folder / DOCKERFILE)]) == 0
    assert (
        "patches" in capsys.readouterr().out or (folder / "mlops.yaml").read_text("utf-8") == before
    )
    assert (folder / "mlops.yaml").read_text("utf-8") == before


def test_an_edit_there_is_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["adopt", str(folder / DOCKERFILE)]) == 0
    assert "nothing to adopt" in capsys.readouterr().out
    assert run(["adopt", str(folder / "src" / "train.py")]) == 1
    assert "not a file this spec compiles to" in capsys.readouterr().err


def test_a_comment_alone_cannot_be_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(folder / DEPLOYMENT, "kind: Deployment", "kind: Deployment # ours")
    assert run(["adopt", str(folder / DEPLOYMENT)]) == 1
    assert "W051" in capsys.readouterr().err


def test_a_spec_that_was_changed_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(folder / DEPLOYMENT, "kind: Deployment", "kind: Deployment\nadded: 1")
    replace(folder / "mlops.yaml", "project: flights", "project: departures")
    assert run(["adopt", str(folder / DEPLOYMENT)]) == 1
    assert "W051" in capsys.readouterr().err


def test_a_hand_edit_is_answered_with_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(folder / DOCKERFILE, "FROM ", "# ours\nFROM ")
    assert run(["compile", str(folder)]) == 1
    assert "mlopsc adopt" in capsys.readouterr().err
