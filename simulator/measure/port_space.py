"""The port space of a hop over a run: which ports were in which state when, for a heat map.

Samples come at moments of their own; columns of a picture are of equal width. Each column shows
the last sample at or before its end, for as long as samples came in time; where they did not,
nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.ports.range import PortRange
from simulator.ports.space import STATES, bin_count, bin_sizes
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run

    Counts = np.ndarray[Any, np.dtype[np.int32]]

_MOST_COLUMNS: Final = 400
#: A silence of more than this many usual intervals is a gap.
_GAP: Final = 3.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PortSpace:
    """One hop's ports over time.

    Attributes:
        ports: the range.
        start_s, end_s: the time that the columns span.
        sizes: ports in each bin, shape (bins,).
        counts: state -> ports in it, shape (bins, columns); -1 where nothing is known.
    """

    ports: PortRange
    start_s: float
    end_s: float
    sizes: Counts
    counts: Mapping[str, Counts]


def port_space(run: Run, hop: str, end_s: float) -> PortSpace | None:
    """Work out a hop's port space; None where samples do not hold one.

    Args:
        run: complete or cut short.
        hop: its label.
        end_s: end of the last column.
    """
    seen = [
        (int(sample["t_ns"]), sample["hops"][hop]["ports"])
        for sample in run.samples
        if "ports" in sample.get("hops", {}).get(hop, {})
    ]
    if not seen:
        return None
    ports = PortRange(int(seen[0][1]["first"]), int(seen[0][1]["last"]))
    bins = bin_count(len(ports))
    times = np.array([t_ns for t_ns, _ in seen], dtype=np.float64) / NS_PER_S
    columns = int(np.clip(len(seen), 1, _MOST_COLUMNS))
    ends = np.linspace(0.0, end_s, columns + 1)[1:]
    shown = np.searchsorted(times, ends, side="right") - 1
    usual = float(np.median(np.diff(times))) if len(times) > 2 else end_s
    late = ends - times[np.maximum(shown, 0)] > _GAP * max(usual, end_s / columns)
    known = (shown >= 0) & ~late
    counts = {}
    for state in STATES:
        table = np.array([_row(told, state, bins) for _, told in seen], dtype=np.int32)
        picked = table[np.maximum(shown, 0)]
        picked[~known] = -1
        counts[state] = picked.T
    return PortSpace(ports=ports, start_s=0.0, end_s=end_s, sizes=bin_sizes(ports), counts=counts)


def _row(told: Mapping[str, Any], state: str, bins: int) -> Sequence[int]:
    """One state of one sample; what has another number of bins was written by somebody else."""
    found = told.get(state)
    return found if isinstance(found, list) and len(found) == bins else [0] * bins
