"""Where connections come from: the part of a scenario that both hops share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.scenario.fields import Count, Mapping, Ports

SourcePortMode = Literal[
    "kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent"
]


class Source(Mapping):
    """Where connections come from: addresses, and who picks their local port."""

    addresses: Annotated[Count, Field(le=4096)] = Field(
        default=1, description="source addresses, used in turn; each has a port range of its own"
    )
    ports: SourcePortMode = Field(
        default="kernel",
        description=(
            "who picks the local port: `kernel` (plain connect), `early-bind` (bind to port 0 "
            "first), `late-bind` (the same with IP_BIND_ADDRESS_NO_PORT), `socket-range` "
            "(IP_LOCAL_PORT_RANGE), `userspace` (we pick, bind and keep), `permanent` (a port "
            "of its own for each connection, never given back)"
        ),
    )
    pick: Literal["random", "sequential"] = Field(
        default="random", description="how `userspace` picks from its free ports"
    )
    range: Ports | None = Field(
        default=None,
        description=(
            "ports for `socket-range`, `userspace` and `permanent`; default: kernel.port_range, "
            "but for clients the ports outside it when the kernel picks for the balancer, since "
            "a port that is bound on any address is lost to the kernel's own choice"
        ),
    )
