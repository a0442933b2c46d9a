"""A rule that is changed by one word, number or label must fail the test beside it.

Not changed here, for it changes nothing an alert could say: `or vector(0)` and `> 0` in recordings (they
decide what a dashboard shows of no traffic), `>` for `>=` between two numbers that are computed, one
matcher of one side of an `and` (the other side has it too), `max` within `absent`, and a label of an
alert that its recordings carry already. What a user's own query computes is the user's.

There are hundreds of changes, and promtool takes its time: by default every tenth is made, `make mutations`
makes all of them. The share that is caught is printed at the end of the session; less than all of it fails.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlopsc.artifacts.draft import CopyDraft
from mlopsc.project.conventions import IDENTITY_LABELS
from mlopsc.targets import prometheus
from targets.alerting_projects import dump, failed_tests, files, project

if TYPE_CHECKING:
    from collections.abc import Callable

Rule = dict[str, Any]
UNCHANGED = "nothing"
SHORT = 40
"""Evaluations of a short test."""
STRIDE = 1 if os.environ.get("MLOPSC_MUTANTS") == "all" else 10
LEAST = 1500 // STRIDE
"""Fewer changes than this, and the test does not look where it should."""
EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDER = "monitoring/prometheus/production/"

_NUMBER = re.compile(r"(?<![\w\"\[.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w\"\].])")
_MATCHER = re.compile(r"\w+(?:=~|!~|!=|=)\"[^\"]*\",?")
_WINDOW = re.compile(r"\[(\w+)\]")
_RECORDED = re.compile(r":(ratio_rate|increase)\w+")


def _replaced(text: str, found: re.Match[str], new: str) -> str:
    return (text[: found.start()] + new + text[found.end() :]).replace(",}", "}")


Edits = Iterator[tuple[str, str]]
"""(what was done, the expression after it)."""


def _expressions(expr: str, *, recording: bool) -> Edits:
    yield from _matchers(expr, everywhere="ratio_rate" in expr and not recording)
    for found in _WINDOW.finditer(expr):
        for other in ("1m", "9d"):
            yield f"{found[0]} → {other}", _replaced(expr, found, f"[{other}]")
    if not recording:
        yield from _numbers(expr)
        yield from _comparisons(expr)
        yield from _words(expr)


def _matchers(expr: str, *, everywhere: bool) -> Edits:
    if everywhere:
        for matcher in dict.fromkeys(found[0] for found in _MATCHER.finditer(expr)):
            yield f"nowhere {matcher}", expr.replace(matcher, "").replace(",}", "}")
    else:
        for found in _MATCHER.finditer(expr):
            yield f"without {found[0]}", _replaced(expr, found, "")


def _numbers(expr: str) -> Edits:
    for found in _NUMBER.finditer(expr):
        value = float(found[0])
        steps = (value - 1, value + 1) if value == 3 else (value * 0.95 - 1e-4, value * 1.05 + 1e-4)
        for changed in steps:
            yield f"{found[0]} → {changed:g}", _replaced(expr, found, f"{changed!r}")


def _comparisons(expr: str) -> Edits:
    computed = "ratio_rate" in expr or "time()" in expr
    for sign, other in ((" > ", " < "), (" < ", " > "), (" >= ", " < ")):
        for found in re.finditer(sign, expr):
            yield f"{sign}→{other}", _replaced(expr, found, other)
            if not computed:
                yield f"{sign}or equal", _replaced(expr, found, f"{sign.rstrip()}= ")


def _words(expr: str) -> Edits:
    for found in _RECORDED.finditer(expr):
        yield f"{found[0]} → 99m", _replaced(expr, found, f":{found[1]}99m")
    for found in re.finditer(r"\band\b", expr):
        yield "and → or", _replaced(expr, found, "or")
    for found in re.finditer(r"\babsent\(|(?<!absent\()\b(?:min|max)\(", expr):
        yield f"without {found[0]}", _replaced(expr, found, "(")


def _mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    def changed(edit: Callable[[Rule], object]) -> Rule:
        mutant = copy.deepcopy(rule)
        edit(mutant)
        return mutant

    recording = "record" in rule
    user_query = (
        recording and ":ratio_rate" not in rule["record"] and ":increase" not in rule["record"]
    )
    if user_query:
        return
    for what, expr in _expressions(rule["expr"], recording=recording):
        yield what, changed(lambda mutant, expr=expr: mutant.update(expr=expr))  # type: ignore[misc]
    for label in rule["labels"]:
        yield f"label {label} changed", changed(lambda m, n=label: m["labels"].update({n: "other"}))  # type: ignore[misc]
        if label in {*IDENTITY_LABELS, "metric", "rule"} and ":" in rule["expr"] and not recording:
            continue
        yield f"label {label} gone", changed(lambda m, n=label: m["labels"].pop(n))  # type: ignore[misc]
    for text in rule.get("annotations", {}):
        yield f"{text} changed", changed(lambda m, n=text: m["annotations"].update({n: "other"}))  # type: ignore[misc]
    if "for" in rule:
        yield "without for", changed(lambda mutant: mutant.pop("for"))
        for other in ("1m", "9d"):
            yield f"for {other}", changed(lambda m, n=other: m.update({"for": n}))  # type: ignore[misc]
    elif not recording:
        yield "with for", changed(lambda mutant: mutant.update({"for": "1h"}))


def _relevant(rule: Rule, tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the tests say of the rule, and nothing of the others, which could only pass."""
    if "record" in rule:
        window = re.sub(r".*(?:ratio_rate|increase)", "", rule["record"])
        named = {f"windows of {window}", "requests of others do not count"}
        return [test for test in tests if test["name"] in named]
    found = []
    slo = rule["labels"].get("slo", "")
    for test in tests:
        cases = test.get("alert_rule_test", [])
        own = [case for case in cases if case["alertname"] == rule["alert"]]
        if own and (not slo or test["name"].startswith(slo)):
            found.append({**test, "alert_rule_test": own})
    return found


def _alone(rules: dict[str, Any], group: int, position: int, mutant: Rule) -> dict[str, Any]:
    """The rules with the mutant in place, without those that have nothing to do with it."""
    kept = copy.deepcopy(rules)
    kept["groups"][group]["rules"][position] = mutant
    kind = rules["groups"][group]["rules"][position].get("alert")
    burning = kind in {None, "ModelErrorBudgetBurn"}
    for content in kept["groups"]:
        content["rules"] = [
            rule
            for rule in content["rules"]
            if rule is mutant or rule.get("alert") == kind or (burning and "record" in rule)
        ]
    kept["groups"] = [content for content in kept["groups"] if content["rules"]]
    return kept


@dataclass(frozen=True)
class Subject:
    """A rule file and the test files beside it."""

    name: str
    rules: dict[str, Any]
    suites: list[dict[str, Any]]


@dataclass(frozen=True)
class Changed:
    """A rule file in which one rule was changed."""

    subject: Subject
    rule: Rule
    what: str
    rules: dict[str, Any]

    def __str__(self) -> str:
        named = self.rule.get("alert") or self.rule["record"]
        return f"{self.subject.name}: {named} {self.rule['labels']}: {self.what}"


def test_no_change_of_a_rule_goes_unnoticed(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    changes = [change for subject in _subjects() for change in _changes(subject)]
    left = [change for change in changes if change.what != UNCHANGED][::STRIDE]
    mutants = len(left)
    # One short test that fails says enough; only what it lets through is worth more and longer ones.
    for number, (longest, most) in enumerate(((SHORT, 1), (SHORT, None), (None, None))):
        caught = _caught(left, tmp_path / f"{number}", longest, most)
        left = [change for number, change in enumerate(left) if number not in caught]
    sound = [change for change in changes if change.what == UNCHANGED]
    failing = _caught(sound, tmp_path / "sound")
    assert [str(sound[number]) for number in failing] == []  # it would catch everything
    share = f"{mutants - len(left)} of {mutants} changes of alert rules caught"
    record_property("mutations", f"{share} ({1 - len(left) / mutants:.2%})")
    assert [str(change) for change in left] == []
    assert mutants > LEAST


def _subjects() -> Iterator[Subject]:
    """Every kind of alert, and the alerts of a real project as they are committed."""
    drafts = prometheus.emit(project())
    texts = files(draft for draft in drafts if not isinstance(draft, CopyDraft))
    yield _subject("churn", {path: text for path, text in texts.items() if FOLDER in path})
    yield _subject("all-models", {path: text for path, text in texts.items() if FOLDER in path})
    folder = EXAMPLES / "flights" / FOLDER
    yield _subject("delay", {path.name: path.read_text("utf-8") for path in folder.iterdir()})


def _subject(name: str, texts: dict[str, str]) -> Subject:
    rules = next(text for path, text in texts.items() if path.endswith(f"{name}.rules.yml"))
    suites = [
        yaml.load(text, yaml.CSafeLoader)
        for path, text in texts.items()
        if re.search(rf"(?:^|/){name}(?:\.hours)?\.rules\.test\.yml$", path)
    ]
    assert suites
    return Subject(name, yaml.load(rules, yaml.CSafeLoader), suites)


def _changes(subject: Subject) -> Iterator[Changed]:
    for group, position, what, mutant in chain(
        _all_mutants(subject.rules), _unchanged(subject.rules)
    ):
        rule = subject.rules["groups"][group]["rules"][position]
        yield Changed(subject, rule, what, _alone(subject.rules, group, position, mutant))


def _caught(
    changes: list[Changed], folder: Path, longest: int | None = None, most: int | None = None
) -> set[int]:
    """The numbers of those for which a test fails: of so many evaluations, so many tests a file."""
    tests: list[Path] = []
    for number, change in enumerate(changes):
        for place, suite in enumerate(change.subject.suites):
            relevant = [
                test
                for test in _relevant(change.rule, suite["tests"])
                if longest is None or _evaluations(test, suite) <= longest
            ]
            relevant = sorted(relevant, key=_says_nothing)[:most]
            if relevant:
                dump(folder / str(number) / f"{change.subject.name}.rules.yml", change.rules)
                tests.append(folder / str(number) / f"{place}.rules.test.yml")
                dump(tests[-1], {**suite, "tests": relevant})
    folder.mkdir(exist_ok=True)
    failed = failed_tests(tests, folder / "report.xml") if tests else {}
    return {int(path.parent.name) for path in failed}


def _says_nothing(test: dict[str, Any]) -> bool:
    """Whether it only wants quiet: most changes of an alert are quiet."""
    return not any(case["exp_alerts"] for case in test.get("alert_rule_test", []))


def _evaluations(test: dict[str, Any], suite: dict[str, Any]) -> int:
    """How often promtool evaluates the rules for a test: what it costs."""
    asked = [*test.get("alert_rule_test", []), *test.get("promql_expr_test", [])]
    end = max(_seconds(one["eval_time"]) for one in asked)
    return end // _seconds(suite["evaluation_interval"])


def _seconds(duration: str) -> int:
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([dhms])", duration))


def _all_mutants(rules: dict[str, Any]) -> Iterator[tuple[int, int, str, Rule]]:
    for group, content in enumerate(rules["groups"]):
        for position, rule in enumerate(content["rules"]):
            for what, mutant in _mutants(rule):
                yield group, position, what, mutant


def _unchanged(rules: dict[str, Any]) -> Iterator[tuple[int, int, str, Rule]]:
    """Each kind of alert as it is, once."""
    seen = set()
    for group, content in enumerate(rules["groups"]):
        for position, rule in enumerate(content["rules"]):
            kind = (rule.get("alert"), rule["labels"].get("slo"))
            if "alert" in rule and kind not in seen:
                seen.add(kind)
                yield group, position, UNCHANGED, copy.deepcopy(rule)
