"""Looks at budgets: rates and walls on made-up tables, counts on real connections."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.kernel.host_ports import HostPorts
from simulator.kernel.sockdiag import ESTABLISHED, LISTEN, TIME_WAIT
from simulator.kernel.tuple_table import TupleTable
from simulator.kernel.tuple_watch import TupleWatch
from simulator.ports.range import PortRange
from simulator.units import NS_PER_S
from tests.support.namespace import in_namespace, write_sysctl

if TYPE_CHECKING:
    from simulator.ports.watched import Look

Row = tuple[int, str, int, str, int, int]  # state, source, sport, peer, dport, timer_ms
HOST = HostPorts(
    ports=PortRange(40_000, 40_999),
    reserved=(PortRange(40_000, 40_009),),
    reuse=2,
    reuse_delay_s=1.0,
)


def halves(address: str) -> tuple[int, int]:
    return 0, 0xFFFF << 32 | int.from_bytes(socket.inet_aton(address), "big")


def table(rows: list[Row]) -> TupleTable:
    return TupleTable(
        state=np.array([row[0] for row in rows], np.uint8),
        source=np.array([halves(row[1]) for row in rows], np.uint64).reshape(-1, 2),
        sport=np.array([row[2] for row in rows], np.uint16),
        peer=np.array([halves(row[3]) for row in rows], np.uint64).reshape(-1, 2),
        dport=np.array([row[4] for row in rows], np.uint16),
        timer_ms=np.array([row[5] for row in rows], np.uint32),
        complete=True,
    )


class Host:
    """Made-up tables, a second apart."""

    def __init__(self, *, host: HostPorts = HOST, top: int = 10) -> None:
        self.rows: list[Row] = []
        self.now_ns = 0
        self.watch = TupleWatch(
            top=top,
            read=lambda: table(self.rows),
            settings=lambda: host,
            now_ns=lambda: self.now_ns,
        )

    def look(self, rows: list[Row]) -> Look:
        self.rows = rows
        found = self.watch.look()
        self.now_ns += NS_PER_S
        return found


def waits(sport: int, left_s: float, peer: str = "10.0.0.9") -> Row:
    return TIME_WAIT, "10.0.0.1", sport, peer, 443, round(left_s * 1000)


def opened(sport: int, peer: str = "10.0.0.9") -> Row:
    return ESTABLISHED, "10.0.0.1", sport, peer, 443, 0


def test_reserved_ports_and_listeners_are_no_budget() -> None:
    listeners: list[Row] = [
        (LISTEN, "0.0.0.0", port, "0.0.0.0", 0, 0) for port in (80, 40_005, 40_500, 40_501)
    ]
    look = Host().look([*listeners, opened(40_100)])
    assert (look.budget, look.reserved, look.listening) == (1_000 - 10 - 2, 10, 3)
    assert look.since_s == 0


def test_accepted_ends_and_ports_outside_the_range_take_nothing() -> None:
    look = Host().look(
        [
            (LISTEN, "0.0.0.0", 40_500, "0.0.0.0", 0, 0),
            (ESTABLISHED, "10.0.0.1", 40_500, "10.0.0.7", 50_000, 0),
            opened(2_000),
        ]
    )
    assert look.busiest == ()
    assert look.destinations == 0


def test_a_tuple_seen_twice_in_one_dump_counts_once() -> None:
    (each,) = Host().look([opened(40_100), waits(40_100, 59.9)]).busiest
    assert each.in_use == 1


def test_rates_and_the_wall_are_those_of_a_load_of_20_per_second() -> None:
    host = Host()
    rows: list[Row] = []
    for second in range(6):
        rows = [(*row[:5], row[5] - 1_000) for row in rows]
        rows += [waits(40_010 + 20 * second + at, 60 - (at + 0.5) / 20) for at in range(20)]
        look = host.look(rows)
    (each,) = look.busiest
    assert (each.time_wait, each.established, each.in_use) == (120, 0, 120)
    assert each.opened_per_s == pytest.approx(20)
    assert each.closed_per_s == pytest.approx(20)
    # 20/s x 60 s = 1,200 > 990: after (990 - 120) / 20 more seconds, before the first is back.
    assert each.wall_s == pytest.approx(870 / 20)


def test_below_the_ceiling_there_is_no_wall() -> None:
    host = Host()
    host.look([])
    (each,) = host.look([waits(40_100 + at, 59.5) for at in range(16)]).busiest
    assert each.opened_per_s == pytest.approx(16)
    assert each.wall_s == inf  # 16/s x 60 s = 960 of 990


def test_a_port_taken_over_from_time_wait_counts_as_opened_again() -> None:
    host = Host(host=HostPorts(ports=HOST.ports, reserved=(), reuse=1, reuse_delay_s=1.0))
    rows = [waits(40_100 + at, 59.5) for at in range(50)]
    host.look(rows)
    (each,) = host.look(rows).busiest  # the same ports, closed anew
    assert each.opened_per_s == pytest.approx(50)


def test_on_loopback_old_time_wait_is_free() -> None:
    rows: list[Row] = [
        (TIME_WAIT, "127.0.0.1", 40_100 + at, "127.0.0.2", 443, left)
        for at, left in enumerate([59_500, 59_001, 58_900, 20_000])
    ]
    (each,) = Host().look(rows).busiest
    assert (each.time_wait, each.recyclable, each.in_use) == (2, 2, 2)


def test_the_busiest_are_told_and_the_others_counted() -> None:
    rows = [opened(40_100 + at, f"10.0.1.{at % 7}") for at in range(100)]
    look = Host(top=3).look(rows)
    assert look.destinations == 7
    assert [each.in_use for each in look.busiest] == [15, 15, 14]


def test_an_empty_host_has_nothing_to_tell() -> None:
    look = Host().look([])
    assert (look.busiest, look.sockets) == ((), 0)


def fill() -> tuple[Look, Look, int]:
    """60 of 100 ports held and 30 in TIME_WAIT toward one destination, then all."""
    write_sysctl("ip_local_port_range", "40000 40099")
    write_sysctl("tcp_tw_reuse", "0")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 7_000))
        server.listen(200)

        def connect() -> socket.socket:
            client = stack.enter_context(socket.socket())
            client.connect(("127.0.0.1", 7_000))
            return client

        def close_first() -> None:
            client = connect()
            accepted = server.accept()[0]
            client.close()
            assert accepted.recv(1) == b""
            accepted.close()

        watch = TupleWatch()
        for _ in range(30):
            close_first()
        for _ in range(60):
            connect()
        first = watch.look()
        for _ in range(10):
            connect()
        code = 0
        try:
            connect()
        except OSError as error:
            code = error.errno or 0
        return first, watch.look(), code


@pytest.mark.namespace
def test_the_kernel_refuses_where_the_look_says_that_nothing_is_left() -> None:
    first, second, code = in_namespace(fill)
    (each,) = first.busiest
    assert (first.budget, each.destination, each.port) == (100, "127.0.0.1", 7_000)
    assert (each.established, each.time_wait, each.other) == (60, 30, 0)
    assert code == errno.EADDRNOTAVAIL
    (each,) = second.busiest
    assert each.in_use == second.budget
    assert each.wall_s == 0
    assert each.opened_per_s * second.since_s == pytest.approx(10)


def run_into_the_wall() -> tuple[float, float]:
    """Short connections at a steady pace: when a look says the wall comes, and when it came."""
    write_sysctl("ip_local_port_range", "40000 40199")
    write_sysctl("tcp_tw_reuse", "0")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 7_000))
        server.listen(200)
        watch = TupleWatch()
        watch.look()
        started = time.monotonic()
        told_s, looked = 0.0, started
        for count in range(1_000):
            # The pace itself is under test; nothing waits here for something to be ready.
            time.sleep(max(0.0, started + count / 100 - time.monotonic()))
            client = stack.enter_context(socket.socket())
            try:
                client.connect(("127.0.0.1", 7_000))
            except OSError:
                return told_s, time.monotonic() - looked
            client.close()
            server.accept()[0].close()
            if count == 99:
                looked = time.monotonic()
                (each,) = watch.look().busiest
                told_s = each.wall_s
    raise AssertionError("1,000 connections found a port among 200")


@pytest.mark.namespace
@pytest.mark.alone
@pytest.mark.slow
def test_the_wall_comes_when_it_was_said_to() -> None:
    told_s, came_s = in_namespace(run_into_the_wall)
    assert told_s == pytest.approx(1.0, rel=0.3)  # (200 - 100) / 100 per second
    assert came_s == pytest.approx(told_s, rel=0.4)  # measured within 2 % on an idle machine
