"""`services`: where the systems of `platform` and the databases of `sources` answer."""

from typing import Literal

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.secrets import SecretRef
from mlopsc.spec.words import Brokers, DnsLabel, Files, Maybe, Name, WebAddress


class Mlflow(Chapter):
    """The MLflow tracking server and registry."""

    url: WebAddress = Field(description="Its address.", examples=["https://mlflow.example.com"])


class Feast(Chapter):
    """Feast's registry and online store."""

    registry: Maybe[Files] = Field(
        default=None,
        description="Where the registry is kept; without it, `FEAST_REGISTRY` says so at run time.",
        examples=["gs://acme-prod/feast/registry.db"],
    )
    online_store: Literal["sqlite", "redis", "postgres", "dynamodb", "datastore"] = Field(
        default="sqlite",
        description="What looks features up when serving; sqlite is for a laptop.",
        examples=["redis"],
    )
    connection: Maybe[SecretRef] = Field(
        default=None,
        description="The online store's connection string; without it, none, as for sqlite.",
        examples=[{"secret": "redis"}],
    )


class Prometheus(Chapter):
    """The Prometheus server."""

    url: WebAddress = Field(
        description="Its address.", examples=["http://prometheus.monitoring:9090"]
    )


class Pushgateway(Chapter):
    """The Pushgateway that takes the results of monitoring runs."""

    url: WebAddress = Field(
        description="Its address.", examples=["http://pushgateway.monitoring:9091"]
    )


class Alertmanager(Chapter):
    """The Alertmanager that tells people."""

    url: WebAddress = Field(
        description="Its address.", examples=["http://alertmanager.monitoring:9093"]
    )


class Grafana(Chapter):
    """The Grafana that shows dashboards."""

    url: WebAddress = Field(description="Its address.", examples=["https://grafana.example.com"])


class Gitlab(Chapter):
    """The GitLab instance."""

    url: WebAddress = Field(description="Its address.", examples=["https://gitlab.example.com"])


class KafkaService(Chapter):
    """The Kafka cluster of the streams."""

    brokers: Brokers = Field(
        description="Bootstrap brokers as `host:port`, several with commas.",
        examples=["main-kafka-bootstrap.kafka:9092"],
    )
    cluster: Maybe[DnsLabel] = Field(
        default=None,
        description="Strimzi's name of the cluster; without it topics are not made for you.",
        examples=["main"],
    )


class GatewayApi(Chapter):
    """The Gateway that takes requests from outside."""

    gateway: DnsLabel = Field(description="Its name.", examples=["public"])
    namespace: Maybe[DnsLabel] = Field(
        default=None,
        description="Its namespace; without it, the environment's own.",
        examples=["gateways"],
    )


class Kserve(Chapter):
    """How KServe is installed."""

    mode: Literal["standard", "serverless"] = Field(
        default="standard",
        description="`standard` or `serverless` (Knative): they know different canaries.",
        examples=["serverless"],
    )


class ExternalSecrets(Chapter):
    """The External Secrets Operator."""

    store: Name = Field(description="The ClusterSecretStore to read from.", examples=["vault"])


class Database(Chapter):
    """How to reach the system behind a kind of source."""

    connection: SecretRef = Field(
        description="The connection URL, from a secret.", examples=[{"secret": "warehouse"}]
    )


class Services(Chapter):
    """Where each system answers; nothing that needs an absent one is made."""

    mlflow: Maybe[Mlflow] = Field(
        default=None,
        description="MLflow; without it, `MLFLOW_TRACKING_URI` says where it is at run time.",
        examples=[{"url": "https://mlflow.example.com"}],
    )
    feast: Maybe[Feast] = Field(
        default=None,
        description="Feast; without it, a local registry and sqlite, for a laptop.",
        examples=[{"registry": "gs://acme/feast/registry.db", "online_store": "redis"}],
    )
    prometheus: Maybe[Prometheus] = Field(
        default=None,
        description="Prometheus; without it, nothing asks it questions.",
        examples=[{"url": "http://prometheus.monitoring:9090"}],
    )
    pushgateway: Maybe[Pushgateway] = Field(
        default=None,
        description="The Pushgateway; without it, monitoring runs push nothing.",
        examples=[{"url": "http://pushgateway.monitoring:9091"}],
    )
    alertmanager: Maybe[Alertmanager] = Field(
        default=None,
        description="Alertmanager; without it, its own default address stands in links.",
        examples=[{"url": "http://alertmanager.monitoring:9093"}],
    )
    grafana: Maybe[Grafana] = Field(
        default=None,
        description="Grafana, for a dashboard a model; without it, alerts carry no link to one.",
        examples=[{"url": "https://grafana.example.com"}],
    )
    gitlab: Maybe[Gitlab] = Field(
        default=None,
        description="GitLab; without it, the host of `repository`.",
        examples=[{"url": "https://gitlab.example.com"}],
    )
    kafka: Maybe[KafkaService] = Field(
        default=None,
        description="Kafka; needed by a source with `kafka`.",
        examples=[{"brokers": "main-kafka-bootstrap.kafka:9092"}],
    )
    gateway_api: Maybe[GatewayApi] = Field(
        default=None,
        description="The Gateway; needed by `traffic: gateway_api`.",
        examples=[{"gateway": "public", "namespace": "gateways"}],
    )
    kserve: Maybe[Kserve] = Field(
        default=None,
        description="KServe; without it, its standard mode.",
        examples=[{"mode": "standard"}],
    )
    external_secrets: Maybe[ExternalSecrets] = Field(
        default=None,
        description="External Secrets; needed by `secrets: external_secrets`.",
        examples=[{"store": "vault"}],
    )
    duckdb: Maybe[Database] = Field(
        default=None,
        description="DuckDB; without it, `MLOPS_DUCKDB_URL` says which file at run time.",
        examples=[{"connection": {"secret": "duckdb"}}],
    )
    postgres: Maybe[Database] = Field(
        default=None,
        description="PostgreSQL; needed by a source with `postgres`.",
        examples=[{"connection": {"secret": "postgres"}}],
    )
    snowflake: Maybe[Database] = Field(
        default=None,
        description="Snowflake; needed by a source with `snowflake`.",
        examples=[{"connection": {"secret": "snowflake"}}],
    )
    redshift: Maybe[Database] = Field(
        default=None,
        description="Redshift; needed by a source with `redshift`.",
        examples=[{"connection": {"secret": "redshift"}}],
    )
    bigquery: Maybe[Database] = Field(
        default=None,
        description="BigQuery; without it, the table's project and Google's default credentials.",
        examples=[{"connection": {"secret": "bigquery"}}],
    )
    spark: Maybe[Database] = Field(
        default=None,
        description="Spark; needed by a source with `spark`.",
        examples=[{"connection": {"secret": "spark"}}],
    )
