"""A DNS resolver in the test's own loop; its servers and its client are sockets of the test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.clock import monotonic_ns
from simulator.dns.message import Message, decode, encode
from simulator.dns.zone import name_of, true_addresses
from simulator.live.balancers.resolver import Resolver
from simulator.live.channel import Decoder
from simulator.live.dns_settings import ResolverRole
from simulator.records import ROW_STREAMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from simulator.live.channel import Message as Words

FRONT = "127.2.11.1"
SERVER = "127.4.11.1"
POOL = (54_000, 54_999)
MS = 1_000_000


@dataclass(slots=True, kw_only=True)
class Asked:
    """A resolver, its servers' sockets, and what it said."""

    role: Resolver
    conductor: socket.socket
    servers: list[socket.socket]
    client: socket.socket
    said: list[tuple[Words, bytes]] = field(default_factory=list)

    def hear(self) -> list[tuple[Words, bytes]]:
        """Everything that it has said so far."""
        decoder = Decoder()
        while True:
            try:
                self.said += decoder.feed(self.conductor.recv(1 << 20, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return self.said

    def rows(self, stream: str) -> list[dict[str, int]]:
        """Rows of a stream, by name, after a tick."""
        self.role.on_tick()
        columns = ROW_STREAMS[stream]
        data = b"".join(tail for head, tail in self.hear() if head["is"] == stream)
        table = np.frombuffer(data, "<i8").reshape(-1, len(columns))
        return [dict(zip(columns, row.tolist(), strict=True)) for row in table]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - nothing says so from outside
                await asyncio.sleep(0)

    def ask(self, ident: int = 77, index: int = 0) -> None:
        """A stub client's question."""
        question = encode(Message(ident=ident, name=name_of(index)))
        self.client.sendto(question, self.role._settings.front)

    async def question(self, server: int = 0) -> tuple[Message, tuple[str, int]]:
        """The next question that a server gets, and where it came from."""
        found: list[tuple[bytes, tuple[str, int]]] = []

        def is_here() -> bool:
            with contextlib.suppress(BlockingIOError):
                found.append(self.servers[server].recvfrom(4096))
            return bool(found)

        await self.until(is_here)
        ((data, peer),) = found
        return decode(data), peer

    def answer(
        self,
        question: Message,
        peer: tuple[str, int],
        server: int = 0,
        **changes: Any,  # noqa: ANN401 - fields of a message
    ) -> None:
        """A server's answer to it."""
        given: dict[str, Any] = {
            "ident": question.ident,
            "name": question.name,
            "is_answer": True,
            "addresses": true_addresses(0, 0),
        }
        self.servers[server].sendto(encode(Message(**(given | changes))), peer)

    async def told(self) -> Message:
        """The next answer that the stub client gets."""
        async with asyncio.timeout(10):
            data = await asyncio.get_running_loop().sock_recv(self.client, 4096)
        return decode(data)


def udp(address: str, port: int = 0) -> socket.socket:
    """A bound socket that does not block."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


@asynccontextmanager
async def resolving(
    servers: int = 1,
    **changes: Any,  # noqa: ANN401 - settings
) -> AsyncIterator[Asked]:
    """A resolver that knows so many servers."""
    given: dict[str, Any] = {
        "front": (FRONT, 0),
        "policy": "round-robin",
        "choices": 2,
        "pool_size": 8,
        "pool_first": POOL[0],
        "pool_last": POOL[1],
        "exclude": (),
        "choice": "random",
        "id_bits": 16,
        "cache_ns": 0,
        "timeout_ns": 5_000 * MS,
        "retries": 0,
        "seed": 3,
    }
    front = udp(FRONT)
    given["front"] = front.getsockname()
    front.close()
    sockets = [udp(SERVER) for _ in range(servers)]
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    role = Resolver(loop, theirs, 0, ResolverRole(**(given | changes)))
    asked = Asked(role=role, conductor=ours, servers=sockets, client=udp("127.1.11.1"))
    try:
        await role.prepare()
        insert = [[index, *one.getsockname()] for index, one in enumerate(sockets)]
        role.on_message({"do": "membership", "insert": insert, "remove": []})
        role.t0_ns = monotonic_ns()
        yield asked
    finally:
        role.on_quit()
        role.channel.close()
        for one in (ours, asked.client, *sockets):
            one.close()
