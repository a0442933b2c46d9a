"""Programs, facts and settings of jobs as ConfigMaps, and how a pod sees them.

`configMapGenerator` reads files at or below its own kustomization alone (kustomize's
`--load-restrictor`; seen with kubectl 1.32), so the folders that hold the files get one each. The
folders of the environments take those as resources, which may lie anywhere. Each model has its own
ConfigMaps: what is deployed, cleaned up or stopped for one model never touches another's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, Draft, YamlDraft, traced
from mlopsc.frozen import frozen
from mlopsc.project import conventions
from mlopsc.project.containers import KUBERNETES
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes.place import Fields, Place, sources_of
from mlopsc.targets.kubernetes.runs import APP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Model, Project

PROGRAM_FILES: Final = tuple(
    file for file in conventions.PROGRAM_FILES if file not in conventions.PIPELINE_ONLY
)
"""The programs that run as jobs, and the parts they share."""

REPORTS: Final = "monitoring/evidently"
FEAST_CONFIG: Final = "feature_store.yaml"


Files = dict[str, str]
"""Keys of a ConfigMap, and the paths below its folder they are read from and mounted at."""


@frozen
class Folder:
    """A folder of the project whose files become ConfigMaps, one a model.

    Attributes:
        volume: what the files are; the volume's name, and the end of the ConfigMap's.
        files: which of them a model needs; none: it has no ConfigMap of this folder.
        models: those that need any.
    """

    path: str
    volume: str
    origin: Path
    files: Callable[[Model], Files]
    models: tuple[Model, ...] = ()
    names: frozenset[str] = frozenset()  # of `models`

    def config_map(self, model: Model) -> str:
        """The name of a model's ConfigMap, which kustomize adds a hash to."""
        return conventions.object_name(model.name, self.volume)


def emit(project: Project, folders: tuple[Folder, ...]) -> Iterator[Draft]:
    """A kustomization in each folder whose files some job reads."""
    for folder in folders:
        generators: list[Body] = [
            _generator(project, model, folder, files)
            for model in folder.models
            if (files := folder.files(model))
        ]
        immutable = traced(True, decision("kubernetes_immutable"))
        body: Fields = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "generatorOptions": {"immutable": immutable},
            "configMapGenerator": traced(generators, decision("kubernetes_configuration")),
        }
        yield YamlDraft(f"{folder.path}/kustomization.yaml", folder.origin, body)


def _generator(project: Project, model: Model, folder: Folder, files: Files) -> Body:
    labels: Fields = dict(conventions.kubernetes_labels(project.name, model.name, "jobs"))
    options: Fields = {"labels": traced(labels, decision("kubernetes_labels"))}
    keys: list[Body] = [path if key == path else f"{key}={path}" for key, path in files.items()]
    body: Fields = {"name": folder.config_map(model), "files": keys, "options": options}
    return traced(body, model.origin)


def folders(project: Project) -> Iterator[Folder]:
    """The folders of the project that Kubernetes jobs read files of."""
    models = tuple(model for model in project.models if runs_jobs(model))
    for folder in _FOLDERS:
        of_models = tuple(model for model in models if folder.files(model))
        if of_models:
            names = frozenset(model.name for model in of_models)
            yield replace(folder, models=of_models, names=names)


def runs_jobs(model: Model) -> bool:
    """Whether any program of the model runs in Kubernetes."""
    scheduled = model.monitoring is not None or model.batch is not None or bool(model.views)
    trained = model.training is not None and model.platform.training == KUBERNETES
    return trained or (scheduled and model.platform.orchestration == KUBERNETES)


def mounts(place: Place) -> tuple[Body, ...]:
    """Where a job sees its configuration: as in a checkout, so that the programs run alike."""
    return tuple(
        {"name": folder.volume, "mountPath": f"{APP}/{folder.path}", "readOnly": True}
        for folder in _FOLDERS
        if folder.files(place.model)
    )


def volumes(place: Place) -> tuple[Body, ...]:
    """The volumes behind `mounts`."""
    return tuple(
        traced(_volume(place.model, folder, files), decision("kubernetes_configuration"))
        for folder in _FOLDERS
        if (files := folder.files(place.model))
    )


def _volume(model: Model, folder: Folder, files: Files) -> Fields:
    source: Fields = {"name": folder.config_map(model)}
    if any(key != path for key, path in files.items()):
        items: list[Body] = [{"key": key, "path": path} for key, path in files.items()]
        source["items"] = items
    return {"name": folder.volume, "configMap": source}


def _program_files(model: Model) -> Files:
    """The programs, and the facts of the model and its tables. A key of a ConfigMap has no `/`."""
    paths = [conventions.model_facts(model.name)]
    paths += [
        conventions.source_facts(source.name)
        for source in sources_of(model)
        if source.kind is not None
    ]
    facts = [path.removeprefix(f"{conventions.PROGRAMS}/") for path in paths]
    return {path.replace("/", "."): path for path in (*PROGRAM_FILES, *facts)}


def _report_files(model: Model) -> Files:
    """Evidently's configurations, which the monitor reads."""
    monitoring = model.monitoring
    if monitoring is None or model.platform.orchestration != KUBERNETES:
        return {}
    paths = []
    if monitoring.drift is not None:
        paths.append(conventions.drift_report(model.name))
    if monitoring.performance:
        paths.append(conventions.performance_report(model.name))
    files = [path.removeprefix(f"{REPORTS}/") for path in paths]
    return dict(zip(files, files, strict=True))


def _feast_files(model: Model) -> Files:
    """Feast's configuration; what it knows of views is in its registry."""
    return {FEAST_CONFIG: FEAST_CONFIG} if model.uses_feature_store else {}


_FOLDERS: Final = (
    Folder(conventions.PROGRAMS, "programs", ("platform", "orchestration"), _program_files),
    Folder(REPORTS, "reports", ("platform", "drift"), _report_files),
    Folder(conventions.FEATURE_REPO, "feature-repo", ("platform", "feature_store"), _feast_files),
)
