"""What composing has to know of this language: what is named, what excludes what, what asks for what."""

from __future__ import annotations

from typing import Final

from mlopsc.source.merging import Merging
from mlopsc.spec.groups import ONE_OF

MERGING: Final = Merging(
    items={
        ("secrets", "*"): "secret",
        ("images", "*"): "image",
        ("sources", "*"): "source",
        ("features", "*"): "view",
        ("models", "*"): "model",
        ("endpoints", "*"): "endpoint",
        ("alerts", "channels", "*"): "channel",
        ("alerts", "rules", "*"): "rule",
        ("targets", "*"): "target",
        ("templates", "*"): "template",
    },
    groups=tuple((group.path, group.members) for group in ONE_OF),
    parts=(
        *(
            ("models", "*", part)
            for part in ("training", "evaluation", "serving", "batch", "monitoring")
        ),
        ("models", "*", "training", "tuning"),
        ("models", "*", "serving", "log"),
        ("sources", "*", "kafka"),
        ("sources", "*", "build"),
    ),
    shorthands={
        ("sources", "*", "columns", "*"): "type",
        ("features", "*", "columns", "*"): "type",
    },
    verbatim=(("ci", "jobs"), ("ci", "include")),
    control=frozenset(
        {"apiVersion", "project", "include", "variables", "defaults", "environments", "patches"}
    ),
)
