"""What the sampler counts of a socket table, against tables made by hand and brute force."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import monotonic_ns
from simulator.kernel.sockdiag import BOUND, ESTABLISHED, LISTEN, TIME_WAIT, SocketTable
from simulator.live.channel import Channel
from simulator.live.sampler import CORE_SHARE, HopCounter, Sampler, dotted
from simulator.live.settings import HopView, SamplerRole
from tests.support.namespace import LOOPS, in_namespace
from tests.support.runs import MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.live.channel import Message

NEAR: Final = 127 << 8 | 3  # where the hop connects from
FAR: Final = 127 << 8 | 4  # where it connects to
OTHER: Final = 127 << 8 | 1
SYN_SENT: Final = 2
FIN_WAIT_2: Final = 5
MINUTE_MS: Final = 60_000

#: State, source, source port, destination, destination port, ms left of its timer.
Socket = tuple[int, int, int, int, int, int]


def near(host: int) -> int:
    return NEAR << 16 | host


def far(host: int) -> int:
    return FAR << 16 | host


def table(*sockets: Socket, complete: bool = True) -> SocketTable:
    columns = np.array(sockets, dtype=np.int64).reshape(-1, 6).T
    return SocketTable(
        state=columns[0].astype(np.uint8),
        source=columns[1].astype(np.uint32),
        sport=columns[2].astype(np.uint16),
        destination=columns[3].astype(np.uint32),
        dport=columns[4].astype(np.uint16),
        timer_ms=columns[5].astype(np.uint32),
        complete=complete,
    )


def view(**changes: Any) -> HopView:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "name": "balancer-backend",
        "destination_prefix": FAR,
        "source_prefix": NEAR,
        "per": "tuple",
        "budget": 100,
        "groups": 4,
        "blocking_ms": MINUTE_MS,
        "counts_bound": False,
    }
    return HopView(**(values | changes))


def established(source: int, sport: int, destination: int, dport: int) -> Socket:
    return (ESTABLISHED, source, sport, destination, dport, 0)


def waiting(source: int, sport: int, destination: int, dport: int, since_ms: int = 0) -> Socket:
    return (TIME_WAIT, source, sport, destination, dport, MINUTE_MS - since_ms)


def test_the_worst_group_is_the_source_and_destination_with_most_tuples() -> None:
    sockets = [
        established(near(1), 40_001, far(1), 9000),
        established(near(1), 40_002, far(1), 9000),
        waiting(near(1), 40_003, far(1), 9000),
        (SYN_SENT, near(1), 40_004, far(1), 9000, 900),
        # The same in each part but one, so groups of their own:
        established(near(2), 40_001, far(1), 9000),
        established(near(1), 40_001, far(2), 9000),
        established(near(1), 40_001, far(1), 9001),
    ]
    counted = HopCounter(view()).count(table(*sockets))
    assert counted["worst"] == {
        "source": "127.3.0.1",
        "destination": "127.4.0.1:9000",
        "in_use": 4,
        "established": 2,
        "time_wait": 1,
        "other": 1,
    }
    assert counted["groups"] == 4
    assert counted["in_use"] == 7
    assert counted["budget"] == 100
    assert (counted["established"], counted["time_wait"], counted["other"]) == (5, 1, 1)
    assert counted["distinct_ports"] == counted["new_ports"] == 4


def test_where_both_ends_share_an_address_the_port_tells_which_one_accepted() -> None:
    here = 127 << 24 | 1
    shared = view(
        destination_prefix=127 << 8, source_prefix=127 << 8, listen_first=9000, listen_last=9001
    )
    counted = HopCounter(shared).count(
        table(
            established(here, 40_001, here, 9000),
            established(here, 9000, here, 40_001),
            waiting(here, 40_002, here, 9001),
            waiting(here, 9001, here, 40_004),
            (LISTEN, here, 9000, 0, 0, 0),
            # Another hop of the same address: the balancer's front and one of its clients.
            established(here, 40_003, FAR << 16 | 1, 8080),
            established(FAR << 16 | 1, 8080, here, 40_003),
        )
    )
    assert counted["in_use"] == 2
    assert (counted["established"], counted["time_wait"]) == (1, 1)
    assert counted["accept_side"]["time_wait"] == 1
    assert counted["distinct_ports"] == 2


def test_by_address_all_destinations_of_a_source_are_one_group() -> None:
    counted = HopCounter(view(per="address")).count(
        table(
            established(near(1), 40_001, far(1), 9000),
            established(near(1), 40_002, far(2), 9000),
            waiting(near(1), 40_003, far(1), 9001),
            established(near(258), 40_001, far(1), 9000),
        )
    )
    assert counted["groups"] == 2
    assert counted["worst"]["source"] == "127.3.0.1"
    assert counted["worst"]["destination"] is None
    assert counted["worst"]["in_use"] == 3


def test_only_the_end_that_connected_holds_a_port() -> None:
    counted = HopCounter(view()).count(
        table(
            established(near(1), 40_001, far(1), 9000),
            established(far(1), 9000, near(1), 40_001),  # its accepting end
            waiting(far(1), 9000, near(1), 40_002),
            (FIN_WAIT_2, far(1), 9000, near(1), 40_003, 0),
            (LISTEN, far(1), 9000, 0, 0, 0),
            established(OTHER << 16 | 1, 41_000, OTHER << 16 | 2, 8080),  # another hop's
        )
    )
    assert counted["in_use"] == 1
    sides = {"time_wait": 1, "other": 1, "fin_wait": 1, "close_wait": 0}
    assert counted["accept_side"] == sides
    assert counted["distinct_ports"] == 1


def test_nothing_there_is_nothing_counted() -> None:
    counted = HopCounter(view()).count(table())
    assert counted["worst"] is None
    assert (counted["groups"], counted["in_use"], counted["distinct_ports"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("blocking_ms", "in_use"),
    [(0, 0), (1, 2), (500, 2), (501, 3), (59_999, 3), (MINUTE_MS, 4)],
)
def test_a_tuple_in_time_wait_is_in_use_as_long_as_it_blocks(blocking_ms: int, in_use: int) -> None:
    ages = (0, 0, 500, 59_999)
    sockets = [
        waiting(near(1), 40_000 + at, far(1), 9000, since_ms=age) for at, age in enumerate(ages)
    ]
    counted = HopCounter(view(blocking_ms=blocking_ms)).count(table(*sockets))
    assert counted["in_use"] == counted["time_wait"] == in_use
    assert counted["recyclable"] == len(ages) - in_use
    assert counted["distinct_ports"] == len(ages)  # each was used, whatever it is now


def test_a_tuple_that_the_dump_saw_twice_counts_once() -> None:
    once = established(near(1), 40_001, far(1), 9000)
    again = waiting(near(1), 40_001, far(1), 9000)  # it closed while the dump went on
    counted = HopCounter(view()).count(table(once, again, once))
    assert counted["in_use"] == 1
    assert counted["established"] + counted["time_wait"] == 1


def test_sockets_that_are_only_bound_count_where_the_port_is_theirs_for_good() -> None:
    sockets = table(
        (BOUND, near(1), 40_001, 0, 0, 0),
        established(near(1), 40_002, far(1), 9000),
        (BOUND, OTHER << 16 | 1, 40_003, 0, 0, 0),
    )
    kept = HopCounter(view(per="address", counts_bound=True)).count(sockets)
    assert kept["in_use"] == kept["worst"]["in_use"] == 2
    assert kept["other"] == 1
    assert HopCounter(view()).count(sockets)["in_use"] == 1


def test_ports_once_seen_stay_seen() -> None:
    counter = HopCounter(view())
    counts = [
        counter.count(table(*(established(near(1), port, far(1), 9000) for port in ports)))
        for ports in ([1, 2, 3], [3, 4], [], [65_535, 1])
    ]
    assert [count["new_ports"] for count in counts] == [3, 1, 0, 1]
    assert [count["distinct_ports"] for count in counts] == [3, 4, 4, 5]


SOCKETS = st.lists(
    st.tuples(
        st.sampled_from([ESTABLISHED, SYN_SENT, FIN_WAIT_2, TIME_WAIT, LISTEN, BOUND]),
        st.sampled_from([near(1), near(2), far(1), OTHER << 16 | 1]),
        st.integers(1, 5),
        st.sampled_from([far(1), far(65_535), near(1), OTHER << 16 | 1, 0]),
        st.sampled_from([0, 80, 65_535]),
        st.integers(0, MINUTE_MS),
    ),
    max_size=40,
)


@given(
    sockets=SOCKETS,
    per=st.sampled_from(["tuple", "address"]),
    blocking_ms=st.sampled_from([0, 500, MINUTE_MS]),
)
def test_counts_equal_those_of_brute_force(
    sockets: list[Socket], per: str, blocking_ms: int
) -> None:
    counted = HopCounter(view(per=per, blocking_ms=blocking_ms)).count(table(*sockets))
    holds: dict[tuple[int, ...], int] = {}
    recyclable = 0
    ports = set()
    for state, source, sport, destination, dport, left in sockets:
        if destination >> 16 != FAR or not dport or state == BOUND:
            continue
        ports.add(sport)
        if state == TIME_WAIT and MINUTE_MS - left >= blocking_ms:
            recyclable += 1
        else:
            # The lower half of the source is what a hop's own addresses differ in.
            holds.setdefault((source & 0xFFFF, sport, destination, dport), state)
    groups = Counter((key[0], key[2], key[3]) if per == "tuple" else (key[0],) for key in holds)
    assert counted["in_use"] == len(holds)
    assert counted["recyclable"] == recyclable
    assert counted["distinct_ports"] == len(ports)
    assert counted["groups"] == len(groups)
    assert counted["established"] == sum(state == ESTABLISHED for state in holds.values())
    worst = 0 if counted["worst"] is None else counted["worst"]["in_use"]
    assert worst == max(groups.values(), default=0)


@given(st.integers(0, 2**32 - 1))
def test_addresses_are_written_as_everybody_writes_them(address: int) -> None:
    assert dotted(address) == str(ipaddress.IPv4Address(address))


# Pace.


async def test_sampling_slows_down_while_it_costs_too_much_and_recovers() -> None:
    ours, theirs = socket.socketpair()
    settings = SamplerRole(every_ns=100 * MS, hops=())
    role = Sampler(asyncio.get_running_loop(), theirs, 0, settings)
    try:
        role._pace(2 * MS)
        assert role._every_ns == 100 * MS  # 2 ms in 100 ms is the share it may have
        role._pace(10 * MS)
        assert role._every_ns == int(10 * MS / CORE_SHARE) == 500 * MS
        role._pace(4 * MS)  # 200 ms would do
        assert role._every_ns == 250 * MS
        role._pace(4 * MS)
        assert role._every_ns == 250 * MS
        role._pace(1000 * MS)
        assert role._every_ns == 50_000 * MS
        role._pace(1000_000 * MS)
        assert role._every_ns == 600_000 * MS  # never slower than that
        for _ in range(20):
            role._pace(1)
        assert role._every_ns == 100 * MS  # never faster than was asked
    finally:
        role.on_quit()
        role.channel.close()
        ours.close()


async def test_a_large_table_is_read_in_stretches_with_other_work_between() -> None:
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    role = Sampler(loop, theirs, 0, SamplerRole(every_ns=3_600_000 * MS, hops=()))
    steps, turns = 0, 0

    def endless_table() -> Iterator[None]:
        nonlocal steps
        while turns < 5:
            steps += 1
            yield

    def other_work() -> None:
        nonlocal turns
        turns += 1

    try:
        role._under_way = endless_table()
        role._go_on()
        while role._under_way is not None:
            loop.call_soon(other_work)
            await asyncio.sleep(0)
        assert turns >= 5
        assert steps > turns
    finally:
        role.on_quit()
        role.channel.close()
        ours.close()


# The real table.


def sample_real_sockets(loop: str) -> list[Message]:
    """Messages of a sampler that watches five held connections and one that closed."""

    async def watch() -> list[Message]:
        heard: list[Message] = []
        here = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        enough = asyncio.Event()

        def hear(head: Message, _tail: bytes) -> None:
            heard.append(head)
            if sum(one["is"] == "sample" for one in heard) == 3:
                enough.set()

        conductor = Channel(here, ours, hear, lambda _why: None)
        role = Sampler(here, theirs, 0, SamplerRole(every_ns=20 * MS, hops=(view(),)))
        async with asyncio.TaskGroup() as group:
            group.create_task(role.run(), name="sampler")
            with socket.create_server(("127.4.0.1", 0)) as server:
                held = [
                    socket.create_connection(server.getsockname(), source_address=("127.3.0.1", 0))
                    for _ in range(6)
                ]
                accepted = [server.accept()[0] for _ in held]
                for end in (held.pop(), accepted[-1]):
                    end.close()
                conductor.send({"do": "start", "t0_ns": monotonic_ns()})
                async with asyncio.timeout(10):
                    await enough.wait()
                for end in (*held, *accepted):
                    end.close()
                conductor.send({"do": "quit"})
        conductor.drain()
        conductor.close()
        return heard

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(watch())


@pytest.mark.namespace
@pytest.mark.parametrize("loop", LOOPS)
def test_real_connections_are_found_in_the_kernels_table(loop: str) -> None:
    heard = in_namespace(sample_real_sockets, loop)
    assert heard[0]["is"] == "ready"
    assert heard[0]["sockets"] > 0
    samples = [one for one in heard if one["is"] == "sample"]
    first, last = samples[0], samples[-1]
    hop = first["hops"]["balancer-backend"]
    assert (hop["established"], hop["time_wait"], hop["in_use"]) == (5, 1, 6)
    assert hop["accept_side"] == {"time_wait": 0, "other": 0, "fin_wait": 0, "close_wait": 0}
    assert hop["worst"]["source"] == "127.3.0.1"
    assert hop["distinct_ports"] == 6
    assert first["tw"] == 1
    assert first["complete"]
    times = [one["t_ns"] for one in samples]
    assert times[0] >= 0
    assert times == sorted(times)
    assert all(one["cpu_ns"] > 0 and one["cost_ns"] > 0 for one in samples)
    # The last sample is taken at the end, after the connections were closed.
    assert last["hops"]["balancer-backend"]["established"] == 0
    assert last["hops"]["balancer-backend"]["time_wait"] == 6
    assert last["counters"]["Tcp.ActiveOpens"] == 6
    assert heard[-1] == {"is": "done", "samples": len(samples)}
