"""What the Kubernetes target promises, object by object."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import tools
from mlopsc.artifacts.draft import JsonDraft, TextDraft, Traced, YamlDraft
from mlopsc.artifacts.render import render
from mlopsc.project import alerting, containers, conventions
from mlopsc.targets import docker, kubernetes
from mlopsc.targets.kubernetes import configuration
from mlopsc.targets.kubernetes.network import _namespace_of
from mlopsc.targets.kubernetes.pods import literal
from targets.kubernetes_projects import (
    Object,
    containers_of,
    drafts,
    objects,
    one,
    pod_specs,
    project,
    write,
)
from targets.kubernetes_projects import build as kustomized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlopsc.project.model import Model

SERVING = "models__churn__serving"

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "gitlab runs everything": {
        "platform": {"metrics": "prometheus"},
        "features__customer_features__materialize": None,
    },
    "one fixed pod": {f"{SERVING}__replicas": {"min": 1}},
    "fixed pods": {f"{SERVING}__replicas": {"min": 3, "max": 3}},
    "no serving": {SERVING: None, "models__small_one__serving": None},
    "anybody may call": {f"{SERVING}__clients": []},
    "triton": {
        f"{SERVING}__runtime": "triton",
        f"{SERVING}__format": "onnx",
        f"{SERVING}__slo": None,
    },
    "tfserving": {
        f"{SERVING}__runtime": "tfserving",
        f"{SERVING}__format": "tensorflow",
        f"{SERVING}__slo": None,
    },
    "custom runtime": {
        f"{SERVING}__runtime": "custom",
        f"{SERVING}__format": "custom",
        f"{SERVING}__image": "registry.example.com/server:2.1",
        f"{SERVING}__port": 9000,
        f"{SERVING}__slo": None,
        f"{SERVING}__metrics": {"requests": "requests_total", "errors": 'code=~"5.."'},
    },
    "no services": {
        "services__prometheus": None,
        "services__pushgateway": None,
        "services__mlflow": None,
    },
    "no schedules": {
        "models__churn__training__schedule": None,
        "models__churn__batch__schedule": None,
    },
    "limits": {
        f"{SERVING}__resources": {"cpu": 1, "memory": "2Gi", "limits": {"cpu": 2, "memory": "3Gi"}}
    },
}


@pytest.fixture(params=VARIANTS, name="found")
def _found(request: pytest.FixtureRequest) -> list[Object]:
    variant: str = request.param
    return objects(project(**VARIANTS[variant]))


# --- read by the real tools --------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_reader_accepts(variant: str, tmp_path: Path, accepts: Any) -> None:
    paths = write(project(**VARIANTS[variant]), tmp_path)
    if variant != "full":  # the environments differ in versions and training alone
        paths = [path for path in paths if not path.startswith("k8s/staging/")]
    assert accepts(tmp_path, paths) == []


# --- names lead somewhere ----------------------------------------------------------------------


def _selects(selector: Object, labels: Object) -> bool:
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "NotIn"
        if labels.get(expression["key"]) in expression["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def test_selectors_and_ports_meet_the_serving_pods_alone(found: list[Object]) -> None:
    pods = {name: template["metadata"]["labels"] for name, template in pod_specs(found)}
    templates = dict(pod_specs(found))
    for each in found:
        kind, name = each["kind"], each["metadata"]["name"]
        if kind in {"Service", "Deployment", "PodDisruptionBudget", "ServiceMonitor"}:
            selector = each["spec"]["selector"]
            selector = {"matchLabels": selector} if kind == "Service" else selector
            if kind == "ServiceMonitor":
                assert _selects(selector, one(found, "Service", name)["metadata"]["labels"])
            else:
                assert [pod for pod, labels in pods.items() if _selects(selector, labels)] == [name]
        if kind == "NetworkPolicy":
            chosen = {
                pod for pod, labels in pods.items() if _selects(each["spec"]["podSelector"], labels)
            }
            assert chosen
            for pod in chosen:
                names = {
                    p["name"] for c in containers_of(templates[pod]) for p in c.get("ports", [])
                }
                for rule in each["spec"]["ingress"]:
                    assert {port["port"] for port in rule["ports"]} <= names
        if kind == "Service":
            names = {p["name"] for c in containers_of(templates[name]) for p in c["ports"]}
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= names
        if kind == "ServiceMonitor":
            names = {p["name"] for p in one(found, "Service", name)["spec"]["ports"]}
            assert {endpoint["port"] for endpoint in each["spec"]["endpoints"]} <= names
        if kind == "HorizontalPodAutoscaler":
            target = one(found, "Deployment", each["spec"]["scaleTargetRef"]["name"])
            names = {c["name"] for c in containers_of(target["spec"]["template"])}
            assert {m["containerResource"]["container"] for m in each["spec"]["metrics"]} <= names


def test_every_pod_is_under_a_policy(found: list[Object]) -> None:
    policies = [o["spec"]["podSelector"] for o in found if o["kind"] == "NetworkPolicy"]
    for _, template in pod_specs(found):
        labels = template["metadata"]["labels"]
        assert sum(_selects(policy, labels) for policy in policies) == 1


def test_accounts_volumes_probes_and_secrets_exist(found: list[Object]) -> None:
    accounts = {o["metadata"]["name"] for o in found if o["kind"] == "ServiceAccount"}
    secrets = {"redis": "connection_string", "warehouse": "value", "api-key": "key"}
    for _, template in pod_specs(found):
        inside = template["spec"]
        assert inside["serviceAccountName"] in accounts
        volumes = [volume["name"] for volume in inside["volumes"]]
        assert len(volumes) == len(set(volumes))
        mounted = set()
        for container in containers_of(template):
            mounted |= {mount["name"] for mount in container["volumeMounts"]}
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(paths) == len(set(paths))
            names = [variable["name"] for variable in container["env"]]
            assert len(names) == len(set(names))
            for variable in container["env"]:
                if "valueFrom" in variable:
                    key = variable["valueFrom"]["secretKeyRef"]
                    assert secrets[key["name"]] == key["key"]
        assert mounted == set(volumes)


def test_objects_have_one_name_each_and_their_namespace(found: list[Object]) -> None:
    names = [(o["kind"], o["metadata"]["name"]) for o in found]
    assert len(names) == len(set(names))
    assert {o["metadata"]["namespace"] for o in found} == {"churn-prod"}


# --- what review refuses -----------------------------------------------------------------------


def test_pods_are_restricted_and_act_as_nobody(found: list[Object]) -> None:
    assert not {o["kind"] for o in found} & {"Role", "RoleBinding", "Job", "Namespace", "Secret"}
    for _, template in pod_specs(found):
        inside = template["spec"]
        assert inside["automountServiceAccountToken"] is False
        assert inside["enableServiceLinks"] is False
        assert inside["securityContext"]["runAsNonRoot"] is True
        assert inside["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers_of(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
        for volume in inside["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "limits"])
def test_memory_limit_is_the_request_and_cpu_has_none(variant: str) -> None:
    for _, template in pod_specs(objects(project(**VARIANTS[variant]))):
        for container in containers_of(template):
            resources = container["resources"]
            assert resources["limits"]["memory"] == resources["requests"]["memory"]
            assert "cpu" not in resources["limits"]


def test_limits_are_the_users_where_written() -> None:
    found = objects(project(**VARIANTS["limits"]))
    container = containers_of(one(found, "Deployment", "churn")["spec"]["template"])[0]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "3Gi"}


def test_one_writer_of_replicas_and_budgets_that_let_nodes_drain(found: list[Object]) -> None:
    deployments = [o for o in found if o["kind"] == "Deployment"]
    for each in deployments:
        name = each["metadata"]["name"]
        scaled = [
            o
            for o in found
            if (o["kind"], o["metadata"]["name"]) == ("HorizontalPodAutoscaler", name)
        ]
        assert ("replicas" in each["spec"]) is not bool(scaled)
        least = scaled[0]["spec"]["minReplicas"] if scaled else each["spec"]["replicas"]
        budgets = [
            o for o in found if (o["kind"], o["metadata"]["name"]) == ("PodDisruptionBudget", name)
        ]
        assert bool(budgets) is (least > 1)
        for budget in budgets:
            assert budget["spec"]["maxUnavailable"] == 1
            assert "minAvailable" not in budget["spec"]


def test_a_start_may_take_as_long_as_the_model_loads() -> None:
    deployment = one(objects(project()), "Deployment", "churn")
    container = containers_of(deployment["spec"]["template"])[0]
    probe = container["startupProbe"]
    assert 195 <= probe["periodSeconds"] * probe["failureThreshold"] < 205
    assert probe["httpGet"] == {"path": "/v2/models/churn/ready", "port": "http"}
    assert container["readinessProbe"]["httpGet"] != container["livenessProbe"]["httpGet"]
    assert deployment["spec"]["progressDeadlineSeconds"] > 195


def test_a_pod_that_goes_finishes_its_requests() -> None:
    inside = one(objects(project()), "Deployment", "churn")["spec"]["template"]["spec"]
    wait = inside["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert inside["terminationGracePeriodSeconds"] >= wait + 20


def test_a_custom_runtime_is_asked_at_its_port() -> None:
    found = objects(project(**VARIANTS["custom runtime"]))
    inside = one(found, "Deployment", "churn")["spec"]["template"]["spec"]
    container = inside["containers"][0]
    assert container["image"] == "registry.example.com/server:2.1"
    assert container["livenessProbe"]["tcpSocket"] == {"port": "http"}
    assert "runAsUser" not in inside["securityContext"]


# --- images ------------------------------------------------------------------------------------


def test_a_pinned_version_is_the_tag_and_another_is_looked_up_at_every_start() -> None:
    made = project()
    pinned = one(objects(made), "Deployment", "churn")["spec"]["template"]
    moving = one(objects(made, "staging"), "Deployment", "churn")["spec"]["template"]
    assert containers_of(pinned)[0]["image"] == "registry.example.com/growth/churn/churn:14"
    assert "imagePullPolicy" not in containers_of(pinned)[0]
    assert pinned["metadata"]["labels"]["app.kubernetes.io/version"] == "14"
    assert containers_of(moving)[0]["image"].endswith("/churn:champion")
    assert containers_of(moving)[0]["imagePullPolicy"] == "Always"


def test_a_new_version_changes_the_deployment_alone() -> None:
    old = {str(o): o["kind"] for o in objects(project())}
    new = {
        str(o): o["kind"]
        for o in objects(project(environments__production__versions={"churn": "15"}))
    }
    assert {kind for text, kind in new.items() if text not in old} == {"Deployment"}


def test_the_deploying_job_can_pin_what_it_built(tmp_path: Path) -> None:
    write(project(), tmp_path)
    overlay = tmp_path / "build" / "deploy"
    overlay.mkdir(parents=True)
    image = "registry.example.com/growth/churn/train"
    (overlay / "kustomization.yaml").write_text(
        f"resources: [../../k8s/production/churn]\nimages: [{{name: {image}, newTag: abc}}]\n"
    )
    images = {
        container["image"]
        for _, template in pod_specs(kustomized(overlay))
        for container in containers_of(template)
        if container["image"].startswith(image)
    }
    assert images == {f"{image}:abc"}


def test_the_inputs_of_a_build_are_all_that_its_dockerfile_copies() -> None:
    made = project()
    (image,) = made.images
    inputs = containers.build_inputs(made, image)
    assert inputs == (
        "images/train",
        "requirements.txt",
        "mlops/requirements.txt",
        "params.yaml",
        "src",
    )
    (dockerfile,) = [d for d in docker.emit(made) if d.path == "images/train/Dockerfile"]
    copied = [
        ast.literal_eval(line.removeprefix("COPY "))[0]
        for line in render(dockerfile, "docker").text.splitlines()
        if line.startswith("COPY")
    ]
    assert set(copied) < set(inputs)


# --- network -----------------------------------------------------------------------------------


def test_callers_scraper_and_dns() -> None:
    spec = one(objects(project()), "NetworkPolicy", "churn")["spec"]
    callers, scraper = spec["ingress"]
    names = {"key": "kubernetes.io/metadata.name", "operator": "In"}
    assert callers == {
        "from": [{"namespaceSelector": {"matchExpressions": [{**names, "values": ["web"]}]}}],
        "ports": [{"port": "http", "protocol": "TCP"}],
    }
    assert scraper["from"] == [
        {"namespaceSelector": {"matchExpressions": [{**names, "values": ["monitoring"]}]}}
    ]
    assert scraper["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert {"port": 53, "protocol": "UDP"} in spec["egress"][0]["ports"]


def test_anybody_means_any_namespace() -> None:
    spec = one(objects(project(**VARIANTS["anybody may call"])), "NetworkPolicy", "churn")["spec"]
    assert "from" not in spec["ingress"][0]


@pytest.mark.parametrize("variant", ["full", "no services"])
@pytest.mark.parametrize("runtime", ["mlserver", "tfserving"])
def test_prometheus_always_reaches_the_metrics(variant: str, runtime: str) -> None:
    made = project(
        **{**VARIANTS[variant], **(VARIANTS["tfserving"] if runtime == "tfserving" else {})}
    )
    spec = one(objects(made), "NetworkPolicy", "churn")["spec"]
    scraper = spec["ingress"][-1]
    port = "http" if runtime == "tfserving" else "metrics"
    assert scraper["ports"] == [{"port": port, "protocol": "TCP"}]
    (peer,) = scraper["from"]
    if variant == "no services":
        assert peer["namespaceSelector"] == {}
        # Where metrics and predictions share a port, not every pod may have both.
        assert ("podSelector" in peer) is (port == "http")


@pytest.mark.parametrize(
    ("url", "namespace"),
    [
        ("http://prometheus.monitoring:9090", "monitoring"),
        ("http://prometheus.monitoring.svc:9090", "monitoring"),
        ("https://prometheus.monitoring.svc.cluster.local", "monitoring"),
        ("https://prometheus.example.com", None),
        ("https://example.com", None),
        ("http://prometheus:9090", None),
        ("http://10.0.0.7:9090", None),
        (None, None),
    ],
)
def test_the_namespace_of_an_address(url: str | None, namespace: str | None) -> None:
    assert _namespace_of(url) == namespace


# --- jobs --------------------------------------------------------------------------------------


def test_jobs_end_do_not_overlap_and_know_their_time_zone(found: list[Object]) -> None:
    for each in found:
        if each["kind"] != "CronJob":
            continue
        spec, job = each["spec"], each["spec"]["jobTemplate"]["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert job["activeDeadlineSeconds"] >= 600
        assert job["backoffLimit"] <= 1
        assert job["ttlSecondsAfterFinished"] > 0
        assert job["template"]["spec"]["restartPolicy"] == "Never"
        if not spec.get("suspend"):
            assert spec["timeZone"] == "Europe/Berlin"
            assert spec["startingDeadlineSeconds"] >= 60


def test_the_jobs_of_a_model() -> None:
    made = project()
    names = {o["metadata"]["name"] for o in objects(made) if o["kind"] == "CronJob"}
    assert names == {
        "churn-monitor", "churn-batch", "churn-train", "customer-features-materialize",
        "customers-build", "small-one-monitor", "small-one-train",
    }  # fmt: skip
    staging = {o["metadata"]["name"] for o in objects(made, "staging") if o["kind"] == "CronJob"}
    assert staging == names - {"churn-train", "small-one-train"}  # its data is production's


def test_what_nobody_schedules_waits_to_be_asked() -> None:
    found = objects(project(**VARIANTS["no schedules"]))
    for name in ("churn-train", "churn-batch"):
        assert one(found, "CronJob", name)["spec"]["suspend"] is True
    gitlab = objects(project(platform={"training": "kubernetes"}, services__pushgateway=None))
    assert one(gitlab, "CronJob", "churn-train")["spec"]["suspend"] is True


def test_training_is_one_pod_from_dataset_to_version() -> None:
    cron_job = one(objects(project()), "CronJob", "churn-train")
    template = cron_job["spec"]["jobTemplate"]["spec"]["template"]
    steps = {container["name"]: container for container in containers_of(template)}
    assert list(steps) == ["dataset", "train", "gate", "register"]
    assert steps["train"]["command"] == ["/bin/sh", "-euc", "python src/train.py"]
    given = {v["name"]: v.get("value") for v in steps["train"]["env"]}
    assert given["MLOPS_DATA"] == "/app/build/churn/data"
    assert given["MLOPS_OUT"] == "/app/build/churn/out"
    assert given["LEARNING_RATE"] == "0.1"
    assert {"MLOPS_SEED", "API_KEY"} <= set(given)
    assert steps["train"]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in steps["gate"]["resources"]["limits"]
    # What the user's own code does not need, it is not given.
    assert not {"MLOPS_POSTGRES_URL", "FEAST_ONLINE_STORE_CONNECTION"} & set(given)
    assert "MLOPS_POSTGRES_URL" in {v["name"] for v in steps["dataset"]["env"]}


# --- configuration -----------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "/churn", "/small_one"])
def test_a_folder_is_complete_and_holds_no_other_models_configuration(
    folder: str, tmp_path: Path
) -> None:
    write(project(), tmp_path)
    built = kustomized(tmp_path / f"k8s/production{folder}")
    config_maps = {o["metadata"]["name"]: o for o in built if o["kind"] == "ConfigMap"}
    mounted = set()
    for _, template in pod_specs(built):
        for volume in template["spec"]["volumes"]:
            if "configMap" in volume:
                name = volume["configMap"]["name"]
                mounted.add(name)
                keys = {item["key"] for item in volume["configMap"].get("items", [])}
                assert keys <= set(config_maps[name]["data"])
    assert mounted == set(config_maps)
    assert all(o["immutable"] is True for o in config_maps.values())
    assert {o["metadata"]["namespace"] for o in built} == {"churn-prod"}


def test_changed_facts_are_another_config_map(tmp_path: Path) -> None:
    write(project(), tmp_path)
    folder = tmp_path / "k8s/production/churn"
    before = {o["metadata"]["name"] for o in kustomized(folder) if o["kind"] == "ConfigMap"}
    (tmp_path / "mlops/models/churn.json").write_text('{"changed": true}\n')
    after = {o["metadata"]["name"] for o in kustomized(folder) if o["kind"] == "ConfigMap"}
    assert len(before - after) == len(after - before) == 1


def test_the_programs_find_every_part_they_import() -> None:
    folder = tools.ROOT / "templates" / "programs"
    for name in configuration.PROGRAM_FILES:
        tree = ast.parse((folder / name).read_text("utf-8"))
        assert set(_parts(tree)) <= set(configuration.PROGRAM_FILES), name
    size = sum((folder / name).stat().st_size for name in configuration.PROGRAM_FILES)
    assert size < 800_000, "a ConfigMap holds 1 MiB, and the facts of a model go there too"


def _parts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlops"):
            module = (node.module or "").partition(".")[2]
            yield from [f"{module}.py"] if module else [f"{alias.name}.py" for alias in node.names]


# --- causes ------------------------------------------------------------------------------------


def _origins(body: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(body, Traced):
        yield from body.origins
        yield from _origins(body.body)
    elif isinstance(body, dict):
        for value in body.values():
            yield from _origins(value)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from _origins(value)


def test_every_decision_is_explained_and_every_explanation_used() -> None:
    known = {*kubernetes.DECISIONS, *docker.DECISIONS, *alerting.DECISIONS}
    used = set()
    for changes in VARIANTS.values():
        for draft in drafts(project(**changes)):
            if isinstance(draft, YamlDraft | JsonDraft):
                paths = [draft.origin, *_origins(draft.body)]
            else:
                assert isinstance(draft, TextDraft)
                paths = [path for cause in render(draft, "docker").causes for path in cause.origins]
            used |= {path[1] for path in paths if path and path[0] == conventions.DECISION}
    assert used <= known
    assert set(kubernetes.DECISIONS) <= used


def test_the_lines_a_user_decides_name_their_key() -> None:
    (draft,) = [
        d for d in kubernetes.emit(project()) if d.path == "k8s/production/churn/deployment.yaml"
    ]
    artifact = render(draft, kubernetes.name)
    wanted = {
        "failureThreshold: 20": ("models", "churn", "serving", "load_time"),
        "image: ": ("environments", "production", "versions", "churn"),
        "terminationGracePeriodSeconds": ("models", "churn", "serving", "timeout"),
        "namespace: ": ("environments", "production", "namespace"),
    }
    for text, path in wanted.items():
        number = next(n for n, line in enumerate(artifact.text.splitlines(), 1) if text in line)
        inner = [cause for cause in artifact.causes if cause.first <= number <= cause.last][-1]
        assert path in inner.origins, text


# --- any accepted spec -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"), [("$(A)", "$$(A)"), ("$$", "$$$$"), ("$A", "$A"), ("plain", "plain")]
)
def test_text_stays_text(written: str, meant: str) -> None:
    assert literal(written) == meant


@settings(max_examples=25, deadline=None)
@given(
    least=st.integers(1, 5),
    more=st.integers(0, 5),
    load_time=st.integers(1, 4000),
    timeout=st.integers(1, 600),
    value=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
)
def test_any_serving_holds_together(
    least: int, more: int, load_time: int, timeout: int, value: str
) -> None:
    made = project(
        **{
            f"{SERVING}__replicas": {"min": least, "max": least + more},
            f"{SERVING}__load_time": f"{load_time}s",
            f"{SERVING}__timeout": f"{timeout}s",
            f"{SERVING}__env": {"TEXT": value},
        }
    )
    found = objects(made)
    test_one_writer_of_replicas_and_budgets_that_let_nodes_drain(found)
    deployment = one(found, "Deployment", "churn")
    container = containers_of(deployment["spec"]["template"])[0]
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= load_time
    (given_value,) = [v["value"] for v in container["env"] if v["name"] == "TEXT"]
    assert given_value in {value, value.replace("$", "$$")}


def test_what_models_share_belongs_to_the_first() -> None:
    made = project()
    models: list[Model] = list(made.environments[0].models)
    assert [model.name for model in models] == ["churn", "small_one"]
    paths = [draft.path for draft in kubernetes.emit(made)]
    assert sum("cronjob-materialize-customer-features" in path for path in paths) == 2
    assert all("small_one" not in path for path in paths if "materialize" in path)


def test_no_serving_no_jobs_no_files() -> None:
    made = project(**VARIANTS["gitlab runs everything"], **VARIANTS["no serving"], alerts=None)
    assert [draft.path for draft in kubernetes.emit(made)] == []


def test_yaml_of_a_kustomization_lists_files_that_are_there(tmp_path: Path) -> None:
    for path in write(project(), tmp_path):
        if path.startswith("k8s/") and path.endswith("kustomization.yaml"):
            for resource in yaml.safe_load((tmp_path / path).read_text())["resources"]:
                assert (tmp_path / path).parent.joinpath(resource).exists(), (path, resource)
