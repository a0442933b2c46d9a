"""Facts and answers → the text of a first spec."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlopsc.authoring.choices import Choices, check_choices
from mlopsc.authoring.proposals import null_bound, percentage, propose
from mlopsc.authoring.refusal import UnusableError
from mlopsc.authoring.words import name_from, quoted, scalar
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlopsc.authoring.facts import ColumnFacts, TableFacts
    from mlopsc.authoring.proposals import Proposal

_WIDTH: Final = 110
_LONGEST_ENTRY: Final = 44  # characters; a longer one does not move the comments of all others
_FLOW: Final = 90  # characters of a list that stays on one line

_GATES: Final = {
    "regression": ("r2", "0 is always answering the mean, 1 is perfect"),
    "forecasting": ("r2", "0 is always answering the mean, 1 is perfect"),
    "classification": ("mcc", "0 is guessing, 1 is perfect, whatever the shares of the classes"),
    "ranking": ("mrr", "one divided by the first right answer's place, on average"),
}
"""A first metric of each task whose scale does not depend on the data, and what the scale is."""
_FIRST_BOUND: Final = "0.1"


@frozen
class Entry:
    """A column's line.

    Attributes:
        name: the column's name.
        keys: what is in effect: key → YAML text, the type first.
        remarks: what was seen.
        proposed: what could be in effect instead: the same keys and more; None without a proposal.
    """

    name: str
    keys: dict[str, str]
    remarks: tuple[str, ...] = ()
    proposed: dict[str, str] | None = None

    @property
    def text(self) -> str:
        """The entry as it is in effect."""
        return f"{scalar(self.name)}: {flow(self.keys)}"


def flow(keys: dict[str, str]) -> str:
    """`float32`, or `{type: float32, min: 0}`."""
    if list(keys) == ["type"]:
        return keys["type"]
    return "{" + ", ".join(f"{key}: {value}" for key, value in keys.items()) + "}"


def source_name(table: TableFacts) -> str:
    """The source's name, from its file's."""
    return name_from(table.location.rpartition("/")[2].partition(".")[0], "examples")


def model_name(choices: Choices) -> str:
    """The model's name, from its target's."""
    return name_from(choices.target, "model")


def spec_text(table: TableFacts, choices: Choices) -> str:
    """The spec as text; every line ends with a line end.

    Raises:
        UnusableError: an answer does not fit, or no column is left to predict from.
    """
    check_choices(table, choices)
    proposals = {
        column.name: propose(column, table.rows or 0)
        for column in table.columns
        if column.type is not None
    }
    return "\n".join(
        [
            *_top(table),
            "apiVersion: mlopsc/v1",
            f"project: {scalar(choices.project)}",
            *_source(table, choices, proposals),
            *_model(table, choices, proposals),
            "",
        ]
    )


def _top(table: TableFacts) -> list[str]:
    if table.rows is None:
        return ["# A first spec. `mlopsc check` says what is wrong and what could come next."]
    rows = f"{table.rows:,} row{'s' if table.rows > 1 else ''}"
    seen = rows if table.whole else f"the first {rows}"
    text = (
        f"A first spec, from {seen} of {table.location}. Types, and how much may be missing,"
        " follow the file. A comment says what else was seen, and proposes: to accept its {…}, write"
        " it in the place of the type. `mlopsc check` says what is wrong and what"
        " could come next."
    )
    return _comment(text, "")


def _comment(text: str, indent: str, then: str = "") -> list[str]:
    """A comment, wrapped, but not inside `code`; later lines are indented by `then` too."""
    lines = textwrap.wrap(
        re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# {then}",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]


# --- the source --------------------------------------------------------------------------------


def _source(table: TableFacts, choices: Choices, proposals: dict[str, Proposal]) -> Iterator[str]:
    yield "sources:"
    yield f"  {scalar(source_name(table))}:"
    if table.remark:
        yield from _comment(table.remark, "    ")
    yield f"    {table.kind}: {scalar(table.location)}"
    yield from _timestamp(table, choices)
    yield "    columns:"
    entries = [
        entry
        for column in table.columns
        if column.type is not None and column.name != choices.timestamp
        for entry in [column_entry(column, choices, proposals[column.name])]
    ]
    yield from _aligned(distinct_entities(entries))
    left = [column for column in table.columns if column.type is None]
    for column in left:
        yield from _comment(f"left out: {quoted(column.name)} ({column.reason})", "      ", "  ")


def _timestamp(table: TableFacts, choices: Choices) -> Iterator[str]:
    if choices.timestamp is not None:
        column = table.column(choices.timestamp)
        missing = column.null_share if column else 0
        remark = f"    # {_missing(missing)}: those rows fail the check" if missing else ""
        yield f"    timestamp: {scalar(choices.timestamp)}{remark}"
        return
    times = [c.name for c in table.columns if c.type == "timestamp"]
    if times:
        yield from _comment(f"timestamp: {times[0]}", "    ")
        text = f"the column that says when a row happened; holding times: {', '.join(times)}."
        yield from _comment(f"  {text} It then has no entry in columns.", "    ", "  ")


def column_entry(column: ColumnFacts, choices: Choices, proposal: Proposal) -> Entry:
    """A column's line: facts in effect, the rest behind `#`."""
    keys: dict[str, str] = {"type": column.type or "string"}
    more = dict(proposal.keys)
    remarks = list(proposal.remarks)
    if column.name in choices.keys:
        keys["key"] = choices.keys[column.name]
        more.pop("key", None)
    if column.null_share:
        remarks.append(_missing(column.null_share))
        keys["nulls"] = percentage(null_bound(column.null_share))
    if column.name == choices.target:
        remarks.insert(0, "the target")
        more.pop("key", None)
        if choices.timestamp is not None:
            more["known_after"] = "1d"
            remarks.append("known how long after?")
    return Entry(column.name, keys, tuple(remarks), {**keys, **more} if more else None)


def distinct_entities(entries: list[Entry]) -> list[Entry]:
    """The entries, no entity proposed for two columns: it has one."""
    taken = {entry.keys["key"] for entry in entries if "key" in entry.keys}
    kept = []
    for entry in entries:
        proposed = entry.proposed
        if proposed is not None and "key" in proposed and "key" not in entry.keys:
            if proposed["key"] in taken:
                less = {key: value for key, value in proposed.items() if key != "key"}
                kept.append(replace(entry, proposed=less if less != entry.keys else None))
                continue
            taken.add(proposed["key"])
        kept.append(entry)
    return kept


def _missing(share: float) -> str:
    rounded = f"{share * 100:.2g}" if share < 0.1 else f"{share * 100:.0f}"  # noqa: PLR2004
    return f"{rounded}% missing"


def _aligned(entries: list[Entry]) -> Iterator[str]:
    lengths = [len(entry.text) for entry in entries if len(entry.text) <= _LONGEST_ENTRY]
    column = max(lengths, default=0) + 2
    for entry in entries:
        remark = ", ".join(entry.remarks)
        proposal = flow(entry.proposed) if entry.proposed else ""
        line = f"      {entry.text:<{column}}"
        whole = f"{line}# {remark}{': ' if remark and proposal else ''}{proposal}"
        if not remark and not proposal:
            yield line.rstrip()
        elif len(whole) <= _WIDTH or not proposal:
            yield whole
        else:
            yield f"{line}# {remark}:"
            yield from _wrapped(proposal, " " * (6 + column))


def _wrapped(proposal: str, indent: str) -> list[str]:
    """A proposal over several comment lines, broken between values and nowhere else."""
    held = re.sub(r'"(?:[^"\\]|\\.)*"', lambda text: text[0].replace(" ", "\0"), proposal)
    held = re.sub(r"(?<!,) ", "\0", held)
    return _comment(held, indent, " ")


# --- the model ---------------------------------------------------------------------------------


def _model(table: TableFacts, choices: Choices, proposals: dict[str, Proposal]) -> Iterator[str]:
    source = source_name(table)
    features, without = _features(table, choices, proposals)
    yield "models:"
    yield f"  {scalar(model_name(choices))}:"
    yield f"    task: {choices.task}"
    yield f"    target: {source}:{choices.target}"
    yield from _feature_lines([f"{source}:{name}" for name in features])
    if without:
        named = "; ".join(f"{name} ({why})" for name, why in without)
        yield from _comment(f"not among them: {named}", "    ", "  ")
    names = {column.name.lower() for column in table.columns}
    if "prediction" in names:
        yield f"    prediction: {_free('predicted', names)}"
    yield f"    training: {{command: {scalar(choices.command)}}}"
    yield from _evaluation(choices)


def _features(
    table: TableFacts, choices: Choices, proposals: dict[str, Proposal]
) -> tuple[list[str], list[tuple[str, str]]]:
    """The columns to predict from, and those that are not, with why."""
    features, without = [], []
    for column in table.columns:
        if column.type is None or column.name in (choices.target, choices.timestamp):
            continue
        why = "a key" if column.name in choices.keys else proposals[column.name].no_feature
        if why is None:
            features.append(column.name)
        else:
            without.append((column.name, why))
    if not features:
        named = "; ".join(f"{name}: {why}" for name, why in without[:5])
        raise UnusableError(
            f"no column is left to predict {quoted(choices.target)} from"
            + (f" ({named})" if named else ""),
            "give init a table with at least one more column of numbers, texts or truth values",
        )
    return features, without


_LEAK: Final = "take out what nobody knows yet when a prediction is asked for"


def _feature_lines(features: list[str]) -> Iterator[str]:
    inline = f"    features: [{', '.join(features)}]"
    if len(inline) <= _FLOW:
        yield from _comment(_LEAK, "    ")
        yield inline
        return
    yield f"    features:  # {_LEAK}"
    for feature in features:
        yield f"      - {feature}"


def _free(stem: str, taken: Iterable[str]) -> str:
    """`stem`, or `stem_2` and so on while that is a column."""
    names = set(taken)
    name, count = stem, 1
    while name in names:
        count += 1
        name = f"{stem}_{count}"
    return name


def _evaluation(choices: Choices) -> Iterator[str]:
    gate = _GATES.get(choices.task)
    if gate is None:
        yield from _comment(
            "evaluation: {metrics: {METRIC: {min: …}}}, a key of your metrics.json, adds the gate",
            "    ",
        )
        return
    metric, scale = gate
    written = f"    evaluation: {{metrics: {{{metric}: {{min: {_FIRST_BOUND}}}}}}}"
    yield f"{written}  # the gate: {scale}"
