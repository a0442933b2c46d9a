"""A text made with templates that are not ours; what is wrong with a project's own is a finding in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts.allowance import MAX_STEPS
from mlopsc.artifacts.sandbox import FILTERS, Fault, Faulty, rendered
from mlopsc.artifacts.templates import OWN_FILTERS, Marks
from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.diagnostics.lines import split_lines

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Cause, OwnText, TextDraft

_CODES: Final = {"syntax": "A102", "failed": "A103", "limit": "A104"}


def write_own(draft: TextDraft, header: str) -> tuple[str, tuple[Cause, ...]]:
    """The text that `draft`'s template gives, some template of it not being ours; and its causes.

    Raises:
        Rejected: A102 to A104: a template of the project's own is no Jinja, fails or does too much.
        Faulty: the same of a package's template.
    """
    marks = Marks()
    functions = {"cause": marks.line, "cause_from": marks.begin, "cause_to": marks.end}
    context: dict[str, Any] = {**draft.context, **functions, "header": header}
    try:
        text = rendered(draft.template, draft.templates, context)
        try:
            return marks.removed_from(text, (draft.origin, *draft.because))
        except ValueError as error:  # a mark, or a character, that cannot be where it is
            raise Faulty(Fault(draft.template, 1, str(error), "failed")) from error
    except Faulty as faulty:
        raise at_its_line(faulty, draft) from faulty.__cause__


def at_its_line(faulty: Faulty, draft: TextDraft) -> Exception:
    """What to raise: a finding where the project has the template, else what is already there."""
    fault, reason = faulty.fault, faulty.fault.reason
    own = draft.templates.get(fault.name)
    line = fault.line
    if own is None:
        # One of ours fails, for what one of theirs does not give it.
        own = next((each for each in draft.templates.values() if each.file), None)
        reason, line = f"{reason} ({fault.name}, line {fault.line})", 1
    if own is None or own.file is None:
        return faulty
    return Rejected((finding_of(Fault(fault.name, line, reason, fault.kind), own),))


def finding_of(fault: Fault, own: OwnText) -> Finding:
    """`fault` as a finding at its line of the file `own`."""
    lines = split_lines(own.text)
    line = min(max(fault.line, 1), len(lines))
    written = lines[line - 1]
    indent = len(written) - len(written.lstrip())
    place = Place(own.file or fault.name, line, indent + 1, max(len(written), indent + 1) + 1)
    message, help_ = _said(fault)
    return Finding(_CODES[fault.kind], message, place, help_)


def _said(fault: Fault) -> tuple[str, str]:
    ours = f"`mlopsc template {fault.name}` prints ours, which works"
    if fault.kind == "limit":
        return (
            f"the template {fault.reason}",
            f"it writes one file: what is meant needs far fewer than {MAX_STEPS:,} steps",
        )
    if fault.kind == "syntax":
        named = next(
            (word for word in ("filter", "test") if f"No {word} named" in fault.reason), ""
        )
        if named == "filter":
            known = ", ".join(sorted({*FILTERS, *OWN_FILTERS}))
            return f"the template is no Jinja we take: {fault.reason}", f"there are: {known}"
        return f"the template is no Jinja: {fault.reason}", ours
    return f"the template fails: {fault.reason}", ours
