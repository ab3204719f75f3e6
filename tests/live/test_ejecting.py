"""Ejection by answers: what a backend does with a connection is held against it, and no more."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from simulator.kernel.sockets import LINGER_ZERO
from simulator.live.care import CareSettings
from simulator.live.ejecting import EjectingRelay
from simulator.live.relay import RelaySettings
from tests.support.stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from simulator.live.governed import CareStatistics

MS = 1_000_000
LONG = 60_000 * MS


@asynccontextmanager
async def ejecting(
    backends: int = 1, *, after: int = 1, silence_ns: int = LONG, panic: float = 0.0, dead: int = 0
) -> AsyncIterator[tuple[Stage, EjectingRelay]]:
    care = CareSettings(eject_after=after, eject_ns=LONG, eject_silence_ns=silence_ns, panic=panic)
    settings = RelaySettings(retries=1)
    async with staged(backends, dead=dead, settings=settings, care=care) as stage:
        assert isinstance(stage.relay, EjectingRelay)
        yield stage, stage.relay


async def until(relay: EjectingRelay, holds: Callable[[CareStatistics], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds(relay.care_statistics()):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def ask(stage: Stage, text: bytes = b"question") -> socket.socket:
    client = stage.client()
    await stage.loop.sock_sendall(client, text)
    return client


async def exchange(stage: Stage, index: int = 0) -> None:
    """A question and its answer, and the client's end passed on."""
    client = await ask(stage)
    backend = await stage.backend(index)
    assert await stage.loop.sock_recv(backend, 100) == b"question"
    await stage.loop.sock_sendall(backend, b"answer")
    assert await stage.loop.sock_recv(client, 100) == b"answer"
    client.close()
    assert await stage.receive(backend) == b""
    backend.close()


@pytest.mark.parametrize("how", ["reset", "end"])
async def test_a_connection_cut_before_its_first_byte_counts(how: str) -> None:
    async with ejecting() as (stage, relay):
        client = await ask(stage)
        backend = await stage.backend()
        assert await stage.loop.sock_recv(backend, 100) == b"question"
        assert relay.care_statistics().ejections == 0, "the connect itself was good"
        if how == "reset":
            backend.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        backend.close()
        if how == "reset":
            with pytest.raises(ConnectionResetError):
                await stage.receive(client)
        else:
            assert await stage.receive(client) == b""
        await until(relay, lambda now: (now.ejections, now.out) == (1, 1))


async def test_silence_counts_while_the_connection_is_open() -> None:
    async with ejecting(silence_ns=50 * MS) as (stage, relay):
        client = await ask(stage)
        backend = await stage.backend()
        await until(relay, lambda now: now.ejections == 1)
        # Its client may wait on: what comes late is passed on all the same.
        await stage.loop.sock_sendall(backend, b"late")
        assert await stage.loop.sock_recv(client, 100) == b"late"
        assert relay.care_statistics().ejections == 1


async def test_only_failures_in_a_row_count_and_an_answer_clears() -> None:
    async with ejecting(after=2) as (stage, relay):
        for _ in range(3):
            client = await ask(stage)
            (await stage.backend()).close()
            # What was not read makes it a reset; either way it was cut before its first byte.
            with pytest.raises(ConnectionResetError):
                await stage.receive(client)
            await exchange(stage)
        assert relay.care_statistics().ejections == 0
        for _ in range(2):
            client = await ask(stage)
            (await stage.backend()).close()
            with pytest.raises(ConnectionResetError):
                await stage.receive(client)
        await until(relay, lambda now: now.ejections == 1)


async def test_what_the_client_ends_is_not_held_against_a_backend() -> None:
    async with ejecting() as (stage, relay):
        client = await ask(stage)
        client.shutdown(socket.SHUT_WR)
        backend = await stage.backend()
        assert await stage.receive(backend) == b"question"
        backend.close()  # the answer is empty
        assert await stage.receive(client) == b""
        client = await ask(stage)
        backend = await stage.backend()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        client.close()
        assert await stage.loop.sock_recv(backend, 100) == b"question"
        with pytest.raises(ConnectionResetError):
            await stage.loop.sock_recv(backend, 100)
        await stage.until(lambda now: now.active == 0)
        assert relay.care_statistics().ejections == 0


async def test_a_long_answer_that_is_cut_in_the_middle_was_an_answer() -> None:
    async with ejecting() as (stage, relay):
        client = await ask(stage)
        backend = await stage.backend()
        await stage.loop.sock_sendall(backend, b"half of an ans")
        assert await stage.loop.sock_recv(client, 100) == b"half of an ans"
        backend.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        backend.close()
        with pytest.raises(OSError) as met:  # noqa: PT011 - the errno is looked at
            await stage.receive(client)
        assert met.value.errno == errno.ECONNRESET
        await stage.until(lambda now: now.active == 0)
        assert relay.care_statistics().ejections == 0


async def test_failed_connects_count_as_they_do_without_silence() -> None:
    async with ejecting(dead=1) as (stage, relay):
        await ask(stage)
        await stage.backend()  # the retry
        assert relay.care_statistics().ejections == 1
