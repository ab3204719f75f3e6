"""What gives clients of another system more ports, or gives them back sooner, in its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.measure.walls import with_source
from simulator.ports.range import PortRange
from simulator.preflight.hops import source_of
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from simulator.records import Hop
    from simulator.scenario.schema import Scenario

#: System -> the widest range that it takes, and what sets it.
_WIDEST: Final = {
    "windows": (
        PortRange(1025, 65535),
        "netsh int ipv4 set dynamicport tcp start=1025 num=64511",
    ),
    "windows-2003": (PortRange(1025, 65534), "the registry value MaxUserPort=65534"),
    "macos": (PortRange(1024, 65535), "sysctl net.inet.ip.portrange.first=1024"),
}
#: The shortest TIME_WAIT that Windows takes, and what sets it.
_SHORTEST: Final = (30 * NS_PER_S, "the registry value TcpTimedWaitDelay=30")


def system_changes(scenario: Scenario, hop: Hop) -> list[tuple[str, Scenario]]:
    """Changes that another system offers: words, and the changed scenario; none for Linux."""
    source = source_of(scenario, hop)
    if source.rules is None:
        return []
    widest, how = _WIDEST[source.system]
    found = [(f"{how} (source.range: {widest})", with_source(scenario, hop, range=widest))]
    if source.system.startswith("windows"):
        waits, how = _SHORTEST
        changed = with_source(scenario, hop, time_wait=waits)
        found.append((f"{how} (source.time_wait: 30s)", changed))
    return found
