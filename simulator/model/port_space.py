"""The port space of the model's samples: of groups as they stand, and of a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.ports.space import STATES, bin_count, space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from simulator.model.tuples import Group
    from simulator.ports.range import PortRange

    Ints = NDArray[np.int64]

#: A run that is worked out at once tells its ports at no more moments than this.
MOST_MOMENTS: Final = 120
#: Ports worked out at a time, so that a wide range needs little memory.
_PORTS: Final = 8192
#: More connections than this are not looked through again for a picture.
_MOST_ROWS: Final = 5_000_000


def group_space(ports: PortRange, groups: Sequence[Group]) -> dict[str, Any]:
    """The port space of groups right after they were settled."""
    return space(
        ports,
        {
            "established": _array(port for group in groups for port in group.opened),
            "time_wait": _array(port for group in groups for _, port in group.waiting),
            "other": _array(port for group in groups for port in group.kept_ports),
        },
    )


def _array(ports: Iterator[int]) -> Ints:
    return np.fromiter(ports, dtype=np.int64)


def told_at(count: int) -> Ints:
    """Which of so many samples tell the ports: evenly spread, the last among them."""
    every = -(-count // MOST_MOMENTS)
    return np.arange(count - 1, -1, -every, dtype=np.int64)[::-1]


def interval_spaces(
    ports: PortRange, moments: Ints, held: Mapping[str, tuple[Ints, Ints, Ints]]
) -> list[dict[str, Any]]:
    """The port space at each moment of a run that is known as a whole.

    Args:
        ports: the range.
        moments: ascending, ns.
        held: state -> port, begin and end (ns, the end not included) of each time that a port
            was in it.

    Returns:
        One for each moment; nothing where there are too many connections to look through.
    """
    if sum(len(port) for port, _, _ in held.values()) > _MOST_ROWS:
        return []
    size, bins = len(ports), bin_count(len(ports))
    counts = {state: np.zeros((len(moments), bins), dtype=np.int64) for state in STATES}
    for first in range(0, size, _PORTS):
        last = min(size, first + _PORTS)
        place = np.arange(first, last) * bins // size
        taken = np.zeros((last - first, len(moments)), dtype=bool)
        for state in STATES:  # the liveliest first; what it has, no other may
            if state not in held:
                continue
            mine = _is_held(held[state], ports.first + first, last - first, moments) & ~taken
            taken |= mine
            starts = np.flatnonzero(np.diff(place, prepend=-1))
            counts[state][:, place[starts]] += np.add.reduceat(mine, starts, axis=0, dtype=int).T
    head = {"first": ports.first, "last": ports.last, "bins": bins}
    return [
        head | {state: rows[at].tolist() for state, rows in counts.items() if rows[at].any()}
        for at in range(len(moments))
    ]


def _is_held(
    held: tuple[Ints, Ints, Ints], first: int, count: int, moments: Ints
) -> NDArray[np.bool_]:
    """Whether each of some ports is in a state at each moment, shape (count, moments)."""
    port, begin, end = held
    mine = (port >= first) & (port < first + count)
    width = len(moments) + 1
    base = (port[mine] - first) * width
    size = count * width
    come = np.bincount(base + np.searchsorted(moments, begin[mine]), minlength=size)
    gone = np.bincount(base + np.searchsorted(moments, end[mine]), minlength=size)
    found: NDArray[np.bool_] = np.cumsum((come - gone).reshape(count, width), axis=1)[:, :-1] > 0
    return found
