"""`include`: which files are read, how they join, and what is refused, each at its line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from composing import HEAD, SPEC, check_places, gathered, get, refused, said_in_composing, shown
from mlopsc.diagnostics.finding import Rejected
from mlopsc.source import include
from mlopsc.source.document import Source
from mlopsc.source.files import NO_FILES
from mlopsc.spec.merging import MERGING
from mlopsc.workspace.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def found(files: Mapping[str, str | bytes]) -> list[str]:
    """`code file:line:column` of what gathering refuses."""
    with pytest.raises(Rejected) as caught:
        gathered(files)
    places = [(finding.code, finding.at) for finding in caught.value.findings]
    return [f"{code} {at.file}:{at.line}:{at.column}" for code, at in places]  # type: ignore[union-attr]


# --- joining ----------------------------------------------------------------------------------


def test_chapters_of_all_files_join_and_every_value_keeps_its_place() -> None:
    document = gathered(
        {
            SPEC: HEAD + "include: [models/*.yaml, teams.yaml]\nmodels:\n  a: {target: x:y}\n",
            "models/b.yaml": "models:\n  b:\n    target: x:z\n",
            "models/c.yaml": "apiVersion: mlopsc/v1\nmodels: {c: {target: x:w}}\n",
            "models/deeper/d.yaml": "models: {d: {}}\n",
            "teams.yaml": "services: {mlflow: {url: http://m}}\nsecrets: {s: {}}\n",
        }
    )
    check_places(document)
    assert list(get(document.data, "models")) == ["a", "b", "c"]
    assert shown(document, ("models", "b", "target")) == "models/b.yaml:3:13 |x:z|"
    assert shown(document, ("models", "b"), on_key=True) == "models/b.yaml:2:3 |b|"
    assert shown(document, ("models", "c", "target")) == "models/c.yaml:2:22 |x:w|"
    assert shown(document, ("models", "a", "target")) == "mlops.yaml:5:15 |x:y|"
    assert shown(document, ("services", "mlflow", "url")) == "teams.yaml:1:26 |http://m|"
    assert list(document.texts) == [SPEC, "models/b.yaml", "models/c.yaml", "teams.yaml"]


def test_files_may_include_files_and_one_that_is_met_twice_counts_once() -> None:
    document = gathered(
        {
            SPEC: HEAD + "include: [a.yaml, b.yaml]\n",
            "a.yaml": "include: [parts/*.yaml]\nmodels: {a: {}}\n",
            "b.yaml": "include: [parts/one.yaml, parts/two.yaml]\nmodels: {b: {}}\n",
            "parts/one.yaml": "models: {one: {}}\n",
            "parts/two.yaml": "models: {two: {}}\n",
        }
    )
    check_places(document)
    assert list(get(document.data, "models")) == ["a", "one", "two", "b"]


def test_mappings_join_at_any_depth_and_lists_of_the_top_follow_each_other() -> None:
    document = gathered(
        {
            SPEC: HEAD
            + "include: [a.yaml]\nenvironments: {staging: {variables: {x: 1}}}\n"
            + "patches: [{artifact: one}]\nalerts: {routes: {critical: a}}\n",
            "a.yaml": "environments: {staging: {variables: {y: 2}}, production: {}}\n"
            "patches:\n  - artifact: two\nalerts: {channels: {a: {}}}\n",
        }
    )
    check_places(document)
    assert get(document.data, "environments", "staging", "variables") == {"x": 1, "y": 2}
    assert list(get(document.data, "environments")) == ["staging", "production"]
    assert get(document.data, "patches") == [{"artifact": "one"}, {"artifact": "two"}]
    assert shown(document, ("patches", 1, "artifact")) == "a.yaml:3:15 |two|"
    assert set(get(document.data, "alerts")) == {"routes", "channels"}


def test_anchors_belong_to_their_file_and_keep_their_places() -> None:
    document = gathered(
        {
            SPEC: HEAD + "x-shared: &s {cpu: 1}\nmodels: {a: {serving: {resources: *s}}}\n"
            "include: [b.yaml]\n",
            "b.yaml": "x-shared:\n  base: &b\n    cpu: 2\n"
            "models:\n  b: {serving: {resources: {<<: *b, memory: 1Gi}}}\n",
        }
    )
    check_places(document)
    assert get(document.data, "models", "a", "serving", "resources") == {"cpu": 1}
    assert shown(document, ("models", "b", "serving", "resources", "cpu")) == "b.yaml:3:10 |2|"
    assert get(document.data, "x-shared") == {"cpu": 1}  # nobody reads it: the first one stays


def test_aliases_of_what_another_file_adds_to_stay_as_they_were() -> None:
    document = gathered(
        {
            SPEC: HEAD + "include: [b.yaml]\nservices: &s {mlflow: {url: a}}\nx-copy: *s\n",
            "b.yaml": "services: {grafana: {url: b}}\n",
        }
    )
    check_places(document)
    assert set(get(document.data, "services")) == {"mlflow", "grafana"}
    assert set(get(document.data, "x-copy")) == {"mlflow"}


def test_the_spelling_of_numbers_is_kept() -> None:
    files = {SPEC: HEAD + "include: [b.yaml]\n", "b.yaml": "variables: {v: 1.10}\n"}
    assert gathered(files).raw[("variables", "v")] == "1.10"


# --- what is refused --------------------------------------------------------------------------


def test_a_name_in_two_files_is_refused_at_both_places() -> None:
    files = {
        SPEC: HEAD + "include: [b.yaml, c.yaml]\nmodels:\n  churn: {target: x:y}\n",
        "b.yaml": "models:\n  churn:\n    target: x:z\n",
        "c.yaml": "alerts: {channels: {a: {}}, rules: {}}\nmodels: {churn: {}}\n",
    }
    assert said_in_composing(files) == (
        "error[Y032]: model 'churn' is defined in two files\n"
        "  --> b.yaml:2:3\n"
        "   |\n"
        " 2 |   churn:\n"
        "   |   ^^^^^\n"
        "   = help: keep it in one of them, or give one another name\n"
        "   = note: the other one stands at mlops.yaml:5:3\n"
        "\n"
        "error[Y032]: model 'churn' is defined in two files\n"
        "  --> c.yaml:2:10\n"
        "   |\n"
        " 2 | models: {churn: {}}\n"
        "   |          ^^^^^\n"
        "   = help: keep it in one of them, or give one another name\n"
        "   = note: the other one stands at mlops.yaml:5:3\n"
    )


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ("project: shop", "project: shop", "'project'"),
        ("variables: {a: 1}", "variables: {a: 1}", "'variables.a'"),
        ("alerts: {channels: {a: {}}}", "alerts: {channels: {a: {}}}", "channel 'a'"),
        ("sources: {a: {}}", "sources: {a: {}}", "source 'a'"),
        ("services: {}", "services: []", "'services'"),
        ("services: {mlflow: {url: a}}", "services: {mlflow: {url: b}}", "'services.mlflow.url'"),
        ("ci: {include: [a]}", "ci: {include: [b]}", "'ci.include'"),
    ],
)
def test_what_two_files_cannot_both_say(first: str, second: str, named: str) -> None:
    files = {SPEC: f"{first}\ninclude: [b.yaml]\n", "b.yaml": second}
    with pytest.raises(Rejected) as caught:
        gathered(files)
    (finding,) = caught.value.findings
    assert (finding.code, finding.message) == ("Y032", f"{named} is defined in two files")
    assert finding.at.file == "b.yaml"  # type: ignore[union-attr]


def test_a_circle_is_shown_whole() -> None:
    files = {
        SPEC: HEAD + "include: [a.yaml]\n",
        "a.yaml": "include: [b.yaml]\n",
        "b.yaml": "models: {}\ninclude:\n  - a.yaml\n",
    }
    assert said_in_composing(files) == (
        "error[Y031]: files include each other in a circle: a.yaml → b.yaml → a.yaml\n"
        "  --> b.yaml:3:5\n"
        "   |\n"
        " 3 |   - a.yaml\n"
        "   |     ^^^^^^\n"
        "   = help: take one of these includes out\n"
    )


def test_a_file_and_a_pattern_may_lead_back_too() -> None:
    assert found({SPEC: HEAD + f"include: [{SPEC}]\n"}) == ["Y031 mlops.yaml:3:11"]
    files = {SPEC: HEAD + 'include: ["*.yaml"]\n', "a.yaml": "models: {}\n"}
    assert found(files) == ["Y031 mlops.yaml:3:11"]
    assert "keep what is included in a folder of its own" in said_in_composing(files)
    assert found({SPEC: HEAD + "include: [p/a.yaml]\n", "p/a.yaml": 'include: ["p/*.yaml"]\n'}) == [
        "Y031 p/a.yaml:1:11"
    ]


@pytest.mark.parametrize(
    ("written", "message", "help_"),
    [
        ("models/x.yaml", "there is no file 'models/x.yaml'", "relative to the folder"),
        ("models/*.yml", "no file fits 'models/*.yml'", "relative to the folder"),
        ("../x.yaml", "'../x.yaml' leads out of the project", "stays below it"),
        ("/etc/passwd", "'/etc/passwd' leads out of the project", "stays below it"),
        ("a/../../*.yaml", "'a/../../*.yaml' leads out of the project", "stays below it"),
        ("./a.yaml", "'./a.yaml' begins with `./`", "write a.yaml"),
        ("${project}.yaml", "there is no file '${project}.yaml'", "nothing is filled in here"),
        ("${project}/*", "no file fits '${project}/*'", "nothing is filled in here"),
        (r"a\tb.yaml", "there is no file", "relative"),
        (r"\u202e*", r"no file fits '\u202e*'", "relative"),
    ],
)
def test_an_include_that_meets_no_file(written: str, message: str, help_: str) -> None:
    files = {SPEC: f'{HEAD}include: ["{written}"]\n', "a.yaml": "models: {}\n"}
    assert found(files) == ["Y030 mlops.yaml:3:11"]
    out = said_in_composing(files)
    assert message in out
    assert help_ in out


def test_all_that_is_wrong_is_said_at_once() -> None:
    files = {
        SPEC: HEAD + "include: [none.yaml, broken.yaml, latin.yaml, a.yaml]\n",
        "broken.yaml": "models: {a: {}\n",
        "latin.yaml": "description: \xfcber\n".encode("latin-1"),
        "a.yaml": "include: [none2.yaml]\n",
    }
    assert found(files) == [
        "Y030 mlops.yaml:3:11",
        "Y015 broken.yaml:1:9",
        "Y001 latin.yaml:1:14",
        "Y030 a.yaml:1:11",
    ]
    assert "included at mlops.yaml:3:35" in said_in_composing(files)


def test_a_file_of_another_language_is_refused_in_one_finding() -> None:
    files = {
        SPEC: HEAD + 'include: ["k8s/**"]\n',
        "k8s/a/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {}\n",
        "k8s/a/service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {}\n",
    }
    assert found(files) == ["S009 k8s/a/deployment.yaml:1:13", "S009 k8s/a/service.yaml:1:13"]


def test_include_of_the_wrong_shape_is_left_to_the_language() -> None:
    assert refused(HEAD + "include: models.yaml\n") == ["S002 mlops.yaml:3:10 |models.yaml|"]
    assert refused(HEAD + "include: [1]\n") == ["S002 mlops.yaml:3:11 |1|"]
    assert refused(HEAD + "include: ['']\n")[0].startswith("Y030 mlops.yaml:3:11")


def test_a_spec_without_files_around_it_cannot_include() -> None:
    with pytest.raises(Rejected) as caught:
        include.gather(Source(SPEC, HEAD + "include: [a.yaml]\n"), NO_FILES, MERGING, {})
    assert [finding.code for finding in caught.value.findings] == ["Y030"]


# --- limits -----------------------------------------------------------------------------------


def test_a_long_way_of_includes_is_refused_and_a_wide_one_is_not() -> None:
    deep = {f"{n}.yaml": f"include: [{n + 1}.yaml]\n" for n in range(1000)}
    assert found({SPEC: HEAD + "include: [0.yaml]\n", **deep})[0].startswith("Y026")
    wide = {f"parts/{n}.yaml": f"models: {{m{n}: {{}}}}\n" for n in range(1000)}
    document = gathered({SPEC: HEAD + "include: [parts/*]\n", **wide})
    assert len(get(document.data, "models")) == 1000


def test_more_files_or_values_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"p/{n}.yaml": f"models: {{m{n}: {{}}}}\n" for n in range(20)}
    spec = {SPEC: HEAD + "include: [p/*]\n", **files}
    monkeypatch.setattr(include, "MAX_FILES", 10)
    assert found(spec)[0] == "Y025 mlops.yaml:3:11"
    monkeypatch.undo()
    monkeypatch.setattr(include, "MAX_NODES", 40)
    assert found(spec)[0].startswith("Y025 p/")


# --- a real folder ----------------------------------------------------------------------------


def write(root: Path, *names: str) -> Folder:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("models: {}\n")
    return Folder(str(root))


def test_patterns_in_a_folder(tmp_path: Path) -> None:
    names = (
        "a.yaml",
        "b.yml",
        ".hidden.yaml",
        "m/c.yaml",
        "m/n/d.yaml",
        "m/.h/e.yaml",
        "m/[1].yaml",
    )
    folder = write(tmp_path, *names)
    (tmp_path / "folder.yaml").mkdir()
    assert folder.find("*.yaml") == ("a.yaml",)
    assert folder.find("?.y*") == ("a.yaml", "b.yml")
    assert folder.find("*/*.yaml") == ("m/[1].yaml", "m/c.yaml")
    assert folder.find("**/*.yaml") == ("a.yaml", "m/[1].yaml", "m/c.yaml", "m/n/d.yaml")
    assert folder.find("m/**") == ("m/[1].yaml", "m/c.yaml", "m/n/d.yaml")
    assert folder.find("**/**/d.*") == ("m/n/d.yaml",)
    assert folder.find(".*.yaml") == (".hidden.yaml",)
    assert folder.find("m/.h/*") == ("m/.h/e.yaml",)
    assert folder.find("m/[1]*") == ("m/[1].yaml",)  # brackets stand for themselves
    assert folder.find("*/") == ()
    assert folder.find("none/*") == ()
    assert folder.find("a.yaml/*") == ()
    assert folder.find("*\x00") == ()


def test_links_lead_neither_in_circles_nor_out(tmp_path: Path) -> None:
    root = tmp_path / "project"
    folder = write(root, "m/a.yaml")
    for name in ("one", "two"):
        (root / "m" / name).symlink_to(root)
    assert folder.find("**/*.yaml") == ("m/a.yaml",)
    outside = tmp_path / "outside.yaml"
    outside.write_text("models: {}\n")
    (root / "out.yaml").symlink_to(outside)
    (root / "far").symlink_to(tmp_path)
    for pattern in ("out.yaml", "o*.yaml", "far/*.yaml"):
        source = Source(SPEC, f"{HEAD}include: ['{pattern}']\n")
        with pytest.raises(Rejected) as caught:
            include.gather(source, folder, MERGING, {})
        (finding,) = caught.value.findings
        assert finding.code == "Y030"
        assert "symbolic link out of the project" in finding.message
        assert (finding.at.file, finding.at.line) == (SPEC, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder.yaml", "is a folder, not a file"),
        ("pipe.yaml", "is a pipe"),
        ("big.yaml", "10 MiB"),
    ],
)
def test_what_is_no_file_is_a_mistake_of_the_line_that_names_it(
    tmp_path: Path, name: str, message: str
) -> None:
    folder = write(tmp_path, "a.yaml")
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    with (tmp_path / "big.yaml").open("wb") as big:
        big.truncate(11 * 1024 * 1024)
    source = Source(SPEC, f"{HEAD}include: [{name}]\n")
    with pytest.raises(Rejected) as caught:
        include.gather(source, folder, MERGING, {})
    (finding,) = caught.value.findings
    assert finding.code == "Y030"
    assert message in finding.message
    assert (finding.at.line, finding.at.column) == (3, 11)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["new\nline.yaml", "\x1b[31m.yaml", "\udcff.yaml"])
def test_a_name_that_cannot_be_shown_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, name)
    source = Source(SPEC, f"{HEAD}include: ['*.yaml']\n")
    with pytest.raises(Rejected) as caught:
        include.gather(source, folder, MERGING, {})
    (finding,) = caught.value.findings
    assert finding.code == "Y030"
    assert finding.message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every folder")
def test_a_folder_nobody_may_look_into_is_said(tmp_path: Path) -> None:
    folder = write(tmp_path, "m/a.yaml")
    (tmp_path / "m").chmod(0o000)
    try:
        with pytest.raises(Rejected) as caught:
            folder.find("m/*.yaml")
        assert [finding.code for finding in caught.value.findings] == ["W002"]
    finally:
        (tmp_path / "m").chmod(0o755)
