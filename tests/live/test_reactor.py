"""The reactor: edges are told once, batches come before what follows them, on both loops."""

from __future__ import annotations

import asyncio
import os
import socket

from simulator.live.reactor import EPOLLIN, EPOLLRDHUP, READS, Reactor


class Watcher:
    """A reactor that notes what it is told."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.events: list[tuple[int, int]] = []
        self.reactor = Reactor(self.loop, lambda fd, events: self.events.append((fd, events)))

    async def settle(self) -> None:
        """Let the loop look at its descriptors a few times."""
        for _ in range(5):
            await asyncio.sleep(0.001)


async def test_an_edge_is_told_once_and_again_when_more_comes() -> None:
    watcher = Watcher()
    one, other = socket.socketpair()
    with one, other:
        watcher.reactor.watch(one.fileno(), READS)
        other.send(b"a")
        await watcher.settle()
        assert watcher.events == [(one.fileno(), EPOLLIN)]
        other.send(b"b")
        await watcher.settle()
        assert len(watcher.events) == 2
        other.close()
        await watcher.settle()
        assert watcher.events[2][1] & EPOLLRDHUP
        watcher.reactor.close()


async def test_a_descriptor_with_a_callback_of_its_own_is_level_triggered_as_asked() -> None:
    watcher = Watcher()
    own: list[int] = []
    one, other = socket.socketpair()
    with one, other:
        watcher.reactor.add(one.fileno(), EPOLLIN, lambda fd, _: own.append(fd))
        other.send(b"a")
        await watcher.settle()
        assert len(own) >= 2, "told as long as it is readable"
        watcher.reactor.remove(one.fileno())
        told = len(own)
        await watcher.settle()
        assert len(own) == told
        assert not watcher.events
        watcher.reactor.close()


async def test_what_follows_a_batch_comes_after_all_of_it() -> None:
    loop = asyncio.get_running_loop()
    order: list[str] = []
    reactor = Reactor(loop, lambda _fd, _events: order.append("event"))
    reactor.after_batch(lambda: order.append("after"))
    pairs = [socket.socketpair() for _ in range(20)]
    for one, other in pairs:
        reactor.watch(one.fileno(), READS)
        other.send(b"x")
    async with asyncio.timeout(5):
        while "after" not in order:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert order == ["event"] * 20 + ["after"]
    reactor.close()
    for one, other in pairs:
        one.close()
        other.close()


async def test_whoever_has_more_to_read_is_called_again_without_an_event() -> None:
    loop = asyncio.get_running_loop()
    chunks: list[bytes] = []

    def read_one_byte(fd: int, _events: int) -> None:
        try:
            chunks.append(os.read(fd, 1))
        except BlockingIOError:
            return
        reactor.call_again(fd, EPOLLIN)

    reactor = Reactor(loop, read_one_byte)
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        reactor.watch(one.fileno(), READS)
        other.send(b"abcdef")
        async with asyncio.timeout(5):
            while len(chunks) < 6:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert b"".join(chunks) == b"abcdef"
        reactor.close()


async def test_hundreds_of_descriptors_in_one_wakeup() -> None:
    watcher = Watcher()
    pairs = [socket.socketpair() for _ in range(600)]
    for one, other in pairs:
        watcher.reactor.watch(one.fileno(), READS)
        other.send(b"x")
    await watcher.settle()
    assert {fd for fd, _ in watcher.events} == {one.fileno() for one, _ in pairs}
    assert len(watcher.events) == 600
    watcher.reactor.close()
    for one, other in pairs:
        one.close()
        other.close()


async def test_after_closing_nothing_is_told() -> None:
    watcher = Watcher()
    one, other = socket.socketpair()
    with one, other:
        watcher.reactor.watch(one.fileno(), READS)
        watcher.reactor.call_again(one.fileno(), EPOLLIN)
        watcher.reactor.close()
        other.send(b"a")
        await watcher.settle()
        assert not watcher.events
