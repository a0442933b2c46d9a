"""Programs, facts and settings of jobs as ConfigMaps, and how a pod sees them.

`configMapGenerator` reads files at or below its own kustomization alone (kustomize's
`--load-restrictor`; seen with kubectl 1.32), so the folders that hold the files get one each. The
folders of the environments take those as resources, which may lie anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Draft, YamlDraft, traced
from mlopsc.project import conventions
from mlopsc.project.containers import KUBERNETES
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes.place import Fields, Place, sources_of
from mlopsc.targets.kubernetes.runs import APP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model, Project

PROGRAM_FILES: Final = (
    "batch.py",
    "command.py",
    "dataset.py",
    "facts.py",
    "gate.py",
    "joins.py",
    "materialize.py",
    "metrics.py",
    "monitor.py",
    "network.py",
    "outcome.py",
    "register.py",
    "registry.py",
    "reports.py",
    "scoring.py",
    "stores.py",
    "tables.py",
)
"""The programs that run as jobs, and the parts they share."""

REPORTS: Final = "monitoring/evidently"
FEAST_CONFIG: Final = "feature_store.yaml"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the project whose files become ConfigMaps."""

    path: str
    origin: Path
    config_maps: tuple[Fields, ...]


def emit(project: Project) -> Iterator[Draft]:
    """A kustomization in each folder whose files some job reads."""
    for folder in folders(project):
        body: Fields = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "generatorOptions": {
                "immutable": traced(True, decision("kubernetes_immutable")),
                "labels": traced(_labels(project), decision("kubernetes_labels")),
            },
            "configMapGenerator": traced(
                list(folder.config_maps), decision("kubernetes_configuration")
            ),
        }
        yield YamlDraft(f"{folder.path}/kustomization.yaml", folder.origin, body)


def folders(project: Project) -> Iterator[Folder]:
    """The folders of the project that Kubernetes jobs read files of."""
    models = [model for model in project.models if runs_jobs(model)]
    if not models:
        return
    programs: Fields = {"name": programs_name(project), "files": list(PROGRAM_FILES)}
    facts = tuple(_facts(model) for model in models)
    yield Folder(conventions.PROGRAMS, ("platform", "orchestration"), (programs, *facts))
    watched = [model for model in models if reads_reports(model)]
    if watched:
        yield Folder(REPORTS, ("platform", "drift"), tuple(_reports(model) for model in watched))
    if any(model.uses_feature_store for model in models):
        name = feature_repo_name(project)
        config: Fields = {"name": name, "files": [FEAST_CONFIG]}
        yield Folder(conventions.FEATURE_REPO, ("platform", "feature_store"), (config,))


def runs_jobs(model: Model) -> bool:
    """Whether any program of the model runs in Kubernetes."""
    scheduled = model.monitoring is not None or model.batch is not None or bool(model.views)
    trained = model.training is not None and model.platform.training == KUBERNETES
    return trained or (scheduled and model.platform.orchestration == KUBERNETES)


def reads_reports(model: Model) -> bool:
    """Whether its monitor, with report configurations, runs in Kubernetes."""
    return model.platform.orchestration == KUBERNETES and bool(_report_files(model))


def programs_name(project: Project) -> str:
    """The ConfigMap of the programs."""
    return f"{conventions.dns(project.name)}-programs"


def feature_repo_name(project: Project) -> str:
    """The ConfigMap of Feast's configuration."""
    return f"{conventions.dns(project.name)}-feature-repo"


def facts_name(model: Model) -> str:
    """The ConfigMap of what the programs know of a model."""
    return conventions.object_name(model.name, "facts")


def reports_name(model: Model) -> str:
    """The ConfigMap of a model's report configurations."""
    return conventions.object_name(model.name, "reports")


def mounts(place: Place) -> tuple[Body, ...]:
    """Where a job sees its configuration: as in a checkout, so that the programs run alike."""
    model = place.model
    made: list[Body] = [_mount("programs", f"{APP}/{conventions.PROGRAMS}")]
    if reads_reports(model):
        made.append(_mount("reports", f"{APP}/{REPORTS}"))
    if model.uses_feature_store:
        made.append(_mount("feature-repo", f"{APP}/{conventions.FEATURE_REPO}"))
    return tuple(made)


def volumes(place: Place) -> tuple[Body, ...]:
    """The volumes behind `mounts`."""
    model = place.model
    items: list[Body] = [
        {"key": path.replace("/", "."), "path": path} for path in _facts_files(model)
    ]
    sources: list[Body] = [
        {"configMap": {"name": programs_name(place.project)}},
        {"configMap": {"name": facts_name(model), "items": items}},
    ]
    programs: Fields = {"name": "programs", "projected": {"sources": sources}}
    made: list[Body] = [traced(programs, decision("kubernetes_configuration"))]
    if reads_reports(model):
        made.append({"name": "reports", "configMap": {"name": reports_name(model)}})
    if model.uses_feature_store:
        name = feature_repo_name(place.project)
        made.append({"name": "feature-repo", "configMap": {"name": name}})
    return tuple(made)


def _mount(volume: str, path: str) -> Body:
    return {"name": volume, "mountPath": path, "readOnly": True}


def _labels(project: Project) -> Fields:
    return {
        "app.kubernetes.io/part-of": conventions.dns(project.name),
        "app.kubernetes.io/managed-by": "mlopsc",
    }


def _facts(model: Model) -> Fields:
    files = [f"{path.replace('/', '.')}={path}" for path in _facts_files(model)]
    return {"name": facts_name(model), "files": traced(files, model.origin)}


def _facts_files(model: Model) -> list[str]:
    """The facts of a model and its tables, below the folder of the programs."""
    paths = [conventions.model_facts(model.name)]
    paths += [
        conventions.source_facts(source.name)
        for source in sources_of(model)
        if source.kind is not None
    ]
    return [path.removeprefix(f"{conventions.PROGRAMS}/") for path in paths]


def _reports(model: Model) -> Fields:
    return {"name": reports_name(model), "files": traced(_report_files(model), model.origin)}


def _report_files(model: Model) -> list[str]:
    if model.monitoring is None:
        return []
    paths = []
    if model.monitoring.drift is not None:
        paths.append(conventions.drift_report(model.name))
    if model.monitoring.performance:
        paths.append(conventions.performance_report(model.name))
    return [path.removeprefix(f"{REPORTS}/") for path in paths]
