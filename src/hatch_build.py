"""Compiles the Jinja templates into the wheel, as `.pyc` files are: it halves what templates cost a run."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EDITABLE = "editable"


class CompiledTemplates(BuildHookInterface[Any]):
    """Adds them to a wheel; an editable install reads the templates themselves."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write them to a folder, and name it to the build."""
        if version == EDITABLE:
            return
        sys.dont_write_bytecode = True  # the checkout stays as it is
        sys.path.insert(0, str(Path(self.root, "src")))
        from mlopsc.artifacts.templates import compiled_folder

        self._folder = tempfile.TemporaryDirectory()
        compile_templates(Path(self.root, "templates"), Path(self._folder.name))
        build_data["force_include"][self._folder.name] = f"mlopsc/_resources/{compiled_folder()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder."""
        if version != EDITABLE:
            self._folder.cleanup()


def compile_templates(templates: Path, folder: Path) -> None:
    """A Python module for each template, named as Jinja's ModuleLoader looks for it."""
    from jinja2 import ModuleLoader

    from mlopsc.artifacts.templates import template_environment

    environment = template_environment()
    for template in sorted(templates.rglob("*.j2")):
        name = template.relative_to(templates).as_posix()
        source = environment.compile(template.read_text("utf-8"), name, raw=True, defer_init=True)
        module = ModuleLoader.get_module_filename(name)
        Path(folder, module).write_text(source, encoding="utf-8")
