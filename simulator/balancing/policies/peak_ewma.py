"""Peak EWMA: the better of two at random by expected wait, which believes bad news at once.

Each backend's latency is an exponentially weighted moving average, except that a latency above it
replaces it: a backend that became slow is left at once and comes back as its average decays. The
cost of a backend is that latency times its open connections plus one. One never measured costs
nothing while idle, so that it is tried, and a great deal while its first answer is awaited.

Source: Twitter Finagle, `com.twitter.finagle.loadbalancer.PeakEwma`; the draw of two as in
Mitzenmacher, IEEE TPDS 12(10), 2001.
"""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Final

from simulator.balancing.policies.policy import NOBODY, draw_index

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random

DECAY_NS: Final = 10_000_000_000
_PENALTY_NS: Final = float(1 << 50)


class PeakEwma:
    """Two drawn, the cheaper one picked. O(1) for a pick.

    Args:
        generator: where the draws come from.
        decay_ns: time after which an old latency counts 1/e.
    """

    def __init__(self, generator: Random, decay_ns: int = DECAY_NS) -> None:
        self._generator = generator
        self._decay_ns = decay_ns
        self._now_ns = 0
        self._average: dict[int, tuple[float, int]] = {}  # latency and when it was right

    def observe(self, backend_id: int, latency_ns: int, now_ns: int) -> None:
        """An answer came (or a failure) so long after its connection was begun."""
        self._now_ns = max(self._now_ns, now_ns)
        before = self.latency_ns(backend_id)
        if before is None or latency_ns > before:
            average = float(latency_ns)
        else:
            # What has decayed since the last answer makes room for this one.
            share = self._share_since(self._average[backend_id][1])
            average = self._average[backend_id][0] * share + latency_ns * (1.0 - share)
        self._average[backend_id] = (average, self._now_ns)

    def latency_ns(self, backend_id: int) -> float | None:
        """The latency expected now, decayed to the newest moment known; None = never measured."""
        known = self._average.get(backend_id)
        return None if known is None else known[0] * self._share_since(known[1])

    def _share_since(self, moment_ns: int) -> float:
        return exp(-max(0, self._now_ns - moment_ns) / self._decay_ns)

    def cost(self, backend_id: int, load: Load) -> float:
        """What one more connection to a backend is expected to cost."""
        latency, is_open = self.latency_ns(backend_id), load.open[backend_id]
        if latency is None:
            return _PENALTY_NS + is_open if is_open else 0.0
        return latency * (is_open + 1)

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """The cheaper of two drawn; among equals the one drawn first."""
        if exclude:
            eligible = [one for one in eligible if one not in exclude]
        size = len(eligible)
        if size < 2:
            return eligible[0] if size else NOBODY
        first = draw_index(self._generator, size)
        second = draw_index(self._generator, size - 1)
        if second >= first:  # uniform over the others, see choices.py
            second += 1
        one, other = eligible[first], eligible[second]
        return one if self.cost(one, load) <= self.cost(other, load) else other
