"""What a target of another package is written with; these names keep their meaning within a major version.

`docs/guide/extending.md` shows such a package whole. All else in mlopsc may change with any release.
"""

from mlopsc.artifacts.draft import (
    Body,
    Draft,
    JsonDraft,
    OwnText,
    TextDraft,
    Traced,
    YamlDraft,
    traced,
)
from mlopsc.project.conventions import DECISION
from mlopsc.project.model import Environment, Extension, Model, Project

__all__ = [
    "DECISION",
    "Body",
    "Draft",
    "Environment",
    "Extension",
    "JsonDraft",
    "Model",
    "OwnText",
    "Project",
    "TextDraft",
    "Traced",
    "YamlDraft",
    "traced",
]
