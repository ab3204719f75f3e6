"""Which systems hand a port out by themselves, how each picks, and which pools may hold it.

Ranges are the defaults; an administrator may have changed them. What a system's own documentation
or source leaves open is left open here.

Sources stand with each row; RFC 6056 (appendix A surveys systems) for the selection algorithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.ports.range import PortRange


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRange:
    """The ephemeral ports of one operating system.

    Attributes:
        name: the system, with its versions where they differ.
        ports: its default range.
        pick: how it chooses a port for connect().
        time_wait: how long the side that closed first keeps a tuple, as far as it is documented.
        shown_by: the command that shows the range on that system.
        source: where this can be checked.
    """

    name: str
    ports: PortRange
    pick: str
    time_wait: str
    shown_by: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Something other than connect() that takes ports out of a range, often for long.

    Attributes:
        name: whose pool it is.
        ports: the range it takes from.
        takes: how many it holds at once by default; None when that goes by demand.
        transport: ``tcp``, ``udp`` or ``tcp, udp``.
        rule: how it picks, and for how long.
        mend: what keeps it away from a port one needs.
        source: where this can be checked.
    """

    name: str
    ports: PortRange
    takes: int | None
    transport: str
    rule: str
    mend: str
    source: str

    @property
    def chance(self) -> float | None:
        """Chance that a given port of the range is taken, when as many are always held.

        None when the pool goes by demand: then it depends on what is asked of it.
        """
        return None if self.takes is None else self.takes / len(self.ports)


SYSTEMS: Final = (
    SystemRange(
        name="Linux",
        ports=PortRange(32768, 60999),
        pick="one parity first, from a keyed offset for each destination (like RFC 6056 "
        "algorithm 4)",
        time_wait="60 s, a constant",
        shown_by="sysctl net.ipv4.ip_local_port_range",
        source="Linux net/ipv4/inet_hashtables.c; include/net/tcp.h",
    ),
    SystemRange(
        name="Windows",
        ports=PortRange(49152, 65535),
        pick="not documented; set apart for TCP and UDP, IPv4 and IPv6",
        time_wait="documented as 240 s and as 120 s",
        shown_by="netsh int ipv4 show dynamicport tcp",
        source="Microsoft KB 929851; Windows port exhaustion article",
    ),
    SystemRange(
        name="Windows 2003",
        ports=PortRange(1025, 5000),
        pick="one after the other, as far as known",
        time_wait="documented as 240 s and as 120 s",
        shown_by="registry value MaxUserPort",
        source="Microsoft KB 929851",
    ),
    SystemRange(
        name="macOS",
        ports=PortRange(49152, 65535),
        pick="TCP walks on from the last port, unless net.inet.tcp.randomize_ports is set",
        time_wait="30 s",
        shown_by="sysctl net.inet.ip.portrange",
        source="XNU bsd/netinet/in_pcb.c, tcp_subr.c, tcp_timer.h",
    ),
    SystemRange(
        name="FreeBSD",
        ports=PortRange(10000, 65535),
        pick="random start, then the next free one (RFC 6056 algorithm 1)",
        time_wait="60 s (twice net.inet.tcp.msl)",
        shown_by="sysctl net.inet.ip.portrange",
        source="RFC 6056 appendix A.1; FreeBSD sysctl net.inet.ip.portrange",
    ),
    SystemRange(
        name="OpenBSD",
        ports=PortRange(1024, 49151),
        pick="random start, then the next free one, past a list of bad ports",
        time_wait="not looked up",
        shown_by="sysctl net.inet.ip.portfirst net.inet.ip.portlast",
        source="RFC 6056 appendix A.4; OpenBSD sys/netinet/in_pcb.c",
    ),
    SystemRange(
        name="NetBSD",
        ports=PortRange(49152, 65535),
        pick="downwards from the top; six other algorithms can be chosen",
        time_wait="not looked up",
        shown_by="sysctl net.inet.ip.anonportmin net.inet.ip.anonportmax",
        source="RFC 6056 appendix A.3; NetBSD sys/netinet/portalgo.c",
    ),
    SystemRange(
        name="Solaris",
        ports=PortRange(32768, 65535),
        pick="random start, then the next free one (RFC 6056 algorithm 1)",
        time_wait="60 s, settable from 1 s to 10 min",
        shown_by="ipadm show-prop -p smallest_anon_port tcp",
        source="RFC 6056 appendix A.5; Solaris Tunable Parameters Reference Manual",
    ),
)

_NAT: Final = PortRange(1024, 65535)

POOLS: Final = (
    Pool(
        name="Windows DNS server",
        ports=PortRange(49152, 65535),
        takes=2500,
        transport="udp",
        rule="drawn at random when the service starts, and kept until it ends",
        mend="SocketPoolExcludedPortRanges, or a reserved port",
        source="Microsoft MS08-037, KB 956188 and Configure the Socket Pool",
    ),
    Pool(
        name="Kubernetes NodePort",
        ports=PortRange(30000, 32767),
        takes=None,
        transport="tcp, udp",
        rule="one for each service on every node; 30000-30085 are kept for those named explicitly",
        mend="--service-node-port-range",
        source="Kubernetes blog, 11 May 2023: avoid collisions of NodePort",
    ),
    Pool(
        name="Nomad",
        ports=PortRange(20000, 32000),
        takes=None,
        transport="tcp, udp",
        rule="at random for each task that asks for a dynamic port, while the task lives",
        mend="min_dynamic_port and max_dynamic_port of the client",
        source="Nomad nomad/structs/network.go",
    ),
    Pool(
        name="Docker",
        ports=PortRange(32768, 60999),
        takes=None,
        transport="tcp, udp",
        rule="published without a host port: the next one of ip_local_port_range",
        mend="name the host port: -p 8080:80",
        source="Moby libnetwork portallocator",
    ),
    Pool(
        name="Linux NAT",
        ports=_NAT,
        takes=None,
        transport="tcp, udp",
        rule="keeps the client's port where it can, else tries up to 248 others",
        mend="more addresses; --random-fully",
        source="Linux net/netfilter/nf_nat_core.c",
    ),
    Pool(
        name="AWS NAT gateway",
        ports=_NAT,
        takes=None,
        transport="tcp, udp",
        rule="55,000 at once toward one destination for each address; idle flows end at 350 s",
        mend="more addresses on the gateway, up to 8",
        source="Amazon VPC guide, NAT gateways",
    ),
    Pool(
        name="Azure NAT gateway",
        ports=_NAT,
        takes=None,
        transport="tcp, udp",
        rule="64,512 for each address, at random; a closed one rests 65 s, a reset one 16 s",
        mend="more addresses, up to 16",
        source="Azure NAT gateway, SNAT with NAT gateway",
    ),
    Pool(
        name="Google Cloud NAT",
        ports=_NAT,
        takes=None,
        transport="tcp, udp",
        rule="64,512 for each address, dealt to machines in powers of two, 64 each by default",
        mend="more ports for each machine, or dynamic allocation",
        source="Google Cloud NAT, addresses and ports; Compute API",
    ),
)


def systems_with(port: int) -> tuple[SystemRange, ...]:
    """The systems that may hand out this port by themselves."""
    return tuple(system for system in SYSTEMS if port in system.ports)


def pools_with(port: int) -> tuple[Pool, ...]:
    """The pools that may hold this port."""
    return tuple(pool for pool in POOLS if port in pool.ports)
