"""Which ports of a range are busy, kept as bits, so that a walk over thousands of them is one step.

A selector asks ``port in busy`` one port after the other. Linux's walk over a range of 28,232 ports
may look at 14,116 of them for each connect; here the ports of one parity are the bits of one
number, and the first free one behind a place is found by arithmetic on it. What comes out, the
port and the number of probes, is what the walk would have found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.ports.range import PortRange


class BusyPorts:
    """The busy ports of a range; all others are free.

    Args:
        ports: the range.
        stride: of the walks to come: 2 when they keep to one parity, else 1.
        reserved: ports that are never free, given back or not.
    """

    __slots__ = ("_first", "_free", "_lasting", "_left", "_places", "_ports", "_size", "_stride")

    def __init__(self, ports: PortRange, stride: int = 2, reserved: Iterable[int] = ()) -> None:
        self._ports = ports
        self._first = ports.first
        self._size = len(ports)
        self._stride = stride
        # Ports of the range whose position leaves each rest when divided by the stride.
        self._places = [(self._size - rest + stride - 1) // stride for rest in range(stride)]
        self._free = [(1 << places) - 1 for places in self._places]
        self._lasting = frozenset(reserved)
        self._left = [0] * stride  # ports that are passed over, whether busy or not
        for port in self._lasting:
            self.take(port)

    def _place(self, port: int) -> tuple[int, int]:
        place, residue = divmod(port - self._first, self._stride)
        return residue, place

    def __contains__(self, port: object) -> bool:
        if not isinstance(port, int) or not 0 <= port - self._first < self._size:
            return False
        residue, place = self._place(port)
        return not (self._free[residue] & ~self._left[residue]) >> place & 1

    def take(self, port: int) -> None:
        """A port becomes busy; one outside the range is no news."""
        at = port - self._first
        if 0 <= at < self._size:
            place, residue = divmod(at, self._stride)
            free = self._free[residue]
            self._free[residue] = free ^ (free & (1 << place))

    def give_back(self, port: int) -> None:
        """A port becomes free, unless it is reserved."""
        if port not in self._lasting:
            residue, place = self._place(port)
            self._free[residue] |= 1 << place

    def pass_over(self, ports: Iterable[int]) -> None:
        """Let these ports count as busy, and none that an earlier call named."""
        self._left = [0] * self._stride
        for port in ports:
            residue, place = self._place(port)
            if 0 <= place < self._places[residue]:
                self._left[residue] |= 1 << place

    def __len__(self) -> int:
        """How many are free."""
        return sum(
            (free & ~left).bit_count() for free, left in zip(self._free, self._left, strict=True)
        )

    def suits(self, ports: PortRange, stride: int) -> bool:
        """Whether walks over this range, in such steps, can be answered from the bits."""
        return self._stride == stride and (self._ports is ports or self._ports == ports)

    def walk(self, start: int, size: int) -> tuple[int, int]:
        """The first free port of one pass (`linux.scan`).

        Args:
            start: position from the range's first port.
            size: positions after which a walk wraps (`linux.usable_size`).

        Returns:
            The port, 0 for none, and how many ports were looked at.
        """
        stride = self._stride
        place, residue = divmod(start if start < self._size else start - size, stride)
        turns = (size + stride - 1) // stride
        free = self._free[residue]
        if self._left[residue]:
            free &= ~self._left[residue]
        ahead = free >> place if place else free
        if ahead:
            step = (ahead & -ahead).bit_length() - 1
            if step < turns:
                return self._first + residue + (place + step) * stride, step + 1
        places = self._places[residue]
        before = min(turns, places - place)  # looked at before the walk wraps
        wraps_to = places - turns
        behind = (free >> wraps_to) & ((1 << (turns - before)) - 1)
        if not behind:
            return 0, turns
        step = (behind & -behind).bit_length() - 1
        return self._first + residue + (wraps_to + step) * stride, before + step + 1
