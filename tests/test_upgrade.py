"""`mlopsc upgrade`: from mlopsc/v1beta1, the language before its first release, into this one.

Two absent keys changed their meaning between the two: the image a step runs in and the method that
measures drift (see the history of src/mlopsc/spec/training.py, sources.py and monitoring.py).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlopsc.cli.main import run
from mlopsc.compiler import Refused, compile_spec
from mlopsc.editing.migrations import MIGRATIONS
from mlopsc.editing.upgrade import Upgraded, upgraded
from mlopsc.source.document import Source
from mlopsc.source.yaml import read_yaml
from mlopsc.spec.versions import API_VERSION, OLDER_VERSIONS
from specs import as_blocks, as_json, specs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted(ROOT.glob("examples/*/mlops.yaml"))
GUIDE = ROOT / "docs" / "guide" / "spec-over-time.md"

Capture = pytest.CaptureFixture[str]

OLD = """\
apiVersion: mlopsc/v1beta1
project: flights
registry: registry.example.com/airlines
images:
  train: {python: "3.11"}
sources:
  flights:
    parquet: data/flights.parquet
    timestamp: scheduled_at
    columns:
      distance: {type: float32, min: 0}
      arr_delay: {type: float32, known_after: 1d}
models:
  delay:
    target: flights:arr_delay
    features: [flights:distance]
    training: {command: python src/train.py}
"""
NEW = OLD.replace("v1beta1", "v1").replace("train.py}", "train.py, image: train}")


def upgrade(text: str) -> Upgraded:
    done = upgraded(Source("mlops.yaml", text))
    assert done is not None
    return done


def files(text: str) -> dict[str, str]:
    try:
        return {
            each.path: each.text for each in compile_spec(Source("mlops.yaml", text)).artifacts()
        }
    except Refused as refused:
        raise AssertionError([one.message for one in refused.diagnostics]) from refused


# --- the migration ---------------------------------------------------------------------------------


def test_every_older_version_has_a_way_here() -> None:
    assert [each.older for each in MIGRATIONS] == list(OLDER_VERSIONS)
    assert [each.newer for each in MIGRATIONS] == [*OLDER_VERSIONS[1:], API_VERSION]


def test_the_only_image_is_written_out_and_nothing_else_changes() -> None:
    done = upgrade(OLD)
    assert done.text == NEW
    ((place, message),) = done.told
    assert (place.line, place.column) == (17, 46)
    assert "the only one of `images`" in message


def test_without_the_migration_the_spec_would_mean_another_thing() -> None:
    """What was true of the old language, in the new one: nobody uses the image, and it is refused."""
    with pytest.raises(Refused) as refused:
        compile_spec(Source("mlops.yaml", OLD.replace("v1beta1", "v1")))
    assert any("train" in one.message for one in refused.value.diagnostics)
    pipeline = files(upgrade(OLD).text)[".gitlab/ci/models/delay.yml"]
    assert "/train:" in pipeline or "train" in pipeline


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("    training: {command: a}\n", "    training: {command: a, image: train}\n"),
        ("    training: { command: a , seed: 1 }\n", "    training: { command: a, image: train , seed: 1 }\n"),
        ("    training: {seed: 1, command: 'a, b'}\n", "    training: {seed: 1, command: 'a, b', image: train}\n"),
        ("    training:\n      command: a  # why\n      seed: 1\n", "    training:\n      command: a  # why\n      image: train\n      seed: 1\n"),
        ("    training:\n        seed: 1\n        command: a", "    training:\n        seed: 1\n        command: a\n        image: train"),
        ("    training:\n      command: |\n        a\n        b\n      seed: 1\n", "    training:\n      image: train\n      command: |\n        a\n        b\n      seed: 1\n"),
        ("    training:\n      command: >-\n        a\n", "    training:\n      image: train\n      command: >-\n        a\n"),
        ("    training: {command: \"a\n      b\"}\n", "    training: {image: train, command: \"a\n      b\"}\n"),
        ("    training: {\"command\": a}\n", "    training: {\"command\": a, image: train}\n"),
        ("    training: {command: a, image: other}\n", "    training: {command: a, image: other}\n"),
        ("    training: &t {command: a}\n  fare:\n    training: *t\n", "    training: &t {command: a, image: train}\n  fare:\n    training: *t\n"),
        ("    training: &t {command: a}\n  fare:\n    training: {<<: *t, seed: 1}\n", "    training: &t {command: a, image: train}\n  fare:\n    training: {<<: *t, seed: 1}\n"),
        ("    training: &t {command: a}\n  fare:\n    training: {<<: *t, image: x}\n", "    training: &t {command: a, image: train}\n  fare:\n    training: {<<: *t, image: x}\n"),
        ("    training: {command: &c a}\n  fare:\n    training: {command: *c}\n", "    training: {command: &c a, image: train}\n  fare:\n    training: {image: train, command: *c}\n"),
        ("    artifact: gs://a/b\n", "    artifact: gs://a/b\n"),
    ],
)  # fmt: skip
def test_a_key_is_written_as_a_person_would(written: str, wanted: str) -> None:
    head = "apiVersion: {}\nimages: {{train: {{python: '3.11'}}}}\nmodels:\n  delay:\n"
    old, new = head.format("mlopsc/v1beta1"), head.format("mlopsc/v1")
    assert upgrade(old + written).text == new + wanted
    crlf = upgrade((old + written).replace("\n", "\r\n")).text
    assert crlf == (new + wanted).replace("\n", "\r\n")


def test_an_anchor_under_a_key_of_ones_own() -> None:
    text = (
        "x-base: &base\n  training:\n    command: a\n"
        "apiVersion: 'mlopsc/v1beta1'\nimages: {train: {}}\nmodels: {a: *base, b: {<<: *base}}\n"
    )
    assert upgrade(text).text == text.replace("v1beta1", "v1").replace(
        "command: a\n", "command: a\n    image: train\n"
    )


@pytest.mark.parametrize("images", ["{}", "{a: {python: '3.11'}, b: {python: '3.12'}}"])
def test_without_exactly_one_image_nothing_is_to_be_written(images: str) -> None:
    text = f"apiVersion: mlopsc/v1beta1\nimages: {images}\nmodels: {{a: {{training: {{command: b}}}}}}\n"
    assert upgrade(text).text == text.replace("v1beta1", "v1")


def test_the_step_that_builds_a_source_ran_in_it_too() -> None:
    text = (
        "apiVersion: mlopsc/v1beta1\nimages: {t: {}}\nsources: {a: {build: {command: dbt build}}}\n"
    )
    assert "build: {command: dbt build, image: t}" in upgrade(text).text


def test_what_no_word_says_any_more_is_said_with_its_place() -> None:
    text = (
        "apiVersion: mlopsc/v1beta1\nmodels:\n  a:\n    monitoring:\n      drift: {share: {max: 30%}}\n"
        "  b:\n    monitoring:\n      drift: {method: ks}\n"
    )
    ((place, message),) = upgrade(text).told
    assert (place.line, place.column) == (5, 7)
    assert "measures psi" in message
    assert upgrade(text).text == text.replace("v1beta1", "v1")


@st.composite
def written(draw: Callable[..., Any]) -> str:
    """A spec of the older language: no step names an image where there is only one."""
    spec = {**draw(specs()), "apiVersion": OLDER_VERSIONS[0]}
    if len(spec.get("images", {})) == 1:
        (image,) = spec["images"]
        for chapter, part in (("models", "training"), ("sources", "build")):
            for item in spec.get(chapter, {}).values():
                if item.get(part, {}).get("image") == image:
                    del item[part]["image"]
    if draw(st.integers(0, 3)) == 0:
        return as_json(spec)
    style = draw(st.sampled_from(["double", "single", "few"]))
    return as_blocks(
        spec, comments=draw(st.booleans()), quote=style, indent=draw(st.integers(1, 4))
    )


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(text=written())
def test_any_spec_is_upgraded_and_keeps_every_other_line(text: str) -> None:
    done = upgrade(text)
    before, after = read_yaml(Source("a", text)).data, read_yaml(Source("a", done.text)).data
    assert after["apiVersion"] == API_VERSION
    images: Any = before.get("images", {})
    for chapter, part in (("models", "training"), ("sources", "build")):
        items: Any = after.get(chapter, {})
        for item in items.values():
            if part in item and len(images) == 1:
                assert item[part]["image"]
    gone = set(text.splitlines()) - set(done.text.splitlines())
    assert all("command" in line or "apiVersion" in line for line in gone), gone
    again = upgraded(Source("mlops.yaml", done.text))
    assert again is None, "there is nothing left to do"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.parent.name)
def test_an_example_as_it_was_compiles_to_the_same_files(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    old = text.replace("apiVersion: mlopsc/v1\n", "apiVersion: mlopsc/v1beta1\n")
    if len(read_yaml(Source("a", text)).data.get("images", {})) == 1:  # type: ignore[arg-type]
        old = re.sub(r"\n +image: train(?=\n)|, image: train\b", "", old)
        assert old.count("image: train") == 0
    assert old != text
    assert files(upgrade(old).text) == files(text)


# --- the command -----------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mlops.yaml").write_text(OLD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spec_of(project: Path) -> str:
    return (project / "mlops.yaml").read_text(encoding="utf-8")


def test_check_says_that_there_is_a_way(project: Path, capsys: Capture) -> None:
    assert run(["check"]) == 1
    told = capsys.readouterr().err
    assert "error[S009]: this compiler reads apiVersion mlopsc/v1, not 'mlopsc/v1beta1'" in told
    assert "run: mlopsc upgrade" in told
    assert spec_of(project) == OLD


def test_what_changes_is_shown_before_anything_is_written(project: Path, capsys: Capture) -> None:
    assert run(["upgrade", "--check"]) == 1
    told = capsys.readouterr().out
    assert "-apiVersion: mlopsc/v1beta1\n+apiVersion: mlopsc/v1\n" in told
    assert "mlops.yaml:17:46: `image: train` is written out" in told
    assert "create  .gitlab-ci.yml\n" in told
    assert spec_of(project) == OLD
    assert not (project / ".gitlab-ci.yml").exists()


def test_the_files_are_compared_with_those_that_are_there(project: Path, capsys: Capture) -> None:
    (project / "mlops.yaml").write_text(NEW, encoding="utf-8")
    assert run(["compile"]) == 0
    (project / "mlops.yaml").write_text(OLD, encoding="utf-8")
    capsys.readouterr()
    assert run(["upgrade", "--check"]) == 1
    told = capsys.readouterr().out
    assert "create" not in told
    assert re.search(r"^\d+ unchanged$", told, re.MULTILINE)
    (project / "mlops.yaml").write_text(OLD.replace("project: flights", "project: other"))
    assert run(["upgrade", "--check"]) == 1
    told = capsys.readouterr().out
    assert "update  mlops/models/delay.json" in told
    assert re.search(r"^\+.*\bother\b", told.partition("unchanged")[2], re.MULTILINE)
    assert told.count("\n") < 300


def test_nothing_is_written_where_nobody_can_be_asked(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["upgrade"]) == 1
    assert "mlopsc upgrade --yes" in capsys.readouterr().err
    assert spec_of(project) == OLD


@pytest.mark.parametrize(("answer", "code", "wanted"), [("y", 0, NEW), ("n", 1, OLD), ("", 1, OLD)])
def test_a_person_is_asked(
    answer: str, code: int, wanted: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    assert run(["upgrade"]) == code
    assert spec_of(project) == wanted


def test_an_upgraded_spec_compiles_and_is_done(project: Path, capsys: Capture) -> None:
    assert run(["upgrade", "--yes"]) == 0
    assert spec_of(project) == NEW
    assert run(["compile"]) == 0
    assert run(["check"]) == 0
    capsys.readouterr()
    assert run(["upgrade"]) == 0
    assert capsys.readouterr().out == "mlops.yaml is in mlopsc/v1 already\n"


def test_a_spec_that_does_not_compile_yet_is_upgraded_all_the_same(
    project: Path, capsys: Capture
) -> None:
    """Nobody can mend in a language that no compiler reads."""
    (project / "mlops.yaml").write_text(OLD.replace("[flights:distance]", "[flights:distanze]"))
    assert run(["upgrade", "--yes"]) == 1
    told = capsys.readouterr().err
    assert "does not compile yet" in told
    assert "error[N0" in told
    assert spec_of(project).startswith("apiVersion: mlopsc/v1\n")


@pytest.mark.parametrize("line", ["apiVersion: mlopsc/v9\n", "apiVersion: 1\n", ""])
def test_a_version_nobody_knows_is_left_alone(line: str, project: Path, capsys: Capture) -> None:
    text = OLD.replace("apiVersion: mlopsc/v1beta1\n", line)
    (project / "mlops.yaml").write_text(text, encoding="utf-8")
    assert run(["upgrade", "--yes"]) == 1
    assert "upgrade comes from: mlopsc/v1beta1" in capsys.readouterr().err
    assert spec_of(project) == text


def test_a_byte_order_mark_stays(project: Path) -> None:
    (project / "mlops.yaml").write_text(OLD, encoding="utf-8-sig")
    assert run(["upgrade", "--yes"]) == 0
    assert (project / "mlops.yaml").read_bytes() == NEW.encode("utf-8-sig")


def test_what_is_no_yaml_is_refused(project: Path, capsys: Capture) -> None:
    (project / "mlops.yaml").write_text("apiVersion: [\n", encoding="utf-8")
    assert run(["upgrade", "--yes"]) == 1
    assert "error[Y015]" in capsys.readouterr().err


def test_the_guide_shows_what_is_printed(project: Path, capsys: Capture) -> None:
    assert run(["upgrade", "--check"]) == 1
    said = capsys.readouterr().out
    shown = GUIDE.read_text(encoding="utf-8").partition("$ mlopsc upgrade\n")[2].partition("…")[0]
    assert said.startswith(shown)
    assert said.count("\n") > shown.count("\n")
    assert spec_of(project) == OLD
