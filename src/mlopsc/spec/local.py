"""What concerns one model or source alone: nothing another item says depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.spec.patterns import matches

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path
    from mlopsc.spec.patterns import Pattern

LOCAL: Final[tuple[Pattern, ...]] = (
    *(
        ("models", "*", key)
        for key in ("description", "owner", "runbook", "governance", "evaluation")
    ),
    *(
        ("models", "*", "training", key)
        for key in (
            "command",
            "window",
            "split",
            "parameters",
            "seed",
            "schedule",
            "resources",
            "timeout",
        )
    ),
    *(
        ("models", "*", "serving", key)
        for key in (
            "clients",
            "replicas",
            "autoscale",
            "resources",
            "load_time",
            "timeout",
            "slo",
        )
    ),
    *(("models", "*", "batch", key) for key in ("schedule", "resources")),
    *(
        ("models", "*", "monitoring", key)
        for key in (
            "schedule",
            "window",
            "drift",
            "performance",
            "respond",
            "cooldown",
            "resources",
        )
    ),
    *(("sources", "*", key) for key in ("description", "freshness", "rows", "expectations")),
    *(
        ("sources", "*", "columns", "*", key)
        for key in ("description", "min", "max", "one_of", "pattern", "nulls", "severity")
    ),
)
"""Each holds for all below it. Names, references, types and keys are none of these: what they say may
agree or disagree with another item that names the same thing."""


def is_local(path: Path) -> bool:
    """Whether a change at `path` concerns the item it stands in, and those that refer to it, alone."""
    steps = tuple(str(step) for step in path)
    return any(matches(pattern, steps) for pattern in LOCAL)
