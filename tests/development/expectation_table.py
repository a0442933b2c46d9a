"""Writes src/mlopsc/project/expectations.py from the JSON schemas that Great Expectations ships.

.tools/core/bin/python tests/development/expectation_table.py > src/mlopsc/project/expectations.py
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

# What every expectation has, and what is not the user's to say in a spec.
OURS = {
    "id", "meta", "notes", "result_format", "description", "catch_exceptions", "rendered_content",
    "severity", "windows", "batch_id", "metadata", "library_metadata",
}  # fmt: skip

HEAD = '''"""The expectations Great Expectations knows, with the arguments each takes.

Made from the JSON schemas of great_expectations {version} by tests/development/expectation_table.py; a test
compares it with the installed package. Not imported at compile: the package takes seconds to load.
"""

from __future__ import annotations

from typing import Final

from mlopsc.project.model import Source

EXPECTATIONS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {{
'''

TAIL = '''
FRESHNESS_PARAMETER: Final = "freshness_after"
"""The run-time parameter that says how old the newest row may be; the validate program sets it."""


def checkpoint_name(source: str, environment: str) -> str:
    """The checkpoint of a source in an environment."""
    return f"{source}_{environment}"


def validated(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """The sources that have a checkpoint: tables that are not written by a model of ours.

    Great Expectations reads Spark only as data frames that somebody hands to it, so a Spark table has
    none.
    """
    return tuple(
        source
        for source in sources
        if source.kind not in (None, "spark")
        and source.written_by is None
        and (source.columns or source.rows or source.expectations)
    )
'''


def snake(name: str) -> str:
    """ExpectColumnMaxToBeBetween → expect_column_max_to_be_between."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def table() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Expectation → (required arguments, optional ones)."""
    spec = find_spec("great_expectations")
    if spec is None or spec.origin is None:
        raise SystemExit("install great_expectations first")
    found = {}
    for path in sorted((Path(spec.origin).parent / "expectations/core/schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if "properties" not in schema:
            continue
        required = tuple(schema.get("required", ()))
        known = [key for key in schema["properties"] if key not in OURS]
        found[snake(path.stem)] = (required, tuple(key for key in known if key not in required))
    return found


def words(names: tuple[str, ...]) -> str:
    """A tuple of strings as Python source, with double quotes."""
    return "(" + "".join(f'"{name}", ' for name in names).rstrip(" ") + ")"


def main() -> None:
    """Print the module."""
    print(HEAD.format(version=version("great_expectations")), end="")
    for name, (required, optional) in table().items():
        print(f'    "{name}": (\n        {words(required)},\n        {words(optional)},\n    ),')
    print('}\n"""Expectation → (arguments it needs, arguments it may have)."""')
    print(TAIL, end="")


if __name__ == "__main__":
    main()
