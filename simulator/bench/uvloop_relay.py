"""The relay one would write first: asyncio protocols on uvloop, a task for each connect.

A subject of the bench, for comparison only. It does what a relay must: both directions with
back-pressure, half-closes passed on.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence


class Upstream(asyncio.Protocol):
    """The side toward the backend."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: what the client sent meanwhile goes out."""
        self.transport = cast("asyncio.Transport", transport)
        self.client.upstream = self.transport
        if self.client.waiting:
            self.transport.write(bytes(self.client.waiting))
        if self.client.has_ended:
            self.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """From the backend to the client."""
        self.client.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the half-close on; stay open for the other direction if that goes on."""
        if self.client.has_ended:
            self.client.transport.close()
            return False
        self.client.backend_has_ended = True
        self.client.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """The backend does not keep up: stop reading the client."""
        self.client.transport.pause_reading()

    def resume_writing(self) -> None:
        """The backend has caught up."""
        self.client.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The backend is gone."""
        self.client.transport.close()


class Client(asyncio.Protocol):
    """The side toward the client."""

    transport: asyncio.Transport

    def __init__(self, endpoints: Iterator[tuple[str, int]]) -> None:
        self._endpoints = endpoints
        self.upstream: asyncio.Transport | None = None
        self.waiting = bytearray()
        self.has_ended = False
        self.backend_has_ended = False
        self._connecting: asyncio.Task[object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted: connect to the next backend."""
        self.transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._connecting = loop.create_task(
            loop.create_connection(lambda: Upstream(self), *next(self._endpoints))
        )

    def data_received(self, data: bytes) -> None:
        """From the client to the backend."""
        if self.upstream is None:
            self.waiting += data
        else:
            self.upstream.write(data)

    def eof_received(self) -> bool:
        """Pass the half-close on; stay open for the other direction if that goes on."""
        self.has_ended = True
        if self.upstream is not None:
            if self.backend_has_ended:
                self.upstream.close()
            else:
                self.upstream.write_eof()
        return not self.backend_has_ended

    def pause_writing(self) -> None:
        """The client does not keep up: stop reading the backend."""
        if self.upstream is not None:
            self.upstream.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self.upstream is not None:
            self.upstream.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if self.upstream is not None:
            self.upstream.close()


def serve(listener: socket.socket, endpoints: Sequence[tuple[str, int]]) -> None:
    """Relay round robin until killed."""
    import uvloop

    turn = itertools.cycle(endpoints)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        # Listening again with a shorter queue would make a burst wait for its second SYN.
        server = await loop.create_server(lambda: Client(turn), sock=listener, backlog=4096)
        await server.serve_forever()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
