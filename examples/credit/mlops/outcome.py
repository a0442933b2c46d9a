"""How a program ends: its exit code, and the two ways of not passing."""

from __future__ import annotations

from typing import Final

from mlops.places import named

PASSED: Final = 0
"""Everything asked for holds; failed warnings and drift were reported."""
FAILED: Final = 1
"""The data, the model or the moment is not good enough."""
CANNOT_RUN: Final = 2
"""Nothing can be said: wrong usage, missing files, unreachable services, not enough rows."""


class Failed(Exception):
    """What was examined is not good enough; the message says what, where and what would be."""


class CannotRun(Exception):
    """The examination itself is impossible; the message says what is missing and how to give it."""


def asked_by(spec: str) -> str:
    """The end of a message: the path and line in mlops.yaml that asks for what is missing."""
    return f"(asked for by {named(spec)})"


def missing_package(package: str, purpose: str) -> CannotRun:
    """A package that only some projects need is not installed here."""
    return CannotRun(f"{purpose} needs the package {package}: pip install {package}")
