"""Serving on the host's loopback: a port that is kept, and refused when somebody has it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from simulator.errors import Refused, RunFailed
from simulator.live.serving import Serving
from tests.support.runs import scenario


@pytest.mark.usefixtures("assert_clean")
async def test_a_port_that_somebody_has_is_refused() -> None:
    with socket.socket() as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.listen()
        port = theirs.getsockname()[1]
        async with Serving(scenario(), host_network=True, port=port) as serving:
            with pytest.raises(Refused, match=f"Port {port} of 127.0.0.1"):
                await serving.start()


@pytest.mark.usefixtures("assert_clean")
async def test_a_worker_that_ends_is_noticed() -> None:
    import os
    import signal

    async with Serving(scenario(), host_network=True) as serving:
        endpoints = await serving.start()
        assert endpoints.front[0] == "127.0.0.1"
        assert endpoints.enter == ()
        os.kill(endpoints.pids["balancer 0"], signal.SIGKILL)
        async with asyncio.timeout(10):
            with pytest.raises(RunFailed, match="balancer 0"):
                await serving.serve(asyncio.Event())


@pytest.mark.usefixtures("assert_clean")
async def test_it_serves_until_told_to_stop_and_keeps_the_last_counters() -> None:
    async with Serving(scenario(), host_network=True) as serving:
        endpoints = await serving.start()
        _, writer = await asyncio.open_connection(*endpoints.front)
        writer.close()
        await writer.wait_closed()
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        await serving.serve(stop)
    assert serving.counters["balancer 0"]["accepted"] == 1
