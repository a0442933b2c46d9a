"""`images`: the container images that CI builds."""

from pydantic import Field

from mlopsc.spec.chapter import Chapter
from mlopsc.spec.words import DebianPackage, Maybe, Name, ProjectPath, PythonVersion, Several


class Image(Chapter):
    """One image: a generated Dockerfile for a Python, or your own."""

    python: Maybe[PythonVersion] = Field(
        default=None,
        description="The Python it is made of; without it, `dockerfile` says all.",
        examples=["3.11"],
    )
    requirements: Maybe[ProjectPath] = Field(
        default=None,
        description="A pip requirements file to install; without it, none.",
        examples=["requirements.txt"],
    )
    packages: Several[DebianPackage] = Field(
        default=(), description="Debian packages to install.", examples=[["libgomp1"]]
    )
    dockerfile: Maybe[ProjectPath] = Field(
        default=None,
        description="Your own Dockerfile; without it, one is generated.",
        examples=["docker/train.Dockerfile"],
    )
    only: Maybe[Several[Name]] = Field(
        default=None,
        description="The environments that use it; without it, all of them.",
        examples=[["production"]],
    )
