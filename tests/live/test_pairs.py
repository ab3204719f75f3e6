"""The relay's first promise: no byte is lost, doubled, changed or moved, whatever both sides do.

Thousands of connections with random scripts go through a relay in a process of its own. Each byte
of a stream is known from the connection's number, its direction and its place in the stream, so
each reader knows what must come next.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from functools import partial

import pytest

from simulator.kernel.sockets import LINGER_ZERO, open_listener
from simulator.live.relay import RelaySettings, RelayStatistics
from simulator.seeds import Random, generator, pure_random
from tests.support.namespace import LOOPS, in_namespace
from tests.support.relay_process import RelayPlan, RelayProcess

CONNECTIONS = 1_500
#: Through the compiled data path, whose odd cases are the same code as above.
CONNECTIONS_COMPILED = 600
AT_ONCE = 96
BACKENDS = 5
HEADER = struct.Struct("<q")
#: A prime, so that no chunk size divides it and a shifted stream cannot fit by accident.
PERIOD = 1_048_573
NOISE = generator(20_240_601, "noise").bytes(PERIOD)
NOISE = NOISE + NOISE
UP, DOWN = 0, 1

pytestmark = [pytest.mark.namespace, pytest.mark.slow]


@dataclass(frozen=True, kw_only=True)
class Script:
    """What both sides of one connection do.

    Attributes:
        number: which connection; sent ahead by the client.
        size: bytes in each direction (UP, DOWN).
        first_end: who half-closes first, or resets.
        reset_after: bytes it has received (of those meant for it) before it resets, -1 = never.
        pieces: largest write of each side.
        slow: whether each side reads slowly through a small window.
    """

    number: int
    size: tuple[int, int]
    first_end: str  # "client", "backend", "both", "client-reset", "backend-reset"
    reset_after: int
    pieces: tuple[int, int]
    slow: tuple[bool, bool]


def random_size(rng: Random) -> int:
    """0 bytes to tens of megabytes: most are small, few are large."""
    kind = rng.random()
    if kind < 0.1:
        return 0
    if kind < 0.5:
        return rng.randrange(1, 5_000)
    if kind < 0.7:
        return rng.choice((1, 65_535, 65_536, 65_537, 131_072))
    if kind < 0.99:
        return rng.randrange(1, 400_000)
    return rng.randrange(1_000_000, 32_000_000)


def random_script(seed: int, number: int) -> Script:
    """The script of one connection; the same seed and number always give the same."""
    rng = pure_random(seed, "script", number)
    size = (random_size(rng), random_size(rng))
    first_end = rng.choice(
        ("client", "client", "backend", "backend", "both", "both", "client-reset", "backend-reset")
    )
    reset_after = -1
    if first_end == "client-reset":
        reset_after = rng.randrange(size[DOWN] + 1)
    elif first_end == "backend-reset":
        reset_after = rng.randrange(size[UP] + 1)
    pieces = [rng.choice((1, 7, 1_000, 16_384, 100_000, 1 << 20)) for _ in size]
    slow = [rng.random() < 0.15 for _ in size]
    for side in (UP, DOWN):
        if size[side] > 3_000:  # single bytes for a megabyte would only take long
            pieces[side] = max(pieces[side], size[side] // 300)
        if size[side] > 300_000:
            slow[1 - side] = False
    return Script(
        number=number,
        size=size,
        first_end=first_end,
        reset_after=reset_after,
        pieces=(pieces[UP], pieces[DOWN]),
        slow=(slow[UP], slow[DOWN]),
    )


def stream(number: int, direction: int, start: int, count: int) -> bytes:
    """Bytes ``start`` to ``start + count`` of one direction of one connection."""
    at = (number * 7_919 + direction * 500_009 + start) % PERIOD
    return NOISE[at : at + count]


class Side:
    """One end of one connection: writes its stream, checks the other's, ends as told."""

    def __init__(self, sock: socket.socket, script: Script, me: int) -> None:
        self.sock = sock
        self.script = script
        self.me = me  # UP writes upwards: the client
        self.received = 0
        self.ended_by = ""
        self.resets = script.first_end == ("client-reset", "backend-reset")[me]
        self.waits_for_eof = script.first_end == ("backend", "client")[me]
        self.reading_done = asyncio.Event()

    async def run(self) -> None:
        """Both directions at once, until both have ended."""
        if self.script.slow[self.me]:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        writing = asyncio.get_running_loop().create_task(self._write())
        try:
            await self._read()
        finally:
            if self.ended_by != "eof":
                writing.cancel()
            await asyncio.wait([writing])
            self.sock.close()
        if not writing.cancelled():
            error = writing.exception()
            if isinstance(error, (ConnectionResetError, BrokenPipeError)):
                self.ended_by = "reset"
            elif error is not None:
                raise error

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        total, piece, sent = self.script.size[self.me], self.script.pieces[self.me], 0
        while sent < total:
            data = stream(self.script.number, self.me, sent, min(piece, total - sent))
            await loop.sock_sendall(self.sock, data)
            sent += len(data)
        if self.waits_for_eof:
            await self.reading_done.wait()
        if self.resets:
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # ENOTCONN: reset before we came to it
            raise ConnectionResetError from error

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        script, direction = self.script, 1 - self.me
        while True:
            if self.resets and self.received >= script.reset_after:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
                self.ended_by = "own reset"
                return
            try:
                data = await loop.sock_recv(self.sock, 2_048 if script.slow[self.me] else 1 << 17)
            except (ConnectionResetError, BrokenPipeError):
                self.ended_by = "reset"
                return
            if not data:
                self.ended_by = "eof"
                self.reading_done.set()
                return
            expected = stream(script.number, direction, self.received, len(data))
            assert data == expected, f"{script} differs after {self.received} bytes"
            self.received += len(data)
            assert self.received <= script.size[direction], f"{script}: more than was sent"
            if script.slow[self.me]:
                await asyncio.sleep(0.001)  # the stimulus: a reader that lags behind


async def receive_exactly(sock: socket.socket, count: int) -> bytes:
    """``count`` bytes, or what came before the end."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        more = await loop.sock_recv(sock, count - len(data))
        if not more:
            break
        data += more
    return data


class Traffic:
    """All clients and backends of one proof, and what they saw."""

    def __init__(
        self, seed: int, count: int, front: tuple[str, int], listeners: list[socket.socket]
    ) -> None:
        self.seed = seed
        self.count = count
        self.front = front
        self.listeners = listeners
        self.seen: Counter[str] = Counter()
        self.backends: dict[int, asyncio.Future[Side]] = {}

    async def run(self) -> None:
        """Send all connections, a bounded number at a time."""
        at_once = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as everything:
            accepting = [everything.create_task(self._accept(one)) for one in self.listeners]
            async with asyncio.TaskGroup() as clients:
                for number in range(self.count):
                    await at_once.acquire()
                    task = clients.create_task(self._client(number))
                    task.add_done_callback(lambda _: at_once.release())
            for task in accepting:
                task.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                sock, _ = await loop.sock_accept(listener)
                group.create_task(self._backend(sock))

    async def _backend(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        header = await receive_exactly(sock, HEADER.size)
        (number,) = HEADER.unpack(header)
        side = Side(sock, random_script(self.seed, number), DOWN)
        await side.run()
        self.backends[number].set_result(side)

    async def _client(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.backends[number] = loop.create_future()
        script = random_script(self.seed, number)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        await loop.sock_connect(sock, self.front)
        await loop.sock_sendall(sock, HEADER.pack(number))
        side = Side(sock, script, UP)
        await side.run()
        self.check(script, side, await self.backends[number])

    def check(self, script: Script, client: Side, backend: Side) -> None:
        """Everything arrived, or a reset was passed on as one."""
        self.seen[script.first_end] += 1
        if script.first_end == "client-reset":
            assert backend.ended_by == "reset", f"{script}: backend saw {backend.ended_by}"
        elif script.first_end == "backend-reset":
            assert client.ended_by == "reset", f"{script}: client saw {client.ended_by}"
        else:
            assert (client.ended_by, backend.ended_by) == ("eof", "eof"), script
            assert client.received == script.size[DOWN], script
            assert backend.received == script.size[UP], script


def prove(
    loop_name: str, compiled: bool, seed: int, count: int
) -> tuple[RelayStatistics, Counter[str]]:
    """All connections of one seed through one relay."""
    listeners = [open_listener("127.3.0.1", 0, backlog=1024) for _ in range(BACKENDS)]
    dead = socket.socket()
    dead.bind(("127.3.0.1", 0))  # holds a port without listening: each pick of it is a retry
    endpoints = tuple(one.getsockname() for one in (*listeners, dead))
    plan = RelayPlan(
        loop=loop_name,
        backends=endpoints,
        policy="random",
        settings=RelaySettings(retries=BACKENDS),
        seed=seed,
        compiled=compiled,
    )
    with RelayProcess(plan) as relay:
        before = relay.ask("descriptors")
        traffic = Traffic(seed, count, relay.front, listeners)
        with asyncio.Runner(loop_factory=LOOPS["uvloop"]) as runner:
            runner.run(traffic.run())
        while not relay.ask("idle"):
            pass
        assert relay.ask("descriptors") == before
        statistics: RelayStatistics = relay.ask("statistics")
    return statistics, traffic.seen


@pytest.mark.parametrize(
    ("loop_name", "compiled"), [*((name, False) for name in LOOPS), ("uvloop", True)]
)
def test_no_byte_is_lost_doubled_or_moved(loop_name: str, compiled: bool) -> None:
    seed = int(os.environ.get("PORTCHURN_TEST_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
    print(f"PORTCHURN_TEST_SEED={seed}")
    count = CONNECTIONS_COMPILED if compiled else CONNECTIONS
    statistics, seen = in_namespace(partial(prove, loop_name, compiled, seed, count))
    assert sum(seen.values()) == count
    assert min(seen.values()) > count // 20, "every kind of ending must have been there"
    assert statistics.accepted == count
    assert statistics.buffered_bytes == 0
    assert statistics.refused == 0
    assert statistics.retries > count // 20, "the dead backend must have been picked"
