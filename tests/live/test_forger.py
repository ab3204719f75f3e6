"""A forger against sockets of the test: what arrives, in whose name, and no more than it may."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from simulator.clock import monotonic_ns
from simulator.dns.message import decode
from simulator.dns.zone import is_forged, name_of
from simulator.kernel.datagrams import open_raw
from simulator.live.channel import Decoder
from simulator.live.dns_settings import ForgerRole
from simulator.live.forger import Forger
from tests.support.namespace import LOOPS, in_namespace
from tests.support.resolvers import udp

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.dns.message import Message

SERVERS = [["127.4.0.1", 50_000], ["127.4.0.2", 50_001]]
S = 1_000_000_000


async def _forge(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - settings
    given = {"rate_per_s": 50_000.0, "packets": 64, "first": 0, "last": 0, "idents": 8}
    given |= {"until_ns": 3600 * S, "seed": 1}
    settings = ForgerRole(**(given | changes))
    ours, theirs = socket.socketpair()
    with udp("0.0.0.0", 51_000) as one, udp("0.0.0.0", 51_001) as two, ours:
        role = Forger(asyncio.get_running_loop(), theirs, 0, settings, open_raw())
        aim = {"do": "aim", "victim": "127.0.0.1", "ports": [51_000, 51_001], "servers": SERVERS}
        role.on_message(aim)
        ((said, _),) = Decoder().feed(ours.recv(4096))
        role.t0_ns = monotonic_ns()
        role.on_start()
        found: list[tuple[tuple[str, int], int, Message]] = []
        async with asyncio.timeout(20):
            while len(found) < settings.packets and not (
                role._last_ns - role.t0_ns > settings.until_ns
            ):
                await asyncio.sleep(0)
                for sock in (one, two):
                    while True:
                        try:
                            data, peer = sock.recvfrom(4096)
                        except BlockingIOError:
                            break
                        found.append((peer, sock.getsockname()[1], decode(data)))
        counters = role.counters()
        role.on_quit()
        role.channel.close()
    return {
        "said": said,
        "counters": counters,
        "peers": {peer for peer, _, _ in found},
        "guesses": len({(peer, port, message.ident) for peer, port, message in found}),
        "idents": {message.ident for _, _, message in found},
        "lies": all(is_forged(one) and one.asks_like(name_of(0)) for _, _, one in found),
        "count": len(found),
    }


def forge(loop: Callable[[], asyncio.AbstractEventLoop], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(_forge(**changes))


@pytest.mark.namespace
@pytest.mark.parametrize("loop", LOOPS)
def test_it_guesses_everything_once_in_the_servers_names(loop: str) -> None:
    """Thirty-two combinations of 2 servers, 2 ports and 8 IDs, twice round."""
    found = in_namespace(forge, LOOPS[loop])
    assert found["said"] == {"is": "members", "count": 2}
    assert found["peers"] == {tuple(one) for one in SERVERS}
    assert (found["count"], found["guesses"], found["idents"]) == (64, 32, set(range(8)))
    assert found["lies"]
    assert found["counters"]["packets"] == 64
    assert found["counters"]["errors"] == {}


@pytest.mark.namespace
def test_it_ends_when_its_time_is_over() -> None:
    found = in_namespace(forge, LOOPS["asyncio"], rate_per_s=1000.0, packets=5000, until_ns=S // 20)
    assert 0 < found["count"] < 5000


@pytest.mark.namespace
def test_it_may_know_no_more_than_the_range() -> None:
    found = in_namespace(forge, LOOPS["uvloop"], packets=32, first=51_000, last=51_001)
    assert (found["count"], found["guesses"]) == (32, 32)
