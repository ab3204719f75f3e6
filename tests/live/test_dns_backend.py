"""Authoritative servers on real UDP sockets: they answer for their zone and note who asked."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.clock import monotonic_ns
from simulator.dns.message import (
    NO_SUCH_NAME,
    SERVER_FAILURE,
    UDP_BYTES,
    Message,
    decode,
    encode,
)
from simulator.dns.zone import name_of, true_addresses
from simulator.kernel.datagrams import ANY_ADDRESS
from simulator.live.channel import Decoder
from simulator.live.dns_backend import DnsServers
from simulator.records import QUESTION_COLUMNS
from tests.support.namespace import LOOPS, in_namespace
from tests.support.resolvers import udp
from tests.support.servers import served

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from simulator.live.channel import Message as Words
    from tests.support.servers import Served

ADDRESS = "127.4.14.1"
MS = 1_000_000


def serving(**changes: Any) -> AbstractAsyncContextManager[Served[DnsServers]]:  # noqa: ANN401
    return served(DnsServers, ADDRESS, speaks="dns", **changes)


async def answer_to(question: Message, port: int, client: socket.socket) -> Message:
    client.sendto(encode(question), (ADDRESS, port))
    async with asyncio.timeout(5):
        return decode(await asyncio.get_running_loop().sock_recv(client, 4096))


def asking(index: int = 0, **changes: Any) -> Message:  # noqa: ANN401 - fields of a message
    given: dict[str, Any] = {"ident": 9, "name": name_of(index), "udp_bytes": UDP_BYTES}
    return Message(**(given | changes))


@pytest.mark.parametrize(
    ("question", "rcode", "addresses"),
    [
        (asking(5), 0, true_addresses(5, 0)),
        (asking(5, order=(0, 320)), 0, true_addresses(5, 320)),
        (asking(2), NO_SUCH_NAME, ()),
        (asking(name=(b"elsewhere", b"test")), NO_SUCH_NAME, ()),
    ],
)
async def test_what_is_asked_for_is_answered(
    question: Message, rcode: int, addresses: tuple[int, ...]
) -> None:
    async with serving(missing=3) as there:
        with udp("127.1.14.1") as client:
            answer = await answer_to(question, there.ports[0], client)
            assert (answer.ident, answer.is_answer) == (9, True)
            assert answer.asks_like(question.name)
            assert (answer.rcode, answer.addresses) == (rcode, addresses)
            assert there.role.counters()["answered"] == 1


@pytest.mark.parametrize(
    ("udp_bytes", "answer_bytes", "is_cut"),
    [(1, 448, False), (512, 512, True), (UDP_BYTES, 1184, False), (UDP_BYTES, 1232, True)],
)
async def test_what_does_not_fit_comes_truncated(
    udp_bytes: int, answer_bytes: int, is_cut: bool
) -> None:
    async with serving() as there:
        with udp("127.1.14.1") as client:
            question = asking(udp_bytes=udp_bytes, order=(0, answer_bytes))
            answer = await answer_to(question, there.ports[0], client)
    assert answer.truncated == is_cut
    assert bool(answer.addresses) != is_cut


async def test_it_takes_as_long_as_it_is_told_and_a_slow_one_longer() -> None:
    two = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS)}
    async with serving(slow=(1,), slow_factor=3.0, **two) as there:
        for port, least in zip(there.ports, (20 * MS, 60 * MS), strict=True):
            with udp("127.1.14.1") as client:
                begin = monotonic_ns()
                await answer_to(asking(order=(20 * MS, 0)), port, client)
                assert monotonic_ns() - begin >= least


async def test_an_error_rate_of_one_is_always_a_servfail() -> None:
    async with serving(error_rate=1.0) as there:
        with udp("127.1.14.1") as client:
            answer = await answer_to(asking(), there.ports[0], client)
    assert (answer.rcode, answer.addresses) == (SERVER_FAILURE, ())


async def test_who_asked_from_where_is_written_down_before_the_answer() -> None:
    async with serving() as there:
        with udp("127.1.14.1") as first, udp("127.1.14.1") as second:
            for ident, client in enumerate((first, second)):
                await answer_to(asking(ident=ident), there.ports[0], client)
            there.role.on_tick()
            ((head, tail),) = Decoder().feed(there.conductor.recv(1 << 16))
            assert head == {"is": "questions"}
            rows = np.frombuffer(tail, "<i8").reshape(-1, len(QUESTION_COLUMNS))
            assert rows[:, 3].tolist() == [one.getsockname()[1] for one in (first, second)]
            assert rows[:, 4].tolist() == [0, 1]
            assert set(rows[:, 1]) == {0}


async def test_rubbish_is_counted_and_not_answered() -> None:
    async with serving() as there:
        with udp("127.1.14.1") as client:
            where = (ADDRESS, there.ports[0])
            for data in (b"", b"\0" * 11, bytes(600), encode(asking(is_answer=True))):
                client.sendto(data, where)
            await answer_to(asking(), there.ports[0], client)
            with pytest.raises(BlockingIOError):
                client.recv(100)
        assert there.role.counters()["dropped"] == 4


async def test_a_drained_server_answers_what_it_has_and_a_crashed_one_does_not() -> None:
    for how, answers in (("drain", 1), ("crash", 0)):
        async with serving() as there:
            with udp("127.1.14.1") as client:
                client.sendto(encode(asking(order=(3_600_000 * MS, 0))), (ADDRESS, there.ports[0]))
                async with asyncio.timeout(5):
                    while not there.role.accepted:  # noqa: ASYNC110 - nothing says so from outside
                        await asyncio.sleep(0)
                told = there.tell("leave", how=how)
                assert (told["is"], told["open"]) == ("left", 1 - answers)
                if answers:
                    assert client.recv(4096)
                with pytest.raises(BlockingIOError):
                    client.recv(4096)
                assert there.tell("back", resting=[])["lease"] is not None


async def _robbed() -> list[Words]:
    """What a server says that comes back twice to a port in a pool, and then to a free one."""
    async with serving(allocator="fixed", first=50_700, last=50_700, total=1) as there:
        there.tell("leave", how="drain")
        with udp(ANY_ADDRESS, 50_700):
            found = [there.tell("back", resting=[]) for _ in range(2)]
        return [*found, there.tell("back", resting=[])]


def robbed(loop: Callable[[], asyncio.AbstractEventLoop]) -> list[Words]:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(_robbed())


@pytest.mark.namespace
@pytest.mark.parametrize("loop", LOOPS)
def test_a_server_without_its_port_says_once_who_has_it(loop: str) -> None:
    first, second, third = in_namespace(robbed, LOOPS[loop])
    assert first["lease"] is None
    assert first["holder"] == {"bound": "0.0.0.0:50700", "sockets": 1}
    assert second["lease"] is None
    assert "holder" not in second
    assert third["lease"][2] == 50_700


async def test_a_hanging_server_says_nothing() -> None:
    two = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS)}
    async with serving(hanging=(0,), **two) as there:
        with udp("127.1.14.1") as client:
            client.sendto(encode(asking()), (ADDRESS, there.ports[0]))
            await answer_to(asking(ident=2), there.ports[1], client)
            with contextlib.suppress(BlockingIOError):
                assert not client.recv(100)
        assert there.role.counters()["accepted"] == 1
