"""Pieces of text by which a line of a generated file says whose it is: see `Mention`.

The project's name, a namespace, the address of a runbook stand within the text of hundreds of lines. They
are told by what stands around them, so that a project called like one of its tables is not taken for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Mention
    from mlopsc.project.model import Environment, Project

_PROJECT: Final = ("project",)


def in_queries(
    project: Project, environment: Environment, *, json: bool = False
) -> tuple[Mention, ...]:
    """What names the project and the namespace in PromQL, and in labels written as YAML.

    Args:
        project: whose queries they are.
        environment: where they are asked.
        json: whether they stand in a JSON file, where quotes are escaped.
    """
    quote = '\\"' if json else '"'
    namespace = f"namespace={quote}{environment.namespace}{quote}"
    return (
        (f"project={quote}{project.name}{quote}", _PROJECT),
        (f"project: {project.name}", _PROJECT),
        (f'project: "{project.name}"', _PROJECT),
        *((namespace, path) for path in environment.namespace_paths),
    )


def in_labels() -> tuple[Mention, ...]:
    """What names the project in the labels of Kubernetes' objects."""
    return (("app.kubernetes.io/part-of: ", _PROJECT), ("app.kubernetes.io/instance: ", _PROJECT))


def in_addresses(project: Project, environment: Environment) -> tuple[Mention, ...]:
    """What names the repository and the dashboards in the links of alerts."""
    found: list[Mention] = []
    if project.repository is not None:
        found.append((f"https://{project.repository}/", ("repository",)))
    grafana = environment.services.grafana
    if grafana is not None:
        found.append((f"{grafana}/d/", environment.services.at("grafana", "url")))
        found.append((f"{grafana}/d/", _PROJECT))
    return tuple(found)
