"""Writes `_schema.py`: the core schema of `Spec` as a literal, so that a run need not build it.

`python -m mlopsc.spec.ahead` writes it anew; a test fails when it is stale. A schema belongs to one
release of pydantic-core, so `_schema.py` names it and parse uses the models under any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pydantic_core

from mlopsc.spec.root import Spec

FILE: Final = Path(__file__).with_name("_schema.py")

_HEAD: Final = '''"""The core schema of `Spec`, written by `python -m mlopsc.spec.ahead`."""
# ruff: noqa
# fmt: off
# mypy: ignore-errors

from mlopsc.spec.light import light

'''
_NOT_FOR_VALIDATION: Final = {"metadata", "serialization", "ref", "computed_fields"}
_FREE_NAMES: Final = {"fields", "default"}
"""Keys of a core schema whose value is a mapping of the language's own keys, not a schema."""


def source() -> str:
    """The text of `_schema.py`."""
    schema = Spec.__pydantic_core_schema__
    models: dict[str, str] = {}
    root = _literal(schema, models)
    lines = [f"PYDANTIC_CORE = {pydantic_core.__version__!r}", ""]
    lines += ["_MODELS = ["]
    lines += [f"    {text}," for text in models.values()]
    lines += ["]", ""]
    lines += [f'SCHEMA = {{"type": "definitions", "schema": {root}, "definitions": _MODELS}}']
    return _HEAD + "\n".join(lines) + "\n"


def _literal(schema: Any, models: dict[str, str], key: str = "") -> str:
    """A core schema as Python source; the models in it go to `models`, by name.

    Raises:
        TypeError: it holds something that is no literal, such as a validator's function.
    """
    match schema:
        case {"type": "definitions"}:
            for definition in schema["definitions"]:
                _literal(definition, models)
            text = _literal(schema["schema"], models)
        case {"type": "definition-ref"}:
            text = _reference(schema["schema_ref"].rsplit(":", 1)[0])
        case {"type": "model"}:
            text = _model(schema, models)
        case dict():
            text = _mapping(schema, models, key)
        case list():
            text = f"[{', '.join(_literal(item, models) for item in schema)}]"
        case tuple():
            text = f"({''.join(_literal(item, models) + ', ' for item in schema)})"
        case type():
            text = f"light({schema.__name__!r})"
        case None | bool() | int() | float() | str():
            text = repr(schema)
        case _:
            raise TypeError(f"{key}: {schema!r} cannot be written ahead")
    return text


def _model(schema: dict[str, Any], models: dict[str, str]) -> str:
    """A reference to a model, which is written once, among the definitions."""
    name = f"{schema['cls'].__module__}.{schema['cls'].__qualname__}"
    if name not in models:
        models[name] = ""  # keeps its place before the models it holds
        models[name] = f"{_mapping(schema, models, '')[:-1]}, 'ref': {name!r}}}"
    return _reference(name)


def _mapping(schema: dict[str, Any], models: dict[str, str], key: str) -> str:
    dropped = set() if key in _FREE_NAMES else _NOT_FOR_VALIDATION
    items = (
        f"{name!r}: {_literal(value, models, name)}"
        for name, value in schema.items()
        if name not in dropped
    )
    return f"{{{', '.join(items)}}}"


def _reference(name: str) -> str:
    return f"{{'type': 'definition-ref', 'schema_ref': {name!r}}}"


if __name__ == "__main__":
    FILE.write_text(source(), encoding="utf-8")
