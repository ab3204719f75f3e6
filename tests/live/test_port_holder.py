"""Who holds a listener's port: read from tables made by hand, and from the kernel's own."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from simulator.kernel.sockdiag import ESTABLISHED, LISTEN, TIME_WAIT, SocketTable
from simulator.live.port_holder import find_datagram_holder, find_holder, holder_in
from tests.support.namespace import in_namespace
from tests.support.resolvers import udp

HERE = 127 << 24 | 1


def table(*sockets: tuple[int, int, int, int, int]) -> SocketTable:
    """State, source, source port, destination, destination port of each."""
    columns = np.array(sockets, dtype=np.int64).reshape(-1, 5).T
    return SocketTable(
        state=columns[0].astype(np.uint8),
        source=columns[1].astype(np.uint32),
        sport=columns[2].astype(np.uint16),
        destination=columns[3].astype(np.uint32),
        dport=columns[4].astype(np.uint16),
        timer_ms=np.zeros(len(sockets), dtype=np.uint32),
        complete=True,
    )


def test_a_free_port_has_no_holder() -> None:
    assert holder_in(table(), "127.0.0.1", 50_000) is None
    others = table(
        (ESTABLISHED, HERE, 50_001, HERE, 9000),
        (ESTABLISHED, HERE + 1, 50_000, HERE, 9000),
        (LISTEN, HERE, 50_000, 0, 0),
    )
    assert holder_in(others, "127.0.0.1", 50_000) is None


def test_one_that_leads_to_a_listener_is_named_before_what_the_old_listener_left() -> None:
    found = holder_in(
        table(
            (TIME_WAIT, HERE, 50_000, HERE, 40_001),
            (ESTABLISHED, HERE, 50_000, HERE, 9000),
            (LISTEN, HERE, 9000, 0, 0),
        ),
        "127.0.0.1",
        50_000,
    )
    assert found == {"destination": "127.0.0.1:9000", "state": "established", "sockets": 2}


def test_in_time_wait_it_holds_the_port_as_well() -> None:
    found = holder_in(table((TIME_WAIT, HERE, 50_000, HERE, 9000)), "127.0.0.1", 50_000)
    assert found == {"destination": "127.0.0.1:9000", "state": "time-wait", "sockets": 1}


def _hold_and_find() -> tuple[bool, object, tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        accepted, peer = server.accept()
        with accepted, socket.socket() as service:
            service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                service.bind(peer)
            except OSError:
                return True, find_holder(*peer), server.getsockname()
    return False, None, ("", 0)


@pytest.mark.namespace
def test_the_kernel_refuses_the_port_and_its_table_says_for_whom() -> None:
    refused, holder, (address, port) = in_namespace(_hold_and_find)
    assert refused
    expected = {"destination": f"{address}:{port}", "state": "established", "sockets": 1}
    assert holder == expected


def _datagram_holders() -> list[object]:
    with udp("0.0.0.0", 50_000), udp("127.4.0.1", 50_001):
        asked = [("127.4.0.1", 50_000), ("127.4.0.1", 50_001), ("127.4.0.2", 50_001)]
        return [find_datagram_holder(*one) for one in asked]


@pytest.mark.namespace
def test_a_udp_socket_on_all_addresses_or_on_this_one_is_found() -> None:
    assert in_namespace(_datagram_holders) == [
        {"bound": "0.0.0.0:50000", "sockets": 1},
        {"bound": "127.4.0.1:50001", "sockets": 1},
        None,
    ]
