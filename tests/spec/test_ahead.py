"""The schema written ahead: in step, and the same as the models in all that can be seen."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pydantic_core
import pytest

from mlopsc.spec import _schema, ahead, parse
from mlopsc.spec.light import Light
from mlopsc.spec.parse import parse_spec, without_free_keys
from mlopsc.spec.root import Spec
from spec.documents import EXAMPLES, FULL, SMALLEST, document

TEXTS = [SMALLEST, FULL, *(path.read_text(encoding="utf-8") for path in EXAMPLES)]


def plain(value: Any) -> Any:
    """A spec as plain data, whichever classes it is made of."""
    if hasattr(value, "__pydantic_fields_set__"):
        fields = {name: plain(inner) for name, inner in vars(value).items()}
        return type(value).__name__, fields, value.__pydantic_fields_set__
    if isinstance(value, dict):
        return {"keys": list(value), **{key: plain(inner) for key, inner in value.items()}}
    return [plain(item) for item in value] if isinstance(value, tuple) else (type(value), value)


def test_it_is_in_step() -> None:
    if pydantic_core.__version__ == _schema.PYDANTIC_CORE:
        assert ahead.FILE.read_text("utf-8") == ahead.source(), "run `python -m mlopsc.spec.ahead`"
    else:  # another release: it is not used, and parse says the same by the models
        assert parse._written_ahead() is None


@pytest.mark.parametrize("text", TEXTS)
def test_it_gives_what_the_models_give(text: str) -> None:
    written = without_free_keys(document(text).data)
    validator = pydantic_core.SchemaValidator(_schema.SCHEMA)
    assert plain(validator.validate_python(written)) == plain(Spec.model_validate(written))


def test_another_release_of_pydantic_core_means_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "PYDANTIC_CORE", "0.0.0")
    parse._written_ahead.cache_clear()
    try:
        spec = parse_spec(document(SMALLEST))
        assert isinstance(spec, Spec)
    finally:
        monkeypatch.undo()
        parse._written_ahead.cache_clear()


def test_a_sound_spec_needs_no_model_and_no_pydantic() -> None:
    if pydantic_core.__version__ != _schema.PYDANTIC_CORE:
        return
    code = (
        "import sys; from mlopsc.source.document import Source\n"
        "from mlopsc.source.yaml import read_yaml; from mlopsc.spec.parse import parse_spec\n"
        f"parse_spec(read_yaml(Source('mlops.yaml', {SMALLEST!r})))\n"
        "heavy = ('pydantic', 'mlopsc.spec.root', 'difflib')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_models_work_after_the_schema_written_ahead() -> None:
    """A spec with a mistake: pydantic-core refuses it, then pydantic is imported to explain."""
    broken = SMALLEST.replace("task: regression", "task: regresion")
    code = (
        "import sys; from mlopsc.diagnostics.finding import Rejected\n"
        "from mlopsc.source.document import Source; from mlopsc.source.yaml import read_yaml\n"
        "from mlopsc.spec.parse import parse_spec\n"
        f"parse_spec(read_yaml(Source('mlops.yaml', {SMALLEST!r})))\n"
        f"try: parse_spec(read_yaml(Source('mlops.yaml', {broken!r})))\n"
        "except Rejected as rejected: print([finding.code for finding in rejected.findings])\n"
        "import pydantic_core; print(pydantic_core.SchemaValidator({'type': 'int'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("['S004']\nSchemaValidator(")


def test_its_objects_are_frozen_compare_and_show() -> None:
    first, second = parse_spec(document(SMALLEST)), parse_spec(document(SMALLEST))
    assert first == second
    assert first != parse_spec(document(SMALLEST.replace("flights", "trips")))
    assert repr(first).startswith("Spec(api_version='mlopsc/v1', project='flights'")
    if isinstance(first, Light):
        with pytest.raises(AttributeError, match="frozen"):
            first.project = "other"
        with pytest.raises(AttributeError, match="frozen"):
            del first.project
        with pytest.raises(TypeError):
            hash(first)


def test_only_what_is_a_literal_can_be_written_ahead() -> None:
    with pytest.raises(TypeError, match="cannot be written ahead"):
        ahead._literal({"type": "function-plain", "function": len}, {})
