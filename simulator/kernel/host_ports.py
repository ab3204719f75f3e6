"""This network namespace's settings about ephemeral ports, only read, never written.

Source: ip-sysctl of the Linux kernel documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.kernel.sysctls import REUSE_DELAY, read_settings
from simulator.ports.range import PortRange

_RANGE: Final = "net.ipv4.ip_local_port_range"
_RESERVED: Final = "net.ipv4.ip_local_reserved_ports"
_REUSE: Final = "net.ipv4.tcp_tw_reuse"
_TIMESTAMPS: Final = "net.ipv4.tcp_timestamps"
#: What the kernel takes where it may not be read.
_DEFAULT: Final = PortRange(32768, 60999)
_DEFAULT_REUSE: Final = 2
#: The delay of kernels that have no setting for it.
_DEFAULT_DELAY_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPorts:
    """The settings.

    Attributes:
        ports: the range that connect() and bind(0) pick from.
        reserved: ranges that they pass over, in order.
        reuse: 0 a tuple in TIME_WAIT is never reused, 1 always, 2 on loopback only.
        reuse_delay_s: after how long it may be, s.
    """

    ports: PortRange
    reserved: tuple[PortRange, ...]
    reuse: int
    reuse_delay_s: float


def read_host_ports() -> HostPorts:
    """The settings of the namespace this process is in; defaults where one may not be read."""
    found = read_settings([_RANGE, _RESERVED, _REUSE, REUSE_DELAY, _TIMESTAMPS])
    bounds = [int(word) for word in (found[_RANGE] or "").split()]
    reuse = int(found[_REUSE] or _DEFAULT_REUSE)
    return HostPorts(
        ports=PortRange(max(1, bounds[0]), bounds[1]) if len(bounds) == 2 else _DEFAULT,
        reserved=parse_reserved(found[_RESERVED] or ""),
        reuse=0 if found[_TIMESTAMPS] == "0" else reuse,  # without them nothing can be reused
        reuse_delay_s=int(found[REUSE_DELAY] or _DEFAULT_DELAY_MS) / 1000,
    )


def parse_reserved(text: str) -> tuple[PortRange, ...]:
    """Ranges in the kernel's own form, ``8080,9000-9010``; port 0 names nothing and is dropped."""
    ranges = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first and int(last or first) > 0:
            ranges.append(PortRange(max(1, int(first)), int(last or first)))
    return tuple(ranges)
