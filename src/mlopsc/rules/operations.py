"""Rules about environments, versions, the feature store and secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlopsc.project.conventions import dns
from mlopsc.project.model import Project, SecretRef
from mlopsc.rules.rule import Hit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path


@rule("R501")
def versions_are_of_something(project: Project) -> Iterator[Hit]:
    """A version is of a model that is served, scored in batches or watched."""
    for environment in project.environments:
        for model in environment.models:
            if environment.pinned(model) and not (model.serving or model.batch or model.monitoring):
                yield (
                    f"'{model.name}' runs nowhere, so it has no version in {environment.name}",
                    environment.at("versions", model.name),
                    "take it out, or add `serving`, `batch` or `monitoring`",
                )


@rule("R502", "warning")
def approvers_approve_something(project: Project) -> Iterator[Hit]:
    """Approvers stand before a manual step; an automatic one asks nobody."""
    for environment in project.environments:
        if environment.approvers and environment.deploy == "automatic":
            yield (
                f"{environment.name} deploys by itself, so its approvers are never asked",
                environment.at("approvers"),
                "write `deploy: manual`, or take them out",
            )


@rule("R503")
def namespaces_differ(project: Project) -> Iterator[Hit]:
    """Two environments in one namespace overwrite each other."""
    seen: dict[str, str] = {}
    for environment in project.environments:
        other = seen.setdefault(environment.namespace, environment.name)
        if other != environment.name:
            yield (
                f"{other} and {environment.name} share namespace '{environment.namespace}' and would overwrite each other",
                environment.at("namespace"),
                f"give {environment.name} one of its own",
            )


@rule("R504", "warning")
def online_store_outlives_a_pod(project: Project) -> Iterator[Hit]:
    """A file on one machine is no online store or registry for production."""
    if not project.views or not any(view.materialize for view in project.views):
        return
    feast = project.services.feast
    at: Path = ("services", "feast")
    if feast is None or feast.online_store == "sqlite":
        yield (
            "features are looked up in a sqlite file, which lives and dies with one machine",
            (*at, "online_store"),
            "name a store that others can reach: redis or postgres",
        )
    if feast is None or feast.registry is None or "://" not in feast.registry:
        yield (
            "Feast's registry is a file of one machine, which the next job does not see",
            (*at, "registry"),
            "give it an address that all jobs reach: gs://…, s3://… or a database",
        )


@rule("R505")
def online_store_is_reachable(project: Project) -> Iterator[Hit]:
    """A shared online store has an address."""
    feast = project.services.feast
    if feast and feast.online_store in ("redis", "postgres") and feast.connection is None:
        yield (
            f"the online store is {feast.online_store}, and nothing says how to connect",
            feast.at("online_store"),
            "add `connection: {secret: NAME}`",
        )


_SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(password|passwd|secret|token|api_?key|access_?key|private_?key|credentials?)(?:$|_)"
)
# Prefixes their issuers document, so that leaked ones can be found: GitHub, GitLab, AWS, Slack, Google, OpenAI.
_SECRET_VALUE = re.compile(
    r"^(?:gh[pousr]_[A-Za-z0-9]{20,}|glpat-[\w-]{16,}|A(?:KIA|SIA)[A-Z0-9]{16}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}|sk-[\w-]{20,})$"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|^[a-z][a-z0-9+]*://[^/\s:@]+:[^/\s:@]+@"
)


@rule("R506")
def secrets_are_not_written_down(project: Project) -> Iterator[Hit]:
    """A secret's value never stands in a spec."""
    for path, name, value in _literals(project):
        if _SECRET_VALUE.search(value) or (name and _SECRET_NAME.search(name) and value):
            yield (
                f"this looks like a secret: '{name or value[:4] + '…'}'",
                path,
                "define it in `secrets`, and write `{secret: NAME}` here",
            )


def _literals(project: Project) -> Iterator[tuple[Path, str | None, str]]:
    for model in project.models:
        for part in (model.training, model.serving):
            for name, value in part.env.items() if part else ():
                if not isinstance(value, SecretRef):
                    yield part.at("env", name), name, value  # type: ignore[union-attr]
        if model.training:
            for name, parameter in model.training.parameters.items():
                if isinstance(parameter, str):
                    yield model.training.at("parameters", name), None, parameter
            yield model.training.at("command"), None, model.training.command
    for source in project.sources:
        if source.location and source.kind:
            yield source.at(source.kind), None, source.location
    for key in ("mlflow", "prometheus", "pushgateway", "alertmanager"):
        if url := getattr(project.services, key):
            yield ("services", key, "url"), None, url


@rule("R507")
def names_fit_labels(project: Project) -> Iterator[Hit]:
    """A name with what we add to it is still a label Kubernetes takes (63 characters)."""
    for model in project.models:
        label = f"{dns(project.name)}-{dns(model.name)}"
        if len(label) > 63:  # noqa: PLR2004
            yield (
                f"'{label}' is the label of '{model.name}' in Kubernetes, and longer than 63 characters",
                model.origin,
                "shorten the model's or the project's name",
            )
