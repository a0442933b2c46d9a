"""`python3 -m venv` as an image prepared for it has it: with the pip that is there already.

python venvs.py PREPARED ARGUMENTS OF VENV

Python's own unpacks and compiles pip's 1,400 files for each environment, three seconds of a
processor, and a pipeline makes a dozen. Everything else of an environment is Python's own work.
"""

from __future__ import annotations

import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from types import SimpleNamespace


class WithPreparedPip(venv.EnvBuilder):
    """Environments that share the pip of one that Python made."""

    prepared: ClassVar[Path]

    def __init__(self, *, with_pip: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._wants_pip = with_pip

    def post_setup(self, context: SimpleNamespace) -> None:
        """Link what is installed there, and write its commands for this environment's interpreter."""
        if not self._wants_pip:
            return
        made = Path(context.env_dir)
        for package in self.prepared.glob("lib/python3*/site-packages/*"):
            (made / package.relative_to(self.prepared)).symlink_to(package)
        for command in self.prepared.glob("bin/pip*"):
            own = Path(context.bin_path) / command.name
            _, _, program = command.read_text("utf-8").partition("\n")
            own.write_text(f"#!{context.env_exe}\n{program}", "utf-8")
            own.chmod(0o755)


if __name__ == "__main__":
    WithPreparedPip.prepared = Path(sys.argv[1])
    venv.EnvBuilder = WithPreparedPip  # type: ignore[misc]  # what its `main` makes them with
    venv.main(sys.argv[2:])
