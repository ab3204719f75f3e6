"""The checker: paced by the clock, fair to all, and no judge of what only we lack."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from simulator.kernel.sockets import open_listener
from simulator.live.checker import Checker, CheckSettings
from simulator.live.kernel_dialer import KernelDialer
from simulator.live.reactor import Reactor
from simulator.live.userspace_dialer import UserspaceDialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.live.dialer import Dialer

MS = 1_000_000
BACKEND = "127.3.0.1"


class Judge:
    """Hears of results, and closes what it is given at once: there is no batch here."""

    def __init__(self, dialer: Dialer) -> None:
        self.results: list[tuple[int, bool]] = []
        self.resets = 0
        self._dialer = dialer

    def told(self, backend: int, is_there: bool) -> None:
        self.results.append((backend, is_there))

    def discard(self, fd: int, resets: bool) -> None:
        self.resets += resets
        asyncio.get_running_loop().call_soon(self._dialer.close, fd)


@contextmanager
def checking(
    endpoints: list[tuple[str, int]], dialer: Dialer, settings: CheckSettings
) -> Iterator[tuple[Checker, Judge]]:
    loop = asyncio.get_running_loop()
    reactor, judge = Reactor(loop, lambda _fd, _events: None), Judge(dialer)
    checker = Checker(loop, reactor, dialer, settings, judge.told, judge.discard)
    for backend, endpoint in enumerate(endpoints):
        checker.insert(backend, dialer.destination(*endpoint))
    try:
        yield checker, judge
    finally:
        checker.stop()
        reactor.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize("resets", [False, True])
async def test_every_backend_is_checked_in_turn(resets: bool) -> None:
    settings = CheckSettings(every_ns=30 * MS, timeout_ns=500 * MS, resets=resets)
    with open_listener(BACKEND, 0, backlog=128) as alive, socket.socket() as dead:
        dead.bind((BACKEND, 0))
        where = [alive.getsockname(), dead.getsockname(), alive.getsockname()]
        with checking(where, KernelDialer("kernel", ()), settings) as (checker, judge):
            await until(lambda: len(judge.results) >= 9)
            by_backend = {one: {is_there for at, is_there in judge.results if at == one}
                          for one in range(3)}  # fmt: skip
            counts = [sum(at == one for at, _ in judge.results) for one in range(3)]
        assert by_backend == {0: {True}, 1: {False}, 2: {True}}
        assert max(counts) - min(counts) <= 2
        assert checker.counts.failed == counts[1]
        assert (judge.resets > 0) is resets
        await asyncio.sleep(0)


async def test_a_removed_backend_is_not_checked_any_more() -> None:
    settings = CheckSettings(every_ns=10 * MS, timeout_ns=500 * MS)
    with open_listener(BACKEND, 0, backlog=128) as alive:
        where = [alive.getsockname()] * 2
        with checking(where, KernelDialer("kernel", ()), settings) as (checker, judge):
            await until(lambda: len(judge.results) >= 2)
            checker.remove(0)
            judge.results.clear()
            await until(lambda: len(judge.results) >= 3)
            assert {at for at, _ in judge.results} == {1}
        await asyncio.sleep(0)


async def test_to_have_no_port_says_nothing_about_a_backend() -> None:
    settings = CheckSettings(every_ns=10 * MS, timeout_ns=500 * MS)
    dialer = UserspaceDialer(["127.2.1.8"], PortRange(20_100, 20_100), "random", pure_random(1))
    with open_listener(BACKEND, 0, backlog=128) as alive:
        held = dialer.dial(dialer.destination(*alive.getsockname()))
        assert held >= 0
        with checking([alive.getsockname()], dialer, settings) as (checker, judge):
            await until(lambda: checker.counts.without_port >= 3)
            assert not judge.results
            assert checker.counts.begun == 0
        dialer.close_all()
