"""gojsonnet: python run_jsonnet.py APPS.json OUT, a file for each application."""

import json
import sys
from pathlib import Path

import _gojsonnet

HERE = Path(__file__).resolve().parent


def found(_folder: str, name: str) -> tuple[str, bytes]:
    """The file that is imported: the applications are the only one."""
    return name, Path(sys.argv[1]).read_bytes()


out = Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
source = (HERE / "apps.jsonnet").read_text(encoding="utf-8")
made = json.loads(_gojsonnet.evaluate_snippet("apps.jsonnet", source, import_callback=found))
for name, text in made.items():
    (out / name).write_text(text, encoding="utf-8")
