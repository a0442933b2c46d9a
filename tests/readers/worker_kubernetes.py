"""Reads Kubernetes objects: built-in kinds with Kubernetes' own schemas, others with their CRD's.

What the API server refuses although no schema says so is checked beside it: names, label values,
quantities, selectors that do not select their own pods, cron lines. Sources: the Kubernetes
documentation's pages "Object Names and IDs", "Labels and Selectors", "Resource Management".
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from kubernetes_validate import utils as kubernetes
from serve import Refusals, reason, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

# 1.8 MB of definitions would be parsed again for every object and release.
kubernetes.schema_contents = functools.cache(kubernetes.schema_contents)

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
CRON = re.compile(r"(@(yearly|annually|monthly|weekly|daily|midnight|hourly))|(\S+( +\S+){4})")

# A CronJob's name plus 11 characters of its Jobs' suffix must fit into 63.
NAME_LENGTH = {"CronJob": 52, "Job": 63, "Service": 63, "Namespace": 63}


class UniqueKeys(yaml.SafeLoader):
    """A loader that refuses a key written twice, as the API server's strict decoding does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"written twice: {', '.join(sorted(twice))}")
        return super().construct_mapping(node, deep)


def read(
    root: Path, paths: list[str], releases: list[str], crd_schemas: str | None = None
) -> Refusals:
    """Refuse objects; custom resources are left out when *crd_schemas* is None."""
    return [
        (path, message)
        for path in paths
        for message in _messages(root / path, releases, crd_schemas)
    ]


def _messages(file: Path, releases: list[str], crd_schemas: str | None) -> Iterator[str]:
    try:
        documents = list(yaml.load_all(file.read_text("utf-8"), UniqueKeys))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        yield f"not YAML: {reason(error)}"
        return
    if not documents:
        yield "holds no object"
    for each in documents:
        if not isinstance(each, dict) or not {"apiVersion", "kind", "metadata"} <= each.keys():
            yield "an object has apiVersion, kind and metadata"
        elif _is_built_in(each):
            yield from _built_in(each, releases)
            yield from _refused_by_the_server(each)
        elif crd_schemas is not None:
            yield from _custom(each, Path(crd_schemas))


def custom_resources(root: Path, paths: list[str]) -> list[str]:
    """Return those of *paths* that hold a custom resource."""
    return [path for path in paths if _holds_custom(root / path)]


def _holds_custom(file: Path) -> bool:
    try:
        documents = list(yaml.safe_load_all(file.read_text("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return any(isinstance(each, dict) and not _is_built_in(each) for each in documents)


def _is_built_in(data: dict[str, Any]) -> bool:
    return (str(data.get("apiVersion")), str(data.get("kind"))) in _built_in_kinds()


@functools.cache
def _built_in_kinds() -> frozenset[tuple[str, str]]:
    folder = Path(kubernetes.__file__).parent / "kubernetes-json-schema"
    found = set()
    for release in sorted(folder.glob("v*-local-strict")):
        definitions = json.loads((release / "_definitions.json").read_text("utf-8"))
        for definition in definitions["$defs"].values():
            for kind in definition.get("x-kubernetes-group-version-kind", ()):
                group = f"{kind['group']}/" if kind["group"] else ""
                found.add((group + kind["version"], kind["kind"]))
    return frozenset(found)


def _built_in(data: dict[str, Any], releases: list[str]) -> Iterator[str]:
    for release in releases:
        try:
            used = kubernetes.validate(data, release, strict=True)
        except kubernetes.SchemaNotFoundError as error:
            yield error.message
        except kubernetes.ValidationError as error:
            where = ".".join(map(str, error.path)) or "the object"
            yield f"{data['kind']} for {release}: {where}: {error.message[:300]}"
            return
        else:
            if used != release:
                yield f"no schemas of Kubernetes {release}: {used} was used"


def _custom(data: dict[str, Any], schemas: Path) -> Iterator[str]:
    validator = _crd_validator(schemas, str(data["apiVersion"]), str(data["kind"]))
    if validator is None:
        yield f"no schema knows {data['kind']} of {data['apiVersion']}"
    elif error := best_match(validator.iter_errors(data)):
        where = ".".join(map(str, error.absolute_path)) or "the object"
        yield f"{data['kind']}: {where}: {error.message[:300]}"


@functools.cache
def _crd_validator(schemas: Path, api_version: str, kind: str) -> Draft202012Validator | None:
    group, _, version = api_version.rpartition("/")
    file = schemas / group / f"{kind.lower()}_{version}.json"
    if not file.is_file():
        return None
    return Draft202012Validator(json.loads(file.read_text("utf-8")))


def _refused_by_the_server(data: dict[str, Any]) -> Iterator[str]:
    yield from _names(data)
    yield from _selectors(data)
    for path, key, value in _walk(data, ()):
        where = ".".join(map(str, path))
        if key in {"requests", "limits"} and isinstance(value, dict):
            for resource, amount in value.items():
                if not QUANTITY.fullmatch(str(amount)):
                    yield f"{where}.{resource}: '{amount}' is no quantity"
        if key in {"labels", "matchLabels"} and isinstance(value, dict):
            yield from _labels(where, value)
        if key == "annotations" and isinstance(value, dict):
            yield from (f"{where}: '{k}' is no key" for k in value if not LABEL_KEY.fullmatch(k))
        if key == "containers" and isinstance(value, list):
            yield from _containers(where, value)


def _names(data: dict[str, Any]) -> Iterator[str]:
    kind, metadata = data["kind"], data["metadata"]
    name, namespace = str(metadata.get("name", "")), metadata.get("namespace")
    pattern = SERVICE_NAME if kind == "Service" else DNS_SUBDOMAIN
    if not pattern.fullmatch(name) or len(name) > NAME_LENGTH.get(kind, 253):
        yield f"metadata.name: '{name}' is no name for a {kind}"
    if namespace is not None and not DNS_LABEL.fullmatch(namespace):
        yield f"metadata.namespace: '{namespace}' is no namespace"
    if kind in {"ConfigMap", "Secret"}:
        keys = [*data.get("data", {}), *data.get("binaryData", {}), *data.get("stringData", {})]
        yield from (f"data: '{key}' is no key" for key in keys if not DATA_KEY.fullmatch(key))
        if len(json.dumps(data)) > 1_048_576:
            yield f"{kind}: holds more than 1 MiB"
    schedule = data.get("spec", {}).get("schedule") if kind == "CronJob" else None
    if schedule is not None and not CRON.fullmatch(schedule):
        yield f"spec.schedule: '{schedule}' is no cron line"


def _selectors(data: dict[str, Any]) -> Iterator[str]:
    spec = data.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template")
    if not isinstance(selector, dict) or not isinstance(template, dict):
        return
    labels = (template.get("metadata") or {}).get("labels") or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            yield f"spec.selector: '{key}: {value}' is no label of the pods"


def _labels(where: str, labels: dict[str, Any]) -> Iterator[str]:
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key):
            yield f"{where}: '{key}' is no label"
        if not LABEL_VALUE.fullmatch(str(value)):
            yield f"{where}.{key}: '{value}' is no label's value"


def _containers(where: str, containers: list[dict[str, Any]]) -> Iterator[str]:
    names = [container.get("name", "") for container in containers]
    for name in names:
        if not DNS_LABEL.fullmatch(name) or names.count(name) > 1:
            yield f"{where}: '{name}' is no name for a container, or is taken"
    for container in containers:
        for port in container.get("ports", ()):
            if "name" in port and not PORT_NAME.fullmatch(port["name"]):
                yield f"{where}: '{port['name']}' is no name for a port"
        for variable in container.get("env", ()):
            if not ENV_NAME.fullmatch(variable["name"]):
                yield f"{where}: '{variable['name']}' is no name for a variable"


def _walk(data: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    pairs = data.items() if isinstance(data, dict) else ()
    pairs = enumerate(data) if isinstance(data, list) else pairs
    for key, value in pairs:
        yield (*path, key), key, value
        yield from _walk(value, (*path, key))


def answer(root: Path, paths: list[str], ask: str = "refusals", **options: Any) -> Refusals:
    """Refuse objects, or with ``ask="custom"`` name the files that hold custom resources."""
    if ask == "custom":
        return [(path, "") for path in custom_resources(root, paths)]
    return read(root, paths, **options)


if __name__ == "__main__":
    serve(answer)
