"""Made-up traffic for rule tests, and what a burn-rate alert must say to it.

`Traffic` is piecewise constant: so many samples with such a share of bad events. It is written as
counters for promtool, and read back here the way Prometheus reads counters, so that a test expects
what the definition of a burn rate says and not what the rule says.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlopsc.project.alerting.burn_rates import Burn
    from mlopsc.project.model import Seconds, Share

_START: Final = 10**9
"""Counters do not begin at 0: near it, Prometheus extrapolates less, and ratios are not exact."""

_VOLUME: Final = 10**6
"""Events a sample: six digits of a share come out as whole numbers."""


@dataclass(frozen=True, slots=True)
class Phase:
    """So many samples, in each of which `share` of the events are bad; `weight` times as many events."""

    samples: int
    share: Share
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Traffic:
    """Events at every `interval`, phase after phase."""

    interval: Seconds
    phases: tuple[Phase, ...]
    volume: int = _VOLUME

    @property
    def end(self) -> Seconds:
        """The moment of the last sample."""
        return self.interval * sum(phase.samples for phase in self.phases)

    def every(self) -> str:
        """The counter of all events, in promtool's notation."""
        return _notation(self.phases, self._steps())

    def bad(self) -> str:
        """The counter of bad events."""
        return _notation(self.phases, self._bad_steps())

    def good(self) -> str:
        """The counter of the others."""
        steps = zip(self._steps(), self._bad_steps(), strict=True)
        return _notation(self.phases, [every - bad for every, bad in steps])

    def firing(self, burns: Iterable[Burn], objective: Share) -> list[Burn] | None:
        """The lines of the table that burn at the end; None where it is too close to tell."""
        found = []
        for burn in burns:
            verdicts = {
                all(
                    ratio > burn.threshold(objective) * margin for ratio in self._ratios(burn, last)
                )
                for margin in (0.995, 1.005)
                for last in (0, 1)
            }
            if len(verdicts) > 1:
                return None
            if verdicts.pop():
                found.append(burn)
        return found

    def _ratios(self, burn: Burn, closed: int) -> list[float]:
        return [self._ratio(burn.long, closed), self._ratio(burn.short, closed)]

    def _ratio(self, window: Seconds, closed: int) -> float:
        """The share over the last `window`; Prometheus 2 counts a sample on its far edge too."""
        left = max(window // self.interval - 1 + closed, 0)
        every = bad = 0
        for phase, step, bad_step in reversed(
            list(zip(self.phases, self._steps(), self._bad_steps(), strict=True))
        ):
            covered = min(left, phase.samples)
            left -= covered
            every += covered * step
            bad += covered * bad_step
        return bad / every if every else 0.0

    def _steps(self) -> list[int]:
        return [self.volume * phase.weight for phase in self.phases]

    def _bad_steps(self) -> list[int]:
        return [round(self.volume * phase.weight * phase.share) for phase in self.phases]


def _notation(phases: Sequence[Phase], steps: Sequence[int]) -> str:
    """`1000 1010+10x4 1050+0x9`: promtool's `a+bxn` is a and n further samples."""
    lengths = [phase.samples for phase in phases]
    gains = [length * step for length, step in zip(lengths, steps, strict=True)]
    starts = accumulate(gains, initial=_START)
    parts = [
        f"{start + step}+{step}x{length - 1}"
        for start, step, length in zip(starts, steps, lengths, strict=False)
    ]
    return " ".join([str(_START), *parts])
