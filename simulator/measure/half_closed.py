"""Connections that one side closed and the other did not: do they pile up?

The side that closed waits in FIN_WAIT2, the other one in CLOSE_WAIT; while its descriptor is kept,
the kernel gives neither up. Seen in the sampler's counts of each hop's two ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.records import Hop

#: Fewer than this may be connections that are just ending.
FEWEST: Final = 50
#: Samples it takes to tell growth from a burst.
_SAMPLES: Final = 8

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClosed:
    """One hop's half-closed connections.

    Attributes:
        peak: the most seen at once, of either end.
        at_end: in the last sample.
        grows: whether there were more in each quarter of the run than in the one before, and the
            last sample is near the peak.
    """

    peak: int
    at_end: int
    grows: bool


def half_closed_counts(run: Run, hop: Hop) -> Ints:
    """Half-closed connections of a hop in each sample, shape (samples,).

    One connection has two ends, and the kernel may forget one of them first; so the end that
    shows more is taken.
    """
    found = []
    for sample in run.samples:
        seen = sample.get("hops", {}).get(hop.label)
        if seen is None:
            continue
        ends = (seen, seen.get("accept_side") or {})
        waiting = [int(end.get(name, 0)) for end in ends for name in ("fin_wait", "close_wait")]
        found.append(max(waiting))
    return np.array(found, dtype=np.int64)


def forgetful_side(run: Run, hop: Hop) -> str:
    """Whose ends, ``connect`` or ``accept``, keep more in CLOSE_WAIT: they were told, and stay."""
    near = far = 0
    for sample in run.samples:
        seen = sample.get("hops", {}).get(hop.label)
        if seen is not None:
            near = max(near, int(seen.get("close_wait", 0)))
            far = max(far, int((seen.get("accept_side") or {}).get("close_wait", 0)))
    return "accept" if far >= near else "connect"


def half_closed(run: Run, hop: Hop) -> HalfClosed:
    """What the samples of a run say of a hop's half-closed connections."""
    counts = half_closed_counts(run, hop)
    if not len(counts):
        return HalfClosed(peak=0, at_end=0, grows=False)
    peak, last = int(counts.max()), int(counts[-1])
    means = [float(part.mean()) for part in np.array_split(counts, 4) if len(part)]
    rises = all(after > before for before, after in itertools.pairwise(means))
    grows = len(counts) >= _SAMPLES and peak >= FEWEST and rises and last >= 0.9 * peak
    return HalfClosed(peak=peak, at_end=last, grows=grows)
