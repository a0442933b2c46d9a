"""Made-up traffic for rule tests: so many samples with such a share of bad events, then others.

It is written as counters, in promtool's notation.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlopsc.project.model import Seconds, Share

_START: Final = 10**9
"""Counters do not begin at 0: near it, Prometheus extrapolates less, and ratios are not exact."""

_VOLUME: Final = 10**6
"""Events a sample: six digits of a share come out as whole numbers."""


@frozen
class Phase:
    """So many samples, in each of which `share` of the events are bad; `weight` times as many events."""

    samples: int
    share: Share
    weight: int = 1


@frozen
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
