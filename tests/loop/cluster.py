"""What a cluster would run, run here: from the applied Deployment to MLServer's own process.

The container becomes a folder with the image's files, the pod's volumes and the variables of the
Deployment. Changed are ports, the address it listens on, and the paths of mounted volumes: a
container has these for itself, a process shares them with the machine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tools
from loop import images, kubectl
from loop.servers import LOOPBACK, Scrape, Server, Servers, answers, free_ports, until
from loop.stage import LoopError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loop.stage import Run

Object = dict[str, Any]

PORTS = ("http_port", "grpc_port", "metrics_port")
"""MLServer's settings that are ports."""
ENVIRONMENT = "mlserver"
"""The tools' Python environment with what the serving image installs."""


def provide_kubectl(folder: Path, cluster: Path) -> None:
    """Put the cluster's kubectl into a folder of the jobs' PATH.

    Args:
        folder: where.
        cluster: the folder that is the cluster.
    """
    told = {
        kubectl.FOLDER: cluster,
        kubectl.REAL: tools.path("kubectl"),
        kubectl.SCHEMAS: tools.HOME / "k8s" / "bin" / "kubernetes-validate",
        "PYTHONPATH": Path(__file__).resolve().parents[1],
    }
    variables = "".join(f"export {name}='{value}'\n" for name, value in told.items())
    program = folder / "kubectl"
    program.write_text(
        f"#!/bin/sh\n{variables}exec '{sys.executable}' -m loop.kubectl \"$@\"\n", "utf-8"
    )
    program.chmod(0o755)


@dataclass(frozen=True)
class Pod:
    """A pod that answers, behind the Service that finds it.

    Attributes:
        server: its process.
        image: what it was started from.
        version: what the Deployment says it runs.
        namespace: where it runs.
        service: the Service in front of it.
        metrics: the port of this machine where its metrics are.
    """

    server: Server
    image: str
    version: str
    namespace: str
    service: str
    metrics: int

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return self.server.url

    @property
    def scrape(self) -> Scrape:
        """What Prometheus finds by the Service: the labels that docs/targets/prometheus.md asks for."""
        labels = {"namespace": self.namespace, "service": self.service}
        return Scrape("serving", f"{LOOPBACK}:{self.metrics}", labels)


def serve(servers: Servers, namespace: str, name: str) -> Pod:
    """Start one pod of an applied Deployment, and wait for its probes.

    Raises:
        LoopError: the Deployment, its image or its Service is not there, packages of the image are
            not, or the probes do not succeed in the time that they allow.
    """
    run = servers.run
    objects = kubectl.objects_of(run.home / "cluster", namespace)
    deployment = _find(objects, "Deployment", name)
    template = deployment["spec"]["template"]
    container = template["spec"]["containers"][0]
    image, root = _pull(run, container["image"])
    _refuse_missing_packages(image, root)
    service, scraped = _service(objects, template["metadata"]["labels"])

    folder = run.home / "pods" / f"{namespace}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    mounts = _mounts(container, folder)
    work = folder / "root" / image.workdir.lstrip("/")
    shutil.copytree(root / image.workdir.lstrip("/"), work)
    settings = json.loads((work / "settings.json").read_text("utf-8"))
    chosen = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    here = settings_here(settings, chosen, mounts)
    (work / "settings.json").write_text(json.dumps(here, indent=2), "utf-8")
    outside = {settings[port]: chosen[port] for port in PORTS}
    variables = {**image.environment, **_variables(container, mounts)}
    startup = partial(_succeeds, container, outside, "startupProbe")
    server = servers.start(
        f"{name}-{namespace}",
        lambda _: image.entrypoint,
        lambda _: startup(),
        at=tuple(chosen.values()),
        env=variables,
        cwd=work,
        patience=_allowed_seconds(container["startupProbe"]),
    )
    for probe in ("readinessProbe", "livenessProbe"):
        until(f"the {probe} of {name}", partial(_succeeds, container, outside, probe))
    version = variables.get("MLSERVER_MODEL_VERSION", "")
    return Pod(server, image.reference, version, namespace, service, outside[scraped])


def settings_here(
    settings: Mapping[str, Any], ports: Mapping[str, int], mounts: Mapping[str, Path]
) -> dict[str, Any]:
    """MLServer's generated settings where a process shares ports and paths with the machine."""
    moved = {key: _moved(value, mounts) for key, value in settings.items()}
    return {**moved, **ports, "host": LOOPBACK}


def _moved(value: Any, mounts: Mapping[str, Path]) -> Any:
    """A path below a mounted volume becomes one below the pod's folder."""
    for mount, folder in mounts.items():
        if isinstance(value, str) and (value == mount or value.startswith(f"{mount}/")):
            return str(folder) + value[len(mount) :]
    return value


def _mounts(container: Object, folder: Path) -> dict[str, Path]:
    found = {each["mountPath"]: folder / each["name"] for each in container.get("volumeMounts", [])}
    for place in found.values():
        place.mkdir(parents=True)
    return found


def _variables(container: Object, mounts: Mapping[str, Path]) -> dict[str, str]:
    return {each["name"]: _moved(each["value"], mounts) for each in container.get("env", [])}


def _find(objects: Sequence[Object], kind: str, name: str) -> Object:
    for each in objects:
        if each["kind"] == kind and each["metadata"]["name"] == name:
            return each
    raise LoopError(f"nobody has applied {kind} {name}")


def _service(objects: Sequence[Object], labels: Mapping[str, str]) -> tuple[str, int]:
    """The Service that selects pods with these labels, and the container's port with its metrics."""
    for each in objects:
        if each["kind"] == "Service" and each["spec"]["selector"].items() <= labels.items():
            notes = each["metadata"].get("annotations", {})
            if notes.get("prometheus.io/scrape") != "true":
                raise LoopError(f"Service {each['metadata']['name']} is not to be scraped")
            return each["metadata"]["name"], int(notes["prometheus.io/port"])
    raise LoopError(f"no Service selects pods with {dict(labels)}")


def _pull(run: Run, reference: str) -> tuple[images.Image, Path]:
    try:
        return images.read(Path(run.environment[images.STORE]), reference)
    except FileNotFoundError:
        raise LoopError(f"ImagePullBackOff: nobody has built {reference}") from None


def _refuse_missing_packages(image: images.Image, root: Path) -> None:
    """The tools' environment stands for the image's, so it must have the same packages."""
    wanted = set(re.findall(r'"([\w.-]+==[\w.]+)"', " ".join(image.commands)))
    for file in root.rglob("model/requirements.txt"):
        wanted |= {line.strip() for line in file.read_text("utf-8").splitlines() if "==" in line}
    look = (
        "import importlib.metadata as m, json\n"
        "print(json.dumps([f'{d.name}=={d.version}' for d in m.distributions()]))"
    )
    python = tools.HOME / ENVIRONMENT / "bin" / "python"
    listed = subprocess.run([python, "-c", look], capture_output=True, text=True, check=True)
    there = {_canonical(each) for each in json.loads(listed.stdout)}
    missing = sorted(each for each in wanted if _canonical(each) not in there)
    if missing:
        raise LoopError(
            f"{image.reference} installs {', '.join(missing)}; the environment that serves here "
            f"({ENVIRONMENT}) has other versions: run `make tools`"
        )


def _canonical(requirement: str) -> str:
    """One spelling of a package's name (packaging.python.org, name normalization)."""
    name, _, version = requirement.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def _succeeds(container: Object, outside: Mapping[int, int], probe: str) -> bool:
    """Whether a probe of the Deployment succeeds now; *outside* are this machine's ports."""
    request = container[probe]["httpGet"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    port = ports.get(request["port"], request["port"])
    return answers(f"http://{LOOPBACK}:{outside[port]}{request['path']}")


def _allowed_seconds(probe: Object) -> float:
    """How long a container may fail its startup probe before the kubelet restarts it."""
    return float(probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10))
