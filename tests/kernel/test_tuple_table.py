"""IPv4 and IPv6 in one table: against what the sockets themselves say of their ends."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel.sockdiag import ESTABLISHED, LISTEN, TIME_WAIT
from simulator.kernel.tuple_table import address_text, read_tuple_table
from tests.support.namespace import in_namespace

End = tuple[str, int]


@given(number=st.integers(0, (1 << 32) - 1))
def test_a_mapped_address_is_told_as_ipv4(number: int) -> None:
    assert address_text(0, 0xFFFF << 32 | number) == str(ipaddress.IPv4Address(number))


@given(number=st.integers(1 << 48, (1 << 128) - 1))
def test_any_other_address_is_told_as_ipv6(number: int) -> None:
    text = address_text(number >> 64, number & (1 << 64) - 1)
    assert ipaddress.ip_address(text) == ipaddress.IPv6Address(number)


def plain(address: str) -> str:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def both() -> tuple[list[tuple[End, End]], list[tuple[End, End]], list[int], int]:
    """Ends of the clients by the table and by the sockets; states; listeners."""
    wanted = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_INET6))
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 7_000))
        server.listen()
        for family, address in (
            *((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")),
            (socket.AF_INET6, "::ffff:127.0.0.2"),
        ):
            client = stack.enter_context(socket.socket(family))
            client.connect((address, 7_000))
            stack.enter_context(server.accept()[0])
            ends = client.getsockname()[:2], client.getpeername()[:2]
            wanted.append(((plain(ends[0][0]), ends[0][1]), (plain(ends[1][0]), ends[1][1])))
        late = stack.enter_context(socket.create_connection(("::1", 7_000)))
        accepted = stack.enter_context(server.accept()[0])
        late.shutdown(socket.SHUT_WR)
        accepted.recv(1)
        accepted.close()
        late.recv(1)
        late.close()
        table = read_tuple_table()
    found = [
        (
            (address_text(*table.source[row].tolist()), int(table.sport[row])),
            (address_text(*table.peer[row].tolist()), int(table.dport[row])),
        )
        for row in range(len(table))
        if table.state[row] == ESTABLISHED and table.dport[row] == 7_000
    ]
    listeners = int((table.state == LISTEN).sum())
    waits = table.timer_ms[table.state == TIME_WAIT].tolist()
    return found, wanted, waits, listeners


@pytest.mark.namespace
def test_each_family_is_in_it_once() -> None:
    found, wanted, waits, listeners = in_namespace(both)
    assert sorted(found) == sorted(wanted)
    assert listeners == 1
    assert len(waits) == 1
    assert 50_000 < waits[0] <= 60_000
