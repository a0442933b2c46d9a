"""`platform`: one word a role. Changing a word changes the artifacts, not the rest of the spec."""

from typing import Literal, TypeAlias

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import Maybe

CiWord: TypeAlias = Literal["gitlab"]
OrchestrationWord: TypeAlias = Literal[
    "gitlab", "kubernetes", "airflow", "kubeflow_pipelines", "argo_workflows"
]
DataVersioningWord: TypeAlias = Literal["dvc"]
DataValidationWord: TypeAlias = Literal["great_expectations"]
FeatureStoreWord: TypeAlias = Literal["feast"]
TrackingWord: TypeAlias = Literal["mlflow", "wandb", "comet", "tensorboard"]
ModelRegistryWord: TypeAlias = Literal["mlflow"]
TrainingWord: TypeAlias = Literal[
    "gitlab",
    "kubernetes",
    "kubeflow_trainer",
    "ray",
    "spark",
    "sagemaker",
    "vertex",
    "azureml",
    "databricks",
]
TuningWord: TypeAlias = Literal["katib"]
ServingWord: TypeAlias = Literal[
    "kubernetes", "kserve", "seldon", "sagemaker", "vertex", "azureml", "databricks"
]
DeliveryWord: TypeAlias = Literal["rolling", "argo_rollouts"]
TrafficWord: TypeAlias = Literal["none", "gateway_api", "istio"]
AutoscalingWord: TypeAlias = Literal["hpa", "keda"]
MetricsWord: TypeAlias = Literal["prometheus", "prometheus_operator"]
DashboardsWord: TypeAlias = Literal["grafana"]
DriftWord: TypeAlias = Literal["evidently"]
SecretsWord: TypeAlias = Literal["kubernetes", "external_secrets"]
GitopsWord: TypeAlias = Literal["kubectl", "argocd", "flux"]


class Platform(Chapter):
    """Which system plays which role."""

    ci: CiWord = Field(default="gitlab", description="Who runs the pipelines.", examples=["gitlab"])
    orchestration: OrchestrationWord = Field(
        default="gitlab", description="Who runs the schedules.", examples=["kubernetes"]
    )
    data_versioning: DataVersioningWord = Field(
        default="dvc", description="Who keeps versions of data and stages.", examples=["dvc"]
    )
    data_validation: DataValidationWord = Field(
        default="great_expectations",
        description="Who checks the rows of the sources.",
        examples=["great_expectations"],
    )
    feature_store: FeatureStoreWord = Field(
        default="feast", description="Who joins and looks up features.", examples=["feast"]
    )
    tracking: TrackingWord = Field(
        default="mlflow", description="Who records training runs.", examples=["mlflow"]
    )
    model_registry: ModelRegistryWord = Field(
        default="mlflow", description="Who keeps the versions of models.", examples=["mlflow"]
    )
    training: TrainingWord = Field(
        default="gitlab", description="Where training runs.", examples=["kubernetes"]
    )
    tuning: TuningWord = Field(
        default="katib", description="Who searches hyperparameters.", examples=["katib"]
    )
    serving: ServingWord = Field(
        default="kubernetes", description="Where models answer requests.", examples=["kserve"]
    )
    delivery: DeliveryWord = Field(
        default="rolling",
        description="How a new version replaces the old one; it must fit `serving`.",
        examples=["argo_rollouts"],
    )
    traffic: TrafficWord = Field(
        default="none",
        description="Who splits traffic by weight.",
        examples=["gateway_api"],
    )
    autoscaling: AutoscalingWord = Field(
        default="hpa", description="Who adds and removes replicas.", examples=["keda"]
    )
    metrics: MetricsWord = Field(
        default="prometheus",
        description="Who watches: Prometheus by rule files alone, or by its operator's objects.",
        examples=["prometheus_operator"],
    )
    dashboards: Maybe[DashboardsWord] = Field(
        default=None,
        description="Who draws dashboards; without it, Grafana where `services.grafana` is, else nobody.",
        examples=["grafana"],
    )
    drift: DriftWord = Field(
        default="evidently", description="Who computes drift.", examples=["evidently"]
    )
    secrets: SecretsWord = Field(
        default="kubernetes",
        description="Who brings secrets: `kubernetes` means that they exist there already.",
        examples=["external_secrets"],
    )
    gitops: GitopsWord = Field(
        default="kubectl",
        description="Who applies the manifests; `kubectl` means the CI job does.",
        examples=["argocd"],
    )


class ModelPlatform(Chapter):
    """Where one model goes another way than the project; an absent word is the project's."""

    training: Maybe[TrainingWord] = Field(
        default=None,
        description="Where this model trains; without it, the project's word.",
        examples=["ray"],
    )
    tuning: Maybe[TuningWord] = Field(
        default=None,
        description="Who searches this model's hyperparameters; without it, the project's word.",
        examples=["katib"],
    )
    serving: Maybe[ServingWord] = Field(
        default=None,
        description="Where this model answers requests; without it, the project's word.",
        examples=["kserve"],
    )
    delivery: Maybe[DeliveryWord] = Field(
        default=None,
        description="How this model's versions replace each other; without it, the project's word.",
        examples=["argo_rollouts"],
    )
    traffic: Maybe[TrafficWord] = Field(
        default=None,
        description="Who splits this model's traffic; without it, the project's word.",
        examples=["istio"],
    )
    autoscaling: Maybe[AutoscalingWord] = Field(
        default=None,
        description="Who scales this model; without it, the project's word.",
        examples=["keda"],
    )
