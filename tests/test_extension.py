"""A project's own templates, and targets of installed packages: the example package is really installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import mlopsc.api
from mlopsc.cli.main import run
from mlopsc.compiler import Compilation, Refused, compile_spec
from mlopsc.diagnostics.printers import text
from mlopsc.extending.codes import TITLES
from mlopsc.extending.own_templates import template_names
from mlopsc.resources import read_text
from mlopsc.source.document import Source
from mlopsc.source.files import Inputs
from mlopsc.workspace.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlopsc.diagnostics.diagnostic import Diagnostic

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tests" / "extension" / "catalog"
PAGES = ROOT / "docs" / "rules"
GUIDE = ROOT / "docs" / "guide" / "extending.md"
GOLDEN = os.environ.get("MLOPSC_GOLDEN") == "1"

SPEC = (ROOT / "examples" / "minimal" / "mlops.yaml").read_text(encoding="utf-8")
REQUIREMENTS = "programs/requirements.txt.j2"
OWN = """\
templates:
  programs/requirements.txt.j2: {file: templates/requirements.txt.j2, base: templates/base/requirements.txt.j2}
"""
CATALOG = """\
targets:
  catalog: {package: mlopsc-catalog, version: "1.2.0", settings: {domain: travel}}
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "mlops.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(root)
    return root


def asking(project: Path, more: str) -> Path:
    spec = project / "mlops.yaml"
    spec.write_text(SPEC + more, encoding="utf-8")
    return spec


def own_template(project: Path, written: str, base: str | None = None) -> None:
    """A template of the project's own in place of that of the programs' requirements."""
    (project / "templates" / "base").mkdir(parents=True)
    (project / "templates" / "requirements.txt.j2").write_text(written, encoding="utf-8")
    ours = read_text(f"templates/{REQUIREMENTS}")
    (project / "templates" / "base" / "requirements.txt.j2").write_text(
        ours if base is None else base, encoding="utf-8"
    )
    asking(project, OWN)


def compiled(project: Path) -> Compilation:
    spec = (project / "mlops.yaml").read_text(encoding="utf-8")
    return compile_spec(Source("mlops.yaml", spec), Inputs(Folder(str(project))))


def diagnostics(project: Path) -> tuple[Diagnostic, ...]:
    try:
        return compiled(project).diagnostics
    except Refused as refused:
        return refused.diagnostics


# --- templates ---------------------------------------------------------------------------------------


def test_a_template_is_taken_changed_and_used(project: Path, capsys: Capture) -> None:
    assert run(["template", REQUIREMENTS, "--take", "templates"]) == 0
    said = capsys.readouterr().out
    assert OWN in said
    asking(project, OWN)
    assert run(["compile"]) == 0
    before = (project / "mlops" / "requirements.txt").read_text(encoding="utf-8")
    own = project / "templates" / "requirements.txt.j2"
    own.write_text(own.read_text(encoding="utf-8") + "polars>=1{{ cause(('project',)) }}\n")
    capsys.readouterr()
    assert run(["check"]) == 1, "the committed file is not what the template gives now"
    assert "error[W031]: 'mlops/requirements.txt'" in capsys.readouterr().err
    assert run(["compile"]) == 0
    after = (project / "mlops" / "requirements.txt").read_text(encoding="utf-8")
    assert after == before + "polars>=1\n"
    assert run(["check"]) == 0
    lock = (project / "mlops.lock").read_text(encoding="utf-8")
    assert re.search(r"^input [0-9a-f]{64}  templates/requirements.txt.j2$", lock, re.MULTILINE)
    capsys.readouterr()
    last = len(after.splitlines())
    assert run(["why", f"mlops/requirements.txt:{last}"]) == 0
    assert "project: flights" in capsys.readouterr().out
    assert run(["why", "mlops/requirements.txt:3"]) == 0
    assert f"{REQUIREMENTS}: {{file:" in capsys.readouterr().out


def test_all_other_files_stay_as_they_are(project: Path) -> None:
    ours = {each.path: each.text for each in compiled(project).artifacts()}
    own_template(project, "none\n")
    theirs = {each.path: each.text for each in compiled(project).artifacts()}
    assert theirs.pop("mlops/requirements.txt") == "none\n"
    assert ours.pop("mlops/requirements.txt") != "none\n"
    assert theirs == ours


@pytest.mark.parametrize("name", ["minimal", "flights", "churn", "credit"])
def test_a_copy_that_nobody_changed_gives_what_ours_gives(name: str, tmp_path: Path) -> None:
    """In the sandbox, with its own filters: whatever ours needs is there."""
    shutil.copytree(ROOT / "examples" / name, tmp_path, dirs_exist_ok=True)
    ours = {each.path: each.text for each in compiled(tmp_path).artifacts()}
    spec = (tmp_path / "mlops.yaml").read_text(encoding="utf-8")
    lines = ["templates:"]
    for position, template in enumerate(template_names()):
        for copy in ("file", "base"):
            text = read_text(f"templates/{template}")
            (tmp_path / f"{copy}{position}.j2").write_text(text, encoding="utf-8")
        lines.append(f"  {template}: {{file: file{position}.j2, base: base{position}.j2}}")
    (tmp_path / "mlops.yaml").write_text("\n".join([spec, *lines, ""]), encoding="utf-8")
    theirs = compiled(tmp_path)
    assert {each.path: each.text for each in theirs.artifacts()} == ours
    assert "A105" not in {one.code for one in theirs.diagnostics}


def test_a_template_that_others_include_can_be_replaced(project: Path) -> None:
    flights = (ROOT / "examples" / "flights" / "mlops.yaml").read_text(encoding="utf-8")
    (project / "labels.j2").write_text("LABEL mine=yes\n", encoding="utf-8")
    (project / "base.j2").write_text(read_text("templates/docker/labels.j2"), encoding="utf-8")
    (project / "mlops.yaml").write_text(
        f"{flights}templates: {{docker/labels.j2: {{file: labels.j2, base: base.j2}}}}\n"
    )
    made = {each.path: each.text for each in compiled(project).artifacts()}
    dockerfiles = [text for path, text in made.items() if path.endswith("Dockerfile")]
    assert dockerfiles
    assert all("LABEL mine=yes" in text for text in dockerfiles)


def test_no_template_is_written_over(project: Path, capsys: Capture) -> None:
    assert run(["template", REQUIREMENTS, "--take", "templates"]) == 0
    before = (project / "templates" / "requirements.txt.j2").read_bytes()
    assert run(["template", REQUIREMENTS, "--take", "templates"]) == 1
    assert "nothing is written over" in capsys.readouterr().err
    assert (project / "templates" / "requirements.txt.j2").read_bytes() == before


@pytest.mark.parametrize(("folder", "file"), [(".", ""), ("a/../t/", "t/"), ("a/b", "a/b/")])
def test_a_template_is_taken_into_any_folder(
    folder: str, file: str, project: Path, capsys: Capture
) -> None:
    assert run(["template", REQUIREMENTS, "--take", folder]) == 0
    lines = capsys.readouterr().out.partition("\n\n")[2]
    assert f"{{file: {file}requirements.txt.j2, base: {file}base/requirements.txt.j2}}" in lines
    asking(project, lines)
    assert run(["compile"]) == 0


@pytest.mark.parametrize("folder", ["..", "/tmp", "a/../../b"])
def test_no_template_is_taken_out_of_the_project(folder: str, project: Path) -> None:
    assert run(["template", REQUIREMENTS, "--take", folder]) == 2
    assert [path.name for path in project.iterdir()] == ["mlops.yaml"]


def test_templates_are_listed_and_printed(project: Path, capsys: Capture) -> None:
    assert run(["template"]) == 0
    names = capsys.readouterr().out.split()
    assert names == sorted(names)
    assert REQUIREMENTS in names
    for name in names:
        assert run(["template", name]) == 0
        assert capsys.readouterr().out == read_text(f"templates/{name}")
    assert run(["template", "programs/requirement.txt.j2"]) == 2
    assert f"did you mean '{REQUIREMENTS}'?" in capsys.readouterr().err
    assert run(["template", "programs/gate.py"]) == 2


def test_check_says_what_changed_in_ours(project: Path, capsys: Capture) -> None:
    ours = read_text(f"templates/{REQUIREMENTS}")
    before = ours.replace("pyarrow>=17\n", "pyarrow>=16\nold\n")
    own_template(project, "mine\n", before)
    (changed,) = [one for one in diagnostics(project) if one.code == "A105"]
    assert changed.severity == "warning"
    assert "1 line more and 2 lines less" in changed.message
    assert run(["compile"]) == 0, "a warning stops nobody"
    capsys.readouterr()
    assert run(["template", REQUIREMENTS, "--diff"]) == 0
    assert "-pyarrow>=16\n-old\n+pyarrow>=17\n" in capsys.readouterr().out
    (project / "templates" / "base" / "requirements.txt.j2").write_text(ours.replace("\n", "\r\n"))
    assert not [one for one in diagnostics(project) if one.code == "A105"], "line ends do not count"


def test_a_file_that_is_not_there_is_a_mistake_of_the_line_that_names_it(project: Path) -> None:
    asking(project, OWN)
    (found,) = [one for one in diagnostics(project) if one.severity == "error"]
    assert (found.code, found.place.file) == ("W001", "mlops.yaml")
    assert found.source is not None
    assert "base: templates/base" in found.source


def test_a_generated_file_is_no_template(project: Path) -> None:
    (project / "base.j2").write_text(read_text(f"templates/{REQUIREMENTS}"), encoding="utf-8")
    assert run(["compile"]) == 0
    own = "file: mlops/requirements.txt, base: base.j2"
    asking(project, f"templates: {{{REQUIREMENTS}: {{{own}}}}}\n")
    (found,) = [one for one in diagnostics(project) if one.severity == "error"]
    assert (found.code, found.message) == ("A107", "'mlops/requirements.txt' is generated")


def test_a_template_in_another_encoding(project: Path) -> None:
    own_template(project, "x\n")
    (project / "templates" / "requirements.txt.j2").write_bytes("é\n".encode("latin-1"))
    (found,) = [one for one in diagnostics(project) if one.severity == "error"]
    assert (found.code, found.place.file) == ("Y001", "templates/requirements.txt.j2")


def test_a_faulty_template_stops_every_command_alike(project: Path, capsys: Capture) -> None:
    own_template(project, "one\n{{ nobody }}\n")
    for arguments in (["check"], ["compile"], ["why", "dvc.yaml:3"]):
        assert run(arguments) == 1
        assert "--> templates/requirements.txt.j2:2:1" in capsys.readouterr().err
    assert not (project / "mlops.lock").exists()


# --- pages -------------------------------------------------------------------------------------------

_EXAMPLE = re.compile(r"```(yaml|jinja)\n(.*?\n)```\n\n```text\n(.*?)```\n", re.DOTALL)
EXAMPLES = [code for code in TITLES if _EXAMPLE.search((PAGES / f"{code}.md").read_text("utf-8"))]


def test_every_page_that_can_be_shown_with_a_spec_alone_is() -> None:
    assert EXAMPLES == ["A101", "A102", "A103", "A104", "A105", "A106", "A107", "A201", "A205"]


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_page_shows_what_happens(code: str, project: Path) -> None:
    page = PAGES / f"{code}.md"
    shown = _EXAMPLE.search(page.read_text(encoding="utf-8"))
    assert shown is not None
    kind, example, said = shown.groups()
    if kind == "jinja":
        own_template(project, example)
    else:
        ours = read_text(f"templates/{REQUIREMENTS}").splitlines(keepends=True)
        own_template(project, "mine\n", "".join(ours[:-3] + ours[-1:]))
        for name in ("triton.Dockerfile.j2", "base/triton.Dockerfile.j2"):
            triton = read_text("templates/docker/triton.Dockerfile.j2")
            (project / "templates" / name).write_text(triton, encoding="utf-8")
        (project / "mlops.yaml").write_text(example, encoding="utf-8")
    own = [one for one in diagnostics(project) if one.code == code]
    assert own
    if GOLDEN:
        written = page.read_text(encoding="utf-8").replace(
            f"```text\n{said}```", f"```text\n{text(own)}```"
        )
        page.write_text(written, encoding="utf-8")
        said = text(own)
    assert text(own) == said


# --- an installed package ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the example package in it; all else is lent by this one."""
    environment = tmp_path_factory.mktemp("installed")
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    paths = [sysconfig.get_path("purelib"), str(ROOT / "src")]
    lent = "; ".join(f"site.addsitedir({path!r})" for path in paths)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(f"import site; {lent}\n", encoding="utf-8")
    source = environment / "source"  # a build may leave things where it works
    shutil.copytree(PACKAGE, source)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation",
         "--python", python, source],
        check=True,
    )  # fmt: skip
    return python


def mlopsc_in(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "mlopsc", *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def test_an_installed_target_makes_files_like_ours(python: Path, project: Path) -> None:
    asking(project, CATALOG)
    done = mlopsc_in(python, project, "compile")
    assert done.returncode == 0, done.stderr
    system = yaml.safe_load((project / "catalog-info.yaml").read_text(encoding="utf-8"))
    assert (system["kind"], system["spec"]["domain"]) == ("System", "travel")
    component = yaml.safe_load((project / "catalog" / "delay.yaml").read_text(encoding="utf-8"))
    assert component["spec"]["lifecycle"] == "experimental"
    assert "- **delay**" in (project / "catalog" / "README.md").read_text(encoding="utf-8")
    assert "  catalog/delay.yaml\n" in (project / "mlops.lock").read_text(encoding="utf-8")
    assert mlopsc_in(python, project, "check").returncode == 0
    (project / "catalog-info.yaml").write_text("edited: true\n", encoding="utf-8")
    assert "error[W020]" in mlopsc_in(python, project, "check").stderr


def test_why_knows_the_reasons_of_an_installed_target(python: Path, project: Path) -> None:
    asking(project, CATALOG)
    assert mlopsc_in(python, project, "compile").returncode == 0
    lines = (project / "catalog" / "delay.yaml").read_text(encoding="utf-8").splitlines()
    line = next(n for n, each in enumerate(lines, 1) if "lifecycle" in each)
    told = mlopsc_in(python, project, "why", f"catalog/delay.yaml:{line}").stdout
    assert "our choice, catalog_lifecycle:\n  a model that serves is in production" in told
    lines = (project / "catalog-info.yaml").read_text(encoding="utf-8").splitlines()
    line = next(n for n, each in enumerate(lines, 1) if "domain" in each)
    assert (
        "settings: {domain: travel}"
        in mlopsc_in(python, project, "why", f"catalog-info.yaml:{line}").stdout
    )
    lines = (project / "catalog" / "README.md").read_text(encoding="utf-8").splitlines()
    line = next(n for n, each in enumerate(lines, 1) if "**delay**" in each)
    assert "delay:" in mlopsc_in(python, project, "why", f"catalog/README.md:{line}").stdout


def test_the_word_of_an_installed_target_is_taken(python: Path, project: Path) -> None:
    asking(project, CATALOG)
    done = mlopsc_in(python, project, "compile", "--target", "catalog", "--dry-run")
    assert sorted(done.stdout.splitlines()[:3]) == [
        "create  catalog-info.yaml",
        "create  catalog/README.md",
        "create  catalog/delay.yaml",
    ]
    listed = mlopsc_in(python, project, "targets", "--installed").stdout
    assert (
        'catalog             a spec asks for it with {package: mlopsc-catalog, version: "1.2.0"}'
        in listed
    )
    assert "catalog" not in mlopsc_in(python, project, "targets").stdout


def test_a_package_is_not_looked_at_unless_the_spec_names_it(python: Path, project: Path) -> None:
    done = mlopsc_in(python, project, "compile")
    assert done.returncode == 0
    assert not (project / "catalog-info.yaml").exists()


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ('catalog: {package: mlopsc-catalog, version: "1.3.0"}', "A202",
         'version 1.2.0 of \'mlopsc-catalog\' is installed|pip install mlopsc-catalog==1.3.0; or write version: "1.2.0"'),
        ('catalogue: {package: mlopsc-catalog, version: "1.2.0"}', "A203", "did you mean 'catalog'?"),
        ('zzz: {package: mlopsc-catalog, version: "1.2.0"}', "A203", "it has: catalog"),
        ('catalog: {package: pluggy, version: "VERSION"}', "A203", "it has none"),
        ('catalog: {package: mlopsc-catalog, version: "1.2.0", settings: {file: dvc.yaml}}', "A204",
         "'dvc.yaml' is made by 'dvc', and the target 'catalog' makes it too"),
        ('catalog: {package: mlopsc-catalog, version: "1.2.0", settings: {file: MLOPS.yaml}}', "A204",
         "'mlops.yaml' is a file the spec is made from, and the target 'catalog'"),
        ('catalog: {package: mlopsc-catalog, version: "1.2.0", settings: {file: dvc.yaml/x}}', "A204",
         "'dvc.yaml' is made by 'dvc', and the target 'catalog' makes 'dvc.yaml/x'"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_said(
    asked: str, code: str, words: str, python: Path, project: Path
) -> None:
    if "VERSION" in asked:
        asked = asked.replace(
            "VERSION", __import__("importlib.metadata").metadata.version("pluggy")
        )
    asking(project, f"targets:\n  {asked}\n")
    done = mlopsc_in(python, project, "check")
    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr
    for each in words.split("|"):
        assert each in done.stderr


def test_a_package_that_makes_a_path_out_of_the_project_is_named(
    python: Path, project: Path
) -> None:
    asking(project, CATALOG.replace("{domain: travel}", "{file: ../x.yaml}"))
    done = mlopsc_in(python, project, "compile")
    assert done.returncode == 3
    assert "'../x.yaml' is no path inside a project" in done.stderr
    assert "a failure of the package mlopsc-catalog 1.2.0, not of mlopsc" in done.stderr
    assert "bug of mlopsc" not in done.stderr
    assert not (project / "mlops.lock").exists()


def test_without_the_package_nothing_is_made_in_silence(project: Path, capsys: Capture) -> None:
    asking(project, CATALOG)
    assert run(["compile"]) == 1
    told = capsys.readouterr().err
    assert "error[A201]: the package 'mlopsc-catalog' is not installed" in told
    assert "run: pip install mlopsc-catalog==1.2.0" in told
    assert not (project / "mlops.lock").exists()


# --- packages that fail ------------------------------------------------------------------------------

HEAD = "name = 'broken'\nDECISIONS = {}\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a package of one module where Python finds it, as an installer would."""

    def install(module: str) -> None:
        site = tmp_path / "site"
        info = site / "broken-1.dist-info"
        info.mkdir(parents=True)
        (site / "broken_target.py").write_text(module, encoding="utf-8")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[mlopsc.targets]\nbroken = broken_target\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "broken_target", raising=False)

    return install


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import nothing_of_this_name\n", "cannot be imported"),
        ("raise SystemExit(0)\n", "cannot be imported"),
        ("def (\n", "cannot be imported"),
        ("name = 'other'\nDECISIONS = {}\ndef emit(p): return []\n", "calls itself something else"),
        ("name = 'broken'\ndef emit(p): return []\n", "it is no target"),
        (HEAD, "it is no target"),
        (HEAD + "def emit(p): return 3\n", "'int' object is not iterable"),
        (HEAD + "def emit(p): raise KeyError('x')\n", "the target 'broken' failed"),
        (HEAD + "def emit(p): raise SystemExit(0)\n", "the target 'broken' failed"),
        (HEAD + "def emit(p): yield 'text'\n", "'text' is no draft"),
        (HEAD + "from mlopsc.api import YamlDraft\ndef emit(p): yield YamlDraft('/etc/x', (), {})\n", "no path inside"),
        (HEAD + "from mlopsc.api import YamlDraft\ndef emit(p): yield YamlDraft('a/../../x', (), {})\n", "no path inside"),
        (HEAD + "from mlopsc.api import YamlDraft\ndef emit(p): yield YamlDraft('x', 'models', {})\n", "no spec path"),
        (HEAD + "from mlopsc.api import YamlDraft\ndef emit(p): yield YamlDraft('x', (), {'a': object()})\n", "no plain data"),
        (HEAD + "from mlopsc.api import *\ndef emit(p): yield TextDraft('x', (), 'a.j2', {}, {'a.j2': OwnText('{{ b }}')})\n", "'b' is undefined"),
    ],
)  # fmt: skip
def test_a_package_that_fails_is_named_and_we_are_not(
    module: str, words: str, installed: Callable[[str], None], project: Path, capsys: Capture
) -> None:
    installed(module)
    asking(project, 'targets: {broken: {package: broken, version: "1"}}\n')
    assert run(["compile"]) == 3
    told = capsys.readouterr().err
    assert words in told
    assert "This is a failure of the package broken 1, not of mlopsc" in told
    assert "This is a bug of mlopsc" not in told
    assert not (project / "mlops.lock").exists()


# --- what is promised --------------------------------------------------------------------------------


def test_the_guide_names_what_packages_may_use() -> None:
    guide = GUIDE.read_text(encoding="utf-8").partition("### What you may rely on")[2]
    named = set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))
    assert named == set(mlopsc.api.__all__)


def test_the_guide_shows_the_example_package_as_it_is() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    shown = re.findall(r"```(?:python|toml)\n(.*?)```", guide, re.DOTALL)
    sources = [
        (PACKAGE / name).read_text(encoding="utf-8")
        for name in ("pyproject.toml", "src/mlopsc_catalog/__init__.py")
    ]
    for piece in shown:
        assert any(piece in source for source in sources), piece
    assert len(shown) >= 2
