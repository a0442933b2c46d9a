"""The key tables of `docs/language/`: made from the models, so that they cannot be out of step.

`python -m mlopsc.spec.pages` writes them between the markers `<!-- keys: PATH -->` and
`<!-- /keys -->` of each page; the prose around them is written by hand.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from mlopsc.spec.built import NOT_BUILT
from mlopsc.spec.groups import MISPLACED
from mlopsc.spec.root import Spec
from mlopsc.spec.secrets import SecretRef
from mlopsc.spec.shape import Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from mlopsc.spec.patterns import Pattern

PAGES: Final[dict[Pattern, str]] = {
    ("platform",): "platform.md",
    ("services",): "services.md",
    ("secrets", "*"): "secrets.md",
    ("environments", "*"): "environments.md",
    ("images", "*"): "images.md",
    ("sources", "*"): "sources.md",
    ("features", "*"): "features.md",
    ("models", "*"): "models.md",
    ("models", "*", "training"): "training.md",
    ("models", "*", "training", "tuning"): "tuning.md",
    ("models", "*", "evaluation"): "evaluation.md",
    ("models", "*", "serving"): "serving.md",
    ("models", "*", "batch"): "batch.md",
    ("models", "*", "monitoring"): "monitoring.md",
    ("models", "*", "governance"): "governance.md",
    ("endpoints", "*"): "endpoints.md",
    ("alerts",): "alerts.md",
    ("ci",): "ci.md",
    ("targets", "*"): "targets.md",
    ("templates", "*"): "templates.md",
    ("patches", "*"): "patches.md",
}
"""The page of a chapter; what has no page of its own is explained on its owner's."""

_MARKED: Final = re.compile(r"<!-- keys: (\S*) -->\n.*?<!-- /keys -->", re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z0-9/$^](?:[A-Za-z0-9_./%@=;$()^-]|:(?! )| (?!#))*")
_NUMBER: Final = re.compile(r"[0-9.]+(?:e[0-9]+)?")
_HEAD: Final = "| key | takes | default | what it says |\n| --- | --- | --- | --- |\n"


def filled(page: str) -> str:
    """The text of a page with its tables as they have to be."""
    return _MARKED.sub(_table, page)


def _table(marker: re.Match[str]) -> str:
    path: Pattern = tuple(step for step in marker[1].split(".") if step)
    shape: Shape | None = shape_of(Spec)
    for step in path:
        shape = shape.below(step) if shape else None
    if shape is None:
        raise ValueError(f"no chapter stands at {marker[1]}")
    rows = "".join(_rows(shape, path, ""))
    return f"<!-- keys: {marker[1]} -->\n{_HEAD}{rows}<!-- /keys -->"


def _rows(shape: Shape, path: Pattern, prefix: str) -> Iterator[str]:
    chapter = next((o for o in (shape, *shape.options) if o.chapter), None)
    if chapter is None or chapter.chapter is None:
        return
    fields = {f.alias or name: f for name, f in chapter.chapter.model_fields.items()}
    for key, inner in chapter.keys.items():
        here = (*path, key)
        if any(row.path == here for row in MISPLACED):
            continue
        yield _row(f"{prefix}{key}", here, inner, fields[key])
        entry, below, name = inner, here, f"{prefix}{key}."
        while entry.kind in ("map", "list") and entry.item is not None:
            step = "NAME." if entry.kind == "map" else "N."
            entry, below, name = entry.item, (*below, "*"), name + step
        told = below in PAGES or here in PAGES or any(row.path == here for row in NOT_BUILT)
        if not told and SecretRef not in _chapters(entry):
            yield from _rows(entry, below, name)


def _chapters(shape: Shape) -> set[type | None]:
    return {option.chapter for option in (shape, *shape.options)}


def _row(name: str, path: Pattern, shape: Shape, field: FieldInfo) -> str:
    page = PAGES.get(path) or PAGES.get((*path, "*"))
    said = [field.description or ""]
    if page:
        said.append(f"See [{page.removesuffix('.md')}]({page}).")
    entry = next((row for row in NOT_BUILT if row.path == path), None)
    if entry is not None and entry.works:
        said.append(f"Works now: {', '.join(f'`{word}`' for word in sorted(entry.works))}.")
    elif entry is not None:
        said.append("*Not built yet.*")
    else:
        said.append(f"For example `{_written((field.examples or [None])[0])}`.")
    cells = (f"`{name}`", _takes(shape), _default(field), " ".join(said))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _takes(shape: Shape) -> str:
    if shape.kind == "map" and shape.item is not None:
        return f"names, each with {_takes(shape.item)}"
    if shape.kind == "list" and shape.item is not None:
        return f"a list, each {_takes(shape.item)}"
    return shape.phrase


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    return "" if field.default in (None, {}, ()) else f"`{_written(field.default)}`"


def _written(value: Any) -> str:
    """A value as people write it in YAML, on one line."""
    if isinstance(value, dict):
        items = ", ".join(f"{key}: {_written(item)}" for key, item in value.items())
        return f"{{{items}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_written(item) for item in value)}]"
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and not _NUMBER.fullmatch(value):
            return value
        return f"'{value}'" if '"' in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


if __name__ == "__main__":
    from pathlib import Path

    for file in sorted(Path("docs/language").glob("*.md")):
        file.write_text(filled(file.read_text(encoding="utf-8")), encoding="utf-8")
