"""The project's own templates: read, and held against ours as they are now."""

from __future__ import annotations

from dataclasses import replace
from difflib import ndiff
from typing import TYPE_CHECKING

from mlopsc.artifacts import sandbox
from mlopsc.artifacts.draft import OwnText
from mlopsc.artifacts.own import finding_of
from mlopsc.artifacts.templates import our_text
from mlopsc.diagnostics.finding import Finding, Note, Rejected
from mlopsc.resources import names
from mlopsc.source.encoding import decode
from mlopsc.source.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import OwnTemplate, Project
    from mlopsc.source.files import Inputs


def our_template(name: str) -> str | None:
    """The text of one of our templates; None: there is none of this name."""
    return our_text(name) if name in template_names() else None


def template_names() -> tuple[str, ...]:
    """The names of our templates, sorted."""
    return names("templates", ".j2")


def read(
    project: Project, inputs: Inputs, texts: dict[str, str], found: list[Finding]
) -> dict[str, OwnText]:
    """The project's templates by the names of ours; what is wrong with them is added to `found`."""
    made: dict[str, OwnText] = {}
    for template in project.templates:
        ours = our_template(template.name)
        if ours is None:
            found.append(_unknown(template))
            continue
        if template.file == template.base:
            found.append(_the_same(template))
            continue
        try:
            base = _text(inputs, template.base, template.at("base"))
            text = _text(inputs, template.file, template.at("file"))
        except Rejected as rejected:
            found += rejected.findings
            continue
        texts[template.file] = text
        made[template.name] = OwnText(text, template.file)
        if _lines(base) != _lines(ours):
            found.append(_changed(template, base, ours))
    return made


def within(name: str, templates: Mapping[str, OwnText]) -> frozenset[str]:
    """Those of the project's `templates` that the template `name` is made with.

    Raises:
        Rejected: A102: one of them is no Jinja.
    """
    try:
        return sandbox.within(name, templates)
    except sandbox.Faulty as faulty:
        own = templates[faulty.fault.name]
        raise Rejected((finding_of(faulty.fault, own),)) from faulty


def _text(inputs: Inputs, name: str, at: Path) -> str:
    """A file that the spec names at `at`; that it is missing is a mistake there."""
    try:
        return decode(name, inputs.read(name)).text
    except Rejected as rejected:
        raise Rejected(
            tuple(
                replace(finding, at=at)
                if finding.code == "W001"
                else replace(finding, notes=(*finding.notes, Note("named", at)))
                for finding in rejected.findings
            )
        ) from None


def _unknown(template: OwnTemplate) -> Finding:
    near = closest(template.name, template_names())
    return Finding(
        "A101",
        f"there is no template '{template.name}'",
        template.origin,
        f"did you mean '{near}'?" if near else "`mlopsc template` lists them",
        on_key=True,
    )


def _the_same(template: OwnTemplate) -> Finding:
    return Finding(
        "A107",
        f"'{template.base}' is your template: it cannot be what yours is compared with",
        template.at("base"),
        f"`mlopsc template {template.name} --take DIR` writes both files",
    )


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _changed(template: OwnTemplate, base: str, ours: str) -> Finding:
    """A105: ours is another than the one theirs was made from."""
    marks = [line[0] for line in ndiff(_lines(base), _lines(ours))]
    more, less = marks.count("+"), marks.count("-")
    told = " and ".join(
        f"{count} line{'' if count == 1 else 's'} {what}"
        for count, what in ((more, "more"), (less, "less"))
        if count
    )
    return Finding(
        "A105",
        f"our template '{template.name}' is not the one yours was made from: {told}",
        template.at("base"),
        f"`mlopsc template {template.name} --diff` shows what changed; take over what you need, then run:"
        f" mlopsc template {template.name} > {template.base}",
        severity="warning",
    )
