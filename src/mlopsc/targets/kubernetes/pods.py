"""What every pod has: who it runs as, what it may write, what it gets, what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions
from mlopsc.project.containers import USER
from mlopsc.project.conventions import decision
from mlopsc.project.model import Project, Resources, SecretRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.targets.kubernetes.place import Fields

TMP_VOLUME = "tmp"
TMP = "/tmp"  # noqa: S108 - in the pod, on the scratch volume
SECRET_KEY = "value"  # noqa: S105 - the key's name


def security(known_user: bool) -> Fields:
    """A pod's security context; `known_user`: we build the image, its user is ours to name."""
    context: Fields = {"runAsNonRoot": True}
    if known_user:
        user = decision("kubernetes_user")
        context["runAsUser"] = traced(USER, user)
        context["runAsGroup"] = traced(USER, user)
    context["seccompProfile"] = {"type": "RuntimeDefault"}
    return {"securityContext": traced(context, decision("kubernetes_restricted"))}


def container_security() -> Fields:
    """A container's security context."""
    context: Fields = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return {"securityContext": traced(context, decision("kubernetes_restricted"))}


def identity(service_account: str) -> Fields:
    """Whom a pod acts as: an account of its own, without a token."""
    return {
        "serviceAccountName": service_account,
        "automountServiceAccountToken": traced(False, decision("kubernetes_no_token")),
        "enableServiceLinks": traced(False, decision("kubernetes_no_service_links")),
    }


def resources(asked: Resources) -> Fields:
    """Requests and limits: memory the same, CPU without a limit unless the spec sets one."""
    requests: Fields = {
        "cpu": traced(asked.cpu, asked.at("cpu")),
        "memory": traced(asked.memory, asked.at("memory")),
    }
    limits: Fields = {}
    if "cpu" in asked.limits:
        limits["cpu"] = traced(asked.limits["cpu"], asked.at("limits", "cpu"))
    if "memory" in asked.limits:
        limits["memory"] = traced(asked.limits["memory"], asked.at("limits", "memory"))
    else:
        memory = (asked.at("memory"), decision("kubernetes_memory"))
        limits["memory"] = traced(asked.memory, *memory)
    if asked.gpu:
        # An extended resource: its request follows from its limit.
        limits["nvidia.com/gpu"] = traced(asked.gpu, asked.at("gpu"))
    return {"resources": {"requests": requests, "limits": limits}}


def scratch(name: str, size: str) -> Body:
    """A volume for what is written, which ends with the pod."""
    volume: Fields = {"name": name, "emptyDir": {"sizeLimit": size}}
    return traced(volume, decision("kubernetes_scratch"))


def mount(volume: str, path: str) -> Body:
    """Where a scratch volume is seen."""
    fields: Fields = {"name": volume, "mountPath": path}
    return traced(fields, decision("kubernetes_scratch"))


def variable(name: str, value: str, *origins: Path) -> Body:
    """An environment variable with a value, which is taken as it is written."""
    return traced({"name": name, "value": literal(value)}, *origins)


def literal(text: str) -> str:
    """`text`, safe from Kubernetes' own expansion of `$(NAME)` and `$$`.

    Source: the descriptions of `value`, `command` and `args` in Kubernetes' Container API.
    """
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def secret_variable(project: Project, name: str, secret: SecretRef) -> Body:
    """An environment variable whose value is in a Secret."""
    defined = project.secrets.get(secret.name)
    key = defined.key if defined is not None and defined.key else SECRET_KEY
    ref: Fields = {"name": conventions.dns(secret.name), "key": key}
    body: Fields = {"name": name, "valueFrom": {"secretKeyRef": ref}}
    return traced(body, secret.origin, ("secrets", secret.name), decision("kubernetes_secret"))


def variables(project: Project, written: Mapping[str, str | SecretRef], at: Path) -> list[Body]:
    """The environment variables of an `env` in the spec."""
    return [
        secret_variable(project, name, value)
        if isinstance(value, SecretRef)
        else variable(name, value, (*at, name))
        for name, value in written.items()
    ]
