"""The units that benches write, as units of an axis: what they count, and how much of it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from simulator.report.charts.chart import Unit

#: First word of a unit -> axis unit, and how much of that one is.
_KNOWN: Final[dict[str, tuple[Unit, float]]] = {
    "ns": ("ns", 1),
    "us": ("ns", 1e3),
    "ms": ("ns", 1e6),
    "s": ("ns", 1e9),
    "bytes": ("bytes", 1),
    "MB": ("bytes", 1e6),
    "connections/s": ("rate", 1),
    "requests/s": ("rate", 1),
    "1/s": ("rate", 1),
    "of one core": ("share", 1),
    "of its core": ("share", 1),
}


class Measured(NamedTuple):
    """A unit of an axis, and what values are multiplied with to be in it."""

    unit: Unit
    scale: float


def measured(unit: str) -> Measured:
    """The axis unit of a bench's unit, such as ``us/connection``; counts where it is none."""
    if unit in _KNOWN:
        return Measured(*_KNOWN[unit])
    return Measured(*_KNOWN.get(unit.partition("/")[0], ("count", 1)))
