"""Every generated line has a reason, and the reason can be told."""

from __future__ import annotations

from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import pytest

from mlopsc.artifacts.trace import causes_of
from mlopsc.compiler import Compilation, compile_spec
from mlopsc.project.conventions import DECISION
from mlopsc.review.keys import key
from mlopsc.review.why import explain, reason_of
from mlopsc.source.document import Source

if TYPE_CHECKING:
    from mlopsc.diagnostics.finding import Path

EXAMPLES = File(__file__).resolve().parent.parent / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/mlops.yaml"))


def compiled(name: str) -> Compilation:
    return compile_spec(Source("mlops.yaml", (EXAMPLES / name / "mlops.yaml").read_text("utf-8")))


def value_at(compilation: Compilation, path: Path) -> object:
    value: Any = compilation.document.data
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_answered_for(name: str) -> None:
    compilation = compiled(name)
    unknown = set()
    for artifact in compilation.artifacts():
        for number in range(1, artifact.text.count("\n") + 1):
            origins = causes_of(artifact, number)
            assert origins, f"{artifact.path}:{number} has no cause"
            for origin in origins:
                if origin[:1] == (DECISION,):
                    assert reason_of(str(origin[1])), origin
                elif not compilation.document.has(origin) and key(origin) is None:
                    # It follows from a name written there: a leaf of the spec, not a chapter.
                    above = origin[:-1]
                    if not isinstance(value_at(compilation, above), str):
                        unknown.add((artifact.path, origin))
    assert not unknown, "causes that are neither written nor keys of the language"


def test_a_spec_line_is_named() -> None:
    compilation = compiled("flights")
    path = "k8s/production/delay/horizontalpodautoscaler.yaml"
    artifact = next(each for each in compilation.artifacts() if each.path == path)
    line = next(
        number
        for number, text in enumerate(artifact.text.splitlines(), 1)
        if "maxReplicas: 6" in text
    )
    answer = explain(compilation, path, line)
    assert answer is not None
    assert "from mlops.yaml:" in answer
    assert "replicas: {min: 2, max: 6}" in answer


def test_a_default_is_named_with_its_key() -> None:
    compilation = compiled("flights")
    path = "k8s/production/delay/deployment.yaml"
    artifact = next(each for each in compilation.artifacts() if each.path == path)
    line = next(
        number for number, text in enumerate(artifact.text.splitlines(), 1) if "memory: 2Gi" in text
    )
    answer = explain(compilation, path, line)
    assert answer is not None
    assert "the default of models.delay.serving.resources" in answer


def test_a_file_that_is_not_ours_has_no_answer() -> None:
    assert explain(compiled("minimal"), "README.md", 1) is None
