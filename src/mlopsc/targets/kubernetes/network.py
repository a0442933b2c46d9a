"""Who may reach a model's pods, and what they may reach."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlopsc.artifacts.draft import Body, Draft, traced
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes.jobs import runs_any
from mlopsc.targets.kubernetes.place import SERVING, Fields, Place
from mlopsc.targets.kubernetes.runs import job_account
from mlopsc.targets.kubernetes.serving import HTTP, METRICS, metrics_port_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import Serving

NAMESPACE = "kubernetes.io/metadata.name"  # set on every namespace since Kubernetes 1.22
COMPONENT = "app.kubernetes.io/component"
HTTPS = 443


def emit(place: Place) -> Iterator[Draft]:
    """One policy for the pods that serve, one for those of jobs."""
    if place.serving is not None:
        body = _policy(place, place.name, SERVING, _serving_spec(place, place.serving))
        yield place.draft("networkpolicy", place.serving.origin, body)
    if runs_any(place):
        spec = traced(_job_spec(place), decision("kubernetes_job_network"))
        body = _policy(place, job_account(place), "jobs", spec)
        yield place.draft("networkpolicy-jobs", place.model.origin, body)


def _policy(place: Place, name: str, component: str, spec: Body) -> Fields:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": place.metadata(name, component),
        "spec": spec,
    }


def _serving_spec(place: Place, serving: Serving) -> Body:
    spec: Fields = {
        "podSelector": {"matchLabels": place.selector(SERVING)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": list(_ingress(place, serving)),
        "egress": list(_egress(serving)),
    }
    return traced(spec, decision("kubernetes_network"))


def _ingress(place: Place, serving: Serving) -> Iterator[Body]:
    rule: Fields = {}
    if serving.clients:
        rule["from"] = [_namespaces(serving.clients)]
    rule["ports"] = [{"port": HTTP, "protocol": "TCP"}]
    yield traced(rule, serving.at("clients"))
    port = metrics_port_name(serving)
    if port == METRICS or (port == HTTP and serving.clients):
        yield _scraper(place, port)


def _scraper(place: Place, port: str) -> Body:
    namespace = _namespace_of(place.environment.services.prometheus)
    rule: Fields = {}
    if namespace is not None:
        rule["from"] = [_namespaces((namespace,))]
    elif port == METRICS:
        rule["from"] = [{"namespaceSelector": {}}]
    else:
        pod: Fields = {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
        rule["from"] = [{"namespaceSelector": {}, "podSelector": pod}]
    rule["ports"] = [{"port": port, "protocol": "TCP"}]
    origin = place.environment.services.at("prometheus", "url")
    return traced(rule, origin, decision("kubernetes_scraper"))


def _egress(serving: Serving) -> Iterator[Body]:
    """DNS; HTTPS for a custom runtime, of which nobody knows what it needs."""
    ports: list[Body] = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    yield traced({"ports": ports}, decision("kubernetes_dns"))
    if serving.image is not None:
        yield traced({"ports": [{"port": HTTPS, "protocol": "TCP"}]}, serving.at("image"))


def _job_spec(place: Place) -> Fields:
    labels = place.selector(SERVING)
    del labels[COMPONENT]
    others: Fields = {"key": COMPONENT, "operator": "NotIn", "values": [SERVING]}
    return {
        "podSelector": {"matchLabels": labels, "matchExpressions": [others]},
        "policyTypes": ["Ingress"],
        "ingress": [],
    }


def _namespaces(names: tuple[str, ...]) -> Fields:
    among: Fields = {"key": NAMESPACE, "operator": "In", "values": list(names)}
    return {"namespaceSelector": {"matchExpressions": [among]}}


def _namespace_of(url: str | None) -> str | None:
    """The namespace of a Service's address: `http://NAME.NAMESPACE[:PORT]`, `….NAMESPACE.svc…`.

    Two labels over plain HTTP are a Service and its namespace; a public address has HTTPS or more
    labels.
    """
    if url is None:
        return None
    address = urlsplit(url)
    match (address.hostname or "").split("."):
        case [_, namespace, "svc", *_]:
            return namespace
        case [_, namespace] if address.scheme == "http":
            return namespace
    return None
