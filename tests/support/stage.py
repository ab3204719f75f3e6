"""A relay in the test's own loop, with clients and backends whose sockets the test handles."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.kernel.sockets import open_listener
from simulator.live.relay import RelaySettings, RelayStatistics
from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS
from tests.support.relay_process import FRONT, RelayPlan, build_relay, open_descriptors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

BACKEND = "127.3.0.1"


class Stage:
    """A relay in this loop, and backends whose sockets the test handles itself."""

    def __init__(self, plan: RelayPlan, listeners: list[socket.socket]) -> None:
        self.loop = asyncio.get_running_loop()
        self.listeners = listeners
        self.relay, port = build_relay(self.loop, plan)
        self.front = (FRONT, port)
        self.sockets: list[socket.socket] = []

    def client(self) -> socket.socket:
        """A connected client; should the relay have reset it already, the first read says so."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.sockets.append(sock)
        # On loopback the handshake is over when this returns; waiting for the loop to say so
        # would let the relay act first.
        assert sock.connect_ex(self.front) == errno.EINPROGRESS
        return sock

    async def backend(self, index: int = 0) -> socket.socket:
        """The next connection that a backend gets."""
        sock, _ = await self.loop.sock_accept(self.listeners[index])
        sock.setblocking(False)
        self.sockets.append(sock)
        return sock

    async def receive(self, sock: socket.socket) -> bytes:
        """Everything until the end; raises ConnectionResetError on RST."""
        data = b""
        while more := await self.loop.sock_recv(sock, 1 << 16):
            data += more
        return data

    async def until(self, condition: Callable[[RelayStatistics], bool]) -> RelayStatistics:
        """Wait until the relay's own counts say so."""
        async with asyncio.timeout(20):
            while not condition(statistics := self.relay.statistics()):  # noqa: ASYNC110
                await asyncio.sleep(0)
        return statistics

    async def flood(self, senders: Sequence[socket.socket], for_s: float) -> None:
        """Send as much as is taken; at the end nobody takes more."""

        async def send(sock: socket.socket) -> None:
            while True:
                await self.loop.sock_sendall(sock, bytes(1 << 16))

        tasks = [self.loop.create_task(send(sock)) for sock in senders]
        await asyncio.wait(tasks, timeout=for_s)
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def dials(self) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """Rows of DIAL_COLUMNS so far."""
        return np.frombuffer(self.relay.take_dials(), "<i8").reshape(-1, len(DIAL_COLUMNS))

    def refusals(self) -> list[dict[str, int]]:
        """Rows of REFUSAL_COLUMNS so far, by name."""
        rows = np.frombuffer(self.relay.take_refusals(), "<i8").reshape(-1, len(REFUSAL_COLUMNS))
        return [dict(zip(REFUSAL_COLUMNS, row.tolist(), strict=True)) for row in rows]


@asynccontextmanager
async def staged(
    backends: int = 1,
    *,
    dead: int = 0,
    settings: RelaySettings | None = None,
    backlog: int = 128,
    **plan: object,
) -> AsyncIterator[Stage]:
    """A stage with so many listening backends, after so many that only hold their port."""
    listeners = [open_listener(BACKEND, 0, backlog=backlog) for _ in range(backends)]
    holding = []
    for _ in range(dead):
        holding.append(socket.socket())
        holding[-1].bind((BACKEND, 0))
    endpoints = tuple(one.getsockname() for one in (*holding, *listeners))
    base = RelayPlan(
        loop="",
        backends=endpoints,
        mode="kernel",
        sources=(),
        settings=settings or RelaySettings(),
    )
    gc.collect()  # what earlier tests dropped without closing goes now, not in between
    before = open_descriptors()
    stage = Stage(replace(base, **plan), listeners)  # type: ignore[arg-type]
    try:
        yield stage
    finally:
        stage.relay.close()
        for sock in stage.sockets:
            sock.close()
        after = open_descriptors()
        for sock in (*listeners, *holding):
            sock.close()
        assert after <= before, f"the relay left {after - before} descriptors open"


@asynccontextmanager
async def deaf_backend() -> AsyncIterator[tuple[str, int]]:
    """A listener whose accept queue is full: the kernel drops further SYNs."""
    listener = open_listener(BACKEND, 0, backlog=0)
    fillers = []
    for _ in range(2):
        fillers.append(socket.socket())
        fillers[-1].setblocking(False)
        fillers[-1].connect_ex(listener.getsockname())
    try:
        yield listener.getsockname()
    finally:
        for sock in (*fillers, listener):
            sock.close()
