"""Sockets on a port: what was opened is found, nothing else, also among very many others."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel.port_sockets import PortSocket, port_filter, sockets_on
from tests.kernel.test_sockdiag import SHOWS_BOUND
from tests.support.namespace import in_namespace

OPS = struct.Struct("=BBH")
Told = tuple[str, int, str, int]


def passes(program: bytes, port: int) -> bool:
    """What the kernel does with a program (inet_diag_bc_run), for the two operations used."""
    left, at = len(program), 0
    while left > 0:
        code, yes, no = OPS.unpack_from(program, at)
        operand = OPS.unpack_from(program, at + 4)[2]
        step = yes if (port >= operand if code == 2 else port <= operand) else no
        left, at = left - step, at + step
    return left == 0


@given(first=st.integers(0, 65_535), last=st.integers(0, 65_535), port=st.integers(0, 65_535))
def test_the_filter_lets_through_the_range_and_nothing_else(
    first: int, last: int, port: int
) -> None:
    assert passes(port_filter(first, last), port) == (first <= port <= last)


def told(sockets: tuple[PortSocket, ...]) -> list[Told]:
    return [(each.transport, each.version, each.state, each.sport) for each in sockets]


def open_all(stack: contextlib.ExitStack) -> None:
    """One of each kind on 20000, and neighbours on both sides."""

    def opened(family: int, kind: int, address: str, port: int) -> socket.socket:
        each = stack.enter_context(socket.socket(family, kind))
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((address, port))
        return each

    server = opened(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 20_000)
    server.listen()
    opened(socket.AF_INET6, socket.SOCK_STREAM, "::1", 20_000)
    opened(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.2", 20_000)
    connected = opened(socket.AF_INET6, socket.SOCK_DGRAM, "::1", 20_000)
    connected.connect(("::1", 9))
    opened(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 19_999)
    opened(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", 20_001)
    client = stack.enter_context(socket.create_connection(("127.0.0.1", 20_000)))
    stack.enter_context(server.accept()[0])
    late = stack.enter_context(socket.create_connection(("127.0.0.1", 20_000)))
    accepted = stack.enter_context(server.accept()[0])
    accepted.close()  # the server's side closes first, so 20000 keeps the tuple
    assert late.recv(1) == b""
    late.close()
    assert client.getpeername()[1] == 20_000


def find_all() -> tuple[list[Told], list[str], list[int], list[str]]:
    with contextlib.ExitStack() as stack:
        open_all(stack)
        found = sockets_on(20_000, 20_000)
        by_file = [
            line.split()[1].rpartition(":")[2]
            for name in ("tcp", "tcp6", "udp", "udp6")
            for line in Path("/proc/self/net", name).read_text().splitlines()[1:]
        ]
        inodes = [each.inode for each in found.sockets if each.state == "time-wait"]
        addresses = [each.destination for each in found.sockets if each.state == "established"]
    assert found.complete
    assert not found.unseen
    return told(found.sockets), addresses, inodes, by_file


@pytest.mark.namespace
def test_both_transports_and_both_versions_are_found_in_every_state() -> None:
    found, peers, time_wait_inodes, by_file = in_namespace(find_all)
    bound = [("tcp", 6, "bound", 20_000)] if SHOWS_BOUND else []
    assert sorted(found) == sorted(
        [
            ("tcp", 4, "listen", 20_000),
            ("tcp", 4, "established", 20_000),
            ("tcp", 4, "time-wait", 20_000),
            *bound,
            ("udp", 4, "bound", 20_000),
            ("udp", 6, "established", 20_000),
        ]
    )
    assert peers == ["127.0.0.1", "::1"]
    assert time_wait_inodes == [0]
    # Another reading of the same kernel; it never shows TCP sockets that are only bound.
    assert by_file.count(f"{20_000:04X}") == len(found) - len(bound)


def a_range() -> list[int]:
    with contextlib.ExitStack() as stack:
        open_all(stack)
        return sorted({each.sport for each in sockets_on(19_999, 20_001).sockets})


@pytest.mark.namespace
def test_a_range_finds_its_neighbours_too() -> None:
    found = in_namespace(a_range)
    assert found == ([19_999] if SHOWS_BOUND else []) + [20_000, 20_001]


def among(count: int) -> tuple[float, float, int]:
    """Seconds to find one listener without and with so many tuples in TIME_WAIT beside it."""
    Path("/proc/sys/net/ipv4/tcp_tw_reuse").write_text("0")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 1_024))
        server.listen(64)
        before = min(timed() for _ in range(5))
        for at in range(count):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            address = ipaddress.IPv4Address("127.1.0.0") + at // 50_000
            client.bind((str(address), 2_000 + at % 50_000))
            client.connect(("127.0.0.1", 1_024))
            accepted = server.accept()[0]
            client.close()
            accepted.close()
        return before, min(timed() for _ in range(5)), len(sockets_on(2_000, 65_535).sockets)


def timed() -> float:
    started = time.perf_counter()
    assert [each.state for each in sockets_on(1_024, 1_024).sockets] == ["listen"]
    return time.perf_counter() - started


@pytest.mark.namespace
@pytest.mark.alone
def test_one_listener_is_found_fast_among_very_many_sockets() -> None:
    count = 10_000
    _, after_s, others = in_namespace(among, count)
    assert others == count
    # 0.1 s is what a person takes for at once; measured 3 ms.
    assert after_s < 0.1


def no_rights_needed() -> str:
    with contextlib.suppress(OSError):
        sockets_on(1, 65_535)
        return "seen"
    return errno.errorcode[errno.EPERM]


@pytest.mark.namespace
def test_an_empty_namespace_has_nothing_and_that_is_no_error() -> None:
    assert in_namespace(no_rights_needed) == "seen"
