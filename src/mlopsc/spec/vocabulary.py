"""The words of the language as plain constants: no pydantic, so that any room may read them."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

ColumnType: TypeAlias = Literal[
    "int32", "int64", "float32", "float64", "string", "bool", "timestamp"
]
Severity: TypeAlias = Literal["critical", "warning", "info"]
Task: TypeAlias = Literal["classification", "regression", "ranking", "forecasting", "custom"]
Framework: TypeAlias = Literal[
    "pytorch", "tensorflow", "sklearn", "xgboost", "lightgbm", "spark", "custom"
]
ModelFormat: TypeAlias = Literal[
    "mlflow", "pytorch", "tensorflow", "sklearn", "xgboost", "lightgbm", "spark", "onnx", "custom"
]
Runtime: TypeAlias = Literal["mlserver", "triton", "torchserve", "tfserving", "bentoml", "custom"]
DriftMethod: TypeAlias = Literal[
    "psi",
    "ks",
    "wasserstein",
    "jensenshannon",
    "kl_div",
    "hellinger",
    "chisquare",
    "z",
    "t_test",
    "anderson",
    "mannw",
    "cramer_von_mises",
    "es",
    "ed",
    "g_test",
    "fisher_exact",
    "TVD",
    "empirical_mmd",
]
Response: TypeAlias = Literal["alert", "retrain", "rollback"]
Risk: TypeAlias = Literal["minimal", "limited", "high"]
LawfulBasis: TypeAlias = Literal[
    "consent",
    "contract",
    "legal_obligation",
    "vital_interests",
    "public_task",
    "legitimate_interest",
]

SOURCE_KINDS: Final = (
    "parquet",
    "csv",
    "duckdb",
    "postgres",
    "snowflake",
    "redshift",
    "bigquery",
    "spark",
)
"""Where a table at rest can be; the key of a source that says so."""

CHANNEL_KINDS: Final = ("pagerduty", "slack", "email", "webhook")
"""Where people are told; the key of an alert channel that says so."""

# --- patterns ----------------------------------------------------------------------------------
# Read by three regex engines (Rust's in pydantic-core, Python's and JavaScript's through the JSON
# Schema), so they keep to what all three know: no look-around, no \d or \w, no named groups.

NAME: Final = r"^[a-z][a-z0-9_]*$"
NAME_LENGTH: Final = 40
COLUMN: Final = r"^[A-Za-z][A-Za-z0-9_]*$"
COLUMN_LENGTH: Final = 63  # PostgreSQL's limit of an identifier, the smallest of the table kinds
REFERENCE: Final = r"^[a-z][a-z0-9_]{0,39}(?::[A-Za-z][A-Za-z0-9_]{0,62})?$"
FIELD_REFERENCE: Final = r"^[a-z][a-z0-9_]{0,39}:[A-Za-z][A-Za-z0-9_]{0,62}$"
PYTHON_REFERENCE: Final = (
    r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
)

DURATION: Final = r"^[1-9][0-9]{0,5}[smhdw]$"
HOLD: Final = r"^(?:0s|[1-9][0-9]{0,5}[smhdw])$"
LATENCY: Final = r"^(?:[1-9][0-9]{0,5}(?:\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)(?:ms|s)$"
PERCENTILE: Final = r"^p[1-9][0-9]?(?:\.[0-9]{1,2})?$"
PERCENTAGE: Final = r"^(?:100(?:\.0+)?|[0-9]{1,2}(?:\.[0-9]+)?)%$"


def _cron_field(value: str) -> str:
    """One cron field: values, ranges, steps and comma lists of them."""
    item = rf"(?:\*|{value}(?:-{value})?)(?:/[1-9][0-9]?)?"
    return rf"{item}(?:,{item})*"


# Day of week is 0-6: Kubernetes' cron library refuses 7.
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS = "sun|mon|tue|wed|thu|fri|sat"
CRON: Final = "^{}$".format(
    r"[ \t]+".join(
        _cron_field(value)
        for value in (
            "[0-5]?[0-9]",
            "(?:[01]?[0-9]|2[0-3])",
            "(?:0?[1-9]|[12][0-9]|3[01])",
            f"(?:0?[1-9]|1[0-2]|{_MONTHS}|{_MONTHS.upper()})",
            f"(?:[0-6]|{_DAYS}|{_DAYS.upper()})",
        )
    )
)

CPU: Final = r"^(?:[1-9][0-9]*m|[1-9][0-9]*(?:\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)$"
BYTES: Final = r"^[1-9][0-9]*(?:\.[0-9]+)?(?:[KMGT]i|[kMGT])$"

# A path of the project: relative, with `/`, never through `.` or `..`, no control characters.
_IN_PATH = r"[^/\\:\x00-\x1f\x7f]"
_NOT_DOT = r"[^./\\:\x00-\x1f\x7f]"
_SEGMENT = rf"(?:{_NOT_DOT}{_IN_PATH}*|\.{_NOT_DOT}{_IN_PATH}*|\.\.{_IN_PATH}+)"
PROJECT_PATH: Final = rf"^{_SEGMENT}(?:/{_SEGMENT})*/?$"
POINTER: Final = r"^(?:/(?:[^~/]|~[01])*)+$"
"""A JSON Pointer (RFC 6901) to something inside a document."""
FILE_TEXT: Final = r"^[^\x00]*$"
FILES: Final = (
    rf"^(?:[a-z][a-z0-9+.-]*://[^\s\x00-\x1f]+|\$\{{[^\s\x00-\x1f]+|{_SEGMENT}(?:/{_SEGMENT})*/?)$"
)
STORAGE: Final = r"^(?:[a-z][a-z0-9+.-]*://|\$\{)[^\s\x00-\x1f]+$"
_TABLE_PART = r"(?:[A-Za-z0-9_-]|\$\{[a-z][a-z0-9_.]*\})+"
TABLE: Final = rf"^{_TABLE_PART}(?:\.{_TABLE_PART}){{0,3}}$"

WEB_ADDRESS: Final = r"""^https?://[^\s"'<>\\\x00-\x1f]+$"""
GITLAB_PATH: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"
REPOSITORY: Final = r"^[a-z0-9][a-z0-9.-]*(?::[0-9]+)?(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$"
REGISTRY: Final = r"^[a-z0-9][a-z0-9.-]*(?::[0-9]+)?(?:/[a-z0-9][a-z0-9._-]*)*$"
IMAGE: Final = (
    r"^[a-z0-9][a-z0-9._-]*(?::[0-9]+/)?[A-Za-z0-9._/-]*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@sha256:[0-9a-f]{64})?$"
)
DNS_LABEL: Final = r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$"
DNS_LENGTH: Final = 63
TIME_ZONE: Final = r"^[A-Za-z]+(?:/[A-Za-z0-9_+-]+)*$"
BROKERS: Final = r"^[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}(?:,[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5})*$"
HOST_AND_PORT: Final = r"^[A-Za-z0-9][A-Za-z0-9.-]*:[0-9]{1,5}$"
TOPIC: Final = r"^[A-Za-z0-9._-]{1,249}$"  # Kafka's legal characters and length
VERSION: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
PYTHON_VERSION: Final = r"^3\.[0-9]{1,2}(?:\.[0-9]{1,2})?$"
DEBIAN_PACKAGE: Final = r"^[a-z0-9][a-z0-9+.-]+(?:=[A-Za-z0-9.+:~-]+)?$"
ENV_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
PARAMETER: Final = r"^[A-Za-z_][A-Za-z0-9_.]*$"
STORE_PATH: Final = r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$"
STORE_KEY: Final = r"^[A-Za-z0-9_.-]+$"
PROMETHEUS_NAME: Final = r"^[A-Za-z_:][A-Za-z0-9_:]*$"
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*[ ]*(?:=|!=|=~|!~)[ ]*"[^"\\\x00-\x1f]*"'
MATCHERS: Final = rf"^{_MATCHER}(?:[ ]*,[ ]*{_MATCHER})*$"
HTTP_PATH: Final = r"""^/[^\s"'<>\\\x00-\x1f]*$"""
HTTP_HEADER: Final = r"^[A-Za-z0-9-]+$"
SLACK_CHANNEL: Final = r"^[#@][^\s\x00-\x1f]+$"
MAIL_ADDRESS: Final = r"^[^@\s,<>\x00-\x1f]+@[A-Za-z0-9.-]+$"
MAIL_ADDRESSES: Final = (
    r"^[^@\s,<>\x00-\x1f]+@[A-Za-z0-9.-]+(?:, ?[^@\s,<>\x00-\x1f]+@[A-Za-z0-9.-]+)*$"
)
EXPECTATION: Final = r"^expect_[a-z0-9_]+$"
PACKAGE: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$"
"""The name of a distribution: packaging.python.org/en/latest/specifications/name-normalization/."""
PACKAGE_VERSION: Final = r"^[0-9][A-Za-z0-9.!+_-]*$"
TEMPLATE: Final = r"^[a-z][a-z0-9_]*/[A-Za-z0-9_.-]+\.j2$"
PERCENTAGE_STEP: Final = r"^(?:100|[1-9][0-9]?)%$"
