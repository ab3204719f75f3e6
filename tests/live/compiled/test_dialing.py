"""Orders carried out by themselves, on sockets of the test's own."""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import closing

import numpy as np
import pytest

from simulator.live.compiled import dialing, layout
from simulator.live.compiled.bare import name_of
from simulator.live.pairs import CONNECTING, LIVE, UPSTREAM, WATCHED
from simulator.records import DIAL_COLUMNS, Call


class Desk:
    """Orders toward one endpoint, for clients that are connected pairs."""

    def __init__(self, endpoint: tuple[str, int], rows: int = 1024) -> None:
        self.board = np.zeros(layout.BOARD_PLACES, np.int64)
        self.board[layout.HALF_CLOSE] = 1
        self.state = np.zeros((rows, layout.STATE_COLUMNS), np.int64)
        self.orders = np.zeros((4, layout.ORDER_COLUMNS), np.int64)
        self.dials = np.zeros((4, len(DIAL_COLUMNS)), np.int64)
        self.endpoints = np.array([name_of(*endpoint)], np.int64)
        self.how = np.zeros(layout.HOW_PLACES, np.int64)
        self.epoll = select.epoll()
        self.clients: list[socket.socket] = []
        self.near: list[socket.socket] = []

    def order(self, *, said: bytes) -> None:
        """One more client, which has said this."""
        client, near = socket.socketpair()
        near.setblocking(False)
        client.sendall(said)
        row = len(self.clients)
        self.orders[row, layout.CLIENT] = near.fileno()
        self.state[near.fileno(), layout.FLAGS] = LIVE
        self.clients.append(client)
        self.near.append(near)

    def dial(self) -> int:
        """Carry out what is left."""
        return int(
            dialing.dial(
                len(self.clients),
                self.epoll.fileno(),
                0,
                self.how,
                self.board,
                self.state,
                self.orders,
                self.endpoints,
                np.array([name_of("127.2.5.1", 0)], np.int64),
                self.dials,
                np.zeros(64, np.uint8),
            )
        )

    def close(self) -> None:
        """Let go of everything."""
        self.epoll.close()
        for sock in (*self.clients, *self.near):
            sock.close()
        for upstream in self.orders[: len(self.clients), layout.DIALED].tolist():
            if upstream > 0:
                os.close(upstream)


def test_orders_are_carried_out_with_what_the_clients_have_said() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(Desk(server.getsockname())) as (desk),
    ):
        desk.how[layout.BINDS] = desk.how[layout.LATE] = 1
        desk.order(said=b"first")
        desk.order(said=b"second")
        assert desk.dial() == layout.THROUGH
        for said in (b"first", b"second"):
            backend, (address, _port) = server.accept()
            with backend:
                backend.settimeout(5)
                assert backend.recv(100) == said
            assert address == "127.2.5.1"
        assert desk.board[layout.ROWS] == 2
        assert desk.board[layout.UP] == len(b"firstsecond")
        assert desk.dials[:2, 5:].tolist() == [[0, int(Call.CONNECT)]] * 2
        upstream = int(desk.orders[0, layout.DIALED])
        assert desk.state[upstream, layout.FLAGS] == LIVE | UPSTREAM
        assert desk.state[upstream, layout.PEER] == desk.near[0].fileno()
        assert desk.state[desk.near[0].fileno(), layout.FLAGS] == LIVE | WATCHED


def test_an_order_without_a_backend_is_passed_over() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(Desk(server.getsockname())) as (desk),
    ):
        desk.order(said=b"x")
        desk.orders[0, layout.PICKED] = -1
        assert desk.dial() == layout.THROUGH
        assert desk.orders[0, layout.DIALED] < 0
        assert desk.board[layout.ROWS] == 0


def test_a_refused_connect_stops_at_its_order_and_the_next_one_goes_on() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with closing(Desk(deaf.getsockname())) as desk:
            desk.order(said=b"one")
            desk.order(said=b"two")
            for order in (1, 2):
                assert desk.dial() == layout.REFUSED
                assert desk.board[layout.WHAT] == errno.ECONNREFUSED
                assert desk.board[layout.WRITTEN] == order
                upstream = int(desk.orders[order - 1, layout.DIALED])
                assert desk.state[upstream, layout.FLAGS] == LIVE | UPSTREAM | CONNECTING
                assert desk.board[layout.END] == 3, "what the client said is kept for another"
            assert desk.board[layout.ROWS] == 0


def test_who_says_nothing_is_announced_to_its_backend_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(Desk(server.getsockname())) as (desk),
    ):
        desk.order(said=b"")
        desk.order(said=b"x")
        assert desk.dial() == layout.THROUGH
        server.setblocking(False)
        # An ACK that was held back would come after 40 ms, and this asks once.
        backends = [server.accept()[0] for _ in range(2)]
        for backend in backends:
            backend.close()


@pytest.mark.parametrize(
    ("half_close", "result"), [(1, layout.THROUGH), (0, layout.ODD_END)], ids=["passed", "both"]
)
def test_a_client_that_has_ended_ends_one_direction_or_all(half_close: int, result: int) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        closing(Desk(server.getsockname())) as (desk),
    ):
        desk.board[layout.HALF_CLOSE] = half_close
        desk.order(said=b"")
        desk.clients[0].shutdown(socket.SHUT_WR)
        assert desk.dial() == result
        backend, _ = server.accept()
        with backend:
            backend.setblocking(False)
            if half_close:
                assert backend.recv(100) == b""
            else:
                assert desk.board[layout.FD] == desk.near[0].fileno()
                with pytest.raises(BlockingIOError):
                    backend.recv(100)


def test_a_bind_that_fails_says_so_and_leaves_no_upstream() -> None:
    with socket.create_server(("127.2.5.1", 0)) as taken, closing(Desk(("127.0.0.1", 9))) as desk:
        desk.how[layout.BINDS] = 1
        desk.order(said=b"x")
        desk.orders[0, layout.PORT] = taken.getsockname()[1]
        assert desk.dial() == layout.FAILED
        assert desk.board[layout.CALL] == int(Call.BIND)
        assert desk.board[layout.WHAT] == errno.EADDRINUSE
        assert desk.orders[0, layout.DIALED] < 0
