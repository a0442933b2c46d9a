"""`training`: your command between our dataset and our gate; `tuning`: the search around it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.secrets import SecretRef
from mlopsc.spec.vocabulary import Framework
from mlopsc.spec.words import (
    Bytes,
    Count,
    CountFromZero,
    Cpu,
    Cut,
    DnsLabel,
    Duration,
    EnvName,
    Image,
    Maybe,
    Name,
    Number,
    ParameterName,
    Phrase,
    ProjectPath,
    Scalar,
    Schedule,
    Several,
    Text,
)

EnvValue = Annotated[str | SecretRef, Phrase("text in quotes, or `{secret: NAME}`")]


class Limits(Chapter):
    """The most a container may take, where that differs from what is reserved."""

    cpu: Maybe[Cpu] = Field(default=None, description="CPUs; without it, no limit.", examples=[8])
    memory: Maybe[Bytes] = Field(
        default=None, description="Memory; without it, what is reserved.", examples=["32Gi"]
    )


class Resources(Chapter):
    """What is reserved for one container."""

    cpu: Cpu = Field(
        default=1,
        description="CPUs, as a number or in thousandths (`500m`).",
        examples=[4, "500m"],
    )
    memory: Bytes = Field(default="2Gi", description="Memory with its unit.", examples=["16Gi"])
    gpu: CountFromZero = Field(default=0, description="GPUs.", examples=[1])
    limits: Maybe[Limits] = Field(
        default=None,
        description="The most it may take; without it, memory as reserved and CPU free.",
        examples=[{"cpu": 8}],
    )


class Split(Chapter):
    """How examples are cut: durations cut by time, newest last; percentages draw by key."""

    validation: Cut = Field(
        default="10%", description="The part to tune on.", examples=["30d", "10%"]
    )
    test: Cut = Field(
        default="20%", description="The part the gate looks at.", examples=["30d", "20%"]
    )


class SearchSpace(Chapter):
    """The values one parameter may take."""

    min: Maybe[Number] = Field(
        default=None, description="The smallest; without it, see `one_of`.", examples=[1.0e-5]
    )
    max: Maybe[Number] = Field(
        default=None, description="The largest; without it, see `one_of`.", examples=[0.1]
    )
    step: Maybe[Number] = Field(
        default=None, description="The distance between two; without it, any between.", examples=[1]
    )
    scale: Literal["linear", "log"] = Field(
        default="linear", description="How the range is walked.", examples=["log"]
    )
    one_of: Maybe[Annotated[Several[Scalar], Field(min_length=1)]] = Field(
        default=None, description="All of them; without it, a range.", examples=[[32, 64]]
    )


class Tuning(Chapter):
    """The search for good parameters."""

    algorithm: Literal["random", "grid", "bayesian", "tpe", "hyperband"] = Field(
        default="random", description="How it searches.", examples=["bayesian"]
    )
    trials: Count = Field(default=20, description="How many trainings in all.", examples=[30])
    parallel: Count = Field(default=1, description="How many at once.", examples=[3])
    maximize: Maybe[Name] = Field(
        default=None,
        description="The key of metrics.json to make large; without it, `minimize` says which.",
        examples=["auc"],
    )
    minimize: Maybe[Name] = Field(
        default=None,
        description="The key of metrics.json to make small; without it, `maximize` says which.",
        examples=["log_loss"],
    )
    settings: dict[str, Any] = Field(
        default={},
        description="The algorithm's own settings.",
        examples=[{"random_state": 7}],
    )
    search: Annotated[dict[ParameterName, SearchSpace], Field(min_length=1)] = Field(
        description="Which parameters, and their values.",
        examples=[{"learning_rate": {"min": 1.0e-5, "max": 0.1, "scale": "log"}}],
    )


class Training(Chapter):
    """How a model is trained. In: `$MLOPS_DATA/*.parquet`; out: `$MLOPS_OUT/`."""

    command: Text = Field(description="The command that trains.", examples=["python src/train.py"])
    image: Maybe[Image] = Field(
        default=None,
        description="What it runs in: a name from `images` or a full reference; without it, a plain"
        " Python in GitLab, and the first of `images` in Kubernetes.",
        examples=["train"],
    )
    framework: Framework = Field(
        default="custom", description="What the model is made with.", examples=["pytorch"]
    )
    environment: Maybe[Name] = Field(
        default=None,
        description="Whose data it learns from; without it, the last environment's.",
        examples=["production"],
    )
    window: Maybe[Duration] = Field(
        default=None,
        description="How far back examples go; without it, all of them.",
        examples=["365d"],
    )
    split: Split = Field(
        default={},
        validate_default=True,
        description="How examples are cut; durations by time, percentages by key.",
        examples=[{"validation": "30d", "test": "30d"}],
    )
    parameters: dict[ParameterName, Scalar] = Field(
        default={},
        description="What your script reads as parameters.",
        examples=[{"epochs": 100, "batch_size": 32}],
    )
    seed: CountFromZero = Field(
        default=42, description="Of every random choice, ours and yours.", examples=[7]
    )
    schedule: Maybe[Schedule] = Field(
        default=None,
        description="When it trains again: a cron line or a duration; without it, only on changes"
        " and on request.",
        examples=["0 3 * * 1"],
    )
    resources: Resources = Field(
        default={},
        validate_default=True,
        description="What each node gets.",
        examples=[{"cpu": 4, "memory": "16Gi", "gpu": 1}],
    )
    nodes: Count = Field(default=1, description="How many nodes train together.", examples=[4])
    queue: Maybe[DnsLabel] = Field(
        default=None,
        description="The Kueue queue it waits in; without it, it does not wait.",
        examples=["ml-gpu"],
    )
    env: dict[EnvName, EnvValue] = Field(
        default={},
        description="Environment variables: text, or `{secret: NAME}`.",
        examples=[{"OMP_NUM_THREADS": "4"}],
    )
    paths: Maybe[Annotated[Several[ProjectPath], Field(min_length=1)]] = Field(
        default=None,
        description="Files whose change trains again, with `*` and `**`; without it, the folders of"
        " the scripts that `command` names.",
        examples=[["src/**/*", "requirements.txt"]],
    )
    timeout: Duration = Field(default="3h", description="How long it may take.", examples=["12h"])
    tuning: Maybe[Tuning] = Field(
        default=None,
        description="The search for good parameters; without it, `parameters` are used as they"
        " are.",
        examples=[{"maximize": "auc", "search": {"learning_rate": {"min": 0.01, "max": 0.1}}}],
    )
