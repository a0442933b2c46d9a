"""`mlopsc` and `python -m mlopsc`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # A run is over before garbage could matter; looking for it costs a seventh of a compile.
    gc.disable()
    from mlopsc.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
