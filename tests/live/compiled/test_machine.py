"""The compiled functions by themselves, on sockets of the test's own."""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import closing
from ipaddress import IPv4Address

import numpy as np
import pytest

from simulator.kernel.sockets import open_listener
from simulator.live.compiled import layout, machine
from simulator.live.pairs import LIVE, NOBODY, PROMPT, UPSTREAM
from simulator.live.reactor import READS


class Workbench:
    """All arrays, an epoll, and pairs of connected sockets."""

    def __init__(self, rows: int = 1024) -> None:
        self.board = np.zeros(layout.BOARD_PLACES, np.int64)
        self.board[layout.HALF_CLOSE] = 1
        self.state = np.zeros((rows, layout.STATE_COLUMNS), np.int64)
        self.events = np.zeros(16 * layout.EVENT_WORDS, np.uint32)
        self.strange = np.zeros((16, 2), np.int64)
        self.ended = np.zeros((16, 3), np.int64)
        self.orders = np.zeros((8, layout.ORDER_COLUMNS), np.int64)
        self.data = np.zeros(64, np.uint8)
        self.epoll = select.epoll()

    def pair(self) -> tuple[socket.socket, socket.socket, int, int]:
        """A client and a backend of the test's, and the relay's two ends of them."""
        (client, near), (far, backend) = _connected(), _connected()
        for one, other, flags in ((near, far, LIVE | PROMPT), (far, near, LIVE | UPSTREAM)):
            one.setblocking(False)
            self.state[one.fileno(), layout.FLAGS] = flags
            self.state[one.fileno(), layout.PEER] = other.fileno()
            self.epoll.register(one.fileno(), READS)
        self.state[far.fileno(), layout.BACKEND] = 3
        return client, backend, near.detach(), far.detach()

    def turn(self, listener: int = NOBODY) -> int:
        """One turn from its beginning."""
        self.board[layout.EVENTS] = -1
        return self.go_on(listener)

    def go_on(self, listener: int = NOBODY) -> int:
        """What is left of it."""
        return int(
            machine.turn(
                self.epoll.fileno(),
                listener,
                12_345,
                self.board,
                self.state,
                self.events,
                self.strange,
                self.ended,
                self.data,
            )
        )


def _connected() -> tuple[socket.socket, socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        one = socket.create_connection(server.getsockname(), timeout=5)
        other, _ = server.accept()
    other.settimeout(5)
    return one, other


def test_bytes_go_over_and_the_end_is_passed_on_and_both_are_closed() -> None:
    bench = Workbench()
    client, backend, near, far = bench.pair()
    with client, backend:
        client.sendall(b"question")
        assert bench.turn() == layout.THROUGH
        assert backend.recv(100) == b"question"
        backend.sendall(b"the answer")
        assert bench.turn() == layout.THROUGH
        assert client.recv(100) == b"the answer"
        assert bench.board[layout.UP] == 8
        assert bench.board[layout.DOWN] == 10
        assert bench.state[near, layout.ACTIVE_NS] == 12_345
        client.close()
        assert bench.turn() == layout.THROUGH
        assert backend.recv(100) == b""
        assert bench.board[layout.ENDED] == 0, "the other direction may go on"
        backend.close()
        assert bench.turn() == layout.THROUGH
        assert bench.ended[: bench.board[layout.ENDED]].tolist() == [[near, far, 3]]
        assert bench.board[layout.CLOSED]
    for fd in (near, far):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


@pytest.mark.parametrize("who", ["client", "backend"])
def test_the_first_end_ends_both_where_ends_are_not_passed_on(who: str) -> None:
    bench = Workbench()
    bench.board[layout.HALF_CLOSE] = 0
    client, backend, near, far = bench.pair()
    with client, backend:
        one, other = (client, backend) if who == "client" else (backend, client)
        one.sendall(b"last words")
        one.shutdown(socket.SHUT_WR)
        assert bench.turn() == layout.THROUGH
        assert bench.ended[: bench.board[layout.ENDED]].tolist() == [[near, far, 3]]
        assert other.recv(100) == b"last words"
        assert other.recv(100) == one.recv(100) == b""


def test_what_stops_a_turn_leaves_the_rest_of_it_for_later() -> None:
    bench = Workbench()
    first, second = bench.pair(), bench.pair()
    first[0].sendall(bytes(64))  # as much as is read at once: bulk
    second[0].sendall(b"short")
    cases = [bench.turn()]
    while cases[-1] != layout.THROUGH:
        cases.append(bench.go_on())
    assert sorted(cases) == [layout.THROUGH, layout.FULL]
    assert bench.board[layout.FD] == first[2]
    assert first[1].recv(100) == bytes(64)
    assert second[1].recv(100) == b"short"
    for client, backend, near, far in (first, second):
        client.close()
        backend.close()
        os.close(near)
        os.close(far)


def test_what_it_does_not_know_is_left_to_others_and_nothing_is_closed_meanwhile() -> None:
    bench = Workbench()
    client, backend, near, far = bench.pair()
    read_end, write_end = os.pipe()
    listener = open_listener("127.0.0.1", 0, backlog=8)
    with client, backend, listener, socket.create_connection(listener.getsockname()):
        for fd in (read_end, listener.fileno()):
            bench.epoll.register(fd, select.EPOLLIN)
        os.write(write_end, b"x")
        client.close()
        backend.close()
        assert bench.turn(listener.fileno()) == layout.THROUGH
        assert bench.strange[: bench.board[layout.STRANGE]].tolist() == [[read_end, select.EPOLLIN]]
        assert bench.board[layout.DUE]
        assert bench.board[layout.ENDED] == 1
        os.fstat(near)  # still open, for what is strange may open others
        machine.close_ended(bench.board, bench.ended)
        machine.close_ended(bench.board, bench.ended)  # once is enough
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(far)
    os.close(read_end)
    os.close(write_end)


def test_clients_are_accepted_with_their_addresses_until_there_are_no_more() -> None:
    bench = Workbench()
    with open_listener("127.0.0.1", 0, backlog=8) as listener:
        clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        count = machine.accept(listener.fileno(), bench.board, bench.state, bench.orders)
        assert count == 3
        assert bench.board[layout.ERROR] == errno.EAGAIN
        for client, order in zip(clients, bench.orders[:count], strict=False):
            fd = int(order[layout.CLIENT])
            host, port = client.getsockname()
            number, seen = divmod(int(bench.state[fd, layout.ADDRESS]), 1 << 16)
            assert (str(IPv4Address(number)), seen) == (host, port)
            assert not os.get_blocking(fd)
            assert not os.get_inheritable(fd)
            os.close(fd)
            client.close()


def test_a_descriptor_without_a_row_counts_as_one_too_many() -> None:
    bench = Workbench(rows=1)
    with open_listener("127.0.0.1", 0, backlog=8) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            assert machine.accept(listener.fileno(), bench.board, bench.state, bench.orders) == 0
            assert client.recv(1) == b""
        assert bench.board[layout.ERROR] == errno.EMFILE
