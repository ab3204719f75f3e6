"""Where connections come from: the part of a scenario that both hops share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from simulator.ports.clients import CLIENT_SYSTEMS, ClientSystem, SystemName
from simulator.scenario.fields import Count, Mapping, Ports, TimeNs

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

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
    system: SystemName = Field(
        default="linux",
        description=(
            "whose rules `ports: kernel` follows: `linux`, or `windows`, `windows-2003` or "
            "`macos` with the range and TIME_WAIT of that system, in the model engine"
        ),
    )
    time_wait: TimeNs | None = Field(
        default=None,
        description=(
            "TIME_WAIT of that `system` instead of its own (Windows: TcpTimedWaitDelay, "
            "documented as 120 s and as 240 s)"
        ),
    )
    range: Ports | None = Field(
        default=None,
        description=(
            "ports for `socket-range`, `userspace` and `permanent`; default: kernel.port_range, "
            "but for clients the ports outside it when the kernel picks for the balancer, since "
            "a port that is bound on any address is lost to the kernel's own choice"
        ),
    )

    @property
    def rules(self) -> ClientSystem | None:
        """The numbers of a system that is not the one below; None for Linux."""
        return CLIENT_SYSTEMS.get(self.system)


def systems_fit(scenario: Scenario) -> list[tuple[str, str]]:
    """What another system's way to pick ports cannot stand beside; path and message of each."""
    parts: list[tuple[str, Source]] = [
        ("clients.source", scenario.clients.source),
        ("balancer.source", scenario.balancer.source),
    ]
    if scenario.sidecar is not None:
        parts.append(("sidecar.source", scenario.sidecar.source))
    found = []
    for path, source in parts:
        if source.system == "linux":
            if source.time_wait is not None:
                message = "is that of another system; for linux it is kernel.time_wait"
                found.append((f"{path}.time_wait", message))
        elif path == "sidecar.source":
            found.append((f"{path}.system", f"is {source.system}; a sidecar is of this machine"))
        elif source.ports != "kernel":
            message = f"is {source.system}, whose own choice is ports: kernel, not {source.ports}"
            found.append((f"{path}.system", message))
    return found
