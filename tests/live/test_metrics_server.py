"""The metrics page over HTTP: fresh at each request, on loopback, gone when closed."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from simulator.errors import Refused
from simulator.live.metrics_server import MetricsServer

KIND = "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_the_page_is_made_when_it_is_asked_for(address: str) -> None:
    pages: list[str] = []
    server = MetricsServer(lambda: pages[-1] if pages else None, KIND)
    url = await server.start(address, 0)
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as answer:
                assert answer.status == 503
            for text in ("a 1\n", "a 2\n"):
                pages.append(text)
                async with session.get(url) as answer:
                    assert (answer.status, await answer.text()) == (200, text)
                    assert answer.headers["Content-Type"] == KIND
            async with session.get(url.replace("metrics", "")) as answer:
                assert answer.status == 404
            async with session.post(url) as answer:
                assert answer.status == 405
    finally:
        await server.close()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_a_taken_port_is_refused_and_leaves_nothing_open() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = MetricsServer(lambda: "", KIND)
        with pytest.raises(Refused, match=rf"Cannot listen on 127\.0\.0\.1:{port}"):
            await server.start("127.0.0.1", port)
    await server.close()
