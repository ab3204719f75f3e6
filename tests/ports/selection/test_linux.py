"""Linux's choice of ports: the walks by themselves, and the kernel's own picks held against them.

The kernel draws what cannot be seen: a start, and 0 to 7 steps after each pick. So a trace of it
is checked pick by pick: of all starts that were still possible, which of them lead to the port that
the kernel took? A trace that leaves none is one that the model cannot make.
"""

from __future__ import annotations

import errno
import itertools
import socket
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.kernel.sockets import open_listener
from simulator.live.dialer import FAILED
from simulator.live.kernel_dialer import KernelDialer
from simulator.ports.range import PortRange
from simulator.ports.selection.linux import (
    EPOCH_S,
    EXTRA_STEPS,
    LinuxBind,
    LinuxConnect,
    scan,
    usable_size,
)
from simulator.ports.selection.selector import NO_PORT, Asked, Selector
from simulator.records import Call
from simulator.seeds import pure_random
from tests.support.namespace import in_namespace, write_sysctl

if TYPE_CHECKING:
    from simulator.live.port_modes import Mode

PORTS = PortRange(40_000, 40_199)
SERVER = Asked("server")


def fill(made: Selector, asked: Asked = SERVER) -> tuple[list[int], list[int]]:
    """Ports and probes until there is none left."""
    ports: list[int] = []
    probes = []
    in_use = set[int]()
    while (pick := made.pick(asked, in_use)).port != NO_PORT:
        ports.append(pick.port)
        probes.append(pick.probes)
        in_use.add(pick.port)
    return ports, probes


def possible(
    ports: PortRange, trace: list[int], stride: int, extra_steps: int = EXTRA_STEPS
) -> int:
    """How many steps of a trace of connect() the model could have made; all of them if it can.

    Args:
        ports: the range.
        trace: each port taken toward one destination, and with a minus each that became free.
        stride: of the model.
        extra_steps: of the model, 0 to one less than this.
    """
    size = usable_size(ports, stride)
    starts = set(range(0, size, stride))
    in_use = set[int]()
    for turn, port in enumerate(trace):
        if port < 0:
            in_use.remove(-port)
            continue
        following = set()
        for start in starts:
            walked = _walked(ports, start, stride, in_use, port)
            if walked is not None:
                for extra in range(0, extra_steps * stride, stride):
                    following.add((start + max(walked, extra) + stride) % size)
        if not following:
            return turn
        starts = following
        in_use.add(port)
    return len(trace)


def _walked(ports: PortRange, start: int, stride: int, in_use: set[int], taken: int) -> int | None:
    """How far the walk had come when it met the port taken; None if it meets another first."""
    for first in (start,) if stride == 1 else (start, start + 1):
        for turn, port in enumerate(scan(ports, first, stride)):
            if port == taken:
                return turn * stride
            if port not in in_use:
                return None
    return None


# The model by itself.


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_check_of_traces_accepts_the_model_and_refuses_a_trace_with_two_picks_exchanged(
    stride: int, seed: int
) -> None:
    trace, _ = fill(LinuxConnect(PORTS, seed, stride))
    assert possible(PORTS, trace, stride) == 200
    trace[3], trace[60] = trace[60], trace[3]
    assert possible(PORTS, trace, stride) < 100


def test_connect_takes_one_parity_first_and_pays_for_it_from_half_on() -> None:
    ports, probes = fill(LinuxConnect(PORTS, 5))
    assert all(port % 2 == 0 for port in ports[:100])
    assert all(port % 2 == 1 for port in ports[100:])
    assert sorted(ports) == list(range(40_000, 40_200))
    # The first half finds a port at once while there is room; the second looks at 100 busy ones.
    assert sum(probes[:50]) / 50 < 3
    assert min(probes[100:]) == 101


def test_connect_goes_on_by_2_to_16_and_with_its_own_range_by_1_to_8() -> None:
    wide = PortRange(20_000, 59_999)
    for stride in (2, 1):
        made = LinuxConnect(wide, 5, stride)
        found = [made.pick(SERVER, ()).port for _ in range(4_000)]
        jumps = Counter((b - a) % 40_000 for a, b in itertools.pairwise(found))
        assert set(jumps) == set(range(stride, 8 * stride + 1, stride))
        assert stats.chisquare(list(jumps.values())).pvalue > 1e-3


def test_each_epoch_of_ten_seconds_begins_elsewhere() -> None:
    made = LinuxConnect(PortRange(20_000, 59_999), 5)
    places = [made.pick(SERVER._replace(at_s=EPOCH_S * turn), ()).port for turn in range(50)]
    # Fifty random places of 20,000: next to each other (16 or nearer) is one pair in a thousand.
    near = sum(0 < (b - a) % 40_000 <= 16 for a, b in itertools.pairwise(places))
    assert near <= 1
    same = [made.pick(SERVER._replace(at_s=1_000 + turn), ()).port for turn in range(10)]
    assert all(0 < (b - a) % 40_000 <= 16 for a, b in itertools.pairwise(same))


def test_destinations_begin_at_places_of_their_own_all_of_one_parity() -> None:
    made = LinuxConnect(PortRange(20_000, 59_999), 5)
    found = {made.pick(Asked(number), ()).port for number in range(200)}
    assert all(port % 2 == 0 for port in found)
    assert len(found) > 195


def test_bind_takes_the_other_parity_first_at_random() -> None:
    ports, probes = fill(LinuxBind(PORTS, 5))
    assert all(port % 2 == 1 for port in ports[:100])
    assert all(port % 2 == 0 for port in ports[100:])
    assert sorted(ports) == list(range(40_000, 40_200))
    assert min(probes[100:]) == 101
    made = LinuxBind(PORTS, 5)
    counts = Counter(made.pick(SERVER, ()).port for _ in range(10_000))
    assert stats.chisquare([counts[port] for port in range(40_001, 40_200, 2)]).pvalue > 1e-3


def test_bind_with_reuseaddr_fills_the_lower_half_first() -> None:
    ports, _ = fill(LinuxBind(PORTS, 5, reuse=True))
    assert max(ports[:100]) < 40_100 <= min(ports[100:])
    assert len(ports) == 200


@given(first=st.integers(1, 60_000), size=st.integers(1, 64), data=st.data())
def test_a_scan_of_an_even_size_meets_each_port_of_a_parity_once(
    first: int, size: int, data: st.DataObject
) -> None:
    ports = PortRange(first, first + 2 * size - 1)
    start = data.draw(st.integers(0, 2 * size - 1))
    found = list(scan(ports, start, 2))
    assert found[0] == first + start
    assert sorted(found) == list(range(first + start % 2, first + 2 * size, 2))
    assert sorted(scan(ports, start, 1)) == list(range(first, first + 2 * size))


# The kernel.


def connect_trace(mode: Mode, ports: PortRange) -> tuple[list[int], int, int]:
    """Ports that the kernel gave until it had none, and how it said so."""
    write_sysctl("ip_local_port_range", f"{ports.first} {ports.last}")
    listener = open_listener("127.3.0.1", 1500, backlog=4096)
    dialer = KernelDialer(mode, (), ports)
    destination = dialer.destination(*listener.getsockname())
    trace = []
    while (fd := dialer.dial(destination)) != FAILED:
        trace.append(dialer.local_port(fd))
    return trace, dialer.last_call, dialer.last_error


def churn_trace(ports: PortRange, seed: int) -> list[list[int]]:
    """Connects and resets toward two destinations in turn, as a trace for each of them."""
    write_sysctl("ip_local_port_range", f"{ports.first} {ports.last}")
    dialer = KernelDialer("kernel", ())
    draw = pure_random(seed, "churn").randrange
    listeners = [open_listener("127.3.0.1", port, backlog=4096) for port in (1500, 1501)]
    known = [dialer.destination(*listener.getsockname()) for listener in listeners]
    traces: list[list[int]] = [[], []]
    held: list[list[int]] = [[], []]
    for turn in range(1_200):
        side = turn % 2
        if len(held[side]) > draw(2 * len(ports)):
            fd = held[side].pop(draw(len(held[side])))
            traces[side].append(-dialer.local_port(fd))
            dialer.reset(fd)
        elif (fd := dialer.dial(known[side])) != FAILED:
            held[side].append(fd)
            traces[side].append(dialer.local_port(fd))
    return traces


def bind_trace(ports: PortRange, reuse: int) -> tuple[list[int], int]:
    """Ports that bind() to port 0 gave until it had none, and its errno."""
    write_sysctl("ip_local_port_range", f"{ports.first} {ports.last}")
    held = []
    while True:
        one = socket.socket()
        held.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            one.bind(("127.0.0.1", 0))
        except OSError as error:
            return [taken.getsockname()[1] for taken in held[:-1]], error.errno or 0


@pytest.mark.namespace
@pytest.mark.parametrize(("mode", "stride"), [("kernel", 2), ("socket-range", 1)])
def test_the_kernels_connects_are_picks_that_the_model_could_have_made(
    mode: Mode, stride: int
) -> None:
    for _ in range(3):
        trace, call, error = in_namespace(connect_trace, mode, PORTS)
        assert (call, error) == (Call.CONNECT, errno.EADDRNOTAVAIL)
        assert sorted(trace) == list(range(40_000, 40_200))
        if stride == 2:
            assert all(port % 2 == 0 for port in trace[:100])
        if possible(PORTS, trace, stride) == 200:
            break  # else the epoch changed in the middle: once in some thousand runs
    else:
        pytest.fail(f"the model cannot make this trace: {trace}")


@pytest.mark.namespace
def test_the_kernel_counts_for_each_destination_and_takes_up_what_came_free() -> None:
    # Two destinations in turn: with one counter for both, as in algorithm 3, each would see the
    # other's steps in its own.
    for seed in range(3):
        traces = in_namespace(churn_trace, PORTS, seed)
        assert all(len(trace) > 300 for trace in traces)
        assert any(port < 0 for port in traces[0])
        if all(possible(PORTS, trace, 2) == len(trace) for trace in traces):
            break  # else the epoch changed in the middle
    else:
        pytest.fail(f"the model cannot make these traces: {traces}")
    # A model that is off by one step in the longest of its random steps is found out.
    assert possible(PORTS, traces[0], 2, extra_steps=EXTRA_STEPS - 1) < 200


@pytest.mark.namespace
def test_the_check_of_traces_tells_the_kernels_two_strides_apart() -> None:
    trace, _, _ = in_namespace(connect_trace, "socket-range", PORTS)
    assert possible(PORTS, trace, 2) < 100


@pytest.mark.namespace
@pytest.mark.parametrize("reuse", [0, 1])
def test_the_kernels_bind_fills_the_same_ports_in_the_same_stages(reuse: int) -> None:
    trace, error = in_namespace(bind_trace, PORTS, reuse)
    assert error == errno.EADDRINUSE
    ours, _ = fill(LinuxBind(PORTS, 5, reuse=bool(reuse)))
    stages = range(0, 200, 50) if reuse else range(0, 200, 100)
    length = 50 if reuse else 100
    for begin in stages:
        assert set(trace[begin : begin + length]) == set(ours[begin : begin + length]), begin


@pytest.mark.namespace
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_the_kernel_runs_out_of_odd_ranges_where_the_model_does(size: int) -> None:
    ports = PortRange(40_000, 39_999 + size)
    ours = {frozenset(fill(LinuxConnect(ports, seed))[0]) for seed in range(300)}
    for _ in range(3):
        trace, _, _ = in_namespace(connect_trace, "kernel", ports)
        assert frozenset(trace) in ours
    own_range = frozenset(in_namespace(connect_trace, "socket-range", ports)[0])
    assert own_range == frozenset(fill(LinuxConnect(ports, 1, stride=1))[0])
    ours = {frozenset(fill(LinuxBind(ports, seed))[0]) for seed in range(300)}
    for _ in range(3):
        assert frozenset(in_namespace(bind_trace, ports, 0)[0]) in ours
