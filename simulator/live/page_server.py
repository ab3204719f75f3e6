"""A run's live page over HTTP: on loopback alone, read-only but for one button, bounded throughout.

Who may see what is decided here and nowhere else:

- A request must name this server in ``Host``, or a page of somebody else's could reach it by a name
  that resolves to loopback (DNS rebinding).
- The page's own files hold nothing of the run, and are given to anybody on this host. The news and
  the button ask for the run's token in a header. It stands behind the ``#`` of the page's URL,
  which browsers never send, so it is in no log, no referrer and no cookie; and a foreign page
  cannot send the header, since no answer ever carries a CORS permission.
- A file is found by its exact name in a fixed table. Nothing of a URL becomes a path.

Every viewer has a queue of its own and a time within which it must take what is written to it.
"""

from __future__ import annotations

import asyncio
import hmac
import resource
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from simulator.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from simulator.live.viewers import Viewers

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ADDRESS: Final = "127.0.0.1"
EVENTS: Final = "/events"
STOP: Final = "/stop"
#: Who takes nothing for so long is let go.
WRITE_WITHIN_S: Final = 5.0
#: At the end each viewer has so long to take what it was told.
_END_WITHIN_S: Final = 2.0
#: A connection must show the token within this time.
SHOW_WITHIN_S: Final = 20.0
#: Most connections at once, as far as the limit of descriptors allows.
_MOST_CONNECTIONS: Final = 2000
#: Descriptors left for what is no connection.
_SPARE: Final = 64
#: The kernel keeps no more than about so much for a viewer who does not read.
_SEND_BUFFER: Final = 128 << 10

#: Charts set the style of what they draw from scripts; nothing else may come from inside the page.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "portchurn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file of the page: its bytes, and their kind with its charset."""

    body: bytes
    content_type: str


class PageServer:
    """Serves one page, its news and its button, until it is closed.

    Args:
        files: path -> file; the page itself is at ``/``.
        viewers: who is told the news; each joins with its request.
        token: what a request must show for anything of the run.
        stop: asks the run to stop and save; gives what to tell the one who asked.
    """

    def __init__(
        self,
        *,
        files: Mapping[str, PageFile],
        viewers: Viewers,
        token: str,
        stop: Callable[[], str],
    ) -> None:
        self._files = dict(files)
        self._viewers = viewers
        self._token = token.encode()
        self._stop = stop
        self._hosts: frozenset[str] = frozenset()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        #: Connections that have shown the token, and since when others have been known not to.
        self._known: set[asyncio.BaseProtocol] = set()
        self._strangers: dict[web.RequestHandler, float] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._most = _MOST_CONNECTIONS

    async def start(self, port: int = 0) -> str:
        """Listen on loopback; gives the URL for the one who may look, token and all.

        Args:
            port: 0: the kernel picks.

        Raises:
            Refused: it cannot listen there.
        """
        app = web.Application(middlewares=[self._guard], client_max_size=1024)
        app.on_response_prepare.append(_add_headers)
        app.router.add_get(EVENTS, self._events, allow_head=False)
        app.router.add_post(STOP, self._stop_run)
        app.router.add_get("/{name:.*}", self._file)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=SHOW_WITHIN_S,
            shutdown_timeout=_END_WITHIN_S,
        )
        await self._runner.setup()
        self._most = min(_MOST_CONNECTIONS, _raise_descriptors() - _SPARE)
        listener = socket.socket()
        try:
            listener.bind((ADDRESS, port))
            picked = listener.getsockname()[1]
            self._hosts = frozenset({f"{ADDRESS}:{picked}", f"localhost:{picked}"})
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._accept, sock=listener, backlog=128)
        except OSError as error:
            listener.close()
            await self.close()
            raise Refused(f"Cannot listen on {ADDRESS}:{port}: {error.strerror}.") from error
        self._sweep()
        return f"http://{ADDRESS}:{picked}/#{self._token.decode()}"

    async def close(self) -> None:
        """Stop listening, let viewers hear what they were told, and end all connections."""
        self._viewers.end()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _accept(self) -> asyncio.BaseProtocol:
        """A new connection; one too many is ended at once."""
        assert self._runner is not None
        assert self._runner.server is not None
        if len(self._runner.server.connections) >= self._most:
            return _TurnedAway()
        return self._runner.server()

    def _sweep(self) -> None:
        """End connections that have had their time and not shown the token, again and again."""
        assert self._runner is not None
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        now, there = loop.time(), set(self._runner.server.connections)
        self._known &= there
        self._strangers = {one: self._strangers.get(one, now) for one in there - self._known}
        for one, since in self._strangers.items():
            if now - since >= SHOW_WITHIN_S:
                one.force_close()
        self._sweeper = loop.call_later(SHOW_WITHIN_S / 4, self._sweep)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nobody gets by who names another host, comes from another site, or lacks the token."""
        refusal = self._refusal(request)
        if refusal is None:
            return await handler(request)
        refusal.force_close()
        return refusal

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.getall("Host", []) not in [[host] for host in self._hosts]:
            return web.Response(status=403, text="This server has another name.\n")
        if request.method in ("GET", "HEAD") and request.path != EVENTS:
            return None
        if _comes_from_elsewhere(request, self._hosts):
            return web.Response(status=403, text="Only the run's own page may ask for this.\n")
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        given = shown.encode("utf-8", "surrogateescape")
        if kind != "Bearer" or not hmac.compare_digest(given, self._token):
            return web.Response(
                status=401,
                text="The link that was printed has a token; this request has none, or another.\n",
                headers={"WWW-Authenticate": "Bearer"},
            )
        self._known.add(request.protocol)
        return None

    async def _file(self, request: web.Request) -> web.Response:
        file = self._files.get(request.path)
        if file is None:
            return web.Response(status=404, text="There is no such page.\n")
        return web.Response(body=file.body, headers={"Content-Type": file.content_type})

    async def _stop_run(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._stop())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """News as server-sent events, until all is told or the viewer is too slow."""
        viewer = self._viewers.join()
        if viewer is None:
            return web.Response(status=503, text="As many look at this run as may.\n")
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        try:
            await stream.prepare(request)
            _bound_memory(request)
            async for piece in viewer:
                async with asyncio.timeout(WRITE_WITHIN_S):
                    await stream.write(b"data: " + piece + b"\n\n")
        except (TimeoutError, ConnectionError):
            viewer.is_dropped = True
        finally:
            self._viewers.leave(viewer)
        if viewer.is_dropped:
            # Not closed but cut off: what waits for one who does not read would wait on.
            if request.transport is not None:
                request.transport.abort()
        else:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(WRITE_WITHIN_S):
                    await stream.write_eof()
        return stream


class _TurnedAway(asyncio.Protocol):
    """A connection beyond the most there may be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it."""
        transport.close()


def _bound_memory(request: web.Request) -> None:
    """Let the kernel keep little for a viewer; a file of the page may fill its buffer at once."""
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def _comes_from_elsewhere(request: web.Request, hosts: frozenset[str]) -> bool:
    """Whether a browser says that a page of another site asks; programs say nothing."""
    origins = request.headers.getall("Origin", [])
    sites = request.headers.getall("Sec-Fetch-Site", [])
    return any(one not in {f"http://{host}" for host in hosts} for one in origins) or any(
        one != "same-origin" for one in sites
    )


async def _add_headers(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """What every answer carries, also a refusal."""
    response.headers.update(_HEADERS)


def _raise_descriptors() -> int:
    """Let this process have descriptors for all connections, if it may; how many it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    reached = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
    return reached
