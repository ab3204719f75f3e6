"""Portchurn's relay as a subject of the bench: the data path of a run, without the run."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from simulator.balancing.policies.select import select_load, select_policy
from simulator.live.kernel_dialer import KernelDialer
from simulator.live.relay import Relay, RelaySettings
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence


def serve(
    listener: socket.socket,
    endpoints: Sequence[tuple[str, int]],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    kind: type[Relay] = Relay,
    settings: RelaySettings | None = None,
) -> None:
    """Relay round robin until killed, on the loop asked for."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        relay = kind(
            loop,
            listener,
            KernelDialer("kernel", ()),
            select_policy("round-robin", 2, pure_random(1, "bench")),
            select_load("round-robin"),
            settings or RelaySettings(),
        )
        for backend, endpoint in enumerate(endpoints):
            relay.insert(backend, *endpoint)
        relay.start()
        gc.collect()
        gc.freeze()
        while True:
            await asyncio.sleep(1.0)
            # A run takes them several times a second as well.
            relay.take_dials()
            relay.take_refusals()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
