"""`environments`: the places the system runs in, in the order a version is promoted."""

from typing import Any, Literal

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import (
    DnsLabel,
    GitLabPath,
    Maybe,
    Name,
    Scalar,
    Several,
    Version,
    WebAddress,
)


class Environment(Chapter):
    """One place the system runs in."""

    namespace: Maybe[DnsLabel] = Field(
        default=None,
        description="Its Kubernetes namespace; without it, `PROJECT-ENVIRONMENT`, and for the last"
        " environment the project's name.",
        examples=["churn-staging"],
    )
    clusters: Several[DnsLabel] = Field(
        default=(),
        description="Names in the GitOps tool; none means the cluster that tool runs in.",
        examples=[["gke-eu", "gke-us"]],
    )
    deploy: Maybe[Literal["automatic", "manual"]] = Field(
        default=None,
        description="Whether a version that passed its gate goes live by itself, or after a click;"
        " without it, manual in the last environment and automatic in those before.",
        examples=["automatic"],
    )
    approvers: Several[GitLabPath] = Field(
        default=(),
        description="GitLab users or groups who must agree to a deployment.",
        examples=[["growth/ml-leads"]],
    )
    url: Maybe[WebAddress] = Field(
        default=None,
        description="Where callers reach it, for links; without it there is no link.",
        examples=["https://api.example.com"],
    )
    variables: dict[Name, Scalar] = Field(
        default={},
        description="Values of `variables` that differ here.",
        examples=[{"bucket": "gs://acme-prod"}],
    )
    versions: dict[Name, Version] = Field(
        default={},
        description="Which version of which model runs here, as text; a model without a line runs"
        " the registry's `champion`.",
        examples=[{"churn": "14"}],
    )
    overrides: dict[str, Any] = Field(
        default={},
        description="A partial spec laid over everything else: maps merge, lists replace, null"
        " removes.",
        examples=[{"models": {"churn": {"serving": {"replicas": {"min": 3}}}}}],
    )
