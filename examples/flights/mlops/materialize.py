"""Feature values into Feast's online store: everything that came since the last time.

Feast keeps in its registry up to when each view was materialized, so a run that was missed is
caught up by the next one, and the first run goes back as far as the view's ttl.
"""

from __future__ import annotations

import sys
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a file: make `mlops` the folder it lies in
    sys.path[0] = str(Path(__file__).absolute().parent.parent)

from mlops import command, joins
from mlops.command import Argument
from mlops.facts import read_model
from mlops.outcome import PASSED, CannotRun

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from datetime import datetime

FIRST_RUN = timedelta(weeks=52)
"""How far the first run goes back for a view whose values never expire; Feast's own choice."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    return command.parser(
        "materialize",
        __doc__ or "",
        [
            Argument("--view", "the view", "VIEW"),
            Argument(
                "--model", "instead: all views of this model that go to the online store", "MODEL"
            ),
            Argument(
                "--repository", "Feast's folder (default: feature_repo)", "DIR", "feature_repo"
            ),
        ],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    return command.run(build_parser(), materialize, argv)


def materialize(options: argparse.Namespace) -> int:
    """The job: bring the views asked for up to this moment."""
    repository, views = _asked(options)
    store = joins.open_store(repository, online=True)
    there = {view.name: view for view in store.list_batch_feature_views()}
    there |= {view.name: view for view in store.list_stream_feature_views()}
    unknown = sorted(set(views) - set(there))
    if unknown:
        raise CannotRun(
            f"Feast does not know the view {', '.join(unknown)}: run `feast apply` first; "
            f"it knows: {', '.join(sorted(there)) or 'none'}"
        )
    offline = sorted(name for name in views if not there[name].online)
    if offline:
        raise CannotRun(
            f"the view {', '.join(offline)} is not looked up online: write `materialize: 1h`, or how often "
            f"else, below features.{offline[0]} in mlops.yaml"
        )
    end = command.now(options)
    for name in views:
        _catch_up(store, there[name], end)
    return PASSED


def _catch_up(store: Any, view: Any, end: datetime) -> None:
    """From where the view's last run ended; the first run goes back by its ttl.

    Feast's own incremental run starts a first one at the clock's time less the ttl, whatever
    `end` is.
    """
    start = view.most_recent_end_time or end - (view.ttl or FIRST_RUN)
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    if start >= end:
        print(f"{view.name}: up to {start.isoformat()} already")
        return
    joins.answered(
        f"view '{view.name}', Feast's online store {joins.online_address(store)}",
        lambda: store.materialize(start, end, feature_views=[view.name]),
    )
    print(f"{view.name}: materialized from {start.isoformat()} to {end.isoformat()}")


def _asked(options: argparse.Namespace) -> tuple[str, list[str]]:
    if bool(options.view) == bool(options.model):
        raise CannotRun("say either --view or --model; see --help")
    if options.view:
        return options.repository, [options.view]
    facts = read_model(options.facts, options.model)
    views = [view.name for view in facts.features.views if view.materialize]
    if not views:
        raise CannotRun(f"no view of model '{options.model}' has 'materialize' in mlops.yaml")
    return facts.features.repository or options.repository, views


if __name__ == "__main__":
    sys.exit(main())
