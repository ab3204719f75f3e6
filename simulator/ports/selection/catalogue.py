"""Every algorithm by its name: whose it is, what it keeps, what a pick costs, and where it is told.

The page ``docs/port-selection.md`` has the same table, made from this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from simulator.ports.selection.blocks import Blocks
from simulator.ports.selection.bsd import (
    NETBSD_COUNTERS,
    FreeBsd,
    NetBsdDefault,
    NetBsdHash,
    NetBsdIncrements,
    NextPort,
)
from simulator.ports.selection.linux import LinuxBind, LinuxConnect
from simulator.ports.selection.linux_udp import LinuxUdp
from simulator.ports.selection.lists import PortRing, RandomList
from simulator.ports.selection.netfilter import NatPorts
from simulator.ports.selection.rfc6056 import (
    DoubleHash,
    RandomIncrements,
    RandomRedraw,
    SimpleHash,
    SimpleRandom,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.ports.range import PortRange
    from simulator.ports.selection.selector import Selector

Scope = Literal["tuple", "port"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One way to pick a source port.

    Attributes:
        name: what it is called on the command line.
        used_by: where it runs.
        state: what it keeps between picks.
        cost: ports looked at for a pick, with ``N`` ports of which the share ``u`` is in use.
        source: where it is described.
        make: a fresh selector for a range and a seed.
        scope: ``tuple`` where a port is free as long as nobody uses it toward this destination;
            ``port`` where it is free only when nobody uses it at all.
        finds_last: whether the last free port is always found. False: it may give up before.
    """

    name: str
    used_by: str
    state: str
    cost: str
    source: str
    make: Callable[[PortRange, int], Selector]
    scope: Scope = "tuple"
    finds_last: bool = True


_RFC: Final = "RFC 6056 section 3.3"
_PORTALGO: Final = "NetBSD src, sys/netinet/portalgo.c"
_CONNECT: Final = "linux, net/ipv4/inet_hashtables.c"
_NAT: Final = "linux, net/netfilter/nf_nat_core.c"
_WALK: Final = "length of the busy run from its start on"
_DRAWS: Final = "1/(1-u) in the mean, N at most"

ALGORITHMS: Final = (
    Algorithm(
        name="sequential",
        used_by="4.4BSD",
        state="last port",
        cost=_WALK,
        source="RFC 6056 section 2.2",
        make=NextPort,
        scope="port",
    ),
    Algorithm(
        name="simple-random",
        used_by="algorithm 1; Solaris, OpenBSD (there by port)",
        state="none",
        cost=_WALK,
        source=f"{_RFC}.1, appendix A",
        make=SimpleRandom,
    ),
    Algorithm(
        name="random-redraw",
        used_by="algorithm 2",
        state="none",
        cost=_DRAWS,
        source=f"{_RFC}.2",
        make=RandomRedraw,
        finds_last=False,
    ),
    Algorithm(
        name="simple-hash",
        used_by="algorithm 3",
        state="one counter, one secret",
        cost=_WALK,
        source=f"{_RFC}.3",
        make=SimpleHash,
    ),
    Algorithm(
        name="double-hash",
        used_by="algorithm 4",
        state="10 counters, two secrets",
        cost=_WALK,
        source=f"{_RFC}.4",
        make=DoubleHash,
    ),
    Algorithm(
        name="random-increments",
        used_by="algorithm 5",
        state="last port",
        cost=_DRAWS,
        source=f"{_RFC}.5",
        make=RandomIncrements,
        finds_last=False,
    ),
    Algorithm(
        name="linux-connect",
        used_by="Linux 5.18 and later, connect()",
        state="65,536 counters, a secret for each 10 s",
        cost="about 1 to u = 1/2, then N/2 and more",
        source=f"{_CONNECT} (__inet_hash_connect)",
        make=LinuxConnect,
    ),
    Algorithm(
        name="linux-socket-range",
        used_by="Linux 6.8 and later, connect() with IP_LOCAL_PORT_RANGE",
        state="as linux-connect",
        cost=_WALK,
        source=f"{_CONNECT} (__inet_hash_connect)",
        make=partial(LinuxConnect, stride=1),
    ),
    Algorithm(
        name="linux-bind",
        used_by="Linux, bind() to port 0",
        state="none",
        cost="a busy run to u = 1/2, then N/2 and more",
        source="linux, net/ipv4/inet_connection_sock.c (inet_csk_find_open_port)",
        make=LinuxBind,
        scope="port",
    ),
    Algorithm(
        name="linux-udp",
        used_by="Linux, UDP",
        state="none",
        cost=_WALK,
        source="linux, net/ipv4/udp.c (udp_lib_get_port)",
        make=LinuxUdp,
        scope="port",
    ),
    Algorithm(
        name="macos",
        used_by="macOS, TCP as delivered",
        state="last port",
        cost=_WALK,
        source="xnu, bsd/netinet/in_pcb.c (in_pcbbind)",
        make=NextPort,
        scope="port",
    ),
    Algorithm(
        name="macos-random",
        used_by="macOS with randomize_ports",
        state="none",
        cost=_WALK,
        source="xnu, bsd/netinet/in_pcb.c (in_pcbbind)",
        make=partial(NextPort, randomized=True),
        scope="port",
    ),
    Algorithm(
        name="freebsd",
        used_by="FreeBSD with randomcps 10, randomtime 45",
        state="last port, picks of this second",
        cost=_WALK,
        source="freebsd-src, sys/netinet/in_pcb.c (in_pcb_lport_dest, ipport_tick)",
        make=FreeBsd,
    ),
    Algorithm(
        name="freebsd-random",
        used_by="FreeBSD without that limit",
        state="none",
        cost=_WALK,
        source="freebsd-src, sys/netinet/in_pcb.c (in_pcb_lport_dest)",
        make=partial(FreeBsd, throttled=False),
    ),
    Algorithm(
        name="netbsd",
        used_by="NetBSD as delivered (bsd), downward",
        state="last port",
        cost=_WALK,
        source=f"{_PORTALGO} (algo_bsd)",
        make=NetBsdDefault,
        scope="port",
    ),
    Algorithm(
        name="netbsd-hash",
        used_by="NetBSD, portalgo hash",
        state="one counter of 16 bits",
        cost=_WALK,
        source=f"{_PORTALGO} (algo_hash)",
        make=NetBsdHash,
        scope="port",
        finds_last=False,
    ),
    Algorithm(
        name="netbsd-doublehash",
        used_by="NetBSD, portalgo doublehash",
        state="8 counters of 16 bits",
        cost=_WALK,
        source=f"{_PORTALGO} (algo_doublehash)",
        make=partial(NetBsdHash, counters=NETBSD_COUNTERS),
        scope="port",
        finds_last=False,
    ),
    Algorithm(
        name="netbsd-randinc",
        used_by="NetBSD, portalgo randinc",
        state="one counter of 16 bits",
        cost=_DRAWS,
        source=f"{_PORTALGO} (algo_randinc)",
        make=NetBsdIncrements,
        scope="port",
        finds_last=False,
    ),
    Algorithm(
        name="random-list",
        used_by="portchurn, source.ports: userspace",
        state="a list for each destination",
        cost="1; 4 tries where others hold ports",
        source="simulator/ports/selection/free_list.py",
        make=RandomList,
        finds_last=False,
    ),
    Algorithm(
        name="haproxy",
        used_by="HAProxy, source address:low-high",
        state="a ring for each server",
        cost="1; 10 tries where others hold ports",
        source="haproxy, include/haproxy/port_range.h, src/proto_tcp.c",
        make=PortRing,
        finds_last=False,
    ),
    Algorithm(
        name="nat-preserve",
        used_by="Linux SNAT and MASQUERADE",
        state="none",
        cost="1 where the port can be kept, else 249 at most",
        source=f"{_NAT} (nf_nat_l4proto_unique_tuple)",
        make=NatPorts,
        finds_last=False,
    ),
    Algorithm(
        name="nat-random",
        used_by="Linux SNAT with --random-fully",
        state="none",
        cost="a busy run, 248 at most",
        source=f"{_NAT} (nf_nat_l4proto_unique_tuple)",
        make=partial(NatPorts, preserve=False),
        finds_last=False,
    ),
    Algorithm(
        name="blocks",
        used_by="Ananta, carrier NATs",
        state="the blocks of each owner",
        cost="about half a block",
        source="Ananta (SIGCOMM 2013); RFC 7422",
        make=Blocks,
        finds_last=False,
    ),
)
NAMES: Final = tuple(one.name for one in ALGORITHMS)


def algorithm(name: str) -> Algorithm:
    """The algorithm of this name.

    Raises:
        ValueError: there is none.
    """
    for one in ALGORITHMS:
        if one.name == name:
            return one
    raise ValueError(f"{name} is not an algorithm; choose from {', '.join(NAMES)}")
