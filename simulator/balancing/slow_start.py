"""Slow start: a backend that has just come gets less than its share at first.

A fresh process has cold caches and, under least connections, looks like the best choice to
everybody. Its share grows evenly over the ramp, whatever the policy: a pick of it stands only with
the probability of the time passed, and falls to another backend otherwise.

Source: the ramp is that of HAProxy's `slowstart` and Envoy's slow start mode with aggression 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simulator.seeds import Random

#: A share so small that no connection ever tries it would keep a backend from warming up.
LEAST: Final = 0.1


class SlowStart:
    """Which picks of new backends stand.

    Args:
        ramp_ns: time to the full share.
        generator: where the draws come from.
    """

    __slots__ = ("_began_ns", "_generator", "_ramp_ns")

    def __init__(self, ramp_ns: int, generator: Random) -> None:
        self._ramp_ns = ramp_ns
        self._generator = generator
        self._began_ns: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._began_ns)

    def begin(self, backend_id: int, now_ns: int) -> None:
        """A backend came."""
        self._began_ns[backend_id] = now_ns

    def end(self, backend_id: int) -> None:
        """A backend left."""
        self._began_ns.pop(backend_id, None)

    def share(self, backend_id: int, now_ns: int) -> float:
        """The part of its share that a backend gets now, 0.1 to 1."""
        began_ns = self._began_ns.get(backend_id)
        if began_ns is None:
            return 1.0
        if now_ns - began_ns >= self._ramp_ns:
            del self._began_ns[backend_id]
            return 1.0
        return max(LEAST, (now_ns - began_ns) / self._ramp_ns)

    def stands(self, backend_id: int, now_ns: int) -> bool:
        """Whether a pick of it stands."""
        share = self.share(backend_id, now_ns)
        return share >= 1.0 or self._generator.random() < share
