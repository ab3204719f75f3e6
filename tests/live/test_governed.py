"""What a relay does for its backends: each care seen on real sockets, each connection accounted."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from simulator.kernel.sockets import LINGER_ZERO
from simulator.live.care import CareSettings
from simulator.live.governed import CareStatistics, GovernedRelay
from simulator.live.relay import RelaySettings
from simulator.ports.range import PortRange
from simulator.records import Call, Ending
from simulator.seeds import pure_random
from tests.support.relay_process import open_descriptors
from tests.support.stage import Stage, deaf_backend, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MS = 1_000_000


@asynccontextmanager
async def governed(
    backends: int = 1,
    care: CareSettings | None = None,
    *,
    settings: RelaySettings | None = None,
    **plan: Any,  # noqa: ANN401 - fields of RelayPlan
) -> AsyncIterator[tuple[Stage, GovernedRelay]]:
    async with staged(backends, settings=settings, care=care or CareSettings(), **plan) as stage:
        assert isinstance(stage.relay, GovernedRelay)
        yield stage, stage.relay


async def until(relay: GovernedRelay, holds: Callable[[CareStatistics], bool]) -> CareStatistics:
    async with asyncio.timeout(5):
        while not holds(now := relay.care_statistics()):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return now


async def ask(stage: Stage, text: bytes = b"question") -> socket.socket:
    client = stage.client()
    await stage.loop.sock_sendall(client, text)
    return client


async def test_with_nothing_on_it_relays_as_the_plain_one_does() -> None:
    async with governed() as (stage, relay):
        client = await ask(stage)
        client.shutdown(socket.SHUT_WR)
        backend = await stage.backend()
        assert await stage.receive(backend) == b"question"
        await stage.loop.sock_sendall(backend, b"answer")
        backend.close()
        assert await stage.receive(client) == b"answer"
        await stage.until(lambda now: now.active == 0)
        care = relay.care_statistics()
        assert (care.checks, care.queued, care.ejections, care.out) == (0, 0, 0, 0)


async def test_above_the_cap_connections_wait_in_order_and_lose_no_byte() -> None:
    async with governed(care=CareSettings(cap=1, queue_timeout_ns=5000 * MS)) as (stage, relay):
        clients = [await ask(stage, b"first")]
        backend = await stage.backend()
        clients.append(await ask(stage, b"second"))
        await until(relay, lambda now: now.waiting == 1)
        clients.append(await ask(stage, b"third"))
        await until(relay, lambda now: now.waiting == 2)
        for turn, text in enumerate((b"first", b"second", b"third")):
            assert stage.relay.statistics().dialed == turn + 1, "never two at a time"
            clients[turn].shutdown(socket.SHUT_WR)
            assert await stage.receive(backend) == text
            backend.close()
            assert await stage.receive(clients[turn]) == b""
            if turn < 2:
                backend = await stage.backend()
        assert relay.care_statistics().queued == 2
        assert not stage.refusals()


async def test_who_waits_in_vain_is_reset_and_the_reason_kept() -> None:
    care = CareSettings(cap=1, queue_size=1, queue_timeout_ns=50 * MS)
    async with governed(care=care) as (stage, relay):
        await ask(stage)
        await stage.backend()
        waiting = await ask(stage)
        await until(relay, lambda now: now.waiting == 1)
        crowd = await ask(stage)
        for client in (crowd, waiting):
            with pytest.raises(ConnectionResetError):
                await stage.receive(client)
        rows = stage.refusals()
        assert [(row["call"], row["error"]) for row in rows] == [(Call.PICK, Ending.FULL)] * 2
        assert rows[1]["t_ns"] - rows[1]["accepted_ns"] >= 50 * MS
        found = relay.care_statistics()
        assert (found.queued, found.queue_full, found.queue_timeouts) == (1, 1, 1)
        statistics = stage.relay.statistics()
        assert (statistics.refused, statistics.active) == (2, 1)


async def test_a_client_that_leaves_while_it_waits_is_never_dialed_for() -> None:
    async with governed(care=CareSettings(cap=1)) as (stage, relay):
        first = await ask(stage)
        backend = await stage.backend()
        leaver = await ask(stage)
        stayer = await ask(stage, b"stayed")
        await until(relay, lambda now: now.waiting == 2)
        leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        leaver.close()
        await until(relay, lambda now: now.waiting == 1)
        backend.close()
        first.close()
        stayer.shutdown(socket.SHUT_WR)
        assert await stage.receive(await stage.backend()) == b"stayed"
        assert stage.relay.statistics().dialed == 2


async def test_out_of_ports_a_connection_waits_for_the_next_one_to_be_free() -> None:
    async with governed(
        care=CareSettings(queues_for_ports=True, queue_timeout_ns=5000 * MS),
        settings=RelaySettings(retries=0),
        mode="userspace",
        sources=("127.2.1.9",),
        ports=PortRange(20_000, 20_001),
    ) as (stage, relay):
        clients = [await ask(stage, f"{turn}".encode()) for turn in range(3)]
        taken = [await stage.backend(), await stage.backend()]
        await until(relay, lambda now: now.waiting == 1)
        for client, backend in zip(clients, taken, strict=False):
            client.close()
            backend.close()
        clients[2].shutdown(socket.SHUT_WR)
        assert await stage.receive(await stage.backend()) == b"2"
        assert not stage.refusals(), "nobody was refused"
        assert stage.relay.statistics().dial_errors[Call.BIND, Ending.NO_PORT] >= 1


async def test_a_backend_whose_connects_fail_is_ejected_and_comes_back() -> None:
    care = CareSettings(eject_after=2, eject_ns=60 * MS, panic=0.0)
    async with governed(care=care, dead=1, settings=RelaySettings(retries=1)) as (stage, relay):
        for _ in range(3):  # the dead one has every other turn: the third ejects it
            await ask(stage)
            await stage.backend()
        assert relay.care_statistics().ejections == 1
        dialed = stage.relay.statistics().dialed
        for _ in range(4):
            await ask(stage)
            await stage.backend()
        assert stage.relay.statistics().dialed == dialed + 4, "no connect goes to it now"
        await until(relay, lambda now: now.out == 0)


async def test_below_the_panic_threshold_all_are_picked_again() -> None:
    care = CareSettings(eject_after=1, eject_ns=10_000 * MS, panic=0.6)
    async with governed(care=care, dead=1, settings=RelaySettings(retries=1)) as (stage, relay):
        await ask(stage)
        await stage.backend()
        found = relay.care_statistics()
        assert (found.ejections, found.panics, found.out) == (1, 1, 0)


async def test_checks_take_a_dead_backend_out_and_bring_it_back_where_it_moves() -> None:
    care = CareSettings(check_every_ns=20 * MS, check_fall=2, check_rise=1, panic=0.0)
    async with governed(care=care, dead=1) as (stage, relay):
        # What checks connect stays in the accept queue: it is long enough for this test.
        found = await until(relay, lambda now: now.out == 1)
        assert found.checks_failed >= 2
        assert stage.relay.statistics().dial_errors == {}, "checks are counted apart"
        relay.insert(0, *stage.listeners[0].getsockname())
        found = await until(relay, lambda now: now.out == 0)
        before = found.checks
        await until(relay, lambda now: now.checks >= before + 4)
        assert relay.care_statistics().out == 0
        assert stage.relay.statistics().dialed == relay.care_statistics().checks


async def test_a_check_that_nobody_accepts_times_out() -> None:
    care = CareSettings(
        check_every_ns=20 * MS, check_timeout_ns=30 * MS, check_fall=1, check_rise=9, panic=0.0
    )
    async with deaf_backend() as deaf, governed(backends=0, care=care) as (_stage, relay):
        relay.insert(0, *deaf)
        await until(relay, lambda now: now.out == 1)


async def test_a_retry_budget_stops_retries_when_it_is_spent() -> None:
    care = CareSettings(retry_share=0.001, retry_reserve=2)
    settings = RelaySettings(retries=1)
    async with governed(0, care=care, dead=2, settings=settings) as (stage, relay):
        for _ in range(5):
            client = await ask(stage)
            with pytest.raises(ConnectionResetError):
                await stage.receive(client)
        assert stage.relay.statistics().retries == 2
        assert stage.relay.statistics().dialed == 7
        assert relay.care_statistics().retries_denied == 3
        assert len(stage.refusals()) == 5


async def test_the_same_client_address_gets_the_same_backend() -> None:
    async with governed(4, policy="ring-hash", key="address") as (stage, _relay):
        for _ in range(8):
            await ask(stage)
        statistics = await stage.until(lambda now: sum(now.picks.values()) == 8)
        assert len(statistics.picks) == 1


async def test_the_keys_of_connections_differ() -> None:
    async with governed(4, policy="maglev", key="connection") as (stage, _relay):
        for _ in range(40):
            await ask(stage)
        statistics = await stage.until(lambda now: sum(now.picks.values()) == 40)
        assert len(statistics.picks) == 4


async def test_old_counts_make_the_least_loaded_of_then_a_target() -> None:
    # Counts never get old enough to be news: both look idle for ever, ties are drawn.
    care = CareSettings(load_age_ns=3_600_000 * MS)
    async with governed(2, care=care, policy="least-connections", seed=5) as (stage, _relay):
        for _ in range(40):
            await ask(stage)
        statistics = await stage.until(lambda now: sum(now.picks.values()) == 40)
        assert statistics.picks[0] != statistics.picks[1], "true counts would be 20 and 20"


async def test_a_newcomer_gets_little_at_first() -> None:
    care = CareSettings(slow_start_ns=3_600_000 * MS)
    async with governed(2, care=care, policy="round-robin", backlog=512) as (stage, relay):
        moved = stage.listeners[1].getsockname()
        relay.remove(1)
        await ask(stage)
        await stage.until(lambda now: now.dialed == 1)
        relay.insert(1, *moved)
        for _ in range(200):
            await ask(stage)
        statistics = await stage.until(lambda now: sum(now.picks.values()) == 201)
        assert 0 < statistics.picks[1] < 60, "a tenth of its turns, not half of all"


async def test_peak_ewma_learns_who_is_slow() -> None:
    async with governed(2, policy="peak-ewma") as (stage, _relay):

        async def serve(index: int, wait_s: float) -> None:
            while True:
                backend = await stage.backend(index)
                await stage.loop.sock_recv(backend, 100)
                await asyncio.sleep(wait_s)
                await stage.loop.sock_sendall(backend, b"answer")

        servers = [
            asyncio.ensure_future(serve(index, wait_s)) for index, wait_s in ((0, 0.0), (1, 0.25))
        ]
        for _ in range(30):
            client = await ask(stage)
            assert await stage.loop.sock_recv(client, 100) == b"answer"
            client.close()
        picks = stage.relay.statistics().picks
        for server in servers:
            server.cancel()
        await asyncio.wait(servers)
        assert picks[1] <= 5, "one look is enough, and a hiccup of the other may ask for another"


async def test_a_connect_that_fails_later_is_told_as_well() -> None:
    care = CareSettings(eject_after=1, panic=0.0)
    settings = RelaySettings(connect_timeout_ns=50 * MS, retries=1)
    async with deaf_backend() as deaf, governed(care=care, settings=settings) as (stage, relay):
        good = stage.listeners[0].getsockname()
        relay.insert(0, *deaf)
        relay.insert(1, *good)
        await ask(stage)
        backend = await stage.backend()
        assert await stage.loop.sock_recv(backend, 100) == b"question"
        assert relay.care_statistics().out == 1


@pytest.mark.parametrize("policy", ["peak-ewma", "least-connections", "bounded-hash"])
async def test_after_a_storm_of_everything_nothing_is_left_and_all_are_accounted_for(
    policy: str,
) -> None:
    care = CareSettings(
        cap=4,
        queue_size=60,
        queue_timeout_ns=400 * MS,
        queues_for_ports=True,
        eject_after=3,
        eject_ns=20 * MS,
        check_every_ns=15 * MS,
        check_fall=2,
        check_rise=1,
        check_resets=True,
        retry_share=0.3,
        slow_start_ns=50 * MS,
        load_age_ns=5 * MS,
    )
    chance = pure_random(9, policy)
    # uvloop opens a descriptor of its own with its first server and keeps it.
    async with await asyncio.start_server(lambda _reader, _writer: None, "127.3.0.1", 0):
        pass
    gc.collect()  # what earlier tests left for it may hold descriptors
    for _ in range(10):
        await asyncio.sleep(0)
    async with governed(
        0,
        care=care,
        dead=1,
        policy=policy,
        key="connection" if policy == "bounded-hash" else "",
        mode="userspace",
        sources=("127.2.1.7",),
        ports=PortRange(20_200, 20_209),
    ) as (stage, relay):
        aborted = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal aborted
            try:
                data = await reader.read(100)
                await asyncio.sleep(chance.random() * 0.01)
                if chance.random() < 0.1:
                    aborted += 1
                    writer.transport.abort()
                    return
                writer.write(data)
                writer.close()
                await writer.wait_closed()
            except ConnectionError:
                writer.close()

        async def visit(number: int) -> str:
            await asyncio.sleep(chance.random() * 0.3)
            text = f"visit {number}".encode()
            try:
                reader, writer = await asyncio.open_connection(*stage.front)
                writer.write(text)
                if number % 10 == 0:
                    writer.transport.abort()
                    return "left"
                answer = await reader.read()
                writer.close()
                await writer.wait_closed()
            except ConnectionError:
                return "reset"
            assert answer in (text, b"")
            return "answered" if answer else "cut"

        before = open_descriptors()
        servers = [await asyncio.start_server(serve, "127.3.0.1", 0) for _ in range(3)]
        for number, server in enumerate(servers, start=1):
            relay.insert(number, *server.sockets[0].getsockname())
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            visits = [group.create_task(visit(number)) for number in range(300)]
            await asyncio.sleep(0.1)
            relay.remove(1)
            await asyncio.sleep(0.05)
            relay.insert(1, *servers[0].sockets[0].getsockname())
        ended = [task.result() for task in visits]
        statistics = await stage.until(lambda now: now.active == 0)
        for server in servers:
            server.close()
            await server.wait_closed()
        # A loop closes the transports of the test a turn or two after they have ended.
        await stage.until(lambda _now: open_descriptors() <= before)
        for _ in range(10):
            await asyncio.sleep(0)
        found = relay.care_statistics()
        # How many find a place in time is the machine's affair; who does not is a refusal, or was
        # cut by a server, and nobody is missing. Who left early may have been refused unseen.
        count = Counter(ended)
        assert count["answered"] > 0
        assert count["reset"] <= statistics.refused + aborted
        assert statistics.refused <= count["reset"] + count["left"]
        assert found.queued > 0
        assert found.waiting == 0
        assert statistics.refused == len(stage.refusals())
        assert statistics.buffered_bytes == 0
        assert set(relay._load.open) == {0}
        assert not relay._full
        assert not relay._awaited
        assert not relay._unsent
        assert not relay._patience
