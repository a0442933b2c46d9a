"""Ids: Great Expectations links its files by UUID; ours are computed from names and never move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from mlopsc.artifacts.draft import traced

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Body, Traced
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Environment, Source

_NAMESPACE: Final = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562's namespace of URLs


class Identity:
    """The ids of one project."""

    def __init__(self, project: str) -> None:
        self._space = uuid5(_NAMESPACE, f"https://mlopsc.dev/{project}")

    def of(self, kind: str, name: str, *origins: Path) -> Traced:
        """The id of the object of this kind and name; `origins`: the spec paths behind the name."""
        return traced(str(uuid5(self._space, f"{kind}/{name}")), ("project",), *origins)

    def named(self, kind: str, name: str) -> dict[str, Body]:
        """`{name, id}`: how one file refers to an object of another."""
        return {"name": name, "id": self.of(kind, name)}

    @staticmethod
    def datasource(source: Source, environment: Environment) -> str:
        """The datasource a source is read through: a folder or bucket of its own, or the database."""
        if source.kind in ("parquet", "csv"):
            return f"{source.name}_{environment.name}"
        return str(source.kind)
