"""Reads GitLab CI files with the schema GitLab publishes, as check-jsonschema ships it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from check_jsonschema.builtin_schemas import get_builtin_schema
from check_jsonschema.instance_loader import InstanceLoader
from check_jsonschema.transforms.gitlab import GITLAB_TRANSFORM
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from serve import Refusals, serve

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = get_builtin_schema("vendor.gitlab-ci")
VALIDATOR = Draft7Validator(SCHEMA)


def read(root: Path, paths: list[str]) -> Refusals:
    return [(path, message) for path in paths for message in _messages(root / path)]


def _messages(file: Path) -> list[str]:
    content = io.BytesIO(file.read_bytes())
    loader = InstanceLoader([content], default_filetype="yaml", data_transform=GITLAB_TRANSFORM)
    ((_, data),) = loader.iter_files()
    if isinstance(data, Exception):
        return [f"not YAML: {data.__cause__ or data}"]
    if not isinstance(data, dict):
        return ["a pipeline is a mapping"]
    # GitLab's schema does not look inside hidden jobs, yet what they hold gets into real ones.
    shown = {
        f"job {name}" if name.startswith(".") and isinstance(job, dict) else name: job
        for name, job in data.items()
    }
    return [_say(error) for candidate in (data, shown) if (error := _worst(candidate))]


def _worst(data: object):
    return best_match(VALIDATOR.iter_errors(data))


def _say(error) -> str:
    return f"{'.'.join(map(str, error.absolute_path)) or 'the file'}: {error.message[:300]}"


if __name__ == "__main__":
    serve(read)
