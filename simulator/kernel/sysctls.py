"""The settings of a run's network namespace: derived from the scenario, written, read back.

Nothing here can reach a host-wide setting: names come from a fixed table and from the scenario's
allow-list, and are written only by a process that has entered a network namespace of its own.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.errors import Refused
from simulator.ports.range import PortRange
from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from simulator.units import NS_PER_S, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.scenario.schema import Kernel

#: TCP_TIMEWAIT_LEN (include/net/tcp.h): the kernel's constant, not a setting.
KERNEL_TIME_WAIT_NS: Final = 60 * NS_PER_S
_UNPRIVILEGED: Final = "net.ipv4.ip_unprivileged_port_start"
_FIRST_UNPRIVILEGED: Final = 1024
REUSE_DELAY: Final = "net.ipv4.tcp_tw_reuse_delay"

#: Recorded with every run whether or not the scenario sets them.
ALWAYS_READ: Final = (
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_tw_reuse",
    REUSE_DELAY,
    "net.ipv4.tcp_child_ehash_entries",
    "net.ipv4.tcp_ehash_entries",
    *ALLOWED_SYSCTLS,
)


def _path(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def settings_for(kernel: Kernel) -> dict[str, str]:
    """What to write for a scenario, in order: name -> text.

    TIME_WAIT of 60 s is the kernel's own constant, so reuse is switched off; a shorter one is had
    by letting connect() take over a TIME_WAIT tuple after ``tcp_tw_reuse_delay``.
    """
    wanted = _port_bounds(kernel) | {
        "net.ipv4.ip_local_reserved_ports": _port_list(kernel.reserved_ports),
        "net.core.somaxconn": str(kernel.somaxconn),
    }
    if kernel.time_wait >= KERNEL_TIME_WAIT_NS:
        wanted["net.ipv4.tcp_tw_reuse"] = "0"
    else:
        wanted["net.ipv4.tcp_tw_reuse"] = "1"
        wanted[REUSE_DELAY] = str(kernel.time_wait // 1_000_000)
    wanted.update({name: str(value) for name, value in kernel.sysctls.items()})
    return wanted


def _port_bounds(kernel: Kernel) -> dict[str, str]:
    """The range and the first port that needs no privilege, in an order the kernel takes.

    It refuses a range that begins below that port, whichever of the two is written last; in a new
    namespace that port is 1024.
    """
    ports = {"net.ipv4.ip_local_port_range": f"{kernel.port_range.first} {kernel.port_range.last}"}
    start = {_UNPRIVILEGED: str(kernel.sysctls.get(_UNPRIVILEGED, 0))}
    return ports | start if kernel.port_range.first >= _FIRST_UNPRIVILEGED else start | ports


def _port_list(ranges: Iterable[PortRange]) -> str:
    """Ports as the kernel shows them again: in order, neighbours joined, none twice."""
    joined: list[PortRange] = []
    for ports in sorted(ranges):
        if joined and ports.first <= joined[-1].last + 1:
            joined[-1] = PortRange(joined[-1].first, max(joined[-1].last, ports.last))
        else:
            joined.append(ports)
    return ",".join(str(ports) if len(ports) > 1 else str(ports.first) for ports in joined)


def refuse_what_is_missing(kernel: Kernel) -> None:
    """Refuse a scenario whose settings this kernel does not have.

    Raises:
        Refused: a setting is absent; never replaced by something that only looks alike.
    """
    for name in settings_for(kernel):
        if _path(name).exists():
            continue
        if name == REUSE_DELAY:
            raise Refused(
                f"kernel.time_wait is {format_ns(kernel.time_wait)}, but this kernel "
                f"({platform.release()}) has no {REUSE_DELAY} (it came with Linux 6.14), so "
                "TIME_WAIT lasts 60 s here.\nSet kernel.time_wait: 60s and let the run last "
                "several minutes, or use a newer kernel."
            )
        raise Refused(f"This kernel ({platform.release()}) has no setting {name}.")


def write_settings(wanted: dict[str, str]) -> None:
    """Write the settings into the namespace this process is in.

    Raises:
        Refused: the kernel did not take one.
    """
    for name, value in wanted.items():
        try:
            _path(name).write_text(value + "\n")
        except OSError as error:
            raise Refused(f"The kernel refused {name} = {value}: {error.strerror}.") from error


def read_settings(names: tuple[str, ...] | list[str] = ALWAYS_READ) -> dict[str, str | None]:
    """Read settings back; None where this kernel has no such setting or may not show it."""
    values: dict[str, str | None] = {}
    for name in names:
        try:
            values[name] = " ".join(_path(name).read_text().split())
        except OSError:
            values[name] = None
    return values


def differences(wanted: dict[str, str]) -> list[str]:
    """Settings that do not read back as written, as sentences; empty when all hold."""
    found = read_settings(list(wanted))
    return [
        f"{name}: wrote {value!r}, reads {found[name]!r}"
        for name, value in wanted.items()
        if found[name] != " ".join(value.split())
    ]
