"""One page of metrics over HTTP on loopback, for a scraper on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from simulator.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

PATH: Final = "/metrics"


class MetricsServer:
    """Serves what ``page`` gives at the moment it is asked for, until it is closed.

    Args:
        page: the page's text; None when there is nothing to tell yet (status 503).
        content_type: of the page, with its charset.
    """

    def __init__(self, page: Callable[[], str | None], content_type: str) -> None:
        self._page = page
        self._content_type = content_type
        self._runner: web.AppRunner | None = None

    async def start(self, address: str, port: int) -> str:
        """Listen; gives the page's URL.

        Args:
            address: of this host's loopback; the caller has seen to that.
            port: 0: the kernel picks.

        Raises:
            Refused: it cannot listen there.
        """
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, address, port).start()
        except OSError as error:
            await self.close()
            raise Refused(f"Cannot listen on {address}:{port}: {error.strerror}.") from error
        host, picked = self._runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{picked}{PATH}"

    async def close(self) -> None:
        """Stop listening and end all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, _request: web.Request) -> web.Response:
        page = self._page()
        if page is None:
            return web.Response(status=503, text="nothing to tell yet\n")
        return web.Response(body=page.encode(), headers={"Content-Type": self._content_type})
