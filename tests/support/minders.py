"""A foreign balancer with its minder in the test's own loop, and backends that the test moves."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.clock import monotonic_ns
from simulator.kernel.peers import look_for
from simulator.live.channel import Channel
from simulator.live.driver_settings import DriverRole
from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS
from tests.support.namespace import LOOPS, write_sysctl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from simulator.live.balancers.foreign import ForeignBalancer
    from simulator.live.channel import Message

FRONT = ("127.2.0.1", 8080)
BACKEND = "127.4.0.1"
PORTS = 10
_PORT = count(40_000)


def driver_role(driver: str, **changes: Any) -> DriverRole:  # noqa: ANN401 - values of the role
    """A role for the program as this machine has it."""
    peer = look_for(driver)
    role = DriverRole(
        driver=driver,
        binary=peer.binary,
        version=peer.version,
        module=peer.module,
        front=FRONT,
        policy="round-robin",
        backends=2,
        retries=0,
    )
    return replace(role, **changes)


class Conductor:
    """The other end of a minder's channel."""

    def __init__(self, sock: socket.socket) -> None:
        self.heard: list[tuple[Message, bytes]] = []
        self._news = asyncio.Event()
        self.channel = Channel(asyncio.get_running_loop(), sock, self._hear, lambda _why: None)

    def _hear(self, head: Message, tail: bytes) -> None:
        self.heard.append((head, tail))
        self._news.set()

    async def hear(
        self, word: str, wanted: Callable[[Message], bool] = lambda _head: True
    ) -> Message:
        """The first message of a kind that is wanted."""
        async with asyncio.timeout(20):
            while True:
                for head, _ in self.heard:
                    if head["is"] == word and wanted(head):
                        return head
                self._news.clear()
                await self._news.wait()

    def rows(self, stream: str) -> dict[str, list[int]]:
        """All rows of a stream so far."""
        columns = DIAL_COLUMNS if stream == "dials" else REFUSAL_COLUMNS
        data = b"".join(tail for head, tail in self.heard if head["is"] == stream)
        table = np.frombuffer(data, dtype="<i8").reshape(-1, len(columns))
        return {name: table[:, at].tolist() for at, name in enumerate(columns)}

    def introduce(self, insert: list[list[Any]], remove: list[int], **more: int) -> None:
        """Tell of backends that came and went."""
        message = {"do": "membership", "insert": insert, "remove": remove}
        self.channel.send({**message, **more})

    def text(self) -> str:
        """The configuration that it told of."""
        return next(tail for head, tail in self.heard if head["is"] == "driver").decode()


@asynccontextmanager
async def minded(
    minder: type[ForeignBalancer], role: DriverRole
) -> AsyncIterator[tuple[Conductor, ForeignBalancer]]:
    """A minder that runs, and its conductor; it is told to quit at the end."""
    ours, theirs = socket.socketpair()
    conductor = Conductor(ours)
    made = minder(asyncio.get_running_loop(), theirs, 0, role)
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run(), name="minder")
        await conductor.hear("ready")
        yield conductor, made
        conductor.channel.send({"do": "quit"})
        await conductor.hear("done")
    conductor.channel.close()


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A backend that answers in capitals until its client goes."""
    while data := await reader.read(100):
        writer.write(data.upper())
    writer.close()


async def exchange(text: bytes) -> bytes:
    """One connection through the balancer; b"" when it is cut."""
    try:
        # A port of its own outside the range, so that the range is the balancer's alone.
        reader, writer = await asyncio.open_connection(
            *FRONT, local_addr=("127.1.0.1", next(_PORT))
        )
        writer.write(text)
        answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()
    except ConnectionResetError:
        return b""
    return answer


async def whole_life(minder: type[ForeignBalancer], role: DriverRole) -> dict[str, Any]:
    """Two backends, more connections than ports, a backend that moves, nobody left, the end."""
    write_sysctl("ip_local_port_range", f"50000 {50_000 + PORTS - 1}")
    write_sysctl("tcp_tw_reuse", "0")
    found: dict[str, Any] = {}
    # Outside the range, so that all of its ports are the balancer's.
    servers = [await asyncio.start_server(shout, BACKEND, 20_000 + at) for at in range(3)]
    async with minded(minder, role) as (conductor, _):
        conductor.introduce([[0, BACKEND, 20_000], [1, BACKEND, 20_001]], [])
        found["members"] = (await conductor.hear("members"))["count"]
        found["driver"] = await conductor.hear("driver")
        found["text"] = conductor.text()
        found["t0_ns"] = monotonic_ns()
        conductor.channel.send({"do": "start", "t0_ns": found["t0_ns"]})
        found["served"] = [await exchange(b"one") for _ in range(4)]
        conductor.introduce([], [0, 1], change=0)
        await conductor.hear("changed", lambda head: head["change"] == 0)
        found["nobody"] = await exchange(b"two")
        await conductor.hear("refusals")
        conductor.introduce([[1, BACKEND, 20_002]], [], change=1)
        await conductor.hear("changed", lambda head: head["change"] == 1)
        found["moved"] = [await exchange(b"three") for _ in range(PORTS + 2)]
        found["refused"] = await _refused(conductor, servers[2])
        found["last"] = await conductor.hear("tick", lambda head: head["accepted"] > 10)
    found["done"] = await conductor.hear("done")
    found["end_ns"] = monotonic_ns()
    for server in servers:
        server.close()
    found |= {stream: conductor.rows(stream) for stream in ("dials", "refusals")}
    found["ticks"] = [head for head, _ in conductor.heard if head["is"] == "tick"]
    return found


async def _refused(conductor: Conductor, server: asyncio.Server) -> bytes:
    """What a client gets whose backend has gone without a word."""
    server.close()
    conductor.introduce([[0, BACKEND, 19_999]], [1], change=2)
    await conductor.hear("changed", lambda head: head["change"] == 2)
    return await exchange(b"four")


def live(loop: str, minder: type[ForeignBalancer], role: DriverRole) -> dict[str, Any]:
    """`whole_life` on a loop; for `in_namespace`."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(whole_life(minder, role))


NO_PORT = errno.EADDRNOTAVAIL
