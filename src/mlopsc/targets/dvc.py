"""DVC: the stages of each model's training, with the same commands as the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.conventions import decision, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body, Draft
    from mlopsc.project.model import Model, Project, Source, Training

name: Final = "dvc"

PIPELINE: Final = "dvc.yaml"
PARAMETERS: Final = "params.yaml"

DECISIONS: Final[dict[str, str]] = {
    "dvc_stages": (
        "three stages a model, written out: a `foreach` would name them by position and run all"
        " models when one is asked for"
    ),
    "dvc_folders": (
        "relative to the project, as DVC wants its outputs; the pipeline names the same folders"
    ),
    "dvc_facts": (
        "a promotion changes the facts too: the dataset is made again, and if it comes out the"
        " same, nothing after it runs"
    ),
    "dvc_metrics": "a small report that git keeps, so that `dvc metrics diff` can compare commits",
    "dvc_parameters": (
        "the parameters and the seed of each model by its name: what the training script reads, and"
        " what `dvc exp run --set-param` changes"
    ),
}

Trained = tuple["Model", "Training"]


def emit(project: Project) -> Iterator[Draft]:
    """`dvc.yaml` and `params.yaml`, when there is anything to train."""
    trained = [(m, m.training) for m in project.models if m.training is not None]
    if not trained:
        return
    stages: dict[str, Body] = {}
    for model, training in trained:
        stages |= _stages(model, training)
    yield YamlDraft(PIPELINE, project.origin, {"stages": stages})
    values: Body = {model.name: _parameters(training) for model, training in trained}
    yield YamlDraft(PARAMETERS, project.origin, traced(values, decision("dvc_parameters")))


def _parameters(training: Training) -> Body:
    values: dict[str, Body] = {
        key: traced(value, training.at("parameters", key))
        for key, value in training.parameters.items()
    }
    values.setdefault("seed", traced(training.seed, training.at("seed")))
    return traced(values, training.at("parameters"))


def _stages(model: Model, training: Training) -> dict[str, Body]:
    """Dataset, training and evaluation of one model."""
    folder = f"build/{model.name}"
    data, out, gate = f"{folder}/data", f"{folder}/out", f"{folder}/gate/gate.json"
    facts = traced(conventions.model_facts(model.name), decision("dvc_facts"))
    folders = f"{conventions.DATA_VARIABLE}={data} {conventions.OUT_VARIABLE}={out}"
    judged = model.evaluation.origin if model.evaluation is not None else training.origin
    dataset: Body = {
        "cmd": f"python {program('dataset')} --model {model.name} --data {data}"
        f" --environment {training.environment}",
        "deps": [program("dataset"), facts, *_inputs(model)],
        "outs": [traced(data, decision("dvc_folders"))],
    }
    train: Body = {
        "cmd": traced(f"{folders} {_literal(_shell(training.command))}", training.at("command")),
        "deps": [data, *(traced(path, training.at("paths")) for path in _code(training))],
        "params": [traced(model.name, training.at("parameters"))],
        "outs": [traced(out, decision("dvc_folders"))],
    }
    evaluate: Body = {
        "cmd": f"python {program('gate')} --model {model.name} --data {data} --out {out}",
        "deps": [program("gate"), facts, data, out],
        "metrics": [traced({gate: {"cache": False}}, decision("dvc_metrics"))],
    }
    origins = decision("dvc_stages")
    return {
        f"{model.name}-dataset": traced(
            dataset, model.target.origin, training.at("split"), origins
        ),
        f"{model.name}-train": traced(train, training.origin, origins),
        f"{model.name}-evaluate": traced(evaluate, judged, origins),
    }


def _inputs(model: Model) -> Iterator[Body]:
    """What the dataset is made from beside the program: facts of sources, files, definitions."""
    sources = {model.target.source.name: model.target.source}
    sources.update({view.source.name: view.source for view in model.views})
    for source in sources.values():
        yield traced(conventions.source_facts(source.name), source.origin)
        if _is_local(source):
            yield traced((source.location or "").rstrip("/"), source.at(source.kind or ""))
    if model.uses_feature_store:
        yield traced(f"{conventions.FEATURE_REPO}/definitions.py", model.at("features"))


def _is_local(source: Source) -> bool:
    return source.kind in ("parquet", "csv") and "://" not in (source.location or "")


def _code(training: Training) -> list[str]:
    """The paths whose change trains again; DVC knows no patterns: a folder stands for its files."""
    found: dict[str, None] = {}
    for pattern in training.paths:
        steps = pattern.rstrip("/").split("/")
        wild = next((i for i, step in enumerate(steps) if set(step) & set("*?[")), len(steps))
        if wild:
            found["/".join(steps[:wild])] = None
    folders = list(found)
    return [f for f in folders if not any(f.startswith(f"{other}/") for other in folders)]


def _shell(command: str) -> str:
    """A command as one that takes variables before it: several need a shell of their own."""
    import shlex

    simple = "\n" not in command and not set(command) & set(";&|()<>`$")
    return command if simple else f"sh -euc {shlex.quote(command)}"


def _literal(text: str) -> str:
    r"""Text in which DVC interpolates nothing.

    Source: dvc.org/doc/user-guide/project-structure/dvcyaml-files, "Templating": `\${` is literal.
    """
    return text.replace("${", "\\${")
