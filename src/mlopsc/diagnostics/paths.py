"""Spec paths of one environment: `("@staging", "models", "churn")` is that model as it is in staging.

A path without an environment in front speaks of the chapters that all environments share. A name cannot
start with `@`, so the two never meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path

_MARK: Final = "@"


def root_of(environment: str) -> Path:
    """What the paths of one environment begin with."""
    return (f"{_MARK}{environment}",)


def environment_of(path: Path) -> str | None:
    """The environment a path speaks of; None: of what they all share."""
    first = path[0] if path else ""
    return first[1:] if isinstance(first, str) and first.startswith(_MARK) else None


def as_written(path: Path) -> Path:
    """The path as a person would write it, without an environment in front."""
    return path if environment_of(path) is None else path[1:]
