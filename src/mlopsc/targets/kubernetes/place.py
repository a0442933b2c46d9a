"""One model in one environment: the names, labels and metadata of everything made for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, YamlDraft, traced
from mlopsc.frozen import frozen
from mlopsc.project import conventions
from mlopsc.project.containers import KUBERNETES
from mlopsc.project.conventions import decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model, Project, Serving, Training, View
    from mlopsc.project.model import Source as DataSource

SERVING = "serving"  # the component that answers requests

Fields = dict[str, Body]

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@frozen
class Place:
    """A model as it is in one environment."""

    project: Project
    environment: Environment
    model: Model
    owned_views: tuple[View, ...]  # those no model before it in the spec uses
    owned_sources: tuple[DataSource, ...]

    @property
    def folder(self) -> str:
        """Where its objects lie."""
        return conventions.model_manifests(self.environment.name, self.model.name)

    @property
    def name(self) -> str:
        """The name of the objects that serve it."""
        return conventions.object_name(self.model.name)

    @property
    def serving(self) -> Serving | None:
        """Its serving, if that is ours to make."""
        return self.model.serving if self.model.platform.serving == KUBERNETES else None

    @property
    def training(self) -> Training | None:
        """Its training, if it happens in this namespace."""
        training = self.model.training
        if training is None or self.model.platform.training != KUBERNETES:
            return None
        return training if training.environment == self.environment.name else None

    @property
    def schedules_here(self) -> bool:
        """Whether Kubernetes runs the schedules."""
        return self.model.platform.orchestration == KUBERNETES

    def labels(self, component: str) -> dict[str, str]:
        """Kubernetes' recommended labels."""
        return conventions.kubernetes_labels(self.project.name, self.model.name, component)

    def selector(self, component: str) -> dict[str, Body]:
        """The labels that never change and tell the pods of `component` from all others."""
        labels = self.labels(component)
        keys = ("name", "instance", "component")
        return {f"app.kubernetes.io/{key}": labels[f"app.kubernetes.io/{key}"] for key in keys}

    def metadata(self, name: str, component: str) -> Fields:
        """An object's name, namespace and labels."""
        labels: Fields = dict(self.labels(component))
        return {
            "name": traced(name, self.model.origin),
            "namespace": traced(self.environment.namespace, self.environment.at("namespace")),
            "labels": traced(labels, decision("kubernetes_labels")),
        }

    def version_label(self) -> Fields:
        """The version that runs, where it makes a label's value."""
        version = self.environment.version(self.model)
        if not _LABEL_VALUE.fullmatch(version):
            return {}
        return {"app.kubernetes.io/version": traced(version, self.version_origin)}

    @property
    def version_origin(self) -> Path:
        """The line that says which version runs."""
        return self.environment.at("versions", self.model.name)

    def draft(self, file: str, origin: Path, body: Fields) -> YamlDraft:
        """One object, one file of this model's folder."""
        return YamlDraft(f"{self.folder}/{file}.yaml", origin, body)


def places(project: Project, environment: Environment) -> Iterator[Place]:
    """Every model of `environment`, in order; what models share is the first's that uses it."""
    seen: set[tuple[str, str]] = set()
    for model in environment.models:
        views = [view for view in model.views if ("view", view.name) not in seen]
        sources = [source for source in sources_of(model) if ("source", source.name) not in seen]
        seen.update(("view", view.name) for view in views)
        seen.update(("source", source.name) for source in sources)
        yield Place(project, environment, model, tuple(views), tuple(sources))


def sources_of(model: Model) -> tuple[DataSource, ...]:
    """The sources a model's jobs read or write, each once."""
    found = [model.target.source, *(view.source for view in model.views)]
    if model.batch is not None:
        found += [model.batch.source, model.batch.destination]
    if model.monitoring is not None:
        found.append(model.monitoring.current)
        if model.monitoring.reference is not None:
            found.append(model.monitoring.reference)
    return tuple({source.name: source for source in found}.values())
