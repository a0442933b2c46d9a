"""A file is the same text, whether or not somebody wants to know who decides its lines."""

from __future__ import annotations

import pytest

import tools
from mlopsc.compiler import compile_spec
from mlopsc.source.document import Source

EXAMPLES = sorted(path.parent.name for path in (tools.ROOT / "examples").glob("*/mlops.yaml"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_same_text_without_causes(name: str) -> None:
    text = (tools.ROOT / "examples" / name / "mlops.yaml").read_text("utf-8")
    compilation = compile_spec(Source("mlops.yaml", text))
    traced = {each.path: each.text for each in compilation.artifacts()}
    assert {each.path: each.text for each in compilation.artifacts(causes=False)} == traced
