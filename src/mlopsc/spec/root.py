"""The whole spec: one mapping, a chapter a key."""

from typing import Any, Literal

from pydantic import Field

from mlopsc.spec.alerts import Alerts
from mlopsc.spec.chapter import Chapter
from mlopsc.spec.ci import Ci
from mlopsc.spec.endpoints import Endpoint
from mlopsc.spec.environments import Environment
from mlopsc.spec.extensions import OwnTemplate, Target
from mlopsc.spec.features import View
from mlopsc.spec.images import Image
from mlopsc.spec.models import Model
from mlopsc.spec.patches import Patch
from mlopsc.spec.platform import Platform
from mlopsc.spec.secrets import Secret
from mlopsc.spec.services import Services
from mlopsc.spec.sources import Source
from mlopsc.spec.words import (
    GitLabPath,
    Maybe,
    Name,
    ProjectPath,
    Registry,
    Repository,
    Scalar,
    Several,
    Storage,
    TemplateName,
    Text,
    TimeZone,
)


class Spec(Chapter):
    """What a machine-learning system is."""

    api_version: Literal["mlopsc/v1"] = Field(
        alias="apiVersion",
        description="The version of this language.",
        examples=["mlopsc/v1"],
    )
    project: Name = Field(description="The project's name.", examples=["churn"])
    description: Maybe[Text] = Field(
        default=None,
        description="What it is for, in a sentence; without it, nothing is said.",
        examples=["Which customers will leave within 30 days."],
    )
    owner: Maybe[GitLabPath] = Field(
        default=None,
        description="The GitLab user or group who answers for it; without it, nobody is named.",
        examples=["growth/ml"],
    )
    repository: Maybe[Repository] = Field(
        default=None,
        description="Where it lives in GitLab; without it, links to it are left out.",
        examples=["gitlab.example.com/growth/churn"],
    )
    registry: Maybe[Registry] = Field(
        default=None,
        description="Where container images go; without it, none are built.",
        examples=["registry.example.com/growth/churn"],
    )
    storage: Maybe[Storage] = Field(
        default=None,
        description="Where data versions, models, reference sets and reports are kept; without it,"
        " beside the project.",
        examples=["gs://acme/churn"],
    )
    timezone: TimeZone = Field(
        default="UTC", description="The time zone of every schedule.", examples=["Europe/Berlin"]
    )
    include: Several[ProjectPath] = Field(
        default=(),
        description="More files in the same language: `*` and `?` stay within a folder, `**` goes through"
        " folders.",
        examples=[["models/*.yaml"]],
    )
    variables: dict[Name, Scalar] = Field(
        default={},
        description="Values for `${var.NAME}`, which any text may hold.",
        examples=[{"bucket": "gs://acme-staging"}],
    )
    defaults: dict[
        Literal["images", "sources", "features", "models", "endpoints", "environments"],
        dict[str, Any],
    ] = Field(
        default={},
        description="A partial item a chapter, laid under each of its items.",
        examples=[{"models": {"serving": {"resources": {"cpu": 1, "memory": "2Gi"}}}}],
    )
    platform: Platform = Field(
        default={},
        validate_default=True,
        description="One word a role: which system plays it.",
        examples=[{"orchestration": "kubernetes"}],
    )
    services: Services = Field(
        default={},
        validate_default=True,
        description="Where those systems answer.",
        examples=[{"mlflow": {"url": "https://mlflow.example.com"}}],
    )
    secrets: dict[Name, Secret] = Field(
        default={},
        description="Names of secrets, and where their values live.",
        examples=[{"redis": {"path": "growth/redis", "key": "connection_string"}}],
    )
    environments: dict[Name, Environment] = Field(
        default={},
        description="The places it runs in, in the order a version is promoted; without any, there"
        " is one called `production`.",
        examples=[{"staging": {"deploy": "automatic"}, "production": {}}],
    )
    images: dict[Name, Image] = Field(
        default={},
        description="The container images that CI builds.",
        examples=[{"train": {"python": "3.11", "requirements": "requirements.txt"}}],
    )
    sources: dict[Name, Source] = Field(
        default={},
        description="Where rows are, and what is true of them.",
        examples=[{"flights": {"parquet": "data/flights.parquet", "timestamp": "time_hour"}}],
    )
    features: dict[Name, View] = Field(
        default={},
        description="Views: features that are joined, looked up or computed.",
        examples=[{"customer_features": {"source": "customers", "ttl": "1d"}}],
    )
    models: dict[Name, Model] = Field(
        default={},
        description="What is predicted from what.",
        examples=[
            {
                "delay": {
                    "target": "flights:arr_delay",
                    "features": ["flights:carrier"],
                    "training": {"command": "python src/train.py"},
                }
            }
        ],
    )
    endpoints: dict[Name, Endpoint] = Field(
        default={},
        description="One address over several models.",
        examples=[{"trial": {"split": {"churn_light": "50%", "churn_tree": "50%"}}}],
    )
    alerts: Alerts = Field(
        default={},
        validate_default=True,
        description="Who hears of what.",
        examples=[{"routes": {"critical": "oncall"}}],
    )
    ci: Ci = Field(
        default={},
        validate_default=True,
        description="How the pipelines fit into what is there.",
        examples=[{"tags": {"default": ["docker"]}}],
    )
    targets: dict[Name, Target] = Field(
        default={},
        description="Targets of installed packages, by the name they go by there.",
        examples=[{"catalog": {"package": "mlopsc-catalog", "version": "1.2.0"}}],
    )
    templates: dict[TemplateName, OwnTemplate] = Field(
        default={},
        description="Templates of your own in place of ours, by the name of ours.",
        examples=[
            {
                "docker/job.Dockerfile.j2": {
                    "file": "templates/job.Dockerfile.j2",
                    "base": "templates/base/job.Dockerfile.j2",
                }
            }
        ],
    )
    patches: Several[Patch] = Field(
        default=(),
        description="Changes to what is generated, kept apart and reviewed.",
        examples=[
            [
                {
                    "artifact": "k8s/production/churn/deployment.yaml",
                    "merge": {"spec": {"template": {"spec": {"priorityClassName": "high"}}}},
                }
            ]
        ],
    )
