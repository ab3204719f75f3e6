"""The BSD family, each walk against the order that its source gives."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from scipy import stats

from simulator.ports.range import PortRange
from simulator.ports.selection.bsd import (
    CALM_S,
    NETBSD_COUNTERS,
    NETBSD_LARGEST,
    RANDOM_PICKS_PER_S,
    FreeBsd,
    NetBsdDefault,
    NetBsdHash,
    NetBsdIncrements,
    NextPort,
)
from simulator.ports.selection.selector import NO_PORT, Asked, Selector

PORTS = PortRange(49_152, 49_251)
NOBODY: frozenset[int] = frozenset()


def picks(made: Selector, count: int, at_s: float = 0.0) -> list[int]:
    return [made.pick(Asked("server", at_s=at_s), NOBODY).port for _ in range(count)]


def steps(found: list[int]) -> set[int]:
    return {(after - before) % len(PORTS) for before, after in pairwise(found)}


def test_the_next_port_goes_up_by_one_and_wraps() -> None:
    assert picks(NextPort(PORTS, 1), 201) == [*range(49_152, 49_252)] * 2 + [49_152]
    assert NextPort(PORTS, 1).pick(Asked("server"), {49_152, 49_153}).port == 49_154
    assert picks(NextPort(PortRange(7, 7), 1, randomized=True), 2) == [7, 7]


@pytest.mark.parametrize("kind", ["macos", "freebsd"])
def test_a_random_place_is_never_the_last_so_the_first_port_is_never_next(kind: str) -> None:
    if kind == "macos":
        made: Selector = NextPort(PORTS, 1, randomized=True)
    else:
        made = FreeBsd(PORTS, 1, throttled=False)
    counts = Counter(picks(made, 20_000))
    assert 49_152 not in counts
    assert stats.chisquare([counts[port] for port in range(49_153, 49_252)]).pvalue > 1e-3
    # With all others in use the walk still gets there.
    busy = frozenset(range(49_153, 49_252))
    assert made.pick(Asked("server"), busy).port == 49_152


def test_freebsd_walks_on_while_it_is_busy_and_is_random_again_after_45_calm_seconds() -> None:
    made = FreeBsd(PORTS, 1)
    assert len(steps(picks(made, RANDOM_PICKS_PER_S + 1, at_s=0.5))) > 1
    # The timer of second 1 saw eleven picks; until it has fired 45 times more, there is order.
    assert steps(picks(made, 3, at_s=1.0)) == {1}
    assert steps(picks(made, 3, at_s=float(CALM_S))) == {1}
    assert len(steps(picks(made, RANDOM_PICKS_PER_S, at_s=CALM_S + 1.0))) > 1


def test_freebsd_stays_random_at_ten_picks_a_second() -> None:
    made = FreeBsd(PORTS, 1)
    found = [port for second in range(5) for port in picks(made, RANDOM_PICKS_PER_S, second)]
    assert len(steps(found)) > 20


def test_netbsd_goes_down_from_the_end_and_wraps() -> None:
    assert picks(NetBsdDefault(PORTS, 1), 101) == [*range(49_251, 49_151, -1), 49_251]


@pytest.mark.parametrize("counters", [1, NETBSD_COUNTERS])
def test_netbsd_hashes_begin_anywhere_since_the_secret_is_drawn_anew(counters: int) -> None:
    # 65,536 draws over a range of 128: no remainder, so an exact uniform.
    ports = PortRange(50_000, 50_127)
    counts = Counter(picks(NetBsdHash(ports, 1, counters), 12_800))
    assert stats.chisquare([counts[port] for port in range(50_000, 50_128)]).pvalue > 1e-3
    # Where the size divides 65,536 the overflow of the counter does no harm: all are walked.
    busy = frozenset(range(50_001, 50_128))
    assert made_port(NetBsdHash(ports, 1, counters), busy) == {50_000}


def test_netbsd_hash_may_miss_a_port_when_its_counter_overflows() -> None:
    ports = PortRange(10_000, 10_099)  # 65,536 = 655 x 100 + 36
    found = made_port(NetBsdHash(ports, 1), frozenset(range(10_001, 10_100)), 2_000)
    assert found == {10_000, NO_PORT}


def made_port(made: Selector, busy: frozenset[int], rounds: int = 50) -> set[int]:
    return {made.pick(Asked("server"), busy).port for _ in range(rounds)}


def test_netbsd_increments_are_those_of_algorithm_5_but_for_the_overflow() -> None:
    ports = PortRange(10_000, 42_767)  # 32,768 divides 65,536: no jump
    found = picks(NetBsdIncrements(ports, 1), 3_000)
    jumps = [(after - before) % 32_768 for before, after in pairwise(found)]
    assert min(jumps) >= 1
    assert max(jumps) <= NETBSD_LARGEST
    assert sum(jumps) / len(jumps) == pytest.approx(250.5, abs=8)
