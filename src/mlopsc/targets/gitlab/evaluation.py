"""Evaluation: the gate, and the version that a passed model becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision, program
from mlopsc.targets.gitlab import flow
from mlopsc.targets.gitlab.runtime import Job, artifacts, job_name, needs

if TYPE_CHECKING:
    from mlopsc.project.model import Model, Project, Training

Jobs = Iterator[tuple[str, Body]]


def model_jobs(project: Project, model: Model, training: Training) -> Jobs:
    """Judge what training left, and register it when it passed."""
    registered = job_name(model.name, "register")
    if flow.trains_in_kubernetes(model):
        if flow.registers(project):
            yield registered, _found(model, training)
        return
    yield job_name(model.name, "gate"), _gate(model, training)
    if flow.registers(project):
        yield registered, _register(model)


def _gate(model: Model, training: Training) -> Body:
    folder = f"build/{model.name}/gate"
    at = model.evaluation.origin if model.evaluation is not None else training.origin
    body: Job = {
        "extends": [".python", f".{model.name}:training"],
        "stage": "model_evaluation",
        "needs": needs(
            job_name(model.name, "dataset"), job_name(model.name, "train"), optional=False
        ),
        "script": [f"python {program('gate')} --model {model.name}"],
        "artifacts": artifacts(
            f"{folder}/",
            when="always",
            reports={
                "junit": f"{folder}/junit.xml",
                "metrics": f"{folder}/metrics.txt",
                "dotenv": f"{folder}/gate.env",
            },
        ),
    }
    return traced(body, at, model.platform.at("training"))


def _register(model: Model) -> Body:
    folder = f"build/{model.name}/register"
    body: Job = {
        "extends": [".python", f".{model.name}:release"],
        "stage": "model_evaluation",
        "needs": needs(
            *(job_name(model.name, part) for part in ("dataset", "train", "gate")), optional=False
        ),
        "interruptible": False,
        "script": [f"python {program('register')} --model {model.name}"],
        "artifacts": artifacts(f"{folder}/", reports={"dotenv": f"{folder}/register.env"}),
    }
    at = (model.platform.at("model_registry"), model.platform.at("training"))
    return traced(body, *at, decision("gitlab_register"))


def _found(model: Model, training: Training) -> Body:
    """The cluster's Job has registered the version it trained; this finds out which one that is."""
    asked = (
        "import sys, mlflow;"
        " print(mlflow.MlflowClient().get_model_version_by_alias(*sys.argv[1:]).version)"
    )
    body: Job = {
        "extends": [".python", f".{model.name}:release"],
        "stage": "model_evaluation",
        "needs": needs(job_name(model.name, "train"), optional=False, artifacts=False),
        "interruptible": False,
        "script": [
            f'version=$(python -c "{asked}" {model.name} {conventions.CHALLENGER})',
            f'echo "{conventions.VERSION_VARIABLE}=$version" > register.env',
        ],
        "artifacts": artifacts(reports={"dotenv": "register.env"}),
    }
    at = (training.origin, model.platform.at("training"), decision("gitlab_kubernetes_training"))
    return traced(body, *at)
