"""Backends that speak HTTP/1.1: aiohttp behind listeners and limits of our own.

Ports are taken and connections accepted as for any other backend, so leases, accept queues, faults,
moves and idle time mean the same for all kinds; an accepted socket is then given to aiohttp.
``GET /<bytes>`` (or POST, whose body is read) is answered by so many bytes after the service time
that the request names. A limit, a queue and slow backends are those of `backend_service.py`; an
error is a 500, and an answer in paced chunks is chunked, as a model server streams its tokens.
"""

from __future__ import annotations

import re
import socket
from heapq import heappush
from typing import TYPE_CHECKING, Final

from aiohttp import web

from simulator.clock import monotonic_ns
from simulator.live.backend import BODY, Connection
from simulator.live.backend_service import ServiceServers
from simulator.live.http_messages import SERVICE_FIELD
from simulator.live.wire import MAX_BODY_BYTES

if TYPE_CHECKING:
    import asyncio

    from aiohttp.web_protocol import RequestHandler

    from simulator.live.channel import Message
    from simulator.live.settings import BackendRole
    from simulator.live.shared_ports import Share

_PATH_RE: Final = re.compile(r"/([0-9]{1,9})")
_SERVICE_RE: Final = re.compile(r"[0-9]{1,15}")
#: Field that names the backend in every answer.
BACKEND_FIELD: Final = "X-Backend"
#: Idle connections are closed by this process's own clock, so aiohttp's is set out of the way.
_NEVER_S: Final = 86_400.0


class HttpConnection(Connection):
    """One accepted connection in aiohttp's hands."""

    __slots__ = ("protocol", "ready", "transport")

    def __init__(self, backend: int, protocol: RequestHandler) -> None:
        super().__init__(backend)
        self.protocol = protocol
        self.transport: asyncio.Transport | None = None  # None until aiohttp has it
        self.ready: asyncio.Future[None] | None = None  # the next step of an answer


class _Door(web.Server):
    """aiohttp's server, which also says whose connection began and ended."""

    def __init__(self, servers: HttpServers) -> None:
        super().__init__(
            servers.handle,
            handler_cancellation=True,
            access_log=None,
            tcp_keepalive=False,
            keepalive_timeout=_NEVER_S,
        )
        self._servers = servers

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._servers.made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._servers.ended(handler)


class HttpServers(ServiceServers):
    """The backends of one process, speaking HTTP/1.1."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: BackendRole,
        share: Share | None = None,
    ) -> None:
        super().__init__(loop, sock, index, settings, share)
        self._door: _Door | None = None
        self._descriptor_of: dict[RequestHandler, int] = {}
        self._arriving: set[asyncio.Task[object]] = set()
        self.errors = 0
        self._unserved: set[int] = set()  # serials that are answered by a 503

    async def prepare(self) -> Message:
        """As all others; aiohttp wants a running loop."""
        self._door = _Door(self)
        return await super().prepare()

    def counters(self) -> Message:
        """Cumulative counters, and how many answers were errors."""
        return {**super().counters(), "errors": self.errors}

    def on_quit(self) -> Message:
        """Close everything; transports close their own descriptors."""
        for task in self._arriving:
            task.cancel()
        for descriptor in list(self._connections):
            self._close(descriptor)
        return super().on_quit()

    # Connections.

    def _take_in(self, accepted: int, backend: int) -> None:
        assert self._door is not None
        protocol = self._door()
        self._connections[accepted] = HttpConnection(backend, protocol)
        self._descriptor_of[protocol] = accepted
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=accepted)
        task: asyncio.Task[object] = self.loop.create_task(
            self.loop.connect_accepted_socket(lambda: protocol, sock)
        )
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _of(self, protocol: RequestHandler) -> tuple[int, HttpConnection] | None:
        descriptor = self._descriptor_of.get(protocol, -1)
        connection = self._connections.get(descriptor)
        return (descriptor, connection) if isinstance(connection, HttpConnection) else None

    def made(self, protocol: RequestHandler, transport: asyncio.Transport) -> None:
        """A connection is in aiohttp's hands now; unless its backend has cut it meanwhile."""
        found = self._of(protocol)
        if found is None:
            transport.abort()
        else:
            found[1].transport = transport

    def ended(self, protocol: RequestHandler) -> None:
        """A connection is gone; its descriptor is closed right after this."""
        descriptor = self._descriptor_of.pop(protocol, None)
        if descriptor in self._connections:
            self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        if self._idle is not None:
            self._idle.works(descriptor)
        self._serial_of.pop(descriptor, None)
        del self._connections[descriptor]

    def _close(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        assert isinstance(connection, HttpConnection)
        self._forget(descriptor)
        del self._descriptor_of[connection.protocol]
        if connection.transport is not None:
            connection.transport.abort()

    def _ignore(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            self._serial_of.pop(descriptor, None)
            connection = self._connections[descriptor]
            assert isinstance(connection, HttpConnection)
            if connection.transport is not None:
                connection.transport.pause_reading()

    # Requests.

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, after its service time."""
        found = self._of(request.protocol)
        if found is None:
            return web.Response(status=503)  # to nobody: the connection was cut
        descriptor, connection = found
        if self._idle is not None:
            self._idle.works(descriptor)
        while await request.content.readany():
            pass  # of a request's body only its length matters
        size, service_ns = _asked(request)
        connection.ready = self.loop.create_future()
        self._begin_service(descriptor, connection, service_ns)
        serial = self._serial_of[descriptor]
        try:
            await connection.ready  # cancelled when the connection is lost, and its slot is free
            response = await self._respond(request, connection, serial, size)
        except ConnectionError:
            self.dropped += 1
            return web.Response(status=503)  # to nobody
        finally:
            if self._serial_of.get(descriptor) == serial:
                del self._serial_of[descriptor]
            self._unserved.discard(serial)
            self._end_service(serial)
        self.answered += 1
        if self._idle is not None and self._connections.get(descriptor) is connection:
            self._rests(descriptor)
        return response

    def _service_due(self, serial: int, descriptor: int) -> None:
        if self._serial_of.get(descriptor) != serial:
            self._end_service(serial)  # its connection is gone, or its backend hangs
            return
        connection = self._connections[descriptor]
        assert isinstance(connection, HttpConnection)
        if connection.ready is not None and not connection.ready.done():
            connection.ready.set_result(None)

    def _turn_away(self, serial: int, descriptor: int) -> None:
        """There is no place for a request: it is told so, and its connection is kept."""
        self._unserved.add(serial)
        self._service_due(serial, descriptor)

    async def _respond(
        self, request: web.BaseRequest, connection: HttpConnection, serial: int, size: int
    ) -> web.StreamResponse:
        """Send an answer whole, so that the moment of its end is known."""
        fields = {BACKEND_FIELD: str(connection.backend)}
        response: web.StreamResponse
        if size < 0:
            response = web.Response(status=404, headers=fields)
        elif serial in self._unserved:
            response = web.Response(status=503, headers=fields)
        elif serial in self._failing:
            self.errors += 1
            response = web.Response(status=500, headers=fields)
        elif self._settings.chunk_bytes:
            response = web.StreamResponse(headers=fields)
            await self._stream(request, response, serial, size)
        elif size <= len(BODY):
            response = web.Response(body=BODY[:size], headers=fields)
        else:
            response = web.StreamResponse(headers=fields)
            response.content_length = size
            await response.prepare(request)
            for at in range(0, size, len(BODY)):
                await response.write(BODY[: size - at])
        await response.prepare(request)
        await response.write_eof()
        return response

    async def _stream(
        self, request: web.BaseRequest, response: web.StreamResponse, serial: int, size: int
    ) -> None:
        """Send an answer in chunks, each at its time or when the one before was taken."""
        if request.version >= (1, 1):
            response.enable_chunked_encoding()
        else:
            response.content_length = size
        await response.prepare(request)
        chunk = self._settings.chunk_bytes
        for at in range(0, size, chunk):
            if at:
                await self._pause(request.protocol, serial)
            await response.write(BODY[: min(chunk, size - at)])

    async def _pause(self, protocol: RequestHandler, serial: int) -> None:
        found = self._of(protocol)
        if found is None:
            raise ConnectionResetError("the backend cut it")
        descriptor, connection = found
        connection.ready = self.loop.create_future()
        due_ns = monotonic_ns() + self._settings.chunk_every_ns
        heappush(self._due, (due_ns, serial, descriptor))
        self._arm()
        await connection.ready


def _asked(request: web.BaseRequest) -> tuple[int, int]:
    """Bytes to answer, -1 where the path does not say, and the service time in ns."""
    path = _PATH_RE.fullmatch(request.path)
    service = _SERVICE_RE.fullmatch(request.headers.get(SERVICE_FIELD, ""))
    size = int(path[1]) if path is not None else -1
    return size if size <= MAX_BODY_BYTES else -1, int(service[0]) if service is not None else 0
