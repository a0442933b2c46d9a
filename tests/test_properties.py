"""What holds of every spec: compiled or refused with a place, always alike, accepted by the tools.

The normal run draws few specs, the same ones each time. `MLOPSC_DRAWS=2000 pytest
tests/test_properties.py` draws that many others for the quick properties, and a tenth of them for
the real readers.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, event, given, settings

from mlopsc.artifacts.trace import causes_of
from mlopsc.cli.main import run
from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.project.conventions import DECISION
from mlopsc.review.keys import key
from mlopsc.review.why import reason_of
from mlopsc.source.document import Source
from mlopsc.source.encoding import decode
from readers import Refusal, unread
from specs import as_blocks, as_json, functions, specs

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Artifact

Accepts = Callable[..., list[Refusal]]

LONG = int(os.environ.get("MLOPSC_DRAWS", "0"))


def drawn(usual: int, share: float = 1.0) -> Callable[[Any], Any]:
    """A property of `usual` specs, or of a share of the long run's."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    with_settings = settings(
        max_examples=max(1, round(LONG * share)) if LONG else usual,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=quiet,
        # A spec shrinks slowly, and worst where tools have to read it: only the long run does.
        phases=list(Phase) if LONG else [Phase.explicit, Phase.generate],
        print_blob=bool(LONG),
    )
    return lambda test: with_settings(given(spec=specs())(test))


def compiled(text: str) -> Compilation | None:
    """What `text` compiles to; None: it is refused, each error with a place and a way out."""
    try:
        return compile_spec(Source("mlops.yaml", text))
    except Refused as refused:
        lines = text.split("\n")
        errors = [one for one in refused.diagnostics if one.severity == "error"]
        assert errors
        for one in errors:
            assert one.place is not None, one
            assert one.place.file == "mlops.yaml"
            assert 1 <= one.place.line <= len(lines), one
            assert 1 <= one.place.column <= len(lines[one.place.line - 1]) + 1, one
            assert re.fullmatch(r"[YSNRA]\d{3}", one.code)
            assert one.message
        event("refused: " + ", ".join(sorted({one.code for one in errors})))
        return None


def files(compilation: Compilation) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in compilation.artifacts()}


def write(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


@drawn(2, 0.1)
def test_real_tools_accept_every_file(spec: dict[str, Any], accepts: Accepts) -> None:
    compilation = compiled(as_json(spec))
    if compilation is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        texts = files(compilation)
        write(Path(folder), functions(spec) | texts)
        assert unread(texts) == []
        assert [str(refusal) for refusal in accepts(Path(folder), texts)] == []


@drawn(60)
def test_most_draws_are_accepted_and_the_rest_have_places(spec: dict[str, Any]) -> None:
    OUTCOMES.append(compiled(as_json(spec)) is not None)


OUTCOMES: list[bool] = []


def test_the_draws_were_worth_something() -> None:
    if not OUTCOMES:
        test_most_draws_are_accepted_and_the_rest_have_places()
    assert sum(OUTCOMES) > 0.7 * len(OUTCOMES)


@drawn(30)
def test_how_a_spec_is_written_changes_no_byte(spec: dict[str, Any]) -> None:
    compilation = compiled(as_json(spec))
    if compilation is None:
        return
    first = files(compilation)
    for text in (
        as_json(spec),
        as_blocks(spec),
        as_blocks(spec, comments=True, quote="few", indent=4),
        as_blocks(spec, quote="single").replace("\n", "\r\n"),
    ):
        again = compiled(decode("mlops.yaml", text.encode()).text)
        assert again is not None
        assert files(again) == first


@drawn(40)
def test_every_line_has_a_cause(spec: dict[str, Any]) -> None:
    compilation = compiled(as_json(spec))
    if compilation is None:
        return
    for artifact in compilation.artifacts():
        assert artifact.text.endswith("\n")
        for number in range(1, artifact.text.count("\n") + 1):
            origins = causes_of(artifact, number)
            assert origins, f"{artifact.path}:{number} has no cause"
            for origin in origins:
                if origin[:1] == (DECISION,):
                    assert reason_of(str(origin[1])), origin
                elif origin:
                    known = compilation.document.has(origin) or key(origin) is not None
                    assert known, (artifact.path, number, origin)


_PORTABLE = re.compile(r"[A-Za-z0-9._-]+")


@drawn(60)
def test_paths_are_unique_and_portable(spec: dict[str, Any]) -> None:
    compilation = compiled(as_json(spec))
    if compilation is None:
        return
    artifacts = list(compilation.artifacts())
    paths = [artifact.path for artifact in artifacts]
    assert len({path.lower() for path in paths}) == len(paths), sorted(paths)
    for path in paths:
        parts = PurePosixPath(path).parts
        assert not path.startswith("/")
        assert ".." not in parts
        for part in parts:
            assert _PORTABLE.fullmatch(part), path
            assert not part.endswith("."), path
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    assert not folders & set(paths), "a file where a folder has to be"


@drawn(40)
def test_what_files_refer_to_is_there(spec: dict[str, Any]) -> None:
    compilation = compiled(as_json(spec))
    if compilation is None:
        return
    artifacts = list(compilation.artifacts())
    texts = {artifact.path: artifact.text for artifact in artifacts}
    missing = [*_missing_in_kustomizations(texts), *_missing_in_pods(texts)]
    missing += [*_missing_in_pipelines(texts), *_missing_programs(artifacts, texts)]
    assert missing == []


def _documents(texts: dict[str, str], pattern: str) -> Iterator[tuple[str, Any]]:
    for path, text in texts.items():
        if re.fullmatch(pattern, path):
            yield path, yaml.load(text, Loader=_Lenient)


class _Lenient(yaml.SafeLoader):
    """Reads `!reference` of GitLab as the list it stands for."""


_Lenient.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))


def _missing_in_kustomizations(texts: dict[str, str]) -> Iterator[str]:
    for path, document in _documents(texts, r"(.+/)?kustomization\.yaml"):
        folder = PurePosixPath(path).parent
        for resource in document.get("resources", ()):
            target = os.path.normpath(folder / resource)
            if target not in texts and f"{target}/kustomization.yaml" not in texts:
                yield f"{path}: {resource}"
        for generator in document.get("configMapGenerator", ()):
            for file in generator.get("files", ()):
                if os.path.normpath(folder / file.rpartition("=")[2]) not in texts:
                    yield f"{path}: {file}"


def _missing_in_pods(texts: dict[str, str]) -> Iterator[str]:
    """Config maps, service accounts and scale targets of an environment that no file makes."""
    made: dict[str, set[tuple[str, str]]] = {}
    asked: list[tuple[str, str, tuple[str, str]]] = []
    shared = {
        ("ConfigMap", generator["name"])  # made where their files are, once for all environments
        for _, document in _documents(texts, r"(.+/)?kustomization\.yaml")
        for generator in document.get("configMapGenerator", ())
    }
    for path, document in _documents(texts, r"k8s/(?!.*kustomization\.yaml$).+\.yaml"):
        environment = path.split("/")[1]
        here = made.setdefault(environment, set(shared))
        here.add((document["kind"], document["metadata"]["name"]))
        for node in _mappings(document):
            if isinstance(node.get("configMap"), dict) and "name" in node["configMap"]:
                asked.append((environment, path, ("ConfigMap", node["configMap"]["name"])))
            if isinstance(node.get("configMapRef"), dict):
                asked.append((environment, path, ("ConfigMap", node["configMapRef"]["name"])))
            if isinstance(node.get("serviceAccountName"), str):
                asked.append((environment, path, ("ServiceAccount", node["serviceAccountName"])))
            if isinstance(node.get("scaleTargetRef"), dict):
                target = node["scaleTargetRef"]
                asked.append((environment, path, (target["kind"], target["name"])))
    for environment, path, wanted in asked:
        if wanted not in made[environment]:
            yield f"{path}: {wanted}"


def _mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from _mappings(child)


def _missing_in_pipelines(texts: dict[str, str]) -> Iterator[str]:
    for path, document in _documents(texts, r".*\.yml"):
        if not isinstance(document, dict) or path.startswith("monitoring/"):
            continue
        for included in document.get("include", ()):
            local = included.get("local") if isinstance(included, dict) else included
            if local and local.lstrip("/") not in texts:
                yield f"{path}: {local}"


_FILE_OF_OURS = re.compile(r"(?<![\w./-])(?:mlops|gx|k8s|monitoring|feature_repo)/[\w./-]+\w\.(?:py|json|ya?ml|txt|md)\b")  # fmt: skip


def _missing_programs(artifacts: list[Artifact], texts: dict[str, str]) -> Iterator[str]:
    """Files of ours that pipelines and DVC name by their paths."""
    for artifact in artifacts:
        if artifact.target in {"gitlab", "dvc"}:
            for path in _FILE_OF_OURS.findall(artifact.text):
                if path not in texts:
                    yield f"{artifact.path}: {path}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "a project"
    root.mkdir()
    return root


@drawn(6, 0.05)
def test_a_second_compile_changes_nothing(
    spec: dict[str, Any], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project)
    project.mkdir()
    if compiled(as_blocks(spec)) is None:
        return
    (project / "mlops.yaml").write_text(as_blocks(spec), encoding="utf-8")
    assert run(["compile", str(project)]) == 0, capsys.readouterr().err
    before = _stats(project)
    assert run(["compile", str(project)]) == 0, capsys.readouterr().err
    assert _stats(project) == before
    assert run(["check", str(project)]) == 0, capsys.readouterr().err
    assert _stats(project) == before


def _stats(root: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(root)): (
            path.stat().st_mtime_ns,
            path.stat().st_ino,
            path.read_bytes(),
        )
        for path in root.rglob("*")
        if path.is_file()
    }
