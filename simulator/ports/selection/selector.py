"""What every algorithm that picks a source port has in common: what is asked, and what it answers.

The caller owns the occupancy. It says which ports may not be had now, by a set or anything else
that answers ``port in in_use``: ports whose tuple toward this destination lives, or all ports that
anybody holds, as the stack in question judges it (`Algorithm.scope`). A selector keeps only the
state that the original keeps: a counter, a table, a ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from simulator.ports.range import PortRange

NO_PORT: Final = 0


# Two tuples and not dataclasses: one of each is made for every connection of a model.
class Asked(NamedTuple):
    """One wish for a source port.

    Attributes:
        destination: names source address, destination address and destination port, all three;
            equal names mean that a port can be had once.
        at_s: when, in seconds on any one clock; matters where secrets or limits go by time.
        owner: who asks; matters where each owner has ports of its own (blocks).
        wanted: the port that the connection has behind a NAT, 0 = none; others ignore it.
    """

    destination: str | int
    at_s: float = 0.0
    owner: int = 0
    wanted: int = 0


class Pick(NamedTuple):
    """What came of it.

    Attributes:
        port: the port, or `NO_PORT`.
        probes: how many ports were looked at, the one picked included.
    """

    port: int
    probes: int


class Selector(Protocol):
    """One algorithm with its state."""

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """Choose a port that is not in use; the caller then marks it as used.

        Args:
            asked: for whom and toward where.
            in_use: the ports that may not be had.
        """
        ...

    def give_back(self, asked: Asked, port: int) -> None:
        """The connection that was asked for is over, and with it the hold on its port.

        Args:
            asked: as it was when the port was picked, with the time of its end.
            port: what `pick` gave.
        """
        ...


class Walking:
    """A selector that takes the first free port of a walk, and need not know when one is over.

    Args:
        ports: the range.
    """

    def __init__(self, ports: PortRange) -> None:
        self.ports = ports

    def candidates(self, asked: Asked) -> Iterator[int]:
        """The ports in the order in which they are looked at; ends where the algorithm gives up."""
        raise NotImplementedError

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """The first candidate that is not in use."""
        return first_free(self.candidates(asked), in_use)

    def give_back(self, asked: Asked, port: int) -> None:
        """Nothing to remember: whether it is free is in the caller's occupancy."""


def first_free(candidates: Iterable[int], in_use: Container[int]) -> Pick:
    """The first of the candidates that is not in use, and how many were looked at."""
    probes = 0
    for port in candidates:
        probes += 1
        if port not in in_use:
            return Pick(port, probes)
    return Pick(NO_PORT, probes)
