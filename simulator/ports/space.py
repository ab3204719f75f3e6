"""The port space of a hop at one moment: how many of its ports are in which state, in bins.

A port counts once, by the liveliest of its tuples, however many destinations it serves: this is
about port numbers, where budgets are about tuples. Bins are of equal width and few, so that a
picture of any range is as small as that of any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from simulator.ports.range import PortRange

    Ports = np.ndarray[Any, Any]

#: Most bins of a range.
BINS: Final = 128
#: States in the order in which they outdo each other.
STATES: Final = ("established", "time_wait", "other")


def bin_count(size: int) -> int:
    """Bins of a range of so many ports."""
    return min(BINS, size)


def bin_sizes(ports: PortRange) -> Ports:
    """How many ports lie in each bin, shape (bins,)."""
    size = len(ports)
    return np.bincount(np.arange(size) * bin_count(size) // size, minlength=bin_count(size))


def space(ports: PortRange, held: dict[str, Ports]) -> dict[str, Any]:
    """The port space as samples hold it.

    Args:
        ports: the range of the hop; what lies outside is left out.
        held: state -> ports in it, each of any length and with any repeats.

    Returns:
        ``first`` and ``last`` port, ``bins``, and for each state that any port is in the number
        of ports in it by bin.
    """
    state = np.zeros(len(ports), dtype=np.uint8)
    for rank in range(len(STATES), 0, -1):  # the liveliest last, over all others
        found = held.get(STATES[rank - 1])
        if found is not None and len(found):
            at = np.asarray(found, dtype=np.int64) - ports.first
            state[at[(at >= 0) & (at < len(ports))]] = rank
    return {"first": ports.first, "last": ports.last, **_binned(state)}


def _binned(state: Ports) -> dict[str, Any]:
    """Ports of each rank above 0 by bin."""
    size = len(state)
    bins = bin_count(size)
    told: dict[str, Any] = {"bins": bins}
    used = np.flatnonzero(state != 0)  # twenty times quicker than of the numbers themselves
    rank = state[used]
    place = used * bins // size
    for at, name in enumerate(STATES, 1):
        mine = place[rank == at]
        if len(mine):
            told[name] = np.bincount(mine, minlength=bins).tolist()
    return told
