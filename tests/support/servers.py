"""A backend process's servers in the test's own loop, of any kind, and the conductor's end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from simulator.live.backend import BackendServers
from simulator.live.channel import Decoder
from simulator.live.settings import BackendRole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simulator.live.channel import Message

Servers = TypeVar("Servers", bound=BackendServers)


@dataclass(slots=True, kw_only=True)
class Served(Generic[Servers]):
    """Servers that listen."""

    role: Servers
    conductor: socket.socket
    address: str
    ports: list[int]

    def tell(self, do: str, **more: Any) -> Message:  # noqa: ANN401 - JSON values
        """Say one word about backend 0 and return the answer."""
        self.role.on_message({"do": do, "backend": 0, **more})
        ((head, _),) = Decoder().feed(self.conductor.recv(1 << 16))
        return head


@asynccontextmanager
async def served(
    kind: type[Servers],
    address: str,
    **changes: Any,  # noqa: ANN401 - settings
) -> AsyncIterator[Served[Servers]]:
    """One backend at the address, unless ``ids`` and ``addresses`` say otherwise."""
    given: dict[str, Any] = {"ids": (0,), "addresses": (address,), "allocator": "kernel"}
    settings = BackendRole(**(given | {"first": 0, "last": 0} | changes))
    ours, theirs = socket.socketpair()
    tasks = len(asyncio.all_tasks())
    role = kind(asyncio.get_running_loop(), theirs, 0, settings)
    ready = await role.prepare()
    try:
        ports = [lease[2] for lease in ready["leases"]]
        yield Served(role=role, conductor=ours, address=address, ports=ports)
    finally:
        role.on_quit()
        role.channel.close()
        ours.close()
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110 - what serves ends in turns
                await asyncio.sleep(0)
