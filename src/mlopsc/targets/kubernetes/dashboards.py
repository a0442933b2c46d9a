"""Dashboards as ConfigMaps: the target `grafana` makes the folder, here it is applied with the models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.project import conventions
from mlopsc.project.dashboards import has_dashboard
from mlopsc.targets.kubernetes.configuration import Files, Folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Environment, Model


def folders(environment: Environment) -> Iterator[Folder]:
    """The folder of the environment's dashboards, if it has any."""
    models = tuple(model for model in environment.models if has_dashboard(environment, model))
    if models:
        path = conventions.dashboards(environment.name)
        names = frozenset(model.name for model in models)
        yield Folder(path, "dashboard", ("platform", "dashboards"), _files, models, names)


def _files(model: Model) -> Files:
    """The one file of a model's ConfigMap."""
    file = f"{model.name}.json"
    return {file: file}
