"""kubectl of a cluster that is a folder: what the generated deploy jobs call, and nothing else.

What needs no cluster is done by the real kubectl. What is applied is held to Kubernetes' schemas and
kept as files, one object each; nothing runs it here (``loop.cluster`` does).

Run as a program, by the wrapper that ``loop.cluster.provide_kubectl`` writes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from loop import images

Object = dict[str, Any]

FOLDER = "LOOP_CLUSTER"
"""Variable: where objects are kept."""
REAL = "LOOP_KUBECTL"
"""Variable: the real kubectl."""
SCHEMAS = "LOOP_KUBERNETES_VALIDATE"
"""Variable: the program that knows Kubernetes' schemas."""


class Refused(Exception):
    """What kubectl would say on standard error."""


def main(arguments: list[str]) -> int:
    """Answer one command; returns its exit code."""
    if arguments[:1] == ["kustomize"]:
        return subprocess.run([os.environ[REAL], *arguments], check=False).returncode
    options = _parser().parse_args(arguments)
    try:
        lines = _rollout(options) if options.words[0] == "rollout" else _answer(options)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print("\n".join(lines), end="\n" if lines else "")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubectl", allow_abbrev=False)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--namespace", "-n")
    parser.add_argument("--filename", "-f", type=Path)
    parser.add_argument("--kustomize", "-k", type=Path)
    parser.add_argument("--selector", "-l")
    parser.add_argument("--output", "-o", choices=["name"])
    parser.add_argument("--field-manager")
    for switch in ("--server-side", "--force-conflicts", "--ignore-not-found"):
        parser.add_argument(switch, action="store_true")
    return parser


def _answer(options: argparse.Namespace) -> list[str]:
    match options.words:
        case ["config", "use-context", context]:
            return [f'Switched to context "{context}".']
        case ["apply"] if options.filename and options.server_side:
            return apply(options.filename)
        case ["get"] if options.filename:
            return [
                name_of(there(each)) for each in _documents(options.filename.read_text("utf-8"))
            ]
        case ["get", kinds]:
            return get(options.namespace, kinds.split(","), options.selector)
        case ["delete", *names]:
            return delete(options, names)
    raise _unknown(options)


def _rollout(options: argparse.Namespace) -> list[str]:
    match options.words:
        case [_, "restart", workload]:
            return restart(options.namespace, workload)
        case [_, "status", workload]:
            return status(options.namespace, workload)
    raise _unknown(options)


def _unknown(options: argparse.Namespace) -> Refused:
    return Refused(f"this cluster is a folder and knows no `kubectl {' '.join(options.words)}`")


# Verbs


def apply(file: Path) -> list[str]:
    """Keep the objects of a file in place of what was there."""
    checked = subprocess.run([os.environ[SCHEMAS], "--strict", "--quiet", file], check=False)
    if checked.returncode:
        raise Refused(f"{file}: an object is not what Kubernetes' schemas say")
    objects = _documents(file.read_text("utf-8"))
    for each in objects:
        path = path_of(each)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(each, sort_keys=False), "utf-8")
    return [f"{name_of(each)} serverside-applied" for each in objects]


def get(namespace: str, kinds: list[str], selector: str | None) -> list[str]:
    """Names of the objects of these kinds (``deployments.apps``) that carry the selector's labels."""
    wanted = dict(term.split("=", 1) for term in selector.split(",")) if selector else {}
    return [
        name_of(each)
        for each in objects_of(Path(os.environ[FOLDER]), namespace)
        if plural_of(each) in kinds and wanted.items() <= each["metadata"].get("labels", {}).items()
    ]


def restart(namespace: str, workload: str) -> list[str]:
    """Note the restart where kubectl does: in the annotations of the pods to come."""
    each = _one(namespace, workload)
    annotations = each["spec"]["template"].setdefault("metadata", {}).setdefault("annotations", {})
    annotations["kubectl.kubernetes.io/restartedAt"] = datetime.now(UTC).isoformat()
    path_of(each).write_text(yaml.safe_dump(each, sort_keys=False), "utf-8")
    return [f"{name_of(each)} restarted"]


def status(namespace: str, workload: str) -> list[str]:
    """Whether its pods could start: every image must be in the registry."""
    each = _one(namespace, workload)
    for container in each["spec"]["template"]["spec"]["containers"]:
        try:
            images.read(Path(os.environ[images.STORE]), container["image"])
        except FileNotFoundError:
            name = each["metadata"]["name"]
            raise Refused(
                f'error: deployment "{name}" exceeded its progress deadline: '
                f"ImagePullBackOff: {container['image']}: not found"
            ) from None
    return [f"{name_of(each)}: its images are there; no pod runs before somebody serves it"]


def delete(options: argparse.Namespace, names: list[str]) -> list[str]:
    """Remove objects, given by name or by a kustomization."""
    if options.kustomize:
        objects = _documents(_kustomized(options.kustomize))
        if options.ignore_not_found:
            objects = [each for each in objects if path_of(each).exists()]
    else:
        objects = [_one(options.namespace, name) for name in names]
    for each in objects:
        path_of(there(each)).unlink()
    return [f"{name_of(each).replace('/', ' ', 1)} deleted" for each in objects]


# Objects


def objects_of(folder: Path, namespace: str) -> list[Object]:
    """What is kept of a namespace, in the order of kinds and names."""
    files = sorted((folder / namespace).glob("*/*.yaml"))
    return [yaml.safe_load(file.read_text("utf-8")) for file in files]


def there(each: Object) -> Object:
    """The kept object of the same name."""
    path = path_of(each)
    if not path.exists():
        name = f'{plural_of(each)} "{each["metadata"]["name"]}"'
        raise Refused(f"Error from server (NotFound): {name} not found")
    found: Object = yaml.safe_load(path.read_text("utf-8"))
    return found


def path_of(each: Object) -> Path:
    """Where an object is kept."""
    meta = each["metadata"]
    namespace: str = meta.get("namespace", "default")
    folder = Path(os.environ[FOLDER]) / namespace
    name: str = meta["name"]
    return folder / plural_of(each) / f"{name}.yaml"


def plural_of(each: Object) -> str:
    """``networkpolicies.networking.k8s.io``: the resource's name and its group."""
    kind = each["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return plural + _group(each)


def name_of(each: Object) -> str:
    """``deployment.apps/delay``, as ``--output name`` writes it."""
    return f"{each['kind'].lower()}{_group(each)}/{each['metadata']['name']}"


def _group(each: Object) -> str:
    group, slash, _ = each["apiVersion"].partition("/")
    return f".{group}" if slash else ""


def _one(namespace: str, name: str) -> Object:
    """The object that ``deployment/delay`` or ``deployment.apps/delay`` names."""
    for each in objects_of(Path(os.environ[FOLDER]), namespace):
        if name in (name_of(each), f"{each['kind'].lower()}/{each['metadata']['name']}"):
            return each
    raise Refused(f'Error from server (NotFound): "{name}" not found in namespace {namespace}')


def _documents(text: str) -> list[Object]:
    return [each for each in yaml.safe_load_all(text) if each]


def _kustomized(folder: Path) -> str:
    made = subprocess.run(
        [os.environ[REAL], "kustomize", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise Refused(made.stderr.strip())
    return made.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
