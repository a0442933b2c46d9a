"""What each command does, prints and returns."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mlopsc.cli.main import COMMANDS, run
from mlopsc.targets import TARGETS
from test_hostile import SPEC

Capture = pytest.CaptureFixture[str]
WRONG = SPEC.replace("[flights:carrier]", "[flights:carier]")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "mlops.yaml").write_text(SPEC)
    monkeypatch.chdir(root)
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str, capsys: Capture) -> None:
    assert run([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"\n  Example: mlopsc {name}" in said
    assert "\\b" not in said
    assert "--help" in said


def test_help_names_every_command(capsys: Capture) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in COMMANDS)


@pytest.mark.parametrize(("misspelt", "meant"), [("compil", "compile"), ("chek", "check")])
def test_a_misspelt_command(misspelt: str, meant: str, capsys: Capture) -> None:
    assert run([misspelt]) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["compile", "--nope"], ["compile", "--env", "mars"], ["compile", "--target", "x"], ["why"],
     ["why", "dvc.yaml"], ["check", "--format", "x"], ["promote", "delay"], ["compile", "a", "b"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage(arguments: list[str], project: Path, capsys: Capture) -> None:
    before = files(project)
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err
    assert files(project) == before


def test_a_dry_run_writes_nothing(project: Path, capsys: Capture) -> None:
    assert run(["compile", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert files(project) == {"mlops.yaml": SPEC.encode()}
    named = [line.removeprefix("create ").strip() for line in said.splitlines()[:-1]]
    assert run(["compile"]) == 0
    assert sorted(named) == sorted(files(project).keys() - {"mlops.yaml", "mlops.lock"})


def test_where_the_spec_is_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    inside = project / "deep/er"
    for cwd, spec in (
        (project, "."),
        (project, "mlops.yaml"),
        (project.parent, "project"),
        (project.parent, "project/mlops.yaml"),
        (inside, "../.."),
        (inside, str(project)),
    ):
        for path in files(project).keys() - {"mlops.yaml"}:
            (project / path).unlink()
        cwd.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(cwd)
        assert run(["compile", spec]) == 0
        results.append(files(project))
    assert all(result == results[0] for result in results)


def test_another_output_folder(project: Path) -> None:
    assert run(["compile", "--output", "../out/deep"]) == 0
    assert files(project) == {"mlops.yaml": SPEC.encode()}
    out = files(project.parent / "out/deep")
    assert run(["compile"]) == 0
    assert out.keys() == files(project).keys() - {"mlops.yaml"}


@pytest.mark.parametrize("target", [target.name for target in TARGETS])
def test_one_target(target: str, project: Path, capsys: Capture) -> None:
    assert run(["compile", "--output", "../all"]) == 0
    everything = files(project.parent / "all")
    assert run(["compile", "--target", target]) == 0, capsys.readouterr().err
    made = {k: v for k, v in files(project).items() if k not in {"mlops.yaml", "mlops.lock"}}
    assert made.items() <= everything.items()
    assert (target in {"kubernetes", "docker", "feast", "prometheus", "alertmanager", "evidently", "mlflow", "grafana"}) is not bool(made)  # fmt: skip


def test_one_environment_leaves_the_others(project: Path) -> None:
    (project / "mlops.yaml").write_text(
        SPEC + "    serving: {}\nregistry: r.example.com/x\nenvironments: {staging: {}, live: {}}\n"
    )
    assert run(["compile", "--env", "staging"]) == 0
    made = files(project).keys() - {"mlops.yaml", "mlops.lock"}
    assert made
    assert all("/staging/" in path or path.endswith("/staging.yml") for path in made)
    assert run(["compile", "--env", "live"]) == 0
    assert made < files(project).keys()
    assert run(["compile"]) == 0
    assert run(["check"]) == 0


def test_check_says_what_is_stale(project: Path, capsys: Capture) -> None:
    assert run(["check"]) == 1
    assert "error[W03" in capsys.readouterr().err
    assert run(["compile"]) == 0
    assert run(["check"]) == 0
    (project / "dvc.yaml").unlink()
    capsys.readouterr()
    assert run(["check"]) == 1
    assert "dvc.yaml" in capsys.readouterr().err
    assert not (project / "dvc.yaml").exists()


@pytest.mark.parametrize("format_", ["json", "gitlab", "sarif"])
def test_reports_are_json(format_: str, project: Path, capsys: Capture) -> None:
    (project / "mlops.yaml").write_text(WRONG)
    assert run(["check", "--format", format_]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    assert "N002" in captured.out
    assert not captured.err


def test_the_junit_report_is_xml(project: Path, capsys: Capture) -> None:
    (project / "mlops.yaml").write_text(WRONG)
    assert run(["check", "--format", "junit"]) == 1
    report = ElementTree.fromstring(capsys.readouterr().out)
    assert report.findall(".//failure")


def test_why_finds_the_spec_above_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run(["compile"]) == 0
    monkeypatch.chdir(project / "mlops")
    capsys.readouterr()
    assert run(["why", "../dvc.yaml:1"]) == 0
    assert "dvc.yaml:1" in capsys.readouterr().out
    assert run(["why", "nothing.txt:1"]) == 1
    assert "not a file this spec compiles to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "what", ["N002", "n002", "R304", "W020", "models.*.serving.slo", "project"]
)
def test_explain(what: str, capsys: Capture) -> None:
    assert run(["explain", what]) == 0
    assert len(capsys.readouterr().out) > 40


@pytest.mark.parametrize("what", ["N999", "models.*.nothing", "../../README"])
def test_explain_nothing(what: str, capsys: Capture) -> None:
    assert run(["explain", what]) == 1
    assert capsys.readouterr().err


def test_the_schema_is_the_committed_one(capsys: Capture) -> None:
    assert run(["schema"]) == 0
    committed = Path(__file__).parent.parent / "schemas/mlops-v1.json"
    assert capsys.readouterr().out == committed.read_text("utf-8")


def test_targets_are_listed(capsys: Capture) -> None:
    assert run(["targets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [target.name for target in TARGETS]


def test_promote_changes_one_line(project: Path, capsys: Capture) -> None:
    spec = (
        SPEC
        + '    serving: {}  # kept\nregistry: r.example.com/x\nenvironments:\n  live: {versions: {delay: "1"}}  # too\n'
    )
    (project / "mlops.yaml").write_text(spec)
    assert run(["promote", "delay", "2", "--env", "live"]) == 0
    changed = (project / "mlops.yaml").read_text()
    assert changed == spec.replace('"1"', '"2"')
    assert files(project).keys() == {"mlops.yaml"}
    assert run(["promote", "dealy", "3", "--env", "live"]) == 2
    assert run(["promote", "delay", "3", "--env", "mars"]) in {1, 2}
    assert (project / "mlops.yaml").read_text() == changed
    assert "there is no model 'dealy'" in capsys.readouterr().err


def test_colour_is_for_terminals_alone(project: Path, capsys: Capture) -> None:
    (project / "mlops.yaml").write_text(WRONG)
    assert run(["compile"]) == 1
    assert "\x1b" not in capsys.readouterr().err


def test_a_report_names_files_from_where_it_is_made(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge request knows files by their path from the repository's root, not from the spec."""
    (project / "mlops.yaml").write_text(SPEC.replace("project:", "projet:"), "utf-8")
    monkeypatch.chdir(project.parent)
    assert run(["check", project.name, "--format", "gitlab"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {item["location"]["path"] for item in report} == {f"{project.name}/mlops.yaml"}
