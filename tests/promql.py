"""PromQL drawn at random, together with what it reads; and promtool's opinion of it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import tools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

Read = tuple[str, tuple[tuple[str, str, str], ...]]
"""A metric, and its matchers as label, operator, value."""

# Names that are something else in another place: functions, aggregations, keywords, units.
METRICS = (
    "up", "x_total", "a:b:c", "count", "sum", "rate", "by_day", "on_call", "offset_seconds", "or_else",
    "nano", "info_", "mlops_drift_share", "start", "end", "e5", "m5", "_x", ":odd:", "without",
)  # fmt: skip
LABELS = ("job", "le", "by", "sum", "on", "and", "a1", "_x")
VALUES = (
    "",
    "a",
    "5..",
    'quo"ted',
    "back\\slash",
    "{brace}",
    "# none",
    "sum(x)",
    "ü",
    "tab\t",
    "{{ $value }}",
)
FUNCTIONS = ("rate", "increase", "max_over_time", "delta")
AGGREGATIONS = ("sum", "min", "max", "avg", "count", "group", "stddev")


class Maker:
    """Draws one expression; `read` fills with its selectors, in written order."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.read: list[Read] = []

    def vector(self, depth: int = 3) -> str:
        """An instant vector."""
        makers = [self._selector, self._moved]
        if depth > 0:
            makers += [
                lambda: self._aggregated(depth), lambda: self._ranged(depth), lambda: self._matched(depth),
                lambda: self._joined(depth),
                lambda: self._compared(depth), lambda: f"({self.vector(depth - 1)})",
                lambda: f"-{self._selector()}", lambda: self._commented(depth),
                lambda: f"absent({self.vector(depth - 1)})",
                lambda: f"topk(3, {self.vector(depth - 1)})",
                lambda: f'label_replace({self.vector(depth - 1)}, "a", "$1", "b", "(.*)")',
                lambda: f"clamp_max({self.vector(depth - 1)}, {self._number()})",
                lambda: f"({self.vector(depth - 1)} or vector({self._number()}))",
            ]  # fmt: skip
        return self._random.choice(makers)()

    def _space(self) -> str:
        return self._random.choice(("", "", " ", "\n  ", ' # a ) } " comment\n'))

    def _number(self) -> str:
        return self._random.choice(
            ("1", "0.5", ".5", "1e3", "1e-3", "0x1F", "Inf", "NaN", "5m", "1h30m")
        )

    def _quoted(self, value: str) -> str:
        style = self._random.choice("\"'`")
        if style == "`":
            return f"`{value}`"
        text = json.dumps(value, ensure_ascii=self._random.random() < 0.5)[1:-1]
        return (
            f'"{text}"'
            if style == '"'
            else "'" + text.replace('\\"', '"').replace("'", "\\'") + "'"
        )

    def _selector(self) -> str:
        metric = self._random.choice(METRICS)
        matchers = []
        for label in self._random.sample(LABELS, self._random.choice((0, 0, 1, 2))):
            matchers.append((label, self._random.choice(("=", "!=")), self._random.choice(VALUES)))
        self.read.append((metric, tuple(matchers)))
        inside = [
            f"{label}{self._space()}{operator}{self._space()}{self._quoted(value)}"
            for label, operator, value in matchers
        ]
        form = self._random.random()
        if form < 0.15:
            return "{" + ",".join([f'__name__="{metric}"', *inside]) + "}"
        if form < 0.3:
            return "{" + ", ".join([f'"{metric}"', *inside]) + "}"
        trailing = "," if inside and self._random.random() < 0.2 else ""
        braces = "{" + f",{self._space()}".join(inside) + trailing + "}" if inside else ""
        return f"{metric}{self._space() if braces else ''}{braces}"

    def _moved(self) -> str:
        return self._selector() + self._random.choice(
            (" offset 5m", " offset -1h", " @ 1609746000", " @ end()", " @ start() offset 1d")
        )

    def _labels(self) -> str:
        return "(" + ", ".join(self._random.sample(LABELS, self._random.choice((0, 1, 2)))) + ")"

    def _aggregated(self, depth: int) -> str:
        name, word = self._random.choice(AGGREGATIONS), self._random.choice(("by", "without"))
        form = self._random.choice("nba")
        if form == "b":
            return f"{name} {word}{self._space()}{self._labels()}{self._space()}({self.vector(depth - 1)})"
        inside = f"{name}{self._space()}({self.vector(depth - 1)})"
        return inside if form == "n" else f"{inside} {word} {self._labels()}"

    def _ranged(self, depth: int) -> str:
        function = self._random.choice(FUNCTIONS)
        if self._random.random() < 0.3:
            return f"{function}(({self.vector(depth - 1)})[1h:5m])"
        return f"{function}({self._selector()}[{self._random.choice(('5m', '1h30m', ' 1d '))}])"

    def _matched(self, depth: int) -> str:
        left = f"({self.vector(depth - 1)})"
        if self._random.random() < 0.3:
            return (
                f"{left} {self._random.choice(('and', 'or', 'unless'))} ({self.vector(depth - 1)})"
            )
        labels = ", ".join(self._random.sample(LABELS, 2))
        matching = self._random.choice(
            (
                "",
                f"on({labels}) ",
                f"ignoring({labels}) ",
                f"on ({labels}) group_left () ",
                "ignoring(a1) group_right(_x) ",
            )
        )
        return f"{left} {self._random.choice('+-*/%^')} {matching}({self.vector(depth - 1)})"

    def _joined(self, depth: int) -> str:
        return f"({self.vector(depth - 1)}) * on(job) group_left {self._selector()}"

    def _compared(self, depth: int) -> str:
        sign = self._random.choice(("==", "!=", ">", "<", ">=", "<="))
        return f"({self.vector(depth - 1)} {sign} {self._random.choice(('', 'bool '))}{self._number()})"

    def _commented(self, depth: int) -> str:
        return f"# what for: {{a(\n{self.vector(depth - 1)} # done }}\n"


def refused(queries: Sequence[str], folder: Path) -> set[int]:
    """The positions of the queries that promtool cannot parse."""
    rules = [{"record": f"r{number}", "expr": query} for number, query in enumerate(queries)]
    path = folder / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}), encoding="utf-8")
    command = [tools.need("promtool"), "check", "rules", "--lint=none", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    found = {int(number) for number in re.findall(r'rule \d+, "r(\d+)"', said)}
    assert bool(found) == bool(done.returncode), said
    return found
