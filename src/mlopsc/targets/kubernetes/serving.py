"""The model behind an address: ServiceAccount, Deployment, Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlopsc.artifacts.draft import Body, Draft, traced
from mlopsc.project import containers
from mlopsc.project.conventions import decision
from mlopsc.targets.kubernetes import pods, probes
from mlopsc.targets.kubernetes.availability import is_autoscaled, spread
from mlopsc.targets.kubernetes.place import SERVING, Fields, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.project.model import ImageRef, Seconds, Serving

HTTP, METRICS = "http", "metrics"
DRAIN: Seconds = 10  # until every proxy knows that a pod goes
SHUTDOWN: Seconds = 5  # for a server to end after its last request
SETTLE: Seconds = 600  # scheduling and pulling an image of some gigabytes
CONTAINER = "model"
SCRATCH_SIZE = "1Gi"


def emit(place: Place) -> Iterator[Draft]:
    """What serves the model, if Kubernetes does."""
    serving = place.serving
    if serving is None:
        return
    yield service_account(place, place.name, SERVING, "serviceaccount")
    yield place.draft("deployment", serving.origin, _deployment(place, serving))
    yield place.draft("service", serving.origin, _service(place, serving))


def service_account(place: Place, name: str, component: str, file: str) -> Draft:
    """An identity of its own, which a cloud's workload identity can be bound to; no token."""
    body: Fields = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": place.metadata(name, component),
        "automountServiceAccountToken": traced(False, decision("kubernetes_no_token")),
    }
    return place.draft(file, place.model.origin, body)


def metrics_port_name(serving: Serving) -> str | None:
    """The Service port that Prometheus reads; None: the runtime exposes nothing we know of."""
    if serving.metrics is None:
        return None
    return HTTP if serving.metrics.port == serving.port else METRICS


def _deployment(place: Place, serving: Serving) -> Fields:
    metadata = place.metadata(place.name, SERVING)
    metadata["labels"] = _labels(place)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": _deployment_spec(place, serving),
    }


def _deployment_spec(place: Place, serving: Serving) -> Fields:
    spec: Fields = {}
    if not is_autoscaled(serving):
        spec["replicas"] = traced(serving.replicas.minimum, serving.replicas.at("min"))
    deadline = (serving.at("load_time"), decision("kubernetes_progress"))
    rolling: Fields = {"maxUnavailable": 0, "maxSurge": "25%"}
    strategy: Fields = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return spec | {
        "revisionHistoryLimit": traced(3, decision("kubernetes_revisions")),
        "progressDeadlineSeconds": traced(serving.load_time + SETTLE, *deadline),
        "strategy": traced(strategy, decision("kubernetes_rollout")),
        "selector": traced(
            {"matchLabels": place.selector(SERVING)}, decision("kubernetes_selector")
        ),
        "template": _template(place, serving),
    }


def _template(place: Place, serving: Serving) -> Fields:
    return {"metadata": {"labels": _labels(place)}, "spec": _pod(place, serving)}


def _labels(place: Place) -> Body:
    """The version is on the Deployment and its pods alone: a promotion touches nothing else."""
    labels: Fields = {**place.labels(SERVING), **place.version_label()}
    return traced(labels, decision("kubernetes_labels"))


def _scrape_annotations(place: Place, serving: Serving) -> Fields:
    """How a Prometheus without the operator finds the pods, and names the Service they are of."""
    if place.model.platform.metrics != "prometheus" or serving.metrics is None:
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": traced(str(serving.metrics.port), serving.metrics.origin),
        "prometheus.io/path": traced(serving.metrics.path, serving.metrics.origin),
    }


def _pod(place: Place, serving: Serving) -> Fields:
    known_user = serving.image is None or containers.is_generated(serving.image)
    grace = DRAIN + serving.timeout + SHUTDOWN
    pod = pods.identity(place.name) | pods.security(known_user)
    pod["terminationGracePeriodSeconds"] = traced(
        grace, serving.at("timeout"), decision("kubernetes_drain")
    )
    pod |= spread(place, serving)
    pod["containers"] = [_container(place, serving)]
    pod["volumes"] = [pods.scratch(pods.TMP_VOLUME, SCRATCH_SIZE)]
    return pod


def _container(place: Place, serving: Serving) -> Fields:
    ports: list[Body] = [_port(HTTP, serving.port, serving)]
    if serving.metrics is not None and metrics_port_name(serving) == METRICS:
        ports.append(_port(METRICS, serving.metrics.port, serving))
    container: Fields = {"name": CONTAINER} | _image(place, serving)
    container["ports"] = ports
    env = [
        pods.variable("HOME", pods.TMP, decision("kubernetes_home")),
        *_version(place, serving),
        *pods.variables(place.project, serving.env, serving.at("env")),
    ]
    container["env"] = env
    container |= pods.resources(serving.resources)
    container |= probes.of(serving, place.model.name)
    sleep: Fields = {"preStop": {"sleep": {"seconds": DRAIN}}}
    container["lifecycle"] = traced(sleep, decision("kubernetes_drain"))
    container |= pods.container_security()
    container["volumeMounts"] = [pods.mount(pods.TMP_VOLUME, pods.TMP)]
    return container


def _version(place: Place, serving: Serving) -> Iterator[Body]:
    """MLServer says in its answers which version gave them."""
    if serving.runtime == "mlserver":
        version = place.environment.version(place.model)
        yield pods.variable("MLSERVER_MODEL_VERSION", version, place.version_origin)


def _port(name: str, number: int, serving: Serving) -> Body:
    origin = serving.at("port") if name == HTTP else serving.at("runtime")
    return traced({"name": name, "containerPort": number, "protocol": "TCP"}, origin)


def _image(place: Place, serving: Serving) -> Fields:
    if serving.image is not None:
        return image_of(place, serving.image)
    reference = containers.serving_reference(place.project, place.environment, place.model)
    image: Fields = {"image": traced(reference, ("registry",), place.version_origin)}
    if not place.environment.pinned(place.model):
        image["imagePullPolicy"] = traced("Always", decision("kubernetes_image_pull"))
    return image


def image_of(place: Place, image: ImageRef) -> Fields:
    """An image of `images`, or somebody's."""
    reference = containers.reference(image, place.environment)
    if image.image is None:
        return {"image": traced(reference, image.origin)}
    origins = (image.origin, image.image.origin, decision("kubernetes_image_environment"))
    return {
        "image": traced(reference, *origins),
        "imagePullPolicy": traced("Always", decision("kubernetes_image_pull")),
    }


def _service(place: Place, serving: Serving) -> Fields:
    ports: list[Body] = [_service_port(HTTP, serving.port)]
    if serving.metrics is not None and metrics_port_name(serving) == METRICS:
        ports.append(_service_port(METRICS, serving.metrics.port))
    metadata = place.metadata(place.name, SERVING)
    annotations = _scrape_annotations(place, serving)
    if annotations:
        metadata["annotations"] = traced(annotations, decision("kubernetes_annotations"))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": traced(place.selector(SERVING), decision("kubernetes_selector")),
            "ports": traced(ports, serving.at("port"), serving.at("runtime")),
        },
    }


def _service_port(name: str, number: int) -> Fields:
    # By name, so that a port moves without the Service and the pods ever disagreeing.
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}
