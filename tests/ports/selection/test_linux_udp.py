"""Linux's choice of UDP ports: each once, in jumps within a slot; and the kernel's own draws."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.ports.range import PortRange
from simulator.ports.selection.linux_udp import LinuxUdp
from simulator.ports.selection.selector import Asked
from tests.support.namespace import in_namespace, write_sysctl

PORTS = PortRange(40_000, 40_199)
#: A run of busy ports: the port after it, and no other, is picked more often.
RUN = range(40_010, 40_040)
DRAWS = 6_000


@given(
    first=st.integers(1, 60_000),
    size=st.integers(1, 5_000),
    slots=st.sampled_from([256, 4_096, 65_536]),
    seed=st.integers(0, 100),
)
def test_every_port_of_the_range_is_looked_at_once(
    first: int, size: int, slots: int, seed: int
) -> None:
    ports = PortRange(first, first + size - 1)
    found = list(LinuxUdp(ports, seed, slots).candidates(Asked("any")))
    assert sorted(found) == list(range(ports.first, ports.last + 1))


def test_the_first_ports_looked_at_lie_in_one_slot() -> None:
    wide = PortRange(32_768, 65_535)  # eight ports of each of 4,096 slots
    found = list(islice(LinuxUdp(wide, 1).candidates(Asked("any")), 16))
    assert len({port % 4_096 for port in found[:8]}) == 1
    assert {port % 4_096 for port in found[8:]} == {(found[0] + 1) % 4_096}


def fits_algorithm_1(counts: Counter[int]) -> float:
    """p of the draws, when a port after a busy run has the weight of the run."""
    free = [port for port in range(40_000, 40_200) if port not in RUN]
    weights = [len(RUN) + 1 if port == RUN.stop else 1 for port in free]
    expected = [DRAWS * weight / len(PORTS) for weight in weights]
    assert sum(counts[port] for port in free) == DRAWS
    return float(stats.chisquare([counts[port] for port in free], expected).pvalue)


def test_in_a_small_range_it_is_algorithm_1() -> None:
    made = LinuxUdp(PORTS, 1)
    assert fits_algorithm_1(Counter(made.pick(Asked(0), RUN).port for _ in range(DRAWS))) > 1e-3


def udp_draws() -> tuple[list[int], int, int]:
    """Draws past a busy run; then how many sockets the range holds, and the errno of the next."""
    write_sysctl("ip_local_port_range", f"{PORTS.first} {PORTS.last}")
    held = []
    for port in RUN:
        one = socket.socket(type=socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", port))
        held.append(one)
    drawn = []
    for _ in range(DRAWS):
        with socket.socket(type=socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            drawn.append(one.getsockname()[1])
    while True:
        one = socket.socket(type=socket.SOCK_DGRAM)
        try:
            one.bind(("127.0.0.1", 0))
        except OSError as error:
            return drawn, len(held), error.errno or 0
        held.append(one)


@pytest.mark.namespace
def test_the_kernel_draws_so_too_and_gives_out_the_whole_range() -> None:
    # The kernel's draws have no seed: one set in a thousand may look odd, two of two hardly do.
    for _ in range(2):
        drawn, held, error = in_namespace(udp_draws)
        assert (held, error) == (200, errno.EADDRINUSE)
        if fits_algorithm_1(Counter(drawn)) > 1e-3:
            return
    pytest.fail("the kernel does not draw as algorithm 1 does")
