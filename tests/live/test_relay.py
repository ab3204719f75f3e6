"""What the relay promises besides its bytes: ends, retries, timeouts, limits, and true records."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from time import monotonic

import pytest

from simulator.kernel.sockets import LINGER_ZERO, open_listener
from simulator.live.relay import RelaySettings, RelayStatistics
from simulator.records import Call, Ending, Hop
from tests.support.namespace import LOOPS, in_namespace
from tests.support.relay_process import (
    RelayPlan,
    RelayProcess,
    resident_bytes,
)
from tests.support.stage import BACKEND, deaf_backend, staged

MS = 1_000_000

pytestmark = pytest.mark.usefixtures("both_data_paths")


async def test_a_client_that_says_nothing_and_ends_gets_its_whole_answer() -> None:
    async with staged() as stage:
        client = stage.client()
        client.shutdown(socket.SHUT_WR)
        backend = await stage.backend()
        assert await stage.receive(backend) == b""
        answer = os.urandom(5_000_000)

        async def reply() -> None:
            await stage.loop.sock_sendall(backend, answer)
            backend.shutdown(socket.SHUT_WR)

        async with asyncio.TaskGroup() as both:
            both.create_task(reply())
            received = both.create_task(stage.receive(client))
        assert received.result() == answer
        statistics = await stage.until(lambda now: now.active == 0)
        assert (statistics.bytes_up, statistics.bytes_down) == (0, len(answer))


@pytest.mark.parametrize("who", ["client", "backend"])
async def test_without_half_closes_whoever_ends_first_ends_both(who: str) -> None:
    async with staged(settings=RelaySettings(half_close=False)) as stage:
        client = stage.client()
        await stage.loop.sock_sendall(client, b"question")
        backend = await stage.backend()
        assert await stage.loop.sock_recv(backend, 100) == b"question"
        one, other = (client, backend) if who == "client" else (backend, client)
        await stage.loop.sock_sendall(one, b"last words")
        one.shutdown(socket.SHUT_WR)
        assert await stage.receive(other) == b"last words"
        assert await stage.receive(one) == b"", "nothing more will come"
        statistics = await stage.until(lambda now: now.active == 0)
        assert statistics.resets == 0


async def test_without_half_closes_a_client_that_ends_before_it_is_dialed_for_ends_both() -> None:
    async with staged(settings=RelaySettings(half_close=False)) as stage:
        client = stage.client()
        await stage.loop.sock_sendall(client, b"only words")
        client.shutdown(socket.SHUT_WR)
        assert await stage.receive(await stage.backend()) == b"only words"
        assert await stage.receive(client) == b""
        await stage.until(lambda now: now.active == 0)


@pytest.mark.parametrize("who", ["client", "backend"])
async def test_a_reset_arrives_as_a_reset_with_all_that_was_said_before(who: str) -> None:
    async with staged() as stage:
        client = stage.client()
        await stage.loop.sock_sendall(client, b"question")
        backend = await stage.backend()
        assert await stage.loop.sock_recv(backend, 100) == b"question"
        one, other = (client, backend) if who == "client" else (backend, client)
        await stage.loop.sock_sendall(one, b"last words")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        one.close()
        assert await stage.loop.sock_recv(other, 100) == b"last words"
        with pytest.raises(ConnectionResetError):
            await stage.loop.sock_recv(other, 100)
        statistics = await stage.until(lambda now: now.active == 0)
        assert statistics.resets == 1


async def test_a_reset_does_not_wait_for_a_stuck_reader() -> None:
    async with staged() as stage:
        client = stage.client()
        backend = await stage.backend()
        await stage.flood([client], 0.2)  # the backend never reads
        assert stage.relay.statistics().buffered_bytes > 0
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        client.close()
        statistics = await stage.until(lambda now: now.active == 0)
        assert statistics.buffered_bytes == 0
        with pytest.raises(ConnectionResetError):
            await stage.receive(backend)


async def test_a_dead_backend_is_left_out_and_the_next_one_gets_every_byte() -> None:
    async with staged(dead=1, settings=RelaySettings(retries=1)) as stage:
        for turn in range(6):  # round robin: the dead one comes first every other time
            client = stage.client()
            question = f"question {turn}".encode()
            await stage.loop.sock_sendall(client, question)
            client.shutdown(socket.SHUT_WR)
            backend = await stage.backend()
            assert await stage.receive(backend) == question
            backend.close()
            assert await stage.receive(client) == b""
        statistics = await stage.until(lambda now: now.active == 0)
        dials = stage.dials()
        failed = dials[dials[:, 5] != 0]
        assert statistics.retries == len(failed) > 0
        assert statistics.dial_errors == {(Call.CONNECT, errno.ECONNREFUSED): len(failed)}
        assert set(failed[:, 2]) == {0}, "backend 0 is the dead one"
        assert set(failed[:, 5]) == {errno.ECONNREFUSED}
        assert len(dials) == statistics.dialed == 6 + len(failed)
        assert statistics.picks == {0: len(failed), 1: 6}
        assert not stage.refusals()


async def test_when_nobody_answers_the_client_is_reset_and_the_reason_kept() -> None:
    async with staged(backends=0, dead=3, settings=RelaySettings(retries=1)) as stage:
        client = stage.client()
        peer = client.getsockname()
        with pytest.raises(ConnectionResetError):
            await stage.loop.sock_recv(client, 1)
        statistics = await stage.until(lambda now: now.refused == 1)
        assert (statistics.active, statistics.retries) == (0, 1)
        (row,) = stage.refusals()
        assert socket.inet_ntoa(row["peer_address"].to_bytes(4, "big")) == peer[0]
        assert row["peer_port"] == peer[1], "joins to the client's row by its tuple"
        assert (row["call"], row["error"]) == (Call.CONNECT, errno.ECONNREFUSED)
        assert (row["hop"], row["backend"]) == (Hop.BALANCER_BACKEND, 1)
        assert 0 < row["accepted_ns"] < row["t_ns"]


async def test_without_backends_the_reason_is_that_there_is_none() -> None:
    async with staged() as stage:
        stage.relay.remove(0)
        client = stage.client()
        with pytest.raises(ConnectionResetError):
            await stage.loop.sock_recv(client, 1)
        (row,) = stage.refusals()
        assert (row["call"], row["error"], row["backend"]) == (Call.PICK, Ending.NO_BACKEND, -1)


async def test_a_connect_that_takes_too_long_is_tried_elsewhere() -> None:
    settings = RelaySettings(connect_timeout_ns=100 * MS, retries=1)
    async with deaf_backend() as deaf, staged(settings=settings) as stage:
        good = stage.listeners[0].getsockname()
        stage.relay.insert(0, *deaf)  # the first in turn moves to where nobody accepts
        stage.relay.insert(1, *good)
        client = stage.client()
        await stage.loop.sock_sendall(client, b"first ")
        began = monotonic()
        await asyncio.sleep(0.03)  # the stimulus: more comes while the connect is on its way
        await stage.loop.sock_sendall(client, b"second")
        client.shutdown(socket.SHUT_WR)
        backend = await stage.backend()
        assert monotonic() - began >= 0.09
        assert await stage.receive(backend) == b"first second"
        statistics = stage.relay.statistics()
        assert (statistics.connect_timeouts, statistics.retries) == (1, 1)
        dials = stage.dials()
        assert dials[:, 5].tolist() == [Ending.TIMEOUT, 0]
        assert dials[:, 2].tolist() == [0, 1]


async def test_a_client_that_leaves_during_the_connect_is_no_fault_of_the_backend() -> None:
    async with deaf_backend() as deaf, staged() as stage:
        stage.relay.insert(0, *deaf)
        client = stage.client()
        await stage.until(lambda now: now.dialed == 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        client.close()
        await stage.until(lambda now: now.active == 0)
        assert stage.dials()[:, 5].tolist() == [Ending.EOF]
        assert not stage.refusals()


@pytest.mark.parametrize("idle_ms", [60, 150])
async def test_silence_ends_a_connection_from_the_relays_side_and_in_time(idle_ms: int) -> None:
    async with staged(settings=RelaySettings(idle_timeout_ns=idle_ms * MS)) as stage:
        client = stage.client()
        backend = await stage.backend()
        for sock in (client, backend):  # speaking keeps it open, whoever speaks
            await asyncio.sleep(idle_ms * 0.6 / 1000)
            await stage.loop.sock_sendall(sock, b"still here")
        spoke = monotonic()
        assert await stage.receive(backend) == b"still here"
        assert await stage.receive(client) == b"still here"
        silent_ms = (monotonic() - spoke) * 1000
        assert silent_ms > idle_ms - 5, "closed too early"
        # Two slots are 4 and 6 ms here; the rest is room for a busy machine.
        assert silent_ms < idle_ms + 150, "closed too late"
        assert stage.relay.statistics().idle_closed == 1


async def test_a_stuck_reader_costs_one_buffer() -> None:
    buffer = 16_384
    async with staged(settings=RelaySettings(buffer_bytes=buffer)) as stage:
        clients = [stage.client() for _ in range(20)]
        for _ in clients:
            await stage.backend()  # accepted, and never read

        before = resident_bytes()
        await stage.flood(clients, 1)
        assert 0 < stage.relay.statistics().buffered_bytes <= buffer * len(clients)
        # 20 connections at 16 KiB, and what the allocator rounds up to.
        assert resident_bytes() - before < 16_000_000


async def test_draining_finishes_what_is_open_and_takes_nothing_new() -> None:
    async with staged() as stage:
        client = stage.client()
        backend = await stage.backend()
        stage.relay.stop_accepting()
        with socket.socket() as newcomer, pytest.raises(ConnectionRefusedError):
            newcomer.connect(stage.front)
        await stage.loop.sock_sendall(client, b"late question")
        assert await stage.loop.sock_recv(backend, 100) == b"late question"
        assert not stage.relay.idle
        backend.close()
        client.close()
        await stage.until(lambda now: now.active == 0)
        assert stage.relay.idle


async def test_abort_resets_both_sides() -> None:
    async with staged() as stage:
        client = stage.client()
        backend = await stage.backend()
        stage.relay.abort()
        for sock in (client, backend):
            with pytest.raises(ConnectionResetError):
                await stage.loop.sock_recv(sock, 1)
        assert stage.relay.idle


async def test_a_backend_that_moves_is_reached_where_it_is_now() -> None:
    async with staged(backends=2) as stage:
        endpoints = [one.getsockname() for one in stage.listeners]
        stage.relay.remove(1)
        for where in (0, 1, 0):
            stage.relay.insert(0, *endpoints[where])
            client = stage.client()
            backend = await stage.backend(where)
            assert backend.getsockname() == endpoints[where]
            client.close()
            assert await stage.receive(backend) == b""
        assert stage.relay.statistics().picks == {0: 3}


async def test_removing_a_backend_lets_its_connections_live() -> None:
    async with staged(backends=2) as stage:
        client = stage.client()
        backend = await stage.backend(0)
        stage.relay.remove(0)
        await stage.loop.sock_sendall(client, b"and yet")
        assert await stage.loop.sock_recv(backend, 100) == b"and yet"
        for _ in range(3):
            stage.client()
            await stage.backend(1)


async def test_the_least_loaded_backend_is_picked_as_connections_come_and_go() -> None:
    async with staged(backends=3, policy="least-connections") as stage:
        held = [stage.client() for _ in range(6)]
        await stage.until(lambda now: now.accepted == 6)
        picks = stage.relay.statistics().picks
        assert picks == {0: 2, 1: 2, 2: 2}
        # Both connections of one backend end: the next two are its.
        first = [await stage.backend(0) for _ in range(2)]
        for backend in first:
            backend.close()
        gone = 0
        for client in held:
            try:
                client.recv(1)
            except BlockingIOError:
                continue
            gone += 1
            client.close()
        while gone < 2:  # the ends are still on their way
            await asyncio.sleep(0)
            for client in held:
                if client.fileno() < 0:
                    continue
                try:
                    client.recv(1)
                except BlockingIOError:
                    continue
                gone += 1
                client.close()
        await stage.until(lambda now: now.active == 4)
        for _ in range(2):
            stage.client()
        statistics = await stage.until(lambda now: now.accepted == 8)
        assert statistics.picks == {0: 4, 1: 2, 2: 2}


def hold(loop_name: str, wanted: int) -> tuple[int, RelayStatistics, RelayStatistics]:
    """Open many connections, speak over each, close them all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = min(wanted, (hard - 100) // 2)
    listener = open_listener(BACKEND, 0, backlog=4096)
    plan = RelayPlan(loop=loop_name, backends=(listener.getsockname(),))
    with RelayProcess(plan) as relay:
        before = relay.ask("descriptors")
        clients, backends = [], []
        for number in range(wanted):
            clients.append(socket.create_connection(relay.front, timeout=20))
            clients[-1].sendall(number.to_bytes(4, "big"))
            while (accepted := listener_accepts(listener)) is not None:
                backends.append(accepted)
        while len(backends) < wanted:
            if (accepted := listener_accepts(listener)) is not None:
                backends.append(accepted)
        held = relay.ask("statistics")
        for backend in backends:  # each says back what it heard
            backend.sendall(backend.recv(4))
        for number, client in enumerate(clients):
            assert int.from_bytes(client.recv(4), "big") == number
            client.close()
        for backend in backends:
            assert backend.recv(1) == b""
            backend.close()
        while not relay.ask("idle"):
            pass
        # What the process inherited may be let go of meanwhile; nothing may be added.
        assert relay.ask("descriptors") <= before
        closed = relay.ask("statistics")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted, held, closed


@pytest.mark.namespace
@pytest.mark.slow
def test_thousands_are_held_and_end_cleanly() -> None:
    wanted, held, closed = in_namespace(hold, "uvloop", 9_000)
    assert held.active == wanted
    assert (closed.active, closed.resets, closed.refused) == (0, 0, 0)
    assert closed.bytes_up == closed.bytes_down == 4 * wanted


def exhaust_descriptors(loop_name: str) -> tuple[RelayStatistics, RelayStatistics]:
    """More clients than a relay has descriptors for; then most of them leave."""
    listener = open_listener(BACKEND, 0, backlog=1024)
    plan = RelayPlan(loop=loop_name, backends=(listener.getsockname(),), descriptors=64)
    with RelayProcess(plan) as relay:
        clients = [socket.create_connection(relay.front, timeout=20) for _ in range(100)]
        while not (full := relay.ask("statistics")).accept_errors:
            pass
        for client in clients:
            client.close()
        # What waited in the queue was accepted after all, and all of it has ended.
        while (after := relay.ask("statistics")).accepted < 100 or after.active:
            listener_accepts(listener)
        last = socket.create_connection(relay.front, timeout=20)
        last.sendall(b"x")
        while True:
            accepted = listener_accepts(listener)
            if accepted is not None and accepted.recv(1) == b"x":
                break
    return full, after


def listener_accepts(listener: socket.socket) -> socket.socket | None:
    """One connection out of the backend's queue, if there is one."""
    try:
        accepted, _ = listener.accept()
    except BlockingIOError:
        return None
    accepted.settimeout(20)
    return accepted


@pytest.mark.namespace
@pytest.mark.parametrize("loop_name", LOOPS)
def test_out_of_descriptors_pauses_accepting_and_passes(loop_name: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    full, after = in_namespace(exhaust_descriptors, loop_name)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
    assert set(full.accept_errors) == {errno.EMFILE}
    assert full.accepted < 100
    # A pause of 75 ms for each: a loop that asked at once would count thousands.
    assert after.accept_errors[errno.EMFILE] < 100
