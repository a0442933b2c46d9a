"""The names we give: labels, metrics, paths, variables, exit codes. Each is written here once."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.paths import as_written

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path

# --- names -----------------------------------------------------------------------------------

API_VERSION: Final = "mlopsc/v1"
SPEC_FILE: Final = "mlops.yaml"
LOCK_FILE: Final = "mlops.lock"
CHAMPION: Final = "champion"  # the registry alias of the version in production
CHALLENGER: Final = "challenger"  # the newest version that passed the gate


def dns(name: str) -> str:
    """A spec name as a Kubernetes object name: DNS labels know no underscore."""
    return name.replace("_", "-")


def is_group(approver: str) -> bool:
    """Whether a name of GitLab is a group: one with a `/`. One without is a user."""
    return "/" in approver


def object_name(model: str, purpose: str | None = None) -> str:
    """`MODEL` or `MODEL-PURPOSE`, as Kubernetes writes it."""
    return dns(model) if purpose is None else f"{dns(model)}-{purpose}"


def environment_variable(name: str) -> str:
    """A secret's or parameter's name as an environment variable."""
    return name.upper()


PROGRAM_FILES: Final = (
    "batch.py",
    "command.py",
    "cooldown.py",
    "dataset.py",
    "facts.py",
    "gate.py",
    "joins.py",
    "materialize.py",
    "metrics.py",
    "monitor.py",
    "network.py",
    "outcome.py",
    "places.py",
    "register.py",
    "registry.py",
    "reports.py",
    "schedules.py",
    "scoring.py",
    "stores.py",
    "tables.py",
    "validate.py",
)
"""The programs and the parts they share, as they stand in `mlops/`."""

PIPELINE_ONLY: Final = frozenset({"cooldown.py", "schedules.py", "validate.py"})
"""Programs that only the pipeline runs; a pod needs none of them."""


def spec_text(path: Path) -> str:
    """A spec path as a person writes it: `models.delay.features[0]`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in as_written(path)]
    return "".join(parts).removeprefix(".")


# --- paths of generated files ----------------------------------------------------------------

PROGRAMS: Final = "mlops"
PROGRAM_REQUIREMENTS: Final = "mlops/requirements.txt"
FEATURE_REPO: Final = "feature_repo"
GX: Final = "gx"
PARAMETERS: Final = "params.yaml"  # what training commands read, by model
SCHEDULES: Final = ".gitlab/schedules.json"
RUNBOOKS: Final = "monitoring/runbooks"


def program(name: str) -> str:
    """A program's path: `mlops/gate.py`."""
    return f"{PROGRAMS}/{name}.py"


def model_facts(model: str) -> str:
    """What the programs need to know of a model."""
    return f"{PROGRAMS}/models/{model}.json"


def source_facts(source: str) -> str:
    """What the programs need to know of a source."""
    return f"{PROGRAMS}/sources/{source}.json"


def model_pipeline(model: str) -> str:
    """The model's part of the GitLab pipeline."""
    return f".gitlab/ci/models/{model}.yml"


def model_manifests(environment: str, model: str) -> str:
    """The folder of a model's Kubernetes objects in one environment."""
    return f"k8s/{environment}/{model}"


def environment_manifests(environment: str) -> str:
    """The folder of all Kubernetes objects of one environment."""
    return f"k8s/{environment}"


def alert_rules(environment: str, model: str) -> str:
    """A model's Prometheus rules in one environment."""
    return f"monitoring/prometheus/{environment}/{model}.rules.yml"


def alert_rules_test(environment: str, model: str) -> str:
    """The promtool test beside `alert_rules`."""
    return f"monitoring/prometheus/{environment}/{model}.rules.test.yml"


def alertmanager(environment: str) -> str:
    """Alertmanager's configuration of one environment."""
    return f"monitoring/alertmanager/{environment}.yml"


def drift_report(model: str) -> str:
    """Evidently's drift report of a model."""
    return f"monitoring/evidently/{model}.drift.json"


def performance_report(model: str) -> str:
    """Evidently's performance report of a model."""
    return f"monitoring/evidently/{model}.performance.json"


def dockerfile(image: str) -> str:
    """The generated Dockerfile of an image of the spec."""
    return f"images/{image}/Dockerfile"


def serving_dockerfile(model: str) -> str:
    """The Dockerfile that puts a model into its serving runtime. `-` keeps it apart from any image."""
    return f"images/serving-{dns(model)}/Dockerfile"


GRAFANA: Final = "grafana"  # the word of `platform.dashboards`


def dashboards(environment: str) -> str:
    """The folder of an environment's dashboards and of what Grafana is provisioned with."""
    return f"monitoring/grafana/{environment}"


def dashboard(environment: str, model: str) -> str:
    """A model's dashboard in one environment."""
    return f"{dashboards(environment)}/{model}.json"


def dashboard_uid(project: str, environment: str, model: str) -> str:
    """What a dashboard is called in addresses, for as long as its names stay.

    Names hold no `-`, so no two are joined alike. Grafana takes 40 characters
    (https://grafana.com/docs/grafana/latest/developers/http_api/dashboard/, "Identifier (id) vs unique
    identifier (uid)"); what is longer ends in a digest of the whole.
    """
    return short(f"{project}-{environment}-{model}", 40)


def short(name: str, most: int) -> str:
    """`name`, or its beginning and a digest of it where it is longer than `most`."""
    if len(name) <= most:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: most - 9]}-{digest}"


def serving_image(registry: str, model: str) -> str:
    """The repository a model's serving image is pushed to; the tag is the model's version."""
    return f"{registry}/{dns(model)}"


# --- metrics and labels ----------------------------------------------------------------------

DRIFT_SHARE: Final = "mlops_drift_share"  # 0 to 1; labels project, model, environment
COLUMN_DRIFT_SCORE: Final = "mlops_column_drift_score"  # + column; the method's own score
MODEL_METRIC: Final = "mlops_model_metric"  # + metric; the metric's own unit
DATA_CHECK_SUCCESS: Final = "mlops_data_check_success"  # 0 or 1; + source
MONITOR_LAST_SUCCESS: Final = "mlops_monitor_last_success_timestamp_seconds"

IDENTITY_LABELS: Final = ("project", "model", "environment")
MONITOR_JOB: Final = "mlops_monitor"  # the Pushgateway job of what monitor.py pushes
VALIDATE_JOB: Final = "mlops_validate"  # … and of what validate.py pushes


def kubernetes_labels(project: str, model: str, component: str) -> dict[str, str]:
    """Kubernetes' recommended labels.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    return {
        "app.kubernetes.io/name": dns(model),
        "app.kubernetes.io/instance": f"{dns(project)}-{dns(model)}",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": dns(project),
        "app.kubernetes.io/managed-by": "mlopsc",
    }


# --- environment variables of jobs, pods and programs ------------------------------------------

DATA_VARIABLE: Final = "MLOPS_DATA"  # folder with train, validation and test.parquet
OUT_VARIABLE: Final = "MLOPS_OUT"  # folder for model/, predictions.parquet, metrics.json
MODEL_VARIABLE: Final = "MLOPS_MODEL"  # names one model in schedules, triggers and API runs
TASK_VARIABLE: Final = "MLOPS_TASK"  # what a scheduled or triggered run is for
VIEW_VARIABLE: Final = "MLOPS_VIEW"  # the view a materialization is of
SOURCE_VARIABLE: Final = "MLOPS_SOURCE"  # the source a build is of
ENVIRONMENT_VARIABLE: Final = "MLOPS_ENVIRONMENT"
VERSION_VARIABLE: Final = "MLOPS_MODEL_VERSION"  # the version that runs, for monitor and batch
ALERT_VARIABLE: Final = "MLOPS_ALERT"  # what started a retrain: the alert's name
TRACKING_VARIABLE: Final = "MLFLOW_TRACKING_URI"
PUSHGATEWAY_VARIABLE: Final = "PUSHGATEWAY_URL"
FEAST_REGISTRY_VARIABLE: Final = "FEAST_REGISTRY"
FEAST_ONLINE_VARIABLE: Final = "FEAST_ONLINE_STORE_CONNECTION"


def connection_variable(kind: str) -> str:
    """The variable with the connection URL of a source kind: `MLOPS_POSTGRES_URL`."""
    return f"MLOPS_{kind.upper()}_URL"


# --- exit codes of the programs ----------------------------------------------------------------

PASSED: Final = 0  # failed warnings are reported
FAILED: Final = 1
COULD_NOT_RUN: Final = 2

# --- choices of ours that no key changes -------------------------------------------------------

DECISION: Final = "decision"  # first step of a path that names an entry of a target's DECISIONS


def decision(name: str) -> Path:
    """The origin of a line that is our choice; `why` shows its reason."""
    return (DECISION, name)


def environment_of(path: str, names: tuple[str, ...]) -> str | None:
    """The environment a generated file belongs to; None: all of them share it."""
    parts = [*path.split("/"), "", ""]  # a file of the user's own may stand anywhere
    if parts[0] == "k8s" or parts[:2] in (["monitoring", "prometheus"], ["monitoring", "grafana"]):
        name = parts[1 if parts[0] == "k8s" else 2]
    elif parts[:2] == ["monitoring", "alertmanager"]:
        name = parts[2].removesuffix(".yml")
    else:
        return None
    return name if name in names else None
