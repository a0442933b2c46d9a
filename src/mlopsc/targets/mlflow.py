"""MLflow: the project file, for people who start a step with `mlflow run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body, Draft
    from mlopsc.project.model import Model, Project, Training

name: Final = "mlflow"

PROJECT_FILE: Final = "MLproject"

DECISIONS: Final[dict[str, str]] = {
    "mlflow_entry_points": (
        "an entry point a step, the same commands as in the pipeline; hyperparameters stand in"
        " params.yaml, where DVC and the pipeline read them too"
    ),
    "mlflow_environment": (
        "no environment of MLflow's own: the steps run in the one they are started from, with"
        " `mlflow run . --env-manager local`, as they do in the pipeline's images"
    ),
    "mlflow_folders": (
        "text and not `path`: MLflow refuses a path that does not exist yet, and these are made"
    ),
}


def emit(project: Project) -> Iterator[Draft]:
    """`MLproject`, when MLflow is there and anything is trained."""
    trained = [(m, m.training) for m in project.models if m.training is not None]
    if project.services.mlflow is None or not trained:
        return
    entry_points: dict[str, Body] = {}
    for model, training in trained:
        entry_points |= _entry_points(model, training)
    body: Body = {
        "name": traced(project.name, project.at("project")),
        "entry_points": traced(
            entry_points, decision("mlflow_entry_points"), decision("mlflow_environment")
        ),
    }
    yield YamlDraft(PROJECT_FILE, project.services.at("mlflow"), body)


def _entry_points(model: Model, training: Training) -> dict[str, Body]:
    folders = _folders(model)
    variables = f"{conventions.DATA_VARIABLE}={{data}} {conventions.OUT_VARIABLE}={{out}}"
    judged = model.evaluation.origin if model.evaluation is not None else training.origin
    dataset = (
        f"python {program('dataset')} --model {model.name} --data {{data}}"
        f" --environment {training.environment}"
    )
    gate = f"python {program('gate')} --model {model.name} --data {{data}} --out {{out}}"
    command = f"export {variables}; {_literal(training.command)}"
    return {
        f"{model.name}-dataset": traced(
            {"parameters": {"data": folders["data"]}, "command": dataset}, model.target.origin
        ),
        f"{model.name}-train": traced(
            {"parameters": folders, "command": traced(command, training.at("command"))},
            training.origin,
        ),
        f"{model.name}-evaluate": traced({"parameters": folders, "command": gate}, judged),
    }


def _folders(model: Model) -> dict[str, Body]:
    return {
        key: traced(
            {"type": "string", "default": f"build/{model.name}/{key}"}, decision("mlflow_folders")
        )
        for key in ("data", "out")
    }


def _literal(text: str) -> str:
    """Text in which MLflow, which fills commands in with `str.format`, replaces nothing."""
    return text.replace("{", "{{").replace("}", "}}")
