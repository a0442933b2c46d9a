"""`mlopsc` and `python -m mlopsc`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # A run is over before garbage could matter; looking for it is a fifth of a compile's time.
    gc.disable()
    from mlopsc.cli.unchanged import said_before

    code = said_before(sys.argv[1:])
    if code is None:
        from mlopsc.cli.main import run

        code = run(sys.argv[1:])
    gc.freeze()  # nor is any looked for on leaving
    sys.exit(code)


if __name__ == "__main__":
    main()
