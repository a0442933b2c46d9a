"""`patches`: the way out. Anything generated can be changed, kept apart and reviewed."""

from typing import Any, Literal

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import FileText, Maybe, Pointer, ProjectPath, Several, Text


class Operation(Chapter):
    """One step of a JSON Patch (RFC 6902)."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"] = Field(
        description="What is done at `path`; `test` only looks, and stops the compile where the"
        " value is another.",
        examples=["add"],
    )
    path: Pointer = Field(
        description="A JSON Pointer: keys and list positions; `-` is behind the end of a list.",
        examples=["/spec/template/spec/containers/0/args/-"],
    )
    from_: Maybe[Pointer] = Field(
        alias="from",
        default=None,
        description="Where the value is taken from; needed with `move` and `copy`.",
        examples=["/metadata/labels/app"],
    )
    value: Any = Field(
        default=None,
        description="The value; needed with `add`, `replace` and `test`.",
        examples=["--workers=2"],
    )


class Replacement(Chapter):
    """A piece of a text, and what stands there instead."""

    find: Text = Field(
        description="The text as it is generated; it has to occur exactly once.",
        examples=["FROM python:3.11-slim\n"],
    )
    with_: FileText = Field(
        alias="with",
        description="The text in its place.",
        examples=["FROM registry.example.com/base/python:3.11\n"],
    )


class Patch(Chapter):
    """A change to generated files, or a file of your own beside them."""

    artifact: Maybe[ProjectPath] = Field(
        default=None,
        description="The generated file to change, or several with `*` and `?` (within a folder) or"
        " `**` (through folders); without it, `create` names a new one.",
        examples=["k8s/production/churn/deployment.yaml"],
    )
    merge: Maybe[dict[str, Any]] = Field(
        default=None,
        description="What is laid over a YAML or JSON file (RFC 7396): maps merge, lists replace,"
        " null removes; without it, `json` or `replace` says what changes.",
        examples=[{"spec": {"template": {"spec": {"priorityClassName": "high"}}}}],
    )
    json_: Several[Operation] = Field(
        alias="json",
        default=(),
        description="Steps in a YAML or JSON file (RFC 6902), in order; the way into lists.",
        examples=[[{"op": "replace", "path": "/spec/replicas", "value": 3}]],
    )
    replace: Several[Replacement] = Field(
        default=(),
        description="Pieces of any other text, each replaced where it stands.",
        examples=[[{"find": "WORKDIR /app\n", "with": "WORKDIR /srv\n"}]],
    )
    expect: Maybe[dict[str, Any]] = Field(
        default=None,
        description="What has to hold before: a part of the file, as `merge` is written; null means"
        " that there is no such key. Without it, nothing is asked.",
        examples=[{"spec": {"replicas": 2}}],
    )
    create: Maybe[ProjectPath] = Field(
        default=None,
        description="A file to add; without it, `artifact` names one to change.",
        examples=["k8s/production/churn/explainer.yaml"],
    )
    from_: Maybe[ProjectPath] = Field(
        alias="from",
        default=None,
        description="The file of the project that holds its text; without it, `text` does.",
        examples=["deploy/explainer.yaml"],
    )
    text: Maybe[FileText] = Field(
        default=None,
        description="Its text, written here; without it, `from` names a file.",
        examples=["model: churn\n"],
    )
