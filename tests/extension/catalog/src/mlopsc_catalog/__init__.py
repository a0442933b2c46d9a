"""Backstage: a component a model, and a page that lists them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from mlopsc.api import DECISION, OwnText, TextDraft, YamlDraft, traced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.api import Body, Draft, Extension, Model, Project

name: Final = "catalog"

DECISIONS: Final = {
    "catalog_lifecycle": "a model that serves is in production; one that does not is an experiment",
}

PAGE: Final = "catalog/models.md.j2"


def emit(project: Project) -> Iterator[Draft]:
    """The entities of a project and its models. https://backstage.io/docs/features/software-catalog/descriptor-format"""
    asked = project.extension(name)
    path = str(asked.settings.get("file", "catalog-info.yaml"))
    yield YamlDraft(path, asked.at("settings", "file"), _system(project, asked))
    for model in project.models:
        yield YamlDraft(f"catalog/{model.name}.yaml", model.origin, _component(project, model))
    template = files(__package__).joinpath("models.md.j2").read_text(encoding="utf-8")
    yield TextDraft(
        "catalog/README.md",
        ("models",),
        PAGE,
        {"models": [(m.name, m.description or "", m.origin) for m in project.models]},
        templates={PAGE: OwnText(template)},
    )


def _system(project: Project, asked: Extension) -> Body:
    domain = asked.settings.get("domain")
    spec: dict[str, Body] = {"owner": traced(project.owner or "unknown", ("owner",))}
    if domain is not None:
        spec["domain"] = traced(str(domain), asked.at("settings", "domain"))
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "System",
        "metadata": {"name": traced(project.name, ("project",))},
        "spec": spec,
    }


def _component(project: Project, model: Model) -> Body:
    serves = model.serving is not None
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": model.name},
        "spec": {
            "type": "model",
            "lifecycle": traced(
                "production" if serves else "experimental",
                (DECISION, "catalog_lifecycle"),
                model.at("serving"),
            ),
            "owner": traced(model.owner or project.owner or "unknown", model.at("owner")),
            "system": traced(project.name, ("project",)),
        },
    }
