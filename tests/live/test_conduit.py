"""A conduit loses nothing, says what is in it, and leaves no descriptor behind."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from simulator.kernel.sockets import LINGER_ZERO
from simulator.live.conduit import CONDUITS_MAX, PIPE_BYTES, Conduit
from simulator.live.relay import RelaySettings
from tests.support.relay_process import open_descriptors
from tests.support.stage import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a TCP connection, non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


@pytest.fixture
def second_pair(pair: Pair) -> Iterator[Pair]:
    """Another such connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


def test_bytes_pass_unchanged_and_the_length_is_what_is_inside(
    pair: Pair, second_pair: Pair
) -> None:
    conduit = Conduit()
    pair[0].send(b"some words")
    assert conduit.fill(pair[1].fileno()) == len(conduit) == 10
    assert conduit.drain(second_pair[0].fileno()) == 10
    assert not conduit
    second_pair[1].setblocking(True)
    assert second_pair[1].recv(100) == b"some words"
    conduit.close()


def test_nothing_to_read_and_the_end_are_told_apart(pair: Pair) -> None:
    conduit = Conduit()
    with pytest.raises(BlockingIOError):
        conduit.fill(pair[1].fileno())
    pair[0].shutdown(socket.SHUT_WR)
    assert conduit.fill(pair[1].fileno()) == 0
    conduit.close()


def test_what_is_not_taken_stays_and_goes_later(pair: Pair, second_pair: Pair) -> None:
    conduit = Conduit()
    stuck, reader = second_pair
    filler = 0
    while True:
        try:
            filler += stuck.send(bytes(1 << 16))
        except BlockingIOError:
            break
    words = os.urandom(1_000)
    pair[0].send(words)
    conduit.fill(pair[1].fileno())
    assert conduit.drain(stuck.fileno()) == 0
    assert len(conduit) == len(words)
    reader.setblocking(True)
    got = b""
    while len(got) < filler + len(words):
        got += reader.recv(1 << 16)
        conduit.drain(stuck.fileno())
    assert got[filler:] == words
    assert not conduit
    conduit.close()


def test_a_reset_is_an_error_and_nothing_is_counted_as_sent(pair: Pair, second_pair: Pair) -> None:
    conduit = Conduit()
    pair[0].send(b"lost")
    conduit.fill(pair[1].fileno())
    second_pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    second_pair[1].close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        conduit.drain(second_pair[0].fileno())
    assert len(conduit) == 4
    conduit.close()
    assert not conduit


def test_closing_gives_its_descriptors_back() -> None:
    before = open_descriptors()
    conduit = Conduit()
    assert open_descriptors() == before + 2
    conduit.close()
    assert open_descriptors() == before


async def test_a_relay_lets_go_of_the_pipe_when_its_connection_ends() -> None:
    async with staged() as stage:
        answer = os.urandom(3_000_000)
        client = stage.client()
        backend = await stage.backend()
        before = open_descriptors()
        sending = stage.loop.create_task(stage.loop.sock_sendall(backend, answer))
        received = b""
        most = before
        while len(received) < len(answer):
            received += await stage.loop.sock_recv(client, 1 << 16)
            most = max(most, open_descriptors())
        await sending
        assert received == answer
        assert most == before + 2, "bulk went through a pipe"
        client.close()
        backend.close()
        await stage.until(lambda now: now.active == 0)
        assert open_descriptors() == before - 4, "both ends here, both in the relay, and the pipe"


async def test_stuck_bulk_holds_few_pipes_and_the_rest_is_copied() -> None:
    async with staged() as stage:
        before = open_descriptors()
        clients = [stage.client() for _ in range(CONDUITS_MAX + 4)]
        backends = [await stage.backend() for _ in clients]  # never read
        held = open_descriptors()
        await stage.flood(clients, 0.3)
        assert held < open_descriptors() <= held + 2 * CONDUITS_MAX
        buffered = stage.relay.statistics().buffered_bytes
        assert 0 < buffered <= CONDUITS_MAX * PIPE_BYTES + 4 * RelaySettings().buffer_bytes
        for sock in (*clients, *backends):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            sock.close()
        statistics = await stage.until(lambda now: now.active == 0)
        assert statistics.buffered_bytes == 0
        assert open_descriptors() == before


async def test_a_small_buffer_is_never_exceeded_by_a_pipe() -> None:
    async with staged(settings=RelaySettings(buffer_bytes=65_535)) as stage:
        client = stage.client()
        await stage.backend()
        held = open_descriptors()
        await stage.flood([client], 0.1)
        assert open_descriptors() == held
        assert 0 < stage.relay.statistics().buffered_bytes <= 65_535
