"""Allocators: their own order of candidates, and no port twice whatever an adversary takes."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.ports.allocators import (
    DEFAULT_RANGES,
    NODE_PORT,
    NOMAD,
    NOMAD_TRIES,
    make_allocator,
    static_band,
)
from simulator.ports.lease import Lease, overlaps
from simulator.ports.quarantine import Quarantine, reused_early
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

RANGE = PortRange(30000, 30099)
NAMED = sorted(name for name in DEFAULT_RANGES if name != "kernel")
#: Those that may give up although a port is free: RFC 6056 bounds their tries, not their misses.
#: A fixed port is the only one that its backend may have.
MAY_MISS = {"random-retry", "random-increments", "fixed"}


def first(name: str, count: int, backend: int = 0, generation: int = 0) -> list[int]:
    made = make_allocator(name, DEFAULT_RANGES[name] and RANGE, 5, 10)
    return list(islice(made.candidates(backend, generation), count))


@pytest.mark.parametrize("name", NAMED)
def test_candidates_stay_in_the_range_and_follow_the_seed(name: str) -> None:
    assert all(port in RANGE for port in first(name, 1000))
    assert first(name, 50) == first(name, 50)


@pytest.mark.parametrize("name", sorted(set(NAMED) - MAY_MISS - {"blocks"}))
def test_every_port_of_the_range_is_tried(name: str) -> None:
    assert set(first(name, 1000)) == set(range(RANGE.first, RANGE.last + 1))


def test_a_fixed_port_is_the_same_for_ever_and_nobody_elses() -> None:
    found = [first("fixed", 9, backend, turn) for turn in range(3) for backend in range(100)]
    assert found == [[port] for port in range(30_000, 30_100)] * 3


def test_sequential_goes_on_after_the_last_one_and_wraps() -> None:
    made = make_allocator("sequential", PortRange(7, 9), 0, 2)
    given_out = []
    for turn in range(4):
        port = next(made.candidates(turn, 0))
        made.taken(turn, port)
        given_out.append(port)
    assert given_out == [7, 8, 9, 7]


def test_blocks_are_disjoint_and_gone_round() -> None:
    made = make_allocator("blocks", PortRange(100, 108), 0, 3)
    assert [list(made.candidates(one, 0)) for one in range(3)] == [
        [100, 101, 102],
        [103, 104, 105],
        [106, 107, 108],
    ]
    made.taken(1, 104)
    assert list(made.candidates(1, 1)) == [105, 103, 104]


def test_a_random_start_is_uniform_and_then_linear() -> None:
    starts = Counter(first("random-start", 1, backend)[0] for backend in range(5000))
    assert stats.chisquare([starts[port] for port in range(30000, 30100)]).pvalue > 1e-3
    begun = first("random-start", 100)
    assert all((b - a) % 100 == 1 for a, b in pairwise(begun))


def test_random_increments_are_uniform_up_to_their_limit() -> None:
    made = make_allocator("random-increments", PortRange(10000, 29999), 5, 1)
    walk = list(islice(made.candidates(0, 0), 10_000))
    steps = [(b - a) % 20_000 for a, b in pairwise(walk)]
    assert min(steps) >= 1
    assert max(steps) <= 500
    assert stats.kstest(steps, stats.randint(1, 501).cdf).pvalue > 1e-3


def test_nomad_tries_twenty_at_random_and_then_scans() -> None:
    made = make_allocator("nomad", NOMAD, 1, 1)
    tried = list(made.candidates(0, 0))
    assert tried[NOMAD_TRIES:] == list(range(20000, 32001))
    assert tried[:NOMAD_TRIES] != sorted(tried[:NOMAD_TRIES])


def test_a_node_port_comes_from_the_upper_band_first() -> None:
    lower = static_band(NODE_PORT)
    assert (lower.first, lower.last, len(lower)) == (30000, 30085, 86)
    tried = list(make_allocator("nodeport", NODE_PORT, 1, 1).candidates(0, 0))
    assert set(tried[: 2768 - 86]) == set(range(30086, 32768))
    assert set(tried[2768 - 86 :]) == set(range(30000, 30086))


@pytest.mark.parametrize("name", ["random", "random-start", "random-retry", "nomad", "nodeport"])
def test_a_backend_that_returns_draws_anew(name: str) -> None:
    assert first(name, 5, generation=0) != first(name, 5, generation=1)


def test_the_kernel_is_asked_for_port_nought() -> None:
    assert set(first("kernel", 10)) == {0}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of kernel"):
        make_allocator("best", None, 0, 1)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMED), st.integers(0, 2**32), st.integers(0, 30))
def test_an_adversary_that_takes_ports_never_makes_two_hold_one(
    name: str, seed: int, rest: int
) -> None:
    """The kernel's part is played by a set of held ports: to bind one that is held fails."""
    ports, backends = PortRange(400, 431), 6
    made = make_allocator(name, ports, seed, backends)
    draw = pure_random(seed, "adversary")
    quarantine = Quarantine(rest)
    stolen: set[int] = set()
    held: dict[int, tuple[int, int]] = {}  # backend -> port, since when
    generation: Counter[int] = Counter()
    past: list[Lease] = []

    def lease(backend: int, port: int, since: int, end: int | None) -> Lease:
        return Lease(
            backend=backend, address="a", port=port, allocator=name, from_ns=since, to_ns=end
        )

    for now in range(120):
        taken = {port for port, _ in held.values()}
        thief = ports.first + draw.randrange(len(ports))
        if thief not in taken:
            stolen ^= {thief}
        backend = draw.randrange(backends)
        if backend in held:
            port, since = held.pop(backend)
            past.append(lease(backend, port, since, now))
            quarantine.given_back("a", port, now)
            continue
        busy = stolen | taken | set(quarantine.resting("a", now))
        for port in made.candidates(backend, generation[backend]):
            if port not in busy:
                held[backend] = (port, now)
                generation[backend] += 1
                made.taken(backend, port)
                break
        else:
            own = ports.slice(backend, backends) if name == "blocks" else ports
            free = set(range(own.first, own.last + 1)) - busy
            assert not free or name in MAY_MISS
    past += [lease(backend, port, since, None) for backend, (port, since) in held.items()]
    assert overlaps(past) == []
    assert reused_early(past, rest) == []
