"""Tuples are conserved: each port is free, open, waiting or kept, and comes back when it may."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.model.tuples import ANY, EachOnce, Group, HopTuples
from simulator.ports.selection.free_list import NO_PORT_LEFT, RandomFreePorts, SequentialFreePorts
from simulator.seeds import pure_random

MS = 1_000_000
PORTS = array("H", range(50_000, 50_010))


def group(blocked_ns: int | None) -> Group:
    free = RandomFreePorts(PORTS, pure_random(1, "test"))
    return Group(0, 0, free, blocked_ns)


def test_a_waiting_port_comes_back_after_its_wait_and_not_before() -> None:
    one = group(500 * MS)
    ports = [one.take(0) for _ in range(10)]
    assert sorted(ports) == list(PORTS)
    assert one.take(0) == NO_PORT_LEFT
    one.end(ports[3], 100 * MS, waits=True)
    assert one.take(600 * MS - 1) == NO_PORT_LEFT
    assert one.take(600 * MS) == ports[3]


def test_who_did_not_close_first_holds_nothing() -> None:
    one = group(500 * MS)
    ports = [one.take(0) for _ in range(10)]
    one.end(ports[0], 1, waits=False)
    assert one.take(1) == ports[0]


@given(
    steps=st.lists(st.tuples(st.sampled_from("tcr"), st.integers(0, 300)), max_size=60),
    blocked_ms=st.sampled_from([0, 1, 100, 1000]),
)
def test_every_port_is_somewhere_at_all_times(
    steps: list[tuple[str, int]], blocked_ms: int
) -> None:
    one = group(blocked_ms * MS)
    now, opened, waits = 0, list[int](), dict[int, int]()
    for step, ms in steps:
        now += ms * MS
        waits = {port: until for port, until in waits.items() if until > now}
        if step == "t":
            port = one.take(now)
            assert bool(port) == (len(opened) + len(waits) < len(PORTS))
            if port:
                assert port not in opened
                assert port not in waits
                opened.append(port)
        elif opened:
            port = opened.pop()
            one.end(port, now, waits=step == "c")
            if step == "c" and blocked_ms:
                waits[port] = now + blocked_ms * MS
        one.settle(now)
        assert (one.open, len(one.waiting)) == (len(opened), len(waits))
        assert one.in_use == len(opened) + len(waits)


def test_permanent_ports_never_come_back() -> None:
    one = Group(0, ANY, EachOnce(PORTS), None)
    first = one.take(0)
    one.end(first, 5, waits=True)
    assert (one.kept, one.in_use) == (1, 1)
    assert [one.take(9) for _ in range(10)] == [*range(50_001, 50_010), NO_PORT_LEFT]


def test_what_may_be_taken_over_is_counted_until_it_is_or_the_kernel_forgets() -> None:
    one = Group(0, 0, SequentialFreePorts(array("H", [50_000, 50_001])), 0)
    for port in (one.take(0), one.take(0)):
        one.end(port, 7, waits=True, far_waits=True)
    one.settle(7)
    assert (one.recyclable, one.far_waiting, one.in_use) == (2, 2, 0)
    one.take(8)
    one.settle(8)
    assert (one.recyclable, one.far_waiting) == (1, 1)
    one.settle(7 + KERNEL_TIME_WAIT_NS)
    assert (one.recyclable, one.far_waiting) == (0, 0)


def test_workers_that_share_a_group_are_counted_together() -> None:
    hop = HopTuples()
    hop.groups = [group(0), group(0), Group(1, 0, EachOnce(PORTS), 0)]
    for one in hop.groups:
        one.take(0)
    hop.settle(0)
    assert [(one.source, one.in_use) for one in hop.counted()] == [(0, 2), (1, 1)]
