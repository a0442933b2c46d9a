"""`targets` and `templates`: what a project compiles to besides our targets, and in place of our templates."""

from typing import Any

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import PackageName, PackageVersion, ProjectPath


class Target(Chapter):
    """A target of an installed Python package; its files are made like ours."""

    package: PackageName = Field(
        description="The package that brings it, as `pip install` takes it.",
        examples=["mlopsc-catalog"],
    )
    version: PackageVersion = Field(
        description="The version of the package: another one is refused, so that the same spec makes the"
        " same files everywhere.",
        examples=["1.2.0"],
    )
    settings: dict[str, Any] = Field(
        default={},
        description="What the target itself wants to know.",
        examples=[{"system": "growth"}],
    )


class OwnTemplate(Chapter):
    """A template of the project's own in place of one of ours."""

    file: ProjectPath = Field(
        description="The template, in Jinja.", examples=["templates/job.Dockerfile.j2"]
    )
    base: ProjectPath = Field(
        description="Ours as it was when yours was made from it: `check` says what has changed since.",
        examples=["templates/base/job.Dockerfile.j2"],
    )
