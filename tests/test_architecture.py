"""The arrows of docs/architecture.md, read from the imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "mlopsc"

# Room → what it may import: rooms, or single modules. Written once more here on purpose: a test that
# read the page would let both be changed in one stroke.
ARROWS: dict[str, set[str]] = {
    "frozen": set(),
    "diagnostics": set(),
    "resources": set(),
    "source": {"diagnostics"},
    "spec": {"diagnostics", "source", "resources"},
    "project": {"diagnostics", "source.compose", "source.files", "spec", "artifacts.draft"},
    "rules": {"diagnostics", "project"},
    "artifacts": {"diagnostics", "resources"},
    "patching": {"diagnostics", "project", "artifacts", "source"},
    "targets": {"diagnostics", "project", "artifacts.draft", "resources"},
    "extending": {
        "diagnostics", "project", "artifacts", "targets", "resources", "source", "spec.vocabulary",
    },
    "workspace": {"diagnostics", "artifacts.draft", "source.document"},
    "compiler": {
        "diagnostics", "source", "spec", "project", "rules", "artifacts", "targets", "patching",
        "extending",
    },
    "review": {
        "diagnostics", "source", "compiler", "artifacts", "project", "targets", "resources",
        "spec.codes", "spec.meaning", "rules", "workspace.codes", "patching.codes",
        "extending.codes",
    },
    "incremental": {
        "diagnostics", "source", "spec.merging", "spec.local", "compiler", "artifacts",
        "project.conventions", "workspace.cache", "workspace.remembered", "workspace.signature",
    },
    "authoring": {"spec.vocabulary"},
    "editing": {"diagnostics", "source", "spec.parse", "spec.versions"},
    "api": {"project", "artifacts.draft"},
    "cli": {
        "compiler", "workspace", "patching", "review", "diagnostics", "spec", "targets",
        "project", "source", "artifacts.draft", "resources", "authoring", "editing", "extending",
        "incremental",
    },
    "__main__": {"cli"},
}  # fmt: skip

# One package, one door: who may import what from outside, and whether only when it is used.
DOORS: dict[str, set[str]] = {
    "pydantic": {"spec"},
    "pydantic_core": {"spec"},
    "yaml": {"source"},
    "jinja2": {"artifacts"},
    "jsonschema": set(),
    "ruamel": {"workspace"},
    "click": {"cli"},
    "kubernetes": {"services"},
    "gitlab": {"services"},
    "pyarrow": {"authoring"},
}
LAZY = {"jinja2", "jsonschema", "ruamel", "kubernetes", "gitlab", "pyarrow"}

MODULES = sorted(SOURCE.rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> list[tuple[str, bool, bool]]:
    """Each imported module: its name, whether at module level, whether for types alone."""
    found: list[tuple[str, bool, bool]] = []

    def visit(node: ast.AST, *, top: bool, typing: bool) -> None:
        for child in ast.iter_child_nodes(node):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            types = typing or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            if isinstance(child, ast.Import):
                found.extend((alias.name, top, typing) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                assert child.level == 0, f"{path}: relative import"
                names = [child.module]
                if child.module == "mlopsc" or child.module.startswith("mlopsc."):
                    names = [
                        f"{child.module}.{alias.name}"
                        if (
                            SOURCE.parent / child.module.replace(".", "/") / f"{alias.name}.py"
                        ).is_file()
                        or (SOURCE.parent / child.module.replace(".", "/") / alias.name).is_dir()
                        else child.module
                        for alias in child.names
                    ]
                found.extend((name, top, typing) for name in names)
            visit(child, top=top and not inside, typing=types)

    visit(ast.parse(path.read_text(encoding="utf-8")), top=True, typing=False)
    return found


def _allowed(room: str, module: str, own: str) -> bool:
    if module in ("", "__init__") or module.split(".", maxsplit=1)[0] == room:
        # Targets never see each other.
        if room == "targets" and own.count(".") and module.count("."):
            return own.split(".")[1] == module.split(".")[1]
        return True
    return any(module == to or module.startswith(f"{to}.") for to in {*ARROWS[room], "frozen"})


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_follow_the_arrows(path: Path) -> None:
    own = _name(path)
    room = own.split(".")[0]
    if not room:
        return
    wrong = sorted(
        {
            module
            for module, _, _ in _imports(path)
            if module.startswith("mlopsc")
            and not _allowed(room, module.removeprefix("mlopsc").lstrip("."), own)
        }
    )
    assert not wrong, f"{own} imports {', '.join(wrong)}; see docs/architecture.md"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_packages_come_in_through_their_door(path: Path) -> None:
    own = _name(path)
    room = own.split(".")[0]
    for module, top, typing in _imports(path):
        package = module.split(".")[0]
        if package in DOORS and not typing:
            assert room in DOORS[package], f"{own} imports {package}"
            assert not (top and package in LAZY), f"{own} imports {package} before it is needed"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_else_is_imported(path: Path) -> None:
    known = set(sys.stdlib_module_names) | set(DOORS) | {"mlopsc", "typing_extensions"}
    for module, _, _ in _imports(path):
        assert module.split(".")[0] in known, f"{_name(path)} imports {module}"


def test_every_room_is_known() -> None:
    assert {_name(path).split(".")[0] for path in MODULES} - {""} <= ARROWS.keys()


def test_the_compiler_fits_on_a_screen() -> None:
    assert len((SOURCE / "compiler.py").read_text(encoding="utf-8").splitlines()) <= 80
