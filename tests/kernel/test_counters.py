"""The kernel's counters: the format, and that each counts what it is kept for."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel.counters import KEPT, parse_paired, read_counters, read_time_wait_count
from tests.support.namespace import in_namespace

names = st.text(alphabet="ABCabc123", min_size=1, max_size=8)
groups = st.dictionaries(
    names, st.dictionaries(names, st.integers(-(2**63), 2**64 - 1), min_size=1), max_size=4
)


@given(wanted=groups)
def test_pairs_of_lines_become_one_flat_mapping(wanted: dict[str, dict[str, int]]) -> None:
    text = "".join(
        f"{group}: {' '.join(values)}\n{group}: {' '.join(map(str, values.values()))}\n"
        for group, values in wanted.items()
    )
    assert parse_paired(text) == {
        f"{group}.{name}": value
        for group, values in wanted.items()
        for name, value in values.items()
    }


def test_an_empty_file_has_no_counters() -> None:
    assert parse_paired("") == {}


def test_every_kept_counter_exists_on_this_kernel() -> None:
    assert set(read_counters()) == KEPT


def connect_and_close(times: int) -> dict[str, int]:
    """Counters after some connections, one reset and one connect to nobody."""
    before = read_counters()
    assert not any(value for name, value in before.items() if name != "Tcp.OutRsts"), before
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(times):
            with socket.create_connection(server.getsockname()) as client:
                accepted, _peer = server.accept()
                client.shutdown(socket.SHUT_WR)
                assert accepted.recv(1) == b""
                accepted.close()
                assert client.recv(1) == b""
        port = server.getsockname()[1]
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", port))
    waiting = read_time_wait_count()
    return {**read_counters(), "waiting": waiting}


@pytest.mark.namespace
def test_a_new_namespace_begins_at_zero_and_counts_each_connection() -> None:
    found = in_namespace(connect_and_close, 5)
    assert found["Tcp.ActiveOpens"] == 6
    assert found["Tcp.PassiveOpens"] == 5
    assert found["Tcp.AttemptFails"] == 1
    assert found["Tcp.OutRsts"] == 1
    assert found["waiting"] == 5
    assert found["TcpExt.ListenOverflows"] == 0


def overflow() -> dict[str, int]:
    """More connects than an accept queue of one holds."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        found = read_counters()
        for client in clients:
            client.close()
    return found


@pytest.mark.namespace
def test_a_full_accept_queue_is_counted() -> None:
    found = in_namespace(overflow)
    assert found["TcpExt.ListenOverflows"] > 0
    assert found["TcpExt.ListenDrops"] >= found["TcpExt.ListenOverflows"]
