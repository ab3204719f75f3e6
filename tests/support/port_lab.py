"""A namespace of 100 ports with two destinations, for tests of those who take ports in it."""

from __future__ import annotations

from simulator.kernel.sockets import open_listener
from simulator.live.dialer import FAILED, Dialer
from simulator.live.port_modes import Mode, new_dialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random
from tests.support.namespace import write_sysctl

# An even number of ports: of an odd one the kernel never offers the last.
PORTS = PortRange(40_000, 40_099)
ONE = ("127.2.0.1",)
TWO = ("127.2.0.1", "127.2.0.2")


class Lab:
    """A namespace of 100 ports with two destinations."""

    def __init__(self) -> None:
        write_sysctl("ip_local_port_range", f"{PORTS.first} {PORTS.last}")
        write_sysctl("tcp_tw_reuse", "0")
        self.listeners = [open_listener("127.3.0.1", port, backlog=4096) for port in (1500, 1501)]

    def dialer(self, mode: Mode, addresses: tuple[str, ...], ports: PortRange = PORTS) -> Dialer:
        """A dialer that knows both destinations, by index 0 and 1."""
        made = new_dialer(mode, addresses, ports, generator=pure_random(1, "ports"))
        for index, listener in enumerate(self.listeners):
            assert made.destination(*listener.getsockname()) == index
        return made


def dial_until_failed(dialer: Dialer, destination: int) -> int:
    """How many connections it can hold open at once toward a destination."""
    for held in range(1_000):
        if dialer.dial(destination) == FAILED:
            return held
    raise AssertionError("no end of ports")


def close_and_dial_again(mode: Mode, times: int, ports: PortRange) -> tuple[int, int]:
    """Connections made one after the other, each closed by us first; the error that ended it."""
    lab = Lab()
    write_sysctl("ip_local_port_range", f"{ports.first} {ports.last}")
    dialer = lab.dialer(mode, ONE, ports)
    for done in range(times):
        fd = dialer.dial(0)
        if fd == FAILED:
            return done, dialer.last_error
        accepted, _ = lab.listeners[0].accept()
        dialer.close(fd)
        assert accepted.recv(1) == b""
        accepted.close()
    return times, 0
