"""What is asked of a NAT and what it answers: the words that all its rules share.

A NAT rewrites the source of a connection to one of its own addresses and ports. What it needs is
a *tuple* again: the same address and port may serve several connections at once when they go to
different destinations (endpoint-dependent mapping, RFC 4787 section 4.1), and one only when the
NAT promises one place for one inner address and port (endpoint-independent mapping).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The destination of flows whose port is taken for all destinations together.
ANY: Final = -1


# Tuples and not dataclasses: one of each is made for every connection of a model.
class Flow(NamedTuple):
    """One connection as the inner side sees it.

    Attributes:
        host: number of the host behind the NAT, from 0.
        destination: names address and port of the far end; equal names are one destination.
        port: its source port behind the NAT.
    """

    host: int
    destination: int
    port: int


class Grant(NamedTuple):
    """The outer source of a connection: number of the NAT's address, from 0, and port."""

    address: int
    port: int


class Shortage(StrEnum):
    """Why a NAT has nothing to give."""

    PORTS = "ports"  # every port that this flow may have is taken
    POOL = "pool"  # its host has no more ports to ask for: all are dealt out
    TABLE = "table"  # the NAT tracks as many connections as it can


class Use(NamedTuple):
    """Flows that compete for the same ports, at a moment.

    Attributes:
        near: whose ports they are: number of an address, a host or a core's part of an address.
        destination: toward where, ANY for all.
        open: flows that live.
        resting: ports of ended flows that may not be handed out again yet.
    """

    near: int
    destination: int
    open: int
    resting: int


class Nat(Protocol):
    """One NAT with its state.

    Attributes:
        shortage: why the last `take` gave nothing.
        asks: how often a host had to ask somebody for more ports, each a round trip.
    """

    shortage: Shortage
    asks: int

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """A place for a new flow; None when there is none, with the reason in ``shortage``."""
        ...

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """A flow has ended, by RST or by FIN; its port rests as long as the rule says."""
        ...

    def settle(self, now_ns: int) -> None:
        """Bring everything to a moment, so that `uses` tells what is true then."""
        ...

    def uses(self) -> Iterator[Use]:
        """Every group that is in use; right after `settle`."""
        ...
