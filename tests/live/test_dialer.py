"""Each way of taking a source port, against the real kernel in a namespace of 100 ports.

What is expected of the kernel is the table in dialer.py, from Linux's own sources and Cloudflare's
"How to stop running out of ephemeral ports and start to love long-lived connections" (2022).
"""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import get_args

import pytest

from simulator.kernel.sockets import open_listener
from simulator.live.dialer import (
    FAILED,
    LOST_RACES_MAX,
    Dialer,
    KernelDialer,
    Mode,
    PermanentDialer,
    UserspaceDialer,
    new_dialer,
)
from simulator.ports.range import PortRange
from simulator.records import Call, Ending
from simulator.seeds import pure_random
from tests.support.namespace import in_namespace, write_sysctl

# An even number of ports: of an odd one the kernel never offers the last.
PORTS = PortRange(40_000, 40_099)
ONE = ("127.2.0.1",)
TWO = ("127.2.0.1", "127.2.0.2")

pytestmark = pytest.mark.namespace


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


def budget(mode: Mode, addresses: tuple[str, ...]) -> tuple[int, int, int, int]:
    """Connections held to the first, then to the second destination, and how it failed."""
    lab = Lab()
    dialer = lab.dialer(mode, addresses)
    first = dial_until_failed(dialer, 0)
    call, error = dialer.last_call, dialer.last_error
    second = dial_until_failed(dialer, 1)
    assert (dialer.last_call, dialer.last_error) == (call, error)
    return first, second, call, error


@pytest.mark.parametrize(
    ("mode", "addresses", "expected"),
    [
        # A tuple is the scarce thing: each destination, and each source address, has all 100.
        ("kernel", (), (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("kernel", ONE, (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("kernel", TWO, (200, 200, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("late-bind", (), (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("late-bind", ONE, (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("socket-range", (), (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("socket-range", ONE, (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("userspace", ONE, (100, 100, Call.BIND, Ending.NO_PORT)),
        ("userspace", TWO, (200, 200, Call.BIND, Ending.NO_PORT)),
        # Here the port is: it is taken before the kernel knows what for.
        ("early-bind", (), (100, 0, Call.BIND, errno.EADDRINUSE)),
        ("early-bind", ONE, (100, 0, Call.BIND, errno.EADDRINUSE)),
        ("early-bind", TWO, (200, 0, Call.BIND, errno.EADDRINUSE)),
        ("permanent", ONE, (100, 0, Call.BIND, errno.EADDRINUSE)),
        ("permanent", TWO, (200, 0, Call.BIND, errno.EADDRINUSE)),
    ],
)
def test_budget_and_the_error_at_its_end(
    mode: Mode, addresses: tuple[str, ...], expected: tuple[int, int, int, int]
) -> None:
    assert in_namespace(budget, mode, addresses) == expected


def held_within(ports: PortRange) -> int:
    lab = Lab()
    return dial_until_failed(lab.dialer("socket-range", ONE, ports), 0)


def test_socket_range_narrows_the_namespace_range_to_the_last_port() -> None:
    # Stride 1: an odd number of ports is used whole, unlike the namespace's own range.
    assert in_namespace(held_within, PortRange(40_010, 40_016)) == 7


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_connects_and_says_from_where(mode: Mode) -> None:
    def body() -> None:
        lab = Lab()
        dialer = lab.dialer(mode, TWO)
        for turn in range(4):
            fd = dialer.dial(0)
            accepted, (address, port) = lab.listeners[0].accept()
            assert dialer.last_error == 0
            assert address == TWO[dialer.last_source]
            assert dialer.last_source == turn % 2
            assert dialer.local_port(fd) == port
            assert dialer.last_port in (0, port)
            assert (dialer.last_port == port) == (mode in ("userspace", "permanent"))
            assert 0 < dialer.last_call_ns < 1_000_000_000
            assert port in PORTS
            os.write(fd, b"x")
            assert accepted.recv(10) == b"x"
            dialer.shutdown(fd)
            assert accepted.recv(10) == b""
            accepted.close()
            dialer.close(fd)
        assert dialer.statistics().dialed == 4
        assert dialer.statistics().open == 0

    in_namespace(body)


def test_sources_and_destinations_in_step_still_meet_in_every_pair() -> None:
    def body() -> set[tuple[int, int]]:
        lab = Lab()
        dialer = lab.dialer("userspace", TWO)
        pairs = set()
        for turn in range(8):
            dialer.dial(turn % 2)
            pairs.add((turn % 2, dialer.last_source))
        return pairs

    assert in_namespace(body) == {(0, 0), (0, 1), (1, 0), (1, 1)}


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


def test_userspace_takes_its_tuples_back_from_time_wait_at_once() -> None:
    # tcp_tw_reuse is off: an explicitly bound port goes by timestamps alone.
    assert in_namespace(close_and_dial_again, "userspace", 500, PortRange(40_000, 40_009)) == (
        500,
        0,
    )


def test_the_kernel_does_not() -> None:
    made, error = in_namespace(close_and_dial_again, "kernel", 500, PortRange(40_000, 40_009))
    assert (made, error) == (10, errno.EADDRNOTAVAIL)


def test_permanent_gives_no_port_back() -> None:
    made, error = in_namespace(close_and_dial_again, "permanent", 500, PortRange(40_000, 40_009))
    assert (made, error) == (10, errno.EADDRINUSE)


def test_permanent_holds_the_port_of_a_connection_that_was_reset() -> None:
    def body() -> tuple[list[int], int, int]:
        lab = Lab()
        dialer = lab.dialer("permanent", ONE, PortRange(40_000, 40_003))
        seen = []
        for _ in range(4):
            fd = dialer.dial(0)
            seen.append(dialer.last_port)
            dialer.reset(fd)
        kept = dialer.statistics().kept
        assert dialer.dial(0) == FAILED
        error = dialer.last_error
        dialer.close_all()
        assert dialer.dial(0) != FAILED, "close_all lets go of the ports"
        return seen, kept, error

    assert in_namespace(body) == ([40_000, 40_001, 40_002, 40_003], 4, errno.EADDRINUSE)


def test_a_reset_leaves_nothing_behind() -> None:
    def body() -> int:
        lab = Lab()
        dialer = lab.dialer("kernel", ONE)
        for _ in range(300):
            fd = dialer.dial(0)
            assert fd != FAILED, os.strerror(dialer.last_error)
            dialer.reset(fd)
        return dialer.statistics().dialed

    assert in_namespace(body) == 300


def test_a_port_that_somebody_else_holds_is_a_lost_race() -> None:
    def body() -> tuple[set[int], int]:
        lab = Lab()
        other = socket.socket()
        other.bind((ONE[0], 40_001))
        other.listen()
        dialer = lab.dialer("userspace", ONE, PortRange(40_000, 40_003))
        ports = set()
        for _ in range(3):
            assert dialer.dial(0) != FAILED
            ports.add(dialer.last_port)
        return ports, dialer.statistics().lost_races

    ports, lost = in_namespace(body)
    assert ports == {40_000, 40_002, 40_003}
    assert lost >= 1


def test_lost_races_come_to_an_end() -> None:
    def body() -> tuple[int, int, int]:
        lab = Lab()
        for port in range(40_000, 40_010):
            other = socket.socket()
            other.bind((ONE[0], port))
            other.listen()
            other.detach()
        dialer = lab.dialer("userspace", ONE, PortRange(40_000, 40_009))
        assert dialer.dial(0) == FAILED
        assert isinstance(dialer, UserspaceDialer)
        return dialer.last_error, dialer.statistics().lost_races, dialer.free_ports(0)

    # Every port is back on the list, since the others may let go of theirs.
    assert in_namespace(body) == (errno.EADDRINUSE, LOST_RACES_MAX + 1, 10)


def test_a_refused_connect_gives_its_port_back() -> None:
    def body() -> tuple[int, int, int]:
        lab = Lab()
        dialer = lab.dialer("userspace", ONE)
        nobody = dialer.destination("127.3.0.1", 1_999)
        fd = dialer.dial(nobody)  # begun; the refusal comes later
        assert isinstance(dialer, UserspaceDialer)
        free = dialer.free_ports(nobody)
        error = dialer.take_error(fd)
        dialer.close(fd)
        return free, error, dialer.free_ports(nobody)

    assert in_namespace(body) == (99, errno.ECONNREFUSED, 100)


def test_out_of_descriptors_is_told_from_out_of_ports() -> None:
    def body() -> tuple[int, int, int]:
        lab = Lab()
        dialer = lab.dialer("userspace", ONE)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
        held = dial_until_failed(dialer, 0)
        assert isinstance(dialer, UserspaceDialer)
        result = (dialer.last_call, dialer.last_error, held + dialer.free_ports(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return result

    assert in_namespace(body) == (Call.SOCKET, errno.EMFILE, 100)


def test_slices_of_two_workers_never_meet() -> None:
    def body() -> tuple[int, int]:
        lab = Lab()
        workers = [lab.dialer("userspace", ONE, PORTS.slice(index, 2)) for index in (0, 1)]
        for worker in workers:
            assert dial_until_failed(worker, 0) == 50
        return workers[0].statistics().lost_races, workers[1].statistics().lost_races

    assert in_namespace(body) == (0, 0)


def test_what_cannot_work_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="source address"):
        UserspaceDialer((), PORTS, "random", pure_random(1))
    with pytest.raises(ValueError, match="source address"):
        PermanentDialer((), PORTS)
    with pytest.raises(ValueError, match="port range"):
        KernelDialer("socket-range", ())
