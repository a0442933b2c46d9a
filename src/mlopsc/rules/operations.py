"""Rules about environments, versions, the feature store and secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlopsc.diagnostics.finding import Note
from mlopsc.project.conventions import dns, is_group
from mlopsc.project.model import Project, SecretRef
from mlopsc.rules.rule import Hit, Key, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Model


@rule("R501", whole=True)
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


@rule("R502", "warning", whole=True)
def approvers_approve_something(project: Project) -> Iterator[Hit]:
    """Approvers stand before a manual step; an automatic one asks nobody."""
    for environment in project.environments:
        if environment.approvers and environment.deploy == "automatic":
            yield (
                f"{environment.name} deploys by itself, so its approvers are never asked",
                environment.at("approvers"),
                "write `deploy: manual`, or take them out",
            )


@rule("R503", whole=True)
def namespaces_differ(project: Project) -> Iterator[Hit]:
    """Two environments in one namespace overwrite each other."""
    seen: dict[str, Environment] = {}
    for environment in project.environments:
        other = seen.setdefault(environment.namespace, environment)
        if other is not environment:
            yield (
                f"{other.name} and {environment.name} share namespace '{environment.namespace}' and would overwrite each other",
                environment.at("namespace"),
                f"give {environment.name} one of its own",
                (Note("the other one stands here", other.at("namespace")),),
            )


@rule("R504", "warning")
def online_store_outlives_a_pod(project: Project) -> Iterator[Hit]:
    """A file on one machine is no online store or registry for production."""
    view = next((view for view in project.views if view.materialize), None)
    if view is None:
        return
    feast = project.services.feast
    if feast is None:
        yield (
            f"'{view.name}' is looked up in a file, which lives and dies with one machine",
            view.at("materialize"),
            "add `services: {feast: {registry: gs://…, online_store: redis, connection: {secret: NAME}}}`",
        )
        return
    if feast.online_store == "sqlite":
        yield (
            f"'{view.name}' is looked up in a sqlite file, which lives and dies with one machine",
            feast.at("online_store"),
            "write `online_store: redis`, which all machines reach",
        )
    if feast.registry is not None and "://" not in feast.registry:
        yield (
            "Feast's registry is a file of one machine, which the next job does not see",
            feast.at("registry"),
            "give it an address that all jobs reach, such as gs://… or s3://…",
        )


@rule("R505")
def online_store_is_reachable(project: Project) -> Iterator[Hit]:
    """A shared online store has an address."""
    feast = project.services.feast
    if feast and feast.online_store != "sqlite" and feast.connection is None:
        yield (
            f"the online store is {feast.online_store}, and nothing says how to connect",
            feast.at("online_store"),
            "add `connection: {secret: NAME}`",
        )


_SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(password|passwd|secret|token|api_?key|access_?key|private_?key|credentials?)(?:$|_)"
)
_NO_SECRET = re.compile(r"(?i)^(?:[0-9.]*|true|false|yes|no|on|off|none|/.*)$")
"""Numbers, switches and paths, whatever the variable is called: `MAX_TOKEN: "512"`."""
# Prefixes their issuers document, so that leaked ones can be found: GitHub, GitLab, AWS, Slack, Google, OpenAI.
_SECRET_VALUE = re.compile(
    r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{20,}|glpat-[\w-]{16,}|A(?:KIA|SIA)[A-Z0-9]{16}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}|sk-[\w-]{20,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z][a-z0-9+]*://[^/\s:@]+:[^/\s:@]+@"
)


@rule("R506")
def secrets_are_not_written_down(project: Project) -> Iterator[Hit]:
    """A secret's value never stands in a spec."""
    for path, name, value in _literals(project):
        named = name is not None and _SECRET_NAME.search(name) and not _NO_SECRET.match(value)
        if named or _SECRET_VALUE.search(value):
            yield (
                f"the value of `{path[-1]}` looks like a secret",
                path,
                "keep it in GitLab as a masked variable, which every job finds in its environment"
                if path[0] == "ci"
                else "define it in `secrets`, and write `{secret: NAME}` here"
                if path[-2:-1] == ("env",)
                else "hand it over by `env: {NAME: {secret: NAME}}`; make a new one, if this one was committed",
            )


def _literals(project: Project) -> Iterator[tuple[Path, str | None, str]]:
    """Texts of the spec that reach a program: where they stand, their name if it says what they are."""
    for model in project.models:
        yield from _of_model(model)
    for source in project.sources:
        if source.location and source.kind:
            yield source.at(source.kind), None, source.location
        if source.build:
            yield source.build.at("command"), None, source.build.command
    for job, body in project.ci.jobs.items():
        variables = body.get("variables")
        for name, value in variables.items() if isinstance(variables, Mapping) else ():
            if isinstance(value, str) and "$" not in value:  # with one it refers to a variable
                yield project.ci.at("jobs", job, "variables", name), name, value
    feast = project.services.feast
    addresses = {
        ("services", key, "url"): getattr(project.services, key)
        for key in ("mlflow", "prometheus", "pushgateway", "alertmanager")
    } | {("services", "feast", "registry"): feast and feast.registry, ("storage",): project.storage}
    yield from ((path, None, address) for path, address in addresses.items() if address)


def _of_model(model: Model) -> Iterator[tuple[Path, str | None, str]]:
    for part in (model.training, model.serving):
        for name, value in part.env.items() if part else ():
            if not isinstance(value, SecretRef) and part is not None:
                yield part.at("env", name), name, value
    training = model.training
    if training is not None:
        for name, parameter in training.parameters.items():
            if isinstance(parameter, str):
                yield training.at("parameters", name), name, parameter
        yield training.at("command"), None, training.command
    if model.artifact:
        yield model.at("artifact"), None, model.artifact


@rule("R507")
def names_fit_labels(project: Project) -> Iterator[Hit]:
    """A name with what we add to it is still a label Kubernetes takes (63 characters)."""
    for model in project.models:
        label = f"{dns(project.name)}-{dns(model.name)}"
        if len(label) > 63:  # noqa: PLR2004
            yield (
                f"'{label}' is the label of '{model.name}' in Kubernetes, and longer than 63 characters",
                Key(model.origin),
                "shorten the model's or the project's name",
            )


@rule("R508")
def variables_of_the_contract_are_ours(project: Project) -> Iterator[Hit]:
    """Environment variables of the data contract are set by the pipeline, not by the spec."""
    for model in project.models:
        for part in (model.training, model.serving):
            for name in part.env if part is not None else ():
                if part is not None and name.startswith(_CONTRACT):
                    yield (
                        f"`{name}` is set by the pipeline: what is written here would be lost, or break it",
                        part.at("env", name),
                        f"choose a name that does not begin with {_CONTRACT}",
                    )


_CONTRACT = "MLOPS_"


@rule("R509", "warning", whole=True)
def approvals_are_asked_of_somebody(project: Project) -> Iterator[Hit]:
    """Approvals are asked of enough people before production."""
    production = project.production
    for model in production.models:
        wanted = model.governance.approvals
        if not wanted:
            continue
        if not production.approvers:
            yield (
                f"'{model.name}' needs approvals, and nobody in {production.name} is asked for one",
                model.governance.at("approvals"),
                f"add `approvers: [GROUP/PEOPLE]` to environment {production.name}",
            )
        elif len(production.approvers) < wanted and not any(map(is_group, production.approvers)):
            yield (
                f"'{model.name}' needs {wanted} approvals, and {production.name} has fewer approvers:"
                f" {len(production.approvers)}",
                model.governance.at("approvals"),
                f"add people, or a group, to the `approvers` of environment {production.name}",
            )
