"""A project folder in a test: compiling into it, and looking at all that is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Artifact
from mlopsc.workspace.apply import apply
from mlopsc.workspace.lock import read_lock
from mlopsc.workspace.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlopsc.workspace.change import Plan

INPUTS = {"mlops.yaml": b"project: demo\n"}


def artifacts(texts: Mapping[str, str]) -> list[Artifact]:
    return [Artifact(path, text, (), "test") for path, text in texts.items()]


def plan_for(root: Path | str, texts: Mapping[str, str], *, partial: bool = False) -> Plan:
    return make_plan(artifacts(texts), str(root), read_lock(str(root)), INPUTS, partial=partial)


def compile_into(root: Path | str, texts: Mapping[str, str], *, partial: bool = False) -> Plan:
    plan = plan_for(root, texts, partial=partial)
    apply(plan, str(root))
    return plan


def kinds(plan: Plan) -> dict[str, str]:
    return {change.path: change.kind for change in plan.changes}


def codes(plan: Plan) -> list[str]:
    return [finding.code for finding in plan.findings]


def everything(root: Path | str) -> dict[str, str]:
    """Each path below `root` (folders with a final `/`) and what it holds."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"link to {path.readlink()}"
            elif path.is_dir():
                found[key + "/"] = "folder"
            elif path.is_file():
                found[key] = path.read_bytes().decode("latin-1")
            else:
                found[key] = "special"
    return found


def files_of(root: Path | str) -> dict[str, str]:
    """Every file but the lock."""
    return {
        path: text
        for path, text in everything(root).items()
        if not path.endswith("/") and path != "mlops.lock"
    }


def with_folders(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts and the folders they need, in the form of `everything`."""
    folders = {f"{parent}/" for path in texts for parent in Path(path).parents if parent.name}
    return {**dict.fromkeys(folders, "folder"), **texts}
