"""What a look at a live host's tuples gives: values that reports and metrics are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The tuples of one source address toward one destination, now.

    Attributes:
        source: local address.
        destination: peer's address.
        port: peer's port.
        established: tuples in ESTABLISHED.
        time_wait: in TIME_WAIT, and not yet free for the next connection.
        other: in any other state.
        recyclable: in TIME_WAIT, but free for the next connection (tcp_tw_reuse); not in use.
        opened_per_s: tuples taken per second, as far as looks can see; one whose peer closes first
            and that lives shorter than the time between two looks is never seen.
        closed_per_s: of those, tuples that went into TIME_WAIT here.
        wall_s: seconds until the budget is used up at the present rate; infinite: it will not be.
    """

    source: str
    destination: str
    port: int
    established: int
    time_wait: int
    other: int
    recyclable: int
    opened_per_s: float
    closed_per_s: float
    wall_s: float

    @property
    def in_use(self) -> int:
        """Tuples that the next connection cannot have."""
        return self.established + self.time_wait + self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look.

    Attributes:
        range_text: the host's ephemeral ports, ``32768-60999``.
        budget: tuples of one source toward one destination: the range without reserved ports and
            without ports that a listener holds.
        reserved: ports of the range that are reserved.
        listening: ports of the range that listeners hold.
        reuse: ``tcp_tw_reuse``: 0 never, 1 always, 2 on loopback only.
        reuse_delay_s: how long a tuple in TIME_WAIT blocks where it may be reused, s.
        since_s: time since the look before, s; 0 for the first, which knows no rates yet.
        busiest: by tuples in use, most first; as many as were asked for.
        destinations: how many there are in all.
        sockets: TCP sockets of the namespace.
        cost_s: time the look took, s.
        complete: False when the kernel's table changed so that counts are lower bounds.
    """

    range_text: str
    budget: int
    reserved: int
    listening: int
    reuse: int
    reuse_delay_s: float
    since_s: float
    busiest: tuple[Destination, ...]
    destinations: int
    sockets: int
    cost_s: float
    complete: bool
