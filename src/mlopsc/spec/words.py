"""Scalars of the language: each a type, its pattern or bounds, and a phrase for people."""

from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import Field, GetCoreSchemaHandler, Strict
from pydantic_core import CoreSchema

from mlopsc.frozen import frozen
from mlopsc.spec import vocabulary as v


@frozen
class Phrase:
    """What a value has to be, for a person: completes "must be …"."""

    text: str


class _NeverWritten:
    """Makes `None` what an absent key means, and nothing a user could write."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


T = TypeVar("T")

Maybe = Annotated[T | None, _NeverWritten()]
"""A key that may be absent: then its value is None. Writing null is refused."""

Several = Annotated[tuple[T, ...], Strict(False)]
"""A list. Strictness is off for the container alone: YAML lists become tuples."""

Text: TypeAlias = Annotated[str, Field(min_length=1), Phrase("text")]
Number: TypeAlias = Annotated[int | float, Phrase("a number")]
Scalar: TypeAlias = Annotated[
    bool | int | float | str, Phrase("a number, a text, or true or false")
]

Name: TypeAlias = Annotated[
    str,
    Field(pattern=v.NAME, max_length=v.NAME_LENGTH),
    Phrase("a name: a small letter, then small letters, digits and `_`, at most 40"),
]
ColumnName: TypeAlias = Annotated[
    str,
    Field(pattern=v.COLUMN, max_length=v.COLUMN_LENGTH),
    Phrase("a column's name: a letter, then letters, digits and `_`, at most 63"),
]
Reference: TypeAlias = Annotated[
    str,
    Field(pattern=v.REFERENCE),
    Phrase("the name of a view, or `view:field`, or `source:column`"),
]
FieldReference: TypeAlias = Annotated[
    str,
    Field(pattern=v.FIELD_REFERENCE),
    Phrase("`owner:field`: a source or view, a colon, and one of its columns"),
]
PythonReference: TypeAlias = Annotated[
    str,
    Field(pattern=v.PYTHON_REFERENCE),
    Phrase("a Python function as `package.module:function`"),
]
ParameterName: TypeAlias = Annotated[
    str,
    Field(pattern=v.PARAMETER),
    Phrase("a parameter's name: letters, digits, `_` and `.`"),
]
EnvName: TypeAlias = Annotated[
    str,
    Field(pattern=v.ENV_NAME),
    Phrase("a variable's name: letters, digits and `_`, no digit first"),
]

Duration: TypeAlias = Annotated[
    str,
    Field(pattern=v.DURATION),
    Phrase("a duration such as `30s`, `15m`, `1h`, `7d` or `2w`"),
]
Hold: TypeAlias = Annotated[
    str, Field(pattern=v.HOLD), Phrase("a duration such as `10m`, or `0s` for at once")
]
Latency: TypeAlias = Annotated[
    str, Field(pattern=v.LATENCY), Phrase("a time such as `200ms` or `1.5s`")
]
Percentile: TypeAlias = Annotated[
    str, Field(pattern=v.PERCENTILE), Phrase("a percentile such as `p50`, `p95`, `p99` or `p99.9`")
]
Cron: TypeAlias = Annotated[
    str,
    Field(pattern=v.CRON),
    Phrase("a five-field cron line such as `0 3 * * 1` (minute, hour, day, month, weekday 0-6)"),
]
Schedule: TypeAlias = Annotated[
    Annotated[str, Field(pattern=v.CRON)] | Annotated[str, Field(pattern=v.DURATION)],
    Phrase(
        "a five-field cron line such as `0 3 * * 1` (minute, hour, day, month, weekday 0-6),"
        " or a duration such as `1h`"
    ),
]
Share: TypeAlias = Annotated[
    Annotated[float, Field(ge=0, le=1)] | Annotated[str, Field(pattern=v.PERCENTAGE)],
    Phrase("a percentage such as `30%`, or a number from 0 to 1"),
]
Level: TypeAlias = Annotated[
    int | float | Annotated[str, Field(pattern=v.PERCENTAGE)],
    Phrase("a number, or a percentage such as `30%`"),
]
Cut: TypeAlias = Annotated[
    Annotated[float, Field(gt=0, lt=1)]
    | Annotated[str, Field(pattern=v.PERCENTAGE)]
    | Annotated[str, Field(pattern=v.DURATION)],
    Phrase("a duration such as `30d`, or a percentage such as `20%`"),
]

Cpu: TypeAlias = Annotated[
    Annotated[int, Field(gt=0)]
    | Annotated[float, Field(gt=0)]
    | Annotated[str, Field(pattern=v.CPU)],
    Phrase("CPUs as a number, or thousandths such as `500m`"),
]
Bytes: TypeAlias = Annotated[
    str,
    Field(pattern=v.BYTES),
    Phrase("an amount of memory with its unit, such as `512Mi` or `16Gi`"),
]

ProjectPath: TypeAlias = Annotated[
    str,
    Field(pattern=v.PROJECT_PATH),
    Phrase("a path inside the project: relative, with `/`, without `..`"),
]
Files: TypeAlias = Annotated[
    str,
    Field(pattern=v.FILES),
    Phrase(
        "a path inside the project without `..`, or an address such as `s3://bucket/data.parquet`"
    ),
]
Pointer: TypeAlias = Annotated[
    str,
    Field(pattern=v.POINTER),
    Phrase("a JSON Pointer such as `/spec/replicas`, with `~1` for a `/` in a key"),
]
FileText: TypeAlias = Annotated[str, Field(pattern=v.FILE_TEXT), Phrase("text")]
Storage: TypeAlias = Annotated[
    str, Field(pattern=v.STORAGE), Phrase("an address such as `gs://bucket/folder`")
]
Table: TypeAlias = Annotated[
    str, Field(pattern=v.TABLE), Phrase("a table such as `schema.table` or `project.dataset.table`")
]
WebAddress: TypeAlias = Annotated[
    str, Field(pattern=v.WEB_ADDRESS), Phrase("an address that starts with `https://` or `http://`")
]
GitLabPath: TypeAlias = Annotated[
    str,
    Field(pattern=v.GITLAB_PATH),
    Phrase("a GitLab user or group such as `growth/ml`, without `@`"),
]
Repository: TypeAlias = Annotated[
    str,
    Field(pattern=v.REPOSITORY),
    Phrase("host and path such as `gitlab.example.com/growth/churn`, without `https://`"),
]
Registry: TypeAlias = Annotated[
    str,
    Field(pattern=v.REGISTRY),
    Phrase("host and path such as `registry.example.com/growth/churn`, in small letters"),
]
Image: TypeAlias = Annotated[
    str,
    Field(pattern=v.IMAGE, max_length=255),
    Phrase("a name from `images`, or a full reference such as `python:3.11.10-slim`"),
]
DnsLabel: TypeAlias = Annotated[
    str,
    Field(pattern=v.DNS_LABEL, max_length=v.DNS_LENGTH),
    Phrase("small letters, digits and `-`, at most 63, as Kubernetes asks"),
]
TimeZone: TypeAlias = Annotated[
    str, Field(pattern=v.TIME_ZONE), Phrase("a time zone such as `Europe/Berlin` or `UTC`")
]
Brokers: TypeAlias = Annotated[
    str, Field(pattern=v.BROKERS), Phrase("`host:port`, several with commas between them")
]
HostAndPort: TypeAlias = Annotated[str, Field(pattern=v.HOST_AND_PORT), Phrase("`host:port`")]
Topic: TypeAlias = Annotated[
    str, Field(pattern=v.TOPIC), Phrase("a Kafka topic: letters, digits, `.`, `_` and `-`")
]
Version: TypeAlias = Annotated[
    str, Field(pattern=v.VERSION), Phrase('a version of the registry as text, such as `"14"`')
]
PythonVersion: TypeAlias = Annotated[
    str, Field(pattern=v.PYTHON_VERSION), Phrase('a Python version as text, such as `"3.11"`')
]
DebianPackage: TypeAlias = Annotated[
    str, Field(pattern=v.DEBIAN_PACKAGE), Phrase("a Debian package, such as `libgomp1`")
]
SecretPath: TypeAlias = Annotated[
    str, Field(pattern=v.STORE_PATH), Phrase("a path in the secret store, such as `growth/redis`")
]
SecretKey: TypeAlias = Annotated[
    str, Field(pattern=v.STORE_KEY), Phrase("a key: letters, digits, `.`, `_` and `-`")
]
Query: TypeAlias = Annotated[str, Field(min_length=1), Phrase("a PromQL expression")]
MetricName: TypeAlias = Annotated[
    str, Field(pattern=v.PROMETHEUS_NAME), Phrase("the name of a Prometheus metric")
]
Matchers: TypeAlias = Annotated[
    str, Field(pattern=v.MATCHERS), Phrase('label matchers such as `code=~"5.."`')
]
HttpPath: TypeAlias = Annotated[
    str, Field(pattern=v.HTTP_PATH), Phrase("an HTTP path that starts with `/`")
]
HttpHeader: TypeAlias = Annotated[
    str, Field(pattern=v.HTTP_HEADER), Phrase("an HTTP header's name: letters, digits and `-`")
]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535), Phrase("a port from 1 to 65535")]
SlackChannel: TypeAlias = Annotated[
    str, Field(pattern=v.SLACK_CHANNEL), Phrase('a channel such as `"#growth-ml"`, in quotes')
]
MailAddress: TypeAlias = Annotated[
    str, Field(pattern=v.MAIL_ADDRESS), Phrase("an address such as `oncall@example.com`")
]
MailAddresses: TypeAlias = Annotated[
    str,
    Field(pattern=v.MAIL_ADDRESSES),
    Phrase("addresses such as `oncall@example.com`, several with commas between them"),
]
ExpectationName: TypeAlias = Annotated[
    str,
    Field(pattern=v.EXPECTATION),
    Phrase("the name of a Great Expectations expectation, `expect_…`"),
]
Step: TypeAlias = Annotated[
    Annotated[str, Field(pattern=f"{v.PERCENTAGE_STEP}|^approve$")],
    Phrase("a percentage of the traffic such as `25%`, or `approve`"),
]
PackageName: TypeAlias = Annotated[
    str,
    Field(pattern=v.PACKAGE, max_length=214),
    Phrase("a Python package such as `mlopsc-catalog`, without a version"),
]
PackageVersion: TypeAlias = Annotated[
    str, Field(pattern=v.PACKAGE_VERSION), Phrase('a package\'s version as text, such as `"1.2.0"`')
]
TemplateName: TypeAlias = Annotated[
    str,
    Field(pattern=v.TEMPLATE),
    Phrase("the name of one of our templates, such as `docker/job.Dockerfile.j2`"),
]
Count: TypeAlias = Annotated[int, Field(ge=1), Phrase("a whole number, 1 or more")]
CountFromZero: TypeAlias = Annotated[int, Field(ge=0), Phrase("a whole number, 0 or more")]
