"""`sources`: where rows are, and the one place a column is described."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.vocabulary import ColumnType, Severity
from mlopsc.spec.words import (
    ColumnName,
    Count,
    CountFromZero,
    Duration,
    ExpectationName,
    Files,
    GitLabPath,
    Image,
    Maybe,
    Name,
    Number,
    Phrase,
    Scalar,
    Schedule,
    Several,
    Share,
    Table,
    Text,
    Topic,
)


class Column(Chapter):
    """A column: what is true of its values, everywhere."""

    type: ColumnType = Field(description="What its values are.", examples=["float32"])
    description: Maybe[Text] = Field(
        default=None,
        description="What it means; without it, nothing is said.",
        examples=["Number of open support tickets when asked."],
    )
    key: Maybe[Name] = Field(
        default=None,
        description="The entity it identifies; without it, it is not a key.",
        examples=["customer"],
    )
    min: Maybe[Number] = Field(
        default=None,
        description="The smallest value that can be right; without it, any.",
        examples=[0],
    )
    max: Maybe[Number] = Field(
        default=None,
        description="The largest value that can be right; without it, any.",
        examples=[3650],
    )
    one_of: Maybe[Annotated[Several[Scalar], Field(min_length=1)]] = Field(
        default=None,
        description="All values there are; without it, any.",
        examples=[["bronze", "silver", "gold"]],
    )
    pattern: Maybe[Text] = Field(
        default=None,
        description="A regular expression the whole text matches; without it, any text.",
        examples=["^[A-Z]{2}$"],
    )
    unique: bool = Field(
        default=False, description="Whether no value occurs twice.", examples=[True]
    )
    nulls: Share = Field(
        default=0.0,
        description="The largest share of missing values that is all right.",
        examples=["5%"],
    )
    severity: Severity = Field(
        default="critical",
        description="How bad it is when this does not hold: critical stops, warning is reported,"
        " info is listed.",
        examples=["warning"],
    )
    personal: bool = Field(
        default=False,
        description="Whether it is data about a person: never logged, and a feature only with a"
        " `lawful_basis`.",
        examples=[True],
    )
    known_after: Maybe[Duration] = Field(
        default=None,
        description="How long after the row's timestamp the value is known; it is then never a"
        " feature, and training and monitoring wait. Without it, at once.",
        examples=["30d"],
    )


ColumnEntry: TypeAlias = Annotated[
    ColumnType | Column, Phrase("a type such as `int64`, or a mapping such as `{type: int64}`")
]


class Stream(Chapter):
    """The same rows as they happen."""

    topic: Topic = Field(description="The topic.", examples=["customer_events"])
    format: Literal["json", "avro"] = Field(
        default="json", description="How a message is written.", examples=["avro"]
    )
    partitions: Count = Field(
        default=1, description="How many partitions the topic has.", examples=[12]
    )
    retention: Maybe[Duration] = Field(
        default=None,
        description="How long messages are kept; without it, as long as the cluster does.",
        examples=["7d"],
    )


class Build(Chapter):
    """Who makes the rows."""

    command: Text = Field(
        description="The command that makes them.",
        examples=["dbt build --select customer_features"],
    )
    image: Maybe[Image] = Field(
        default=None,
        description="What it runs in: a name from `images` or a full reference; without it, a plain"
        " Python in GitLab. In Kubernetes it has to be said.",
        examples=["train"],
    )
    schedule: Maybe[Schedule] = Field(
        default=None,
        description="When it runs: a cron line or a duration; without it, in the pipeline.",
        examples=["1h"],
    )
    from_: Several[Name] = Field(
        alias="from",
        default=(),
        description="The sources it reads.",
        examples=[["raw_events"]],
    )


class Rows(Chapter):
    """What must hold of the table as a whole."""

    min: Maybe[CountFromZero] = Field(
        default=None,
        description="The fewest rows that can be right; without it, any number.",
        examples=[1000],
    )
    max: Maybe[CountFromZero] = Field(
        default=None,
        description="The most rows that can be right; without it, any number.",
        examples=[10_000_000],
    )
    unique: Several[ColumnName] = Field(
        default=(),
        description="Columns that together name a row: no two rows agree in all of them.",
        examples=[["customer_id", "event_timestamp"]],
    )


Expectation: TypeAlias = Annotated[
    dict[ExpectationName, dict[str, Any]],
    Field(min_length=1, max_length=1),
    Phrase("one expectation and its arguments, such as `expect_x: {column: y}`"),
]


class Source(Chapter):
    """A table at rest, a stream, or both: the same rows."""

    description: Maybe[Text] = Field(
        default=None,
        description="What a row is; without it, nothing is said.",
        examples=["One row a customer and day."],
    )
    parquet: Maybe[Files] = Field(
        default=None,
        description="A Parquet file or folder; without it, the rows are elsewhere.",
        examples=["data/flights.parquet"],
    )
    csv: Maybe[Files] = Field(
        default=None,
        description="A CSV file with a header; without it, the rows are elsewhere.",
        examples=["data/flights.csv"],
    )
    duckdb: Maybe[Table] = Field(
        default=None,
        description="A table in DuckDB; without it, the rows are elsewhere.",
        examples=["main.flights"],
    )
    postgres: Maybe[Table] = Field(
        default=None,
        description="A table in PostgreSQL; without it, the rows are elsewhere.",
        examples=["public.flights"],
    )
    snowflake: Maybe[Table] = Field(
        default=None,
        description="A table in Snowflake; without it, the rows are elsewhere.",
        examples=["ANALYTICS.PUBLIC.FLIGHTS"],
    )
    redshift: Maybe[Table] = Field(
        default=None,
        description="A table in Redshift; without it, the rows are elsewhere.",
        examples=["public.flights"],
    )
    bigquery: Maybe[Table] = Field(
        default=None,
        description="A table in BigQuery; without it, the rows are elsewhere.",
        examples=["acme-prod.growth.customer_features"],
    )
    spark: Maybe[Table] = Field(
        default=None,
        description="A table in Spark's catalog; without it, the rows are elsewhere.",
        examples=["lake.flights"],
    )
    kafka: Maybe[Stream] = Field(
        default=None,
        description="The same rows as they happen, with the same columns; without it, there is"
        " no stream.",
        examples=[{"topic": "customer_events", "format": "avro"}],
    )
    build: Maybe[Build] = Field(
        default=None,
        description="Who makes the rows; without it, somebody else does.",
        examples=[{"command": "dbt build", "schedule": "1h"}],
    )
    owner: Maybe[GitLabPath] = Field(
        default=None,
        description="The GitLab user or group who answers for it; without it, the project's.",
        examples=["data/platform"],
    )
    timestamp: Maybe[ColumnName] = Field(
        default=None,
        description="The column of the row's time, which has no entry in `columns`; without it,"
        " rows have no time and nothing can be joined as of it.",
        examples=["event_timestamp"],
    )
    freshness: Maybe[Duration] = Field(
        default=None,
        description="The oldest the newest row may be; without it, any age.",
        examples=["1d"],
    )
    rows: Maybe[Rows] = Field(
        default=None,
        description="What must hold of the table as a whole; without it, nothing more.",
        examples=[{"min": 1000}],
    )
    columns: dict[ColumnName, ColumnEntry] = Field(
        default={},
        description="Its columns; `x: int64` is short for `x: {type: int64}`. A table that a model"
        " writes needs none.",
        examples=[{"distance": {"type": "float32", "min": 0}, "carrier": "string"}],
    )
    expectations: Several[Expectation] = Field(
        default=(),
        description="Further Great Expectations expectations, by their own names and arguments.",
        examples=[
            [
                {
                    "expect_column_median_to_be_between": {
                        "column": "lifetime_value",
                        "min_value": 50,
                        "max_value": 5000,
                    }
                }
            ]
        ],
    )
    retention: Maybe[Duration] = Field(
        default=None,
        description="How long rows are kept; without it, for ever.",
        examples=["90d"],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that have it; without it, all of them.",
        examples=[["production"]],
    )
